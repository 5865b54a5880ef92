// Helpers to build the page. Text only becomes text nodes: no script of the page
// parses HTML.

export const byId = (id) => document.getElementById(id);

// element creates an element with a class and children. Strings become text nodes.
export function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

export function button(label, className, onClick) {
  const node = element('button', className, label);
  node.type = 'button';
  node.addEventListener('click', onClick);
  return node;
}

// input creates a text field with an accessible name.
export function input(name, value = '', type = 'text') {
  const node = element('input', '');
  node.type = type;
  node.value = value;
  node.autocomplete = 'off';
  node.setAttribute('aria-label', name);
  return node;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

// formatTime formats a time in ms with its seconds.
export const formatTime = (at) => clock.format(at);

// setText changes the text of a node only if it differs.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// post sends a request to the demo, shows its error, and returns whether it succeeded.
export async function post(path, body = {}) {
  try {
    const answer = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.ok) return true;
    toast((await answer.text()).trim());
  } catch {
    toast('The demo is not running');
  }
  return false;
}

export async function copy(text) {
  if (await clipboard(text)) toast('Copied');
  else toast('The browser does not allow copying');
}

async function clipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

// copySelected is the fallback for browsers that deny access to the clipboard.
function copySelected(text) {
  const before = document.activeElement;
  const field = element('textarea', 'offscreen');
  field.value = text;
  field.setAttribute('aria-hidden', 'true');
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  let done = false;
  try {
    done = document.execCommand('copy');
  } catch {
    done = false;
  }
  field.remove();
  before?.focus({ preventScroll: true });
  return done;
}

const TOAST_MS = 4000;

export function toast(text) {
  const shown = element('p', 'toast', text);
  shown.dir = 'auto';
  shown.setAttribute('role', 'status');
  byId('toasts').append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}

const boxes = [];

// alertBox queues an alert. Alerts are shown one at a time.
export function alertBox(text) {
  boxes.push(text);
  if (boxes.length === 1) nextBox();
}

function nextBox() {
  const text = element('p', '', boxes[0]);
  text.dir = 'auto';
  text.id = 'alert-text';
  const box = element('dialog', 'alert', text);
  box.setAttribute('role', 'alertdialog');
  box.setAttribute('aria-labelledby', 'alert-text');
  const ok = button('OK', '', () => box.close());
  box.append(element('div', 'row end', ok));
  box.addEventListener('close', () => {
    box.remove();
    boxes.shift();
    if (boxes.length > 0) nextBox();
  });
  document.body.append(box);
  box.showModal();
  ok.focus();
}

// keyed returns a function that makes the children of list match items. It creates a
// node once per key and then updates it. create returns {node, update}.
export function keyed(list, create) {
  const nodes = new Map();
  return (items, keyOf) => {
    const removed = new Set(nodes.keys());
    let after = null;
    for (const item of items) {
      const key = keyOf(item);
      removed.delete(key);
      if (!nodes.has(key)) nodes.set(key, create(item));
      const { node, update } = nodes.get(key);
      update(item);
      const next = after ? after.nextSibling : list.firstChild;
      if (next !== node) list.insertBefore(node, next);
      after = node;
    }
    for (const key of removed) {
      nodes.get(key).node.remove();
      nodes.delete(key);
    }
  };
}

// arrowKeys lets arrow keys, Home and End move the focus among the result of items.
export function arrowKeys(box, items, onMove) {
  box.addEventListener('keydown', (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const rtl = getComputedStyle(box).direction === 'rtl' ? -1 : 1;
    const step = { ArrowDown: 1, ArrowUp: -1, ArrowRight: rtl, ArrowLeft: -rtl }[event.key];
    let to;
    if (step !== undefined) to = (at + step + all.length) % all.length;
    else if (event.key === 'Home') to = 0;
    else if (event.key === 'End') to = all.length - 1;
    if (to === undefined || all.length === 0) return;
    event.preventDefault();
    all[to].focus();
    onMove?.(all[to]);
  });
}
