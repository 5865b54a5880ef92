// Draws messages.

import { button, copy, element, post, setText } from './dom.js';

// bubble draws one message of a chat.
export function bubble(message, chat) {
  const article = element('article', message.own ? 'message own' : 'message');
  article.dataset.id = message.id;
  article.dataset.when = message.at;
  article.setAttribute('aria-label', message.own ? chat.person.name : message.from ?? 'Bot');

  const body = element('div', 'body');
  if (message.via) body.append(via(message, chat));
  else if (message.from) body.append(element('b', 'from', message.from));
  if (message.topic) body.append(element('span', 'topic dim', element('bdi', '', `# ${message.topic}`)));
  if (message.replyTo) body.append(quote(message.replyTo, chat));
  if (message.preview?.above) body.append(preview(message.preview));
  if (message.sticker) body.append(element('div', 'sticker', message.sticker));
  if (message.file) body.append(file(message, chat));
  if (message.service) body.append(element('div', 'service dim', element('bdi', '', message.service)));
  if (message.text) {
    const text = element('div', 'text');
    text.dir = 'auto';
    drawText(text, message.text, 0, message.text.length, inOrder(message.entities ?? []), chat);
    body.append(text);
  }
  if (message.preview && !message.preview.above) body.append(preview(message.preview));
  body.append(when(message));
  article.append(body);

  if (message.keyboard?.length) {
    const keyboard = element('div', 'keyboard');
    keyboard.setAttribute('role', 'group');
    keyboard.setAttribute('aria-label', 'Buttons');
    message.keyboard.forEach((row, y) => {
      const line = element('div', 'keys');
      row.forEach((key, x) => {
        const item = inlineButton(message.id, key, chat);
        item.dataset.at = `${y}.${x}`;
        line.append(item);
      });
      keyboard.append(line);
    });
    article.append(keyboard);
  }
  return article;
}

// via tells whose inline result a message is. A message of another person stands here
// for one in a chat that is not on the page.
function via({ from, via: bot }, chat) {
  const line = element('div', 'via', `via @${bot}`);
  if (from) line.prepend(element('b', '', `${from} to ${chat.person.name}`), ' in their own chat, ');
  return line;
}

// quote draws what a message replies to. A press scrolls to it.
function quote(id, chat) {
  const box = button('', 'quote', () => chat.scrollTo(id));
  box.dataset.quotes = id;
  fillQuote(box, chat);
  return box;
}

// fillQuote fills a quote with the name and the first line of its message, as they are now.
export function fillQuote(box, chat) {
  const message = chat.messages.get(Number(box.dataset.quotes));
  const name = message?.own ? chat.person.name : message?.from ?? chat.bot.name;
  const line = message?.text?.trimStart().split('\n', 1)[0] || message?.sticker || message?.file?.name || message?.service || 'Deleted message';
  box.replaceChildren(...(message ? [element('b', '', name)] : []), element('bdi', '', line));
  box.setAttribute('aria-label', message ? `In reply to ${name}: ${line}` : 'In reply to a deleted message');
  box.disabled = !message;
}

// endWaiting ends the waiting state of a tapped button.
export function endWaiting(log, messageId, data) {
  for (const key of log.querySelectorAll(`[data-id="${Number(messageId)}"] .keys .waiting`)) {
    if (key.dataset.data === data) key.classList.remove('waiting');
  }
}

const days = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });

// dayOf formats the date of a time.
export const dayOf = (at) => days.format(at);

function inlineButton(messageId, key, chat) {
  let item;
  if (key.data) {
    item = button(key.text, '', async () => {
      item.classList.add('waiting');
      if (!(await post('/tap', { ...chat.actor(), message: messageId, data: key.data }))) item.classList.remove('waiting');
    });
    item.dataset.data = key.data;
  } else if (key.copy) {
    item = button(key.text, 'copy', () => copy(key.copy));
  } else if (key.query) {
    item = button(key.text, '', () => chat.view.inline.type(key.query));
  } else if (key.url) {
    item = button(key.text, 'link', () => open(key.url, chat));
  } else {
    item = button(key.text, '', () => {});
    item.disabled = true;
  }
  if (key.look) item.classList.add(key.look);
  item.dir = 'auto';
  item.title = key.url ?? key.text; // long labels are truncated
  return item;
}

