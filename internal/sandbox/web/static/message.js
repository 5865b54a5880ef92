// Draws messages.

import { button, copy, element, post } from './dom.js';

// bubble draws one message of a chat.
export function bubble(message, chat) {
  const article = element('article', message.own ? 'message own' : 'message');
  article.dataset.id = message.id;
  article.dataset.when = message.at;
  article.setAttribute('aria-label', message.own ? chat.person.name : 'Bot');

  const body = element('div', 'body');
  if (message.preview?.above) body.append(preview(message.preview));
  if (message.sticker) body.append(element('div', 'sticker', message.sticker));
  if (message.file) body.append(file(message, chat));
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
      const person = chat.person.id;
      if (!(await post('/tap', { person, message: messageId, data: key.data }))) item.classList.remove('waiting');
    });
    item.dataset.data = key.data;
  } else if (key.copy) {
    item = button(key.text, 'copy', () => copy(key.copy));
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
  const link = element('a', '', element('span', 'icon', '📄'),
    element('span', '', element('bdi', 'name', message.file.name), element('span', 'dim', size(message.file.size))));
  link.firstChild.setAttribute('aria-hidden', 'true');
  link.href = `/file/${chat.person.id}/${message.id}`;
  link.download = message.file.name;
  link.setAttribute('aria-label', `Download ${message.file.name}, ${size(message.file.size)}`);
  return element('div', 'document', link);
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KB`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

function when(message) {
  const at = new Date(message.at);
  const time = element('time', '', clock.format(at));
  if (message.edited) time.prepend(element('span', 'edited', 'edited'), ' ');
  time.dateTime = at.toISOString();
  return time;
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
      drawText(inner, text, from, to, entities.slice(i + 1, next), chat);
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
    chat.send(command);
  });
  return link;
}

function open(address, chat) {
  const url = safeURL(address);
  if (!url) return;
  const command = deepLinkCommand(url, chat);
  if (command) chat.send(command);
  else window.open(url.href, '_blank', 'noopener,noreferrer');
}
