// One person's chat: what is known of it, and, while it is open, how it looks.

import { alertBox, arrows, button, element, post, setText, toast } from './dom.js';
import { answered, bubble, dayOf } from './message.js';

// What the page measures of itself, for whoever wants to know.
export const timing = { renders: 0, lastMs: 0, maxMs: 0, totalMs: 0, messages: 0, updates: 0 };
window.demoTiming = timing;

const NEAR = 60; // px from the end that still count as being there
const CHANGED_MS = 900;
const GONE_MS = 160;

export class Chat {
  constructor(person, bot) {
    this.person = person;
    this.bot = bot; // {username, name, running}
    this.messages = new Map(); // by id, rising
    this.profile = { about: '', commands: [] };
    this.typing = false;
    this.blocked = false;
    this.unread = 0;
    this.draft = '';
    this.view = null; // while it is open
    this.onUnread = () => {};
  }

  send(text) {
    return post('/type', { person: this.person.id, text });
  }

  // open draws the chat into a pane.
  open(pane) {
    this.view = draw(this);
    pane.append(this.view.section);
    this.render([...this.messages.values()], [], false);
    this.view.input.value = this.draft;
    this.showProfile();
    this.showState();
    this.unread = 0;
    this.onUnread();
    toEnd(this.view);
  }

  close() {
    this.draft = this.view.input.value;
    this.view.section.remove();
    this.view = null;
  }

  forget() {
    this.messages.clear();
    if (!this.view) return;
    this.view.log.replaceChildren();
    this.view.nodes.clear();
    this.view.empty.hidden = false;
  }

  // apply takes in what is new; what is not in it has not changed.
  apply(update, everything) {
    const messages = update.messages ?? [];
    const deleted = update.deleted ?? [];
    const fresh = messages.filter((m) => !this.messages.has(m.id));
    for (const message of messages) this.messages.set(message.id, message);
    for (const id of deleted) this.messages.delete(id);
    if (update.typing !== undefined) this.typing = update.typing;
    if (update.blocked !== undefined) this.blocked = update.blocked;
    if (update.profile) this.profile = update.profile;
    const news = everything ? 0 : fresh.filter((m) => !m.own).length;
    if (!this.view) {
      if (news) {
        this.unread += news;
        this.onUnread();
      }
      return;
    }
    const follow = everything || atEnd(this.view) || fresh.some((m) => m.own);
    if (messages.length || deleted.length) this.render(messages, deleted, !everything);
    for (const answer of update.answers ?? []) {
      answered(this.view.log, answer.message, answer.data);
      if (!answer.text) continue;
      if (answer.alert) alertBox(answer.text);
      else toast(answer.text);
    }
    if (update.profile) this.showProfile();
    this.showState();
    if (follow) toEnd(this.view);
    else if (news) this.view.missed += news;
    showJump(this.view);
  }

  // render draws the messages that have changed, and no others.
  render(changed, deleted, mark) {
    const began = performance.now();
    const { log } = this.view;
    for (const id of deleted) this.remove(id);
    const batch = document.createDocumentFragment();
    for (const message of changed) {
      const drawn = bubble(message, this);
      const before = this.view.nodes.get(message.id);
      this.view.nodes.set(message.id, drawn);
      if (!before) {
        batch.append(drawn);
        continue;
      }
      if (mark) highlight(drawn);
      if (before.dataset.first) drawn.dataset.first = before.dataset.first;
      replace(before, drawn, this.view);
    }
    const first = batch.firstElementChild;
    log.append(batch);
    for (let node = first; node; node = node.nextElementSibling) markDay(node);
    this.view.empty.hidden = this.messages.size > 0;
    took(performance.now() - began, changed.length);
  }

  remove(id) {
    const node = this.view.nodes.get(id);
    if (!node) return;
    this.view.nodes.delete(id);
    const next = node.nextElementSibling;
    if (node.contains(document.activeElement)) this.view.log.focus({ preventScroll: true });
    node.classList.add('gone');
    node.inert = true;
    delete node.dataset.id;
    setTimeout(() => {
      node.remove();
      if (next) markDay(next);
    }, GONE_MS);
  }

