// The page: what the demo streams is shown, what the person does is posted.

import { button, byId, element, post, toast } from './dom.js';
import { answered, bubble } from './message.js';
import { showRoom } from './room.js';

const chat = byId('chat');
const messages = byId('messages');
const text = byId('text');
const links = { username: '' };

const source = new EventSource('/events');
source.addEventListener('message', (event) => show(JSON.parse(event.data)));
source.addEventListener('error', () => say('the demo is not running', false));

// show applies an update; what is not in it has not changed.
function show(update) {
  let own = false; // something new of the person's own
  const follow = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  if (update.all) {
    links.username = update.all.username;
    messages.replaceChildren();
  }
  for (const message of update.messages ?? []) {
    const drawn = bubble(message, links);
    const before = byId(drawn.id);
    if (before) replace(before, drawn);
    else messages.append(drawn);
    own ||= message.own && !before;
  }
  for (const id of update.deleted ?? []) byId(`m${id}`)?.remove();
  for (const answer of update.answers ?? []) {
    answered(answer.message, answer.data);
    if (!answer.text) continue;
    if (answer.alert) alertBox(answer.text);
    else toast(answer.text);
  }
  if (update.typing !== undefined) byId('typing').hidden = !update.typing;
  if (update.bot) say(update.bot === 'running' ? 'bot, running' : 'the bot is down', update.bot === 'running');
  if (update.profile) showProfile(update.profile);
  if (update.room) showRoom(update.room);

  byId('empty').hidden = messages.childElementCount > 0;
  if (update.all || follow || own) chat.scrollTop = chat.scrollHeight;
}

// replace keeps the keyboard's focus where it was, for those who tap with it.
function replace(before, drawn) {
  const at = before.contains(document.activeElement) ? document.activeElement.dataset.at : undefined;
  before.replaceWith(drawn);
  if (at === undefined) return;
  const keys = [...drawn.querySelectorAll('.keys button')];
  (keys.find((key) => key.dataset.at === at) ?? keys[0])?.focus({ preventScroll: true });
}

function say(state, well) {
  const line = byId('state');
  line.textContent = state;
  line.classList.toggle('bad', !well);
}

const boxes = [];

function alertBox(words) {
  boxes.push(words);
  nextBox();
}

function nextBox() {
  const box = byId('alert');
  if (box.open || boxes.length === 0) return;
  byId('alert-text').textContent = boxes.shift();
  box.showModal();
}
byId('alert').addEventListener('close', nextBox);

const menu = byId('commands');
const menuToggle = byId('commands-toggle');

function openMenu(open) {
  menu.hidden = !open;
  menuToggle.setAttribute('aria-expanded', String(open));
}
menuToggle.addEventListener('click', () => openMenu(menu.hidden));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || menu.hidden) return;
  if (menu.contains(document.activeElement)) menuToggle.focus();
  openMenu(false);
});

function showProfile(profile) {
  byId('about').textContent = profile.about || 'Nothing has been said here yet.';
  const commands = profile.commands ?? [];
  menuToggle.hidden = commands.length === 0;
  menu.replaceChildren(...commands.map((command) => {
    const made = button('', '', () => {
      openMenu(false);
      post('/type', { text: `/${command.command}` });
    });
    made.append(element('b', '', `/${command.command}`), ` ${command.description}`);
    made.dir = 'auto';
    return made;
  }));
}

async function send() {
  const typed = text.value;
  if (!typed.trim()) return;
  text.value = '';
  openMenu(false);
  if (!(await post('/type', { text: typed })) && text.value === '') text.value = typed;
}
byId('write').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
text.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
byId('start').addEventListener('click', () => post('/type', { text: '/start' }));
byId('sticker').addEventListener('click', () => post('/sticker'));
