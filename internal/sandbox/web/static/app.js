// The page: shows the updates of the stream, and the choice of chats, tabs and theme.

import { Chat, timing } from './chat.js';
import { arrowKeys, button, byId, element, setText } from './dom.js';
import { showCalls } from './log.js';
import { control } from './control.js';
import { Room } from './room.js';

const bot = { username: '', name: 'Bot', running: true, people: [], openChat: (id) => openIn(active, chats.get(id)) };
const chats = new Map(); // by user id, or chat id of a group or channel
const panes = [
  { box: byId('pane'), people: byId('people'), chat: null },
  { box: byId('pane2'), people: byId('people2'), chat: null },
];
let active = panes[0]; // the pane used last

const source = new EventSource('/events');
source.addEventListener('message', (event) => show(JSON.parse(event.data)));
source.addEventListener('error', () => showStatus('the demo is not running', false));

// show applies an update. A missing field has not changed.
function show(update) {
  timing.updates++;
  if (update.bot) {
    bot.running = update.bot.state === 'running';
    showStatus(bot.running ? 'bot running' : 'bot down', bot.running);
  }
  if (update.all) reset(update.all);
  for (const chat of chats.values()) {
    const changes = update.chats?.[chat.person.id];
    if (changes) chat.apply(changes, Boolean(update.all));
    else if (update.bot) chat.showStatus();
  }
  control.show(update);
  showCalls(update.calls ?? [], Boolean(update.all));
}

function showStatus(text, ok) {
  const line = byId('state');
  setText(line, text);
  line.classList.toggle('bad', !ok);
}

// reset prepares for the whole state, which comes first after every connection.
function reset(all) {
  bot.username = all.username;
  bot.name = all.name;
  bot.people = all.people;
  for (const person of [...all.people, ...all.rooms]) {
    const chat = chats.get(person.id);
    if (chat) {
      chat.clear();
      continue;
    }
    const added = person.kind ? new Room(person, bot) : new Chat(person, bot);
    added.onUnread = () => showUnread(added);
    chats.set(person.id, added);
  }
  control.addPeople([...chats.values()].filter((chat) => !chat.room), (chat) => openIn(active, chat));
  if (panes[0].chat) return;
  for (const pane of panes) fillPeople(pane);
  openIn(panes[0], chats.values().next().value);
}

function fillPeople(pane) {
  pane.people.replaceChildren(...[...chats.values()].map((chat) => {
    const { id, name, lang = '', about } = chat.person;
    const item = button('', 'person', () => openIn(pane, chat));
    item.append(element('span', '', name), element('small', '', chat.room ? chat.icon : lang.split('-')[0]));
    item.dataset.person = id;
    item.title = about;
    item.setAttribute('role', 'radio');
    item.setAttribute('aria-checked', 'false');
    item.setAttribute('aria-label', name);
    item.tabIndex = -1;
    return item;
  }));
  arrowKeys(pane.people, () => [...pane.people.children], (item) => item.click());
}

// openIn shows a chat in a pane. If the other pane shows that chat, the panes swap chats.
function openIn(pane, chat) {
  active = pane;
  control.activeChat = chat;
  if (pane.chat === chat) return;
  const other = panes.find((p) => p !== pane && p.chat === chat);
  const before = pane.chat;
  before?.close();
  if (other) {
    chat.close();
    other.chat = before;
    before?.open(other.box);
  }
  pane.chat = chat;
  chat.open(pane.box);
  for (const p of panes) showPeople(p);
}

function showPeople(pane) {
  for (const item of pane.people.children) {
    const checked = pane.chat?.person.id === Number(item.dataset.person);
    item.setAttribute('aria-checked', String(checked));
    item.tabIndex = checked ? 0 : -1;
  }
}

function showUnread(chat) {
  for (const item of document.querySelectorAll(`.person[data-person="${chat.person.id}"]`)) {
    if (chat.unread) item.dataset.unread = chat.unread;
    else delete item.dataset.unread;
  }
}

for (const pane of panes) {
  pane.box.addEventListener('focusin', () => activate(pane));
  pane.box.addEventListener('pointerdown', () => activate(pane));
}

function activate(pane) {
  if (!pane.chat) return;
  active = pane;
  control.activeChat = pane.chat;
}

// Two chats, on wide screens.
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
    activate(panes[0]);
  }
}
two.addEventListener('click', () => showTwo(two.getAttribute('aria-pressed') !== 'true'));
wide.addEventListener('change', () => {
  if (!wide.matches) showTwo(false);
});

// Chat or back room, on narrow screens.
const tabs = [byId('tab-chat'), byId('tab-control')];

function showTab(tab) {
  for (const t of tabs) {
    t.setAttribute('aria-selected', String(t === tab));
    t.tabIndex = t === tab ? 0 : -1;
  }
  document.body.classList.toggle('control-open', tab === tabs[1]);
}
for (const tab of tabs) tab.addEventListener('click', () => showTab(tab));
arrowKeys(byId('tabs'), () => tabs, showTab);
control.showChat = () => showTab(tabs[0]);

// The theme.
const theme = byId('theme');
const themes = ['auto', 'light', 'dark'];
const themeLabels = { auto: ['◐', 'same as the system'], light: ['☀', 'light'], dark: ['☾', 'dark'] };

function showTheme(name) {
  document.documentElement.dataset.theme = name;
  setText(theme, themeLabels[name][0]);
  theme.title = `Theme: ${themeLabels[name][1]}`;
}

function savedTheme() {
  try {
    return localStorage.getItem('theme');
  } catch {
    return null; // the browser blocks storage
  }
}
theme.addEventListener('click', () => {
  const now = document.documentElement.dataset.theme;
  const next = themes[(themes.indexOf(now) + 1) % themes.length];
  showTheme(next);
  try {
    localStorage.setItem('theme', next);
  } catch {
    // the browser blocks storage, so the choice is lost on reload
  }
});
showTheme(themes.includes(savedTheme()) ? savedTheme() : 'auto');
