// What the other scripts build the page from. Text only ever becomes text nodes:
// nothing here, or anywhere else, parses HTML.

export const byId = (id) => document.getElementById(id);

// element makes one with a class and children; strings become text.
export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function button(label, className, onClick) {
  const made = element('button', className, label);
  made.type = 'button';
  made.addEventListener('click', onClick);
  return made;
}

// input makes a text field with an accessible name.
export function input(name, value = '', type = 'text') {
  const made = element('input', '');
  made.type = type;
  made.value = value;
  made.autocomplete = 'off';
  made.setAttribute('aria-label', name);
  return made;
}

// setText changes a node only where it says something else.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// post asks the demo for something, and says so where it refuses.
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
  else toast('The browser does not let this page copy');
}

async function clipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

// copySelected is the way of browsers that give no clipboard away.
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

// alertBox shows one box after the other.
export function alertBox(words) {
  boxes.push(words);
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

// keyed keeps a list of nodes the same as a list of things: a node is made once
// for each, and then only brought up to date. create returns {node, update}.
export function keyed(list, create) {
  const nodes = new Map();
  return (things, keyOf) => {
    const left = new Set(nodes.keys());
    let after = null;
    for (const thing of things) {
      const key = keyOf(thing);
      left.delete(key);
      let made = nodes.get(key);
      if (!made) {
        made = create(thing);
        nodes.set(key, made);
      }
      made.update(thing);
      const place = after ? after.nextSibling : list.firstChild;
      if (place !== made.node) list.insertBefore(made.node, place);
      after = made.node;
    }
    for (const key of left) {
      nodes.get(key).node.remove();
      nodes.delete(key);
    }
  };
}

// arrows lets arrow keys, Home and End go through what items returns.
export function arrows(box, items, onMove) {
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