  showState() {
    if (!this.view) return;
    const { status, typing, note } = this.view;
    let says = this.bot.running ? 'bot' : 'the bot is down';
    if (this.typing) says = 'typing…';
    setText(status, says);
    typing.hidden = !this.typing;
    note.hidden = !this.blocked;
    this.view.section.classList.toggle('blocked', this.blocked);
  }

  showProfile() {
    const { about, commands, menu } = this.view;
    setText(about, this.profile.about || 'Nothing has been said here yet.');
    const all = this.profile.commands ?? [];
    commands.hidden = all.length === 0;
    menu.replaceChildren(...all.map((command) => {
      const made = button('', '', () => {
        const { input } = this.view;
        if (isCommand(input.value)) input.value = ''; // which this was picked for
        openMenu(this.view, false);
        input.focus();
        this.send(`/${command.command}`);
      });
      made.append(element('b', '', `/${command.command}`), ' ', element('bdi', '', command.description));
      made.setAttribute('role', 'menuitem');
      made.tabIndex = -1;
      made.dataset.command = command.command;
      return made;
    }));
  }
}

function took(ms, count) {
  timing.renders++;
  timing.messages += count;
  timing.lastMs = ms;
  timing.totalMs += ms;
  timing.maxMs = Math.max(timing.maxMs, ms);
}

function draw(chat) {
  const { person, bot } = chat;
  const section = element('section', 'chat');
  section.dataset.person = person.id;
  section.setAttribute('aria-label', `${person.name}’s chat with the bot`);

  const status = element('span', 'status', '');
  const head = element('div', 'head', element('span', 'avatar', '🛍'),
    element('div', 'who', element('b', '', bot.name), status),
    element('span', 'dim lang', `${person.name} · ${person.about}`));
  head.firstChild.setAttribute('aria-hidden', 'true');

  const about = element('p', 'about', '');
  about.dir = 'auto';
  const start = button('Start', 'primary', () => {
    input.focus();
    chat.send('/start');
  });
  const empty = element('div', 'empty', about, start);
  const log = element('div', 'messages', '');
  log.setAttribute('role', 'log');
  log.setAttribute('aria-label', `Messages of ${person.name}`);
  log.tabIndex = -1;
  const typing = element('p', 'typing', element('span', 'dots', '•••'));
  typing.setAttribute('aria-label', 'The bot is typing');
  typing.hidden = true;
  const scroll = element('div', 'scroll', empty, log, typing);
  scroll.tabIndex = 0;
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', `${person.name}’s chat, to scroll`);
  const jump = button('', 'jump', () => toEnd(view, true));
  jump.hidden = true;
  const note = element('p', 'note', `${person.name} has blocked the bot: nothing gets through, either way. `,
    button('Unblock', '', () => post('/fault', { fault: 'blocked', on: false, person: person.id })));
  note.hidden = true;

  const menu = element('div', 'menu');
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', 'Commands of the bot');
  menu.hidden = true;
  const commands = button('/', 'icon', () => openMenu(view, menu.hidden));
  commands.setAttribute('aria-label', 'Commands');
  commands.setAttribute('aria-haspopup', 'menu');
  commands.setAttribute('aria-expanded', 'false');
  const input = element('textarea', '');
  input.name = 'text';
  input.rows = 1;
  input.maxLength = 4096;
  input.dir = 'auto';
  input.placeholder = 'Message';
  input.autocomplete = 'off';
  input.setAttribute('aria-label', 'Message');
  const sticker = button('👋', 'icon', () => post('/sticker', { person: person.id }));
  sticker.setAttribute('aria-label', 'Send a sticker');
  const sender = element('button', 'primary icon', '➤');
  sender.type = 'submit';
  sender.setAttribute('aria-label', 'Send');
  const form = element('form', 'write', commands, input, sticker, sender);

  section.append(head, scroll, jump, menu, note, form);
  const view = { section, status, about, empty, log, typing, scroll, jump, note, menu, commands, input, nodes: new Map(), missed: 0 };

  const send = async () => {
    const typed = input.value;
    if (!typed.trim()) return;
    input.value = '';
    openMenu(view, false);
    if (!(await chat.send(typed)) && input.value === '') input.value = typed;
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (!menu.hidden && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault();
      const all = offered(view);
      all[event.key === 'ArrowUp' ? all.length - 1 : 0]?.focus();
    }
  });
  // Commands are offered while one is being typed.
  input.addEventListener('input', () => {
    const typed = isCommand(input.value) ? input.value.slice(1) : null;
    for (const item of menu.children) item.hidden = typed !== null && !item.dataset.command.startsWith(typed);
    showMenu(view, typed !== null && offered(view).length > 0);
  });
  section.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !menu.hidden) {
      openMenu(view, false);
      input.focus();
    }
  });
  section.addEventListener('focusout', (event) => {
    if (!menu.hidden && event.relatedTarget && !form.contains(event.relatedTarget) && !menu.contains(event.relatedTarget)) openMenu(view, false);
  });
  arrows(menu, () => offered(view));
  scroll.addEventListener('scroll', () => {
    if (atEnd(view)) view.missed = 0;
    showJump(view);
  }, { passive: true });
  // What grows (a keyboard, the field below) does not push the end away.
  let height = 0;
  new ResizeObserver(() => {
    const shrunk = height - scroll.clientHeight;
    const was = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight - Math.max(shrunk, 0);
    if (was < NEAR) toEnd(view);
    height = scroll.clientHeight;
  }).observe(scroll);
  return view;
}

