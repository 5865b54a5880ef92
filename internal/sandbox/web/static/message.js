// How a message looks.

import { button, copy, element, post } from './dom.js';

// bubble draws one message. links says what the bot is called, so that links to
// it stay in this chat.
export function bubble(message, links) {
  const article = element('article', message.own ? 'bubble own' : 'bubble');
  article.id = `m${message.id}`;
  article.setAttribute('aria-label', message.own ? 'You' : 'Bot');

  const body = element('div', 'body');
  if (message.preview?.above) body.append(preview(message.preview));
  if (message.sticker) body.append(element('div', 'sticker', message.sticker));
  if (message.file) body.append(file(message));
  if (message.text) {
    const text = element('div', 'text');
    text.dir = 'auto';
    write(text, message.text, 0, message.text.length, inOrder(message.entities ?? []), links);
    body.append(text);
  }
  if (message.preview && !message.preview.above) body.append(preview(message.preview));
  body.append(when(message));
  article.append(body);

  if (message.keyboard?.length) {
    const keyboard = element('div', 'keyboard');
    message.keyboard.forEach((row, y) => {
      const line = element('div', 'keys');
      row.forEach((key, x) => {
        const made = inlineButton(message.id, key, links);
        made.dataset.at = `${y}.${x}`;
        line.append(made);
      });
      keyboard.append(line);
    });
    article.append(keyboard);
  }
  return article;
}

// answered ends the waiting of a tapped button.
export function answered(messageId, data) {
  for (const key of document.querySelectorAll(`#m${Number(messageId)} .keys button.waiting`)) {
    if (key.dataset.data === data) key.classList.remove('waiting');
  }
}

function inlineButton(messageId, key, links) {
  let made;
  if (key.data) {
    made = button(key.text, '', async () => {
      made.classList.add('waiting');
      if (!(await post('/tap', { message: messageId, data: key.data }))) made.classList.remove('waiting');
    });
    made.dataset.data = key.data;
  } else if (key.copy) {
    made = button(key.text, 'copy', () => copy(key.copy));
  } else if (key.url) {
    made = button(key.text, 'link', () => open(key.url, links));
  } else {
    made = button(key.text, '', () => {});
    made.disabled = true;
  }
  made.dir = 'auto';
  made.title = key.url ?? key.text; // a long label is cut
  return made;
}

function preview({ url }) {
  const box = element('div', 'preview', url);
  box.title = 'A link preview; the demo loads nothing from other sites';
  return box;
}

function file(message) {
  const link = element('a', 'file', '📄 ', element('bdi', '', message.file.name), ` · ${size(message.file.size)}`);
  link.href = `/file/${message.id}`;
  link.download = message.file.name;
  return link;
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KB`;
}

function when(message) {
  const at = new Date(message.at);
  const clock = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const time = element('time', '', message.edited ? `edited ${clock}` : clock);
  time.dateTime = at.toISOString();
  return time;
}

// Entities (Bot API: MessageEntity). Offsets are UTF-16 units, which is how
// JavaScript counts too. An entity that lies in another comes after it.
function inOrder(entities) {
  return [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
}

function write(into, text, start, end, entities, links) {
  let at = start;
  for (let i = 0; i < entities.length; ) {
    const entity = entities[i];
    const from = Math.max(entity.offset, at);
    const to = Math.min(entity.offset + entity.length, end);
    let next = i + 1;
    while (next < entities.length && entities[next].offset < to) next++;
    if (to > from) {
      into.append(text.slice(at, from));
      const inner = styled(entity, text.slice(from, to), links);
      write(inner, text, from, to, entities.slice(i + 1, next), links);
      into.append(inner);
      at = to;
    }
    i = next;
  }
  into.append(text.slice(at, end));
}

const tags = {
  bold: 'b', italic: 'i', underline: 'u', strikethrough: 's', code: 'code', pre: 'pre',
  blockquote: 'blockquote', expandable_blockquote: 'blockquote',
};

function styled(entity, covered, links) {
  switch (entity.type) {
    case 'code':
    case 'pre': {
      const code = element(tags[entity.type], '');
      code.tabIndex = 0;
      code.title = 'Click to copy';
      code.setAttribute('role', 'button');
      code.addEventListener('click', () => copy(covered));
      code.addEventListener('keydown', (event) => {
        if (event.key === 'Enter') copy(covered);
      });
      return code;
    }
    case 'spoiler': {
      const hidden = element('span', 'spoiler');
      hidden.addEventListener('click', () => hidden.classList.add('seen'));
      return hidden;
    }
    case 'text_link':
      return anchor(entity.url, links);
    case 'url':
      return anchor(/^[a-z][a-z0-9+.-]*:/i.test(covered) ? covered : `https://${covered}`, links);
    case 'email':
      return anchor(`mailto:${covered}`, links);
    case 'bot_command': {
      const command = element('a', '');
      command.href = '#';
      command.addEventListener('click', (event) => {
        event.preventDefault();
        post('/type', { text: covered });
      });
      return command;
    }
    default:
      return element(tags[entity.type] ?? 'span', '');
  }
}

// A link goes nowhere but to web pages and mail programs.
function safe(address) {
  try {
    const url = new URL(address);
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

// toBot returns the command that a link to the bot stands for, or null.
function toBot(url, links) {
  if (url.host !== 't.me' || url.pathname !== `/${links.username}`) return null;
  return `/start ${url.searchParams.get('start') ?? ''}`.trim();
}

function anchor(address, links) {
  const url = safe(address);
  if (!url) return element('span', '');
  const link = element('a', '');
  link.href = url.href;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  link.title = url.href;
  link.addEventListener('click', (event) => {
    const command = toBot(url, links);
    if (!command) return;
    event.preventDefault();
    post('/type', { text: command });
  });
  return link;
}

function open(address, links) {
  const url = safe(address);
  if (!url) return;
  const command = toBot(url, links);
  if (command) post('/type', { text: command });
  else window.open(url.href, '_blank', 'noopener,noreferrer');
}
