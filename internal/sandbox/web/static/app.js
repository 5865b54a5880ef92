// The page: what the demo streams is shown, what people do is posted.

import { Chat, timing } from './chat.js';
import { arrows, button, byId, setText } from './dom.js';
import { showCalls } from './log.js';
import { room } from './room.js';

const bot = { username: '', name: 'Bot', running: true };
const chats = new Map(); // by person's id
const panes = [
  { box: byId('pane'), people: byId('people'), chat: null },
  { box: byId('pane2'), people: byId('people2'), chat: null },
];
let active = panes[0]; // the pane that was used last

const source = new EventSource('/events');
source.addEventListener('message', (event) => show(JSON.parse(event.data)));
source.addEventListener('error', () => say('the demo is not running', false));

// show applies an update; what is not in it has not changed.
function show(update) {
  timing.updates++;
  if (update.bot) {
    bot.running = update.bot.state === 'running';
    say(bot.running ? 'bot, running' : 'the bot is down', bot.running);
  }
  if (update.all) everybody(update.all);
  for (const chat of chats.values()) {
    const news = update.chats?.[chat.person.id];
    if (news) chat.apply(news, Boolean(update.all));
    else if (update.bot) chat.showState();
  }
  room.show(update);
  showCalls(update.calls ?? [], Boolean(update.all));
}

function say(state, well) {
  const line = byId('state');
  setText(line, state);
  line.classList.toggle('bad', !well);
}

// everybody begins anew: with the page, and after the stream was lost.
function everybody(all) {
  bot.username = all.username;
  bot.name = all.name;
  for (const person of all.people) {
    const chat = chats.get(person.id);
    if (chat) {
      chat.forget();
      continue;
    }
    const made = new Chat(person, bot);
    made.onUnread = () => showUnread(made);
    chats.set(person.id, made);
  }
  room.people([...chats.values()], (chat) => openIn(active, chat));
  if (panes[0].chat) return;
  for (const pane of panes) fillPeople(pane);
  openIn(panes[0], chats.values().next().value);
}

function fillPeople(pane) {
  pane.people.replaceChildren(...[...chats.values()].map((chat) => {
    const made = button('', 'person', () => openIn(pane, chat));
    const name = document.createElement('span');
    name.textContent = chat.person.name;
    const lang = document.createElement('small');
    lang.textContent = chat.person.lang.split('-')[0];
    made.append(name, lang);
    made.dataset.person = chat.person.id;
    made.title = chat.person.about;
    made.setAttribute('role', 'radio');
    made.setAttribute('aria-checked', 'false');
    made.setAttribute('aria-label', chat.person.name);
    made.tabIndex = -1;
    return made;
  }));
  arrows(pane.people, () => [...pane.people.children], (item) => item.click());
}

// openIn shows a chat in a pane. The one that the other pane shows changes places.
function openIn(pane, chat) {
  active = pane;
  room.active = chat;
  if (pane.chat === chat) return;
  const other = panes.find((one) => one !== pane && one.chat === chat);
  const before = pane.chat;
  before?.close();
  if (other) {
    chat.close();
    other.chat = before;
    before?.open(other.box);
  }
  pane.chat = chat;
  chat.open(pane.box);
  for (const one of panes) showPeople(one);
}

function showPeople(pane) {
  for (const item of pane.people.children) {
    const on = pane.chat?.person.id === Number(item.dataset.person);
    item.setAttribute('aria-checked', String(on));
    item.tabIndex = on ? 0 : -1;
  }
}

function showUnread(chat) {
  for (const item of document.querySelectorAll(`.person[data-person="${chat.person.id}"]`)) {
    if (chat.unread) item.dataset.unread = chat.unread;
    else delete item.dataset.unread;
  }
}

for (const pane of panes) {
  pane.box.addEventListener('focusin', () => use(pane));
  pane.box.addEventListener('pointerdown', () => use(pane));
}

function use(pane) {
  if (!pane.chat) return;
  active = pane;
  room.active = pane.chat;
}

// Two chats, where there is room for them.
const two = byId('two');
const wide = matchMedia('(min-width: 1000px)');

function showTwo(on) {
  two.setAttribute('aria-pressed', String(on));
  document.body.classList.toggle('two', on);
  panes[1].box.hidden = !on;
  if (on && !panes[1].chat) {
    openIn(panes[1], [...chats.values()].find((chat) => chat !== panes[0].chat));
  } else if (!on && panes[1].chat) {
    panes[1].chat.close();
    panes[1].chat = null;
    use(panes[0]);
  }
}
two.addEventListener('click', () => showTwo(two.getAttribute('aria-pressed') !== 'true'));
wide.addEventListener('change', () => {
  if (!wide.matches) showTwo(false);
});

// Chat or back room, where there is room for one.
const tabs = [byId('tab-chat'), byId('tab-room')];

function showTab(tab) {
  for (const one of tabs) {
    one.setAttribute('aria-selected', String(one === tab));
    one.tabIndex = one === tab ? 0 : -1;
  }
  document.body.classList.toggle('room-open', tab === tabs[1]);
}
for (const tab of tabs) tab.addEventListener('click', () => showTab(tab));
arrows(byId('tabs'), () => tabs, showTab);
room.toChat = () => showTab(tabs[0]);

// Light, dark, or as the system has it.
const theme = byId('theme');
const themes = ['auto', 'light', 'dark'];
const looks = { auto: ['◐', 'as the system has it'], light: ['☀', 'light'], dark: ['☾', 'dark'] };

function showTheme(name) {
  document.documentElement.dataset.theme = name;
  setText(theme, looks[name][0]);
  theme.title = `Theme: ${looks[name][1]}`;
}

function savedTheme() {
  try {
    return localStorage.getItem('theme');
  } catch {
    return null; // the browser keeps nothing
  }
}
theme.addEventListener('click', () => {
  const now = document.documentElement.dataset.theme;
  const next = themes[(themes.indexOf(now) + 1) % themes.length];
  showTheme(next);
  try {
    localStorage.setItem('theme', next);
  } catch {
    // the next page begins anew
  }
});
showTheme(themes.includes(savedTheme()) ? savedTheme() : 'auto');