// isCommand says whether a text is the beginning of a command, or one.
const isCommand = (text) => /^\/\w*$/.test(text);

const offered = (view) => [...view.menu.children].filter((item) => !item.hidden);

// openMenu is the button's way: all commands, and the focus goes to the first.
function openMenu(view, open) {
  for (const item of view.menu.children) item.hidden = false;
  showMenu(view, open);
  if (open) view.menu.firstElementChild?.focus();
}

function showMenu(view, open) {
  view.menu.hidden = !open;
  view.commands.setAttribute('aria-expanded', String(open));
}

const atEnd = ({ scroll }) => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;

function toEnd(view, smooth) {
  view.missed = 0;
  view.scroll.scrollTo({ top: view.scroll.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
  showJump(view);
}

function showJump(view) {
  view.jump.hidden = atEnd(view);
  const label = view.missed ? `↓ ${view.missed} new message${view.missed === 1 ? '' : 's'}` : '↓';
  setText(view.jump, label);
  view.jump.setAttribute('aria-label', view.missed ? label.slice(2) : 'To the newest message');
}

function highlight(node) {
  node.classList.add('changed');
  setTimeout(() => node.classList.remove('changed'), CHANGED_MS);
}

// replace keeps the keyboard's focus where it was, for those who tap with it.
function replace(before, drawn, view) {
  const active = document.activeElement;
  const at = before.contains(active) ? active.dataset.at : undefined;
  const inside = before.contains(active);
  before.replaceWith(drawn);
  if (!inside) return;
  const keys = [...drawn.querySelectorAll('.keyboard button')];
  const next = keys.find((key) => key.dataset.at === at) ?? keys[0];
  if (next) next.focus({ preventScroll: true });
  else view.input.focus({ preventScroll: true });
}

// markDay says above the first message of a day which day it is.
function markDay(node) {
  let before = node.previousElementSibling;
  while (before?.classList.contains('gone')) before = before.previousElementSibling;
  const day = dayOf(Number(node.dataset.when));
  if (before && dayOf(Number(before.dataset.when)) === day) delete node.dataset.first;
  else node.dataset.first = day;
}