function preview({ url }) {
  const box = element('div', 'preview', element('bdi', '', url));
  box.title = 'Link preview; the demo loads nothing from other sites';
  return box;
}

function file(message, chat) {
  if (message.file.width) return photo(message, chat);
  const link = element('a', '', element('span', 'icon', '📄'),
    element('span', '', element('bdi', 'name', message.file.name), element('span', 'dim', size(message.file.size))));
  link.firstChild.setAttribute('aria-hidden', 'true');
  link.href = `/file/${chat.person.id}/${message.id}`;
  link.download = message.file.name;
  link.setAttribute('aria-label', `Download ${message.file.name}, ${size(message.file.size)}`);
  return element('div', 'document', link);
}

// photo draws a picture as wide as the message, and opens it at a press. Its width and
// height keep its place until it is loaded.
function photo({ id, file: { name, width, height } }, chat) {
  const picture = element('img', '');
  picture.src = `/file/${chat.person.id}/${id}`;
  picture.alt = `Picture ${name}`;
  picture.width = width;
  picture.height = height;
  const link = element('a', 'photo', picture);
  link.href = picture.src;
  link.target = '_blank';
  return link;
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KB`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

function when(message) {
  const at = new Date(message.at);
  const time = element('time', '', clock.format(at));
  if (message.edited) time.prepend(element('span', 'edited', 'edited'), ' ');
  if (message.silent) time.prepend(mark('🔕', 'Sent without a sound'), ' ');
  if (message.effect) time.prepend(mark(message.effect, 'Sent with this effect'), ' ');
  time.dateTime = at.toISOString();
  return time;
}

function mark(emoji, meaning) {
  const shown = element('span', '', emoji);
  shown.title = meaning;
  shown.setAttribute('role', 'img');
  shown.setAttribute('aria-label', meaning);
  return shown;
}

// inOrder sorts entities (Bot API: MessageEntity) so that nested ones follow the outer
// one. Offsets are UTF-16 units, like JavaScript's.
function inOrder(entities) {
  return [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
}

// drawText appends text.slice(start, end) with its entities.
function drawText(into, text, start, end, entities, chat) {
  let at = start;
  for (let i = 0; i < entities.length; ) {
    const entity = entities[i];
    const from = Math.max(entity.offset, at);
    const to = Math.min(entity.offset + entity.length, end);
    let next = i + 1;
    while (next < entities.length && entities[next].offset < to) next++;
    if (to > from) {
      into.append(text.slice(at, from));
      const inner = styled(entity, text.slice(from, to), chat);
      if (inner.localName !== 'time') drawText(inner, text, from, to, entities.slice(i + 1, next), chat);
      into.append(inner);
      at = to;
      if (blocks.has(inner.localName) && text[at] === '\n') at++; // a block element already ends the line
    }
    i = next;
  }
  into.append(text.slice(at, end));
}

const tags = { // by type of entity
  bold: 'b', italic: 'i', underline: 'u', strikethrough: 's', code: 'code', pre: 'pre',
  blockquote: 'blockquote', expandable_blockquote: 'blockquote',
};

const blocks = new Set(['blockquote', 'pre']);

function styled(entity, covered, chat) {
  switch (entity.type) {
    case 'code':
    case 'pre': {
      const code = element(tags[entity.type], '');
      code.title = 'Click to copy';
      pressable(code, () => copy(covered));
      return code;
    }
    case 'spoiler':
      return spoiler();
    case 'expandable_blockquote':
      return expandable();
    case 'text_link':
      return anchor(entity.url, chat);
    case 'url':
      return anchor(/^[a-z][a-z0-9+.-]*:/i.test(covered) ? covered : `https://${covered}`, chat);
    case 'email':
      return anchor(`mailto:${covered}`, chat);
    case 'date_time':
      return entity.date_time_format ? localTime(entity, covered) : element('span', '');
    case 'bot_command': {
      const command = element('a', '');
      command.href = '#';
      command.addEventListener('click', (event) => {
        event.preventDefault();
        chat.send(covered);
      });
      return command;
    }
    default:
      return element(tags[entity.type] ?? 'span', '');
  }
}

