// One person's chat: its state, and its view while it is open. room.js has groups.

import { InlineResults } from './inline.js';
import { alertBox, arrowKeys, button, element, post, setText, toast } from './dom.js';
import { bubble, dayOf, endWaiting, fillQuote } from './message.js';
import { showReply } from './reply.js';

// Measurements of rendering, which the browser tests log.
export const timing = { renders: 0, lastMs: 0, maxMs: 0, totalMs: 0, messages: 0, updates: 0 };
window.demoTiming = timing;

const END_MARGIN = 60; // px from the end that still count as the end
const HIGHLIGHT_MS = 900;
const REMOVE_MS = 160;

export class Chat {
  constructor(person, bot) {
    this.person = person;
    this.bot = bot; // {username, name, running, people, openChat}
    this.icon = '🛍';
    this.title = `${person.name}’s chat with the bot`;
    this.logLabel = `Messages of ${person.name}`;
    this.messages = new Map(); // by id, ascending
    this.profile = { about: '', commands: [] };
    this.typing = false;
    this.blocked = false;
    this.unread = 0;
    this.draft = '';
    this.inline = null; // the answer to an inline query
    this.reply = null; // the reply keyboard
    this.view = null; // set while the chat is open
    this.onUnread = () => {};
  }

  send(text) {
    return post('/type', { person: this.person.id, text });
  }

  // actor names who taps, for a request.
  actor() {
    return { person: this.person.id };
  }

  // sendToBot sends a text to the bot in private.
  sendToBot(text) {
    return this.send(text);
  }

  // open draws the chat into a pane.
  open(pane) {
    this.view = draw(this);
    pane.append(this.view.section);
    this.render([...this.messages.values()], [], false);
    this.view.input.value = this.draft;
    this.showProfile();
    showReply(this.view.reply, this);
    this.showStatus();
    this.unread = 0;
    this.onUnread();
    toEnd(this.view);
  }

  close() {
    this.draft = this.view.input.value;
    this.view.section.remove();
    this.view = null;
  }

  clear() {
    this.messages.clear();
    if (!this.view) return;
    this.view.log.replaceChildren();
    this.view.nodes.clear();
    this.view.empty.hidden = false;
  }

  // apply applies a chat update. With initial it holds the whole chat.
  apply(update, initial) {
    const messages = update.messages ?? [];
    const deleted = update.deleted ?? [];
    const added = messages.filter((m) => !this.messages.has(m.id));
    for (const message of messages) this.messages.set(message.id, message);
    for (const id of deleted) this.messages.delete(id);
    if (update.typing !== undefined) this.typing = update.typing;
    if (update.blocked !== undefined) this.blocked = update.blocked;
    if (update.profile) this.profile = update.profile;
    if (update.inline !== undefined) this.inline = update.inline;
    if (update.reply !== undefined) this.reply = update.reply;
    const received = initial ? 0 : added.filter((m) => !m.own).length;
    if (!this.view) {
      this.unread += received;
      if (received) this.onUnread();
      return;
    }
    const follow = initial || atEnd(this.view) || added.some((m) => m.own);
    if (messages.length || deleted.length) this.render(messages, deleted, !initial);
    for (const answer of update.answers ?? []) {
      endWaiting(this.view.log, answer.message, answer.data);
      if (!answer.text) continue;
      if (answer.alert) alertBox(answer.text);
      else toast(answer.text);
    }
    if (update.profile) this.showProfile();
    if (update.inline) this.view.inline.show();
    if (update.reply !== undefined) showReply(this.view.reply, this);
    this.showStatus();
    if (follow) toEnd(this.view);
    else this.view.missed += received;
    showJump(this.view);
  }

  // render draws the changed messages and removes the deleted ones.
  render(changed, deleted, mark) {
    const startedAt = performance.now();
    const { log } = this.view;
    for (const id of deleted) {
      this.remove(id);
      this.requote(id);
    }
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
      this.requote(message.id);
    }
    const first = batch.firstElementChild;
    log.append(batch);
    for (let node = first; node; node = node.nextElementSibling) markDay(node);
    this.view.empty.hidden = this.messages.size > 0;
    measure(performance.now() - startedAt, changed.length);
  }

  // requote draws the quotes of a changed message again.
  requote(id) {
    for (const box of this.view.log.querySelectorAll(`[data-quotes="${id}"]`)) fillQuote(box, this);
  }

  scrollTo(id) {
    const node = this.view.nodes.get(id);
    if (!node) return;
    node.scrollIntoView({ block: 'center', behavior: 'instant' });
    highlight(node);
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
    }, REMOVE_MS);
  }

  showStatus() {
    if (!this.view) return;
    const { status, typing, note } = this.view;
    const state = this.bot.running ? 'bot' : 'the bot is down';
    setText(status, this.typing ? 'typing…' : state);
    typing.hidden = !this.typing;
    note.hidden = !this.blocked;
    this.view.section.classList.toggle('blocked', this.blocked);
  }

  showProfile() {
    const { about, commands, menu } = this.view;
    setText(about, this.profile.about || 'No messages yet.');
    const all = this.profile.commands ?? [];
    commands.hidden = all.length === 0;
    menu.replaceChildren(...all.map((command) => {
      const item = button('', '', () => {
        const { input } = this.view;
        if (isCommand(input.value)) input.value = ''; // it opened the menu
        openMenu(this.view, false);
        input.focus();
        this.send(`/${command.command}`);
      });
      item.append(element('b', '', `/${command.command}`), ' ', element('bdi', '', command.description));
      item.setAttribute('role', 'menuitem');
      item.tabIndex = -1;
      item.dataset.command = command.command;
      return item;
    }));
  }
}