// localTime shows a time (Bot API: date_time) in the browser's zone, in place of the
// text that it covers.
function localTime(entity, covered) {
  const time = element('time', '');
  const at = new Date(entity.unix_time * 1000);
  time.dateTime = at.toISOString();
  time.title = covered;
  const draw = () => setText(time, formatLocal(at, entity.date_time_format));
  draw();
  if (entity.date_time_format === 'r') relativeTimes.set(time, draw);
  return time;
}

// relativeTimes holds the shown relative times; each is drawn again as time passes.
const relativeTimes = new Map();

setInterval(() => {
  for (const [time, draw] of relativeTimes) {
    if (time.isConnected) draw();
    else relativeTimes.delete(time);
  }
}, 10_000);

const relative = new Intl.RelativeTimeFormat('en-GB', { numeric: 'auto' });

// formatLocal formats a time (Bot API: "Date-time entity formatting").
function formatLocal(at, format) {
  if (format === 'r') {
    const minutes = Math.round((at - Date.now()) / 60_000);
    if (minutes === 0) return relative.format(0, 'second');
    if (Math.abs(minutes) < 120) return relative.format(minutes, 'minute');
    const hours = Math.round(minutes / 60);
    return Math.abs(hours) < 48 ? relative.format(hours, 'hour') : relative.format(Math.round(hours / 24), 'day');
  }
  const has = (letter) => format.includes(letter);
  const options = [
    has('w') && { weekday: 'long' },
    has('d') && { dateStyle: 'short' }, has('D') && { dateStyle: 'long' },
    has('t') && { timeStyle: 'short' }, has('T') && { timeStyle: 'medium' },
  ];
  return options.filter(Boolean).map((part) => new Intl.DateTimeFormat('en-GB', part).format(at)).join(', ');
}

// pressable makes a node act as a button.
function pressable(node, onPress) {
  node.tabIndex = 0;
  node.setAttribute('role', 'button');
  node.addEventListener('click', onPress);
  node.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    onPress(event);
  });
}

// spoiler hides its content until it is pressed. That press has no other effect.
function spoiler() {
  const hidden = element('span', 'spoiler');
  hidden.tabIndex = 0;
  hidden.setAttribute('role', 'button');
  hidden.setAttribute('aria-label', 'Hidden; press to show');
  const show = (event) => {
    if (hidden.classList.contains('seen')) return;
    if (event.type === 'keydown' && event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    event.stopPropagation();
    hidden.classList.add('seen');
    hidden.removeAttribute('role');
    hidden.removeAttribute('aria-label');
    hidden.removeAttribute('tabindex');
  };
  hidden.addEventListener('click', show, { capture: true });
  hidden.addEventListener('keydown', show, { capture: true });
  return hidden;
}

function expandable() {
  const quote = element('blockquote', 'expandable');
  quote.title = 'Click to show all';
  quote.setAttribute('aria-expanded', 'false');
  pressable(quote, () => {
    const open = quote.classList.toggle('open');
    quote.setAttribute('aria-expanded', String(open));
  });
  return quote;
}

// safeURL returns a web or mail address as a URL, null for anything else.
function safeURL(address) {
  try {
    const url = new URL(address);
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

// deepLinkCommand returns the /start command of a deep link to the bot, or null.
function deepLinkCommand(url, chat) {
  if (url.host !== 't.me' || url.pathname !== `/${chat.bot.username}`) return null;
  return `/start ${url.searchParams.get('start') ?? ''}`.trim();
}

function anchor(address, chat) {
  const url = safeURL(address);
  if (!url) return element('span', '');
  const link = element('a', '');
  link.href = url.href;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  link.title = url.href;
  link.addEventListener('click', (event) => {
    const command = deepLinkCommand(url, chat);
    if (!command) return;
    event.preventDefault();
    chat.sendToBot(command);
  });
  return link;
}

function open(address, chat) {
  const url = safeURL(address);
  if (!url) return;
  const command = deepLinkCommand(url, chat);
  if (command) chat.sendToBot(command);
  else window.open(url.href, '_blank', 'noopener,noreferrer');
}