function measure(ms, count) {
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
  section.setAttribute('aria-label', chat.title);

  const status = element('span', 'status', '');
  const head = element('div', 'head', element('span', 'avatar', chat.icon),
    element('div', 'who', element('b', '', chat.room ? person.name : bot.name), status),
    element('span', 'dim lang', chat.room ? person.about : `${person.name} · ${person.about}`));
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
  log.setAttribute('aria-label', chat.logLabel);
  log.tabIndex = -1;
  const typing = element('p', 'typing', element('span', 'dots', '•••'));
  typing.setAttribute('aria-label', 'The bot is typing');
  typing.hidden = true;
  const scroll = element('div', 'scroll', empty, log, typing);
  scroll.tabIndex = 0;
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', `${person.name}’s chat, scrollable`);
  const jump = button('', 'jump', () => toEnd(view, true));
  jump.hidden = true;
  const note = element('p', 'note', `${person.name} has blocked the bot: neither can send messages to the other. `,
    button('Unblock', '', () => post('/fault', { fault: 'blocked', on: false, person: person.id })));
  note.hidden = true;

  const menu = element('div', 'menu');
  menu.setAttribute('role', 'menu');
  menu.setAttribute('aria-label', 'Bot commands');
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

  const inline = new InlineResults(chat, input);
  const reply = element('div', 'keyboard reply');
  reply.setAttribute('role', 'group');
  reply.setAttribute('aria-label', 'Keyboard');
  chat.dress?.({ head, form, commands, sticker, input, start });
  section.append(head, scroll, jump, menu, inline.box, note, reply, form);
  const view = { section, status, about, reply, empty, log, typing, scroll, jump, note, menu, inline, commands, input, nodes: new Map(), missed: 0 };

  const send = async () => {
    const text = input.value;
    if (!text.trim()) return;
    input.value = '';
    openMenu(view, false);
    inline.close();
    if (!(await chat.send(text)) && input.value === '') input.value = text;
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
      visibleItems(view).at(event.key === 'ArrowUp' ? -1 : 0)?.focus();
    } else if (!inline.box.hidden && event.key === 'ArrowUp') {
      event.preventDefault();
      inline.focus();
    }
  });
  // The menu shows the commands that start with the typed text.
  input.addEventListener('input', () => {
    const prefix = isCommand(input.value) ? input.value.slice(1) : null;
    for (const item of menu.children) item.hidden = prefix !== null && !item.dataset.command.startsWith(prefix);
    showMenu(view, prefix !== null && visibleItems(view).length > 0);
  });
  section.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !(menu.hidden && inline.box.hidden)) {
      openMenu(view, false);
      inline.close();
      input.focus();
    }
  });
  section.addEventListener('focusout', (event) => {
    if (!menu.hidden && event.relatedTarget && !form.contains(event.relatedTarget) && !menu.contains(event.relatedTarget)) openMenu(view, false);
  });
  arrowKeys(menu, () => visibleItems(view));
  scroll.addEventListener('scroll', () => {
    if (atEnd(view)) view.missed = 0;
    showJump(view);
  }, { passive: true });
  // The chat stays at its end when its height changes.
  let height = 0;
  new ResizeObserver(() => {
    const shrunk = height - scroll.clientHeight;
    const distance = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight - Math.max(shrunk, 0);
    if (distance < END_MARGIN) toEnd(view);
    height = scroll.clientHeight;
  }).observe(scroll);
  return view;
}

// isCommand reports whether text is a command or the start of one.
const isCommand = (text) => /^\/\w*$/.test(text);

const visibleItems = (view) => [...view.menu.children].filter((item) => !item.hidden);

// openMenu shows all commands and focuses the first, or closes the menu.
function openMenu(view, open) {
  for (const item of view.menu.children) item.hidden = false;
  showMenu(view, open);
  if (open) view.menu.firstElementChild?.focus();
}

function showMenu(view, open) {
  view.menu.hidden = !open;
  view.commands.setAttribute('aria-expanded', String(open));
}

const atEnd = ({ scroll }) => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < END_MARGIN;

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
  setTimeout(() => node.classList.remove('changed'), HIGHLIGHT_MS);
}

// replace swaps two drawings of a message and keeps the keyboard focus.
function replace(before, drawn, view) {
  const active = document.activeElement;
  const focused = before.contains(active);
  before.replaceWith(drawn);
  if (!focused) return;
  const keys = [...drawn.querySelectorAll('.keyboard button')];
  const next = keys.find((key) => key.dataset.at === active.dataset.at) ?? keys[0];
  (next ?? view.input).focus({ preventScroll: true });
}

// markDay labels the first message of a day with the date.
function markDay(node) {
  let before = node.previousElementSibling;
  while (before?.classList.contains('gone')) before = before.previousElementSibling;
  const day = dayOf(Number(node.dataset.when));
  if (before && dayOf(Number(before.dataset.when)) === day) delete node.dataset.first;
  else node.dataset.first = day;
}
