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
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied');
  } catch {
    toast('The browser does not let this page copy');
  }
}

const TOAST_MS = 4000;

export function toast(text) {
  const shown = element('p', '', text);
  shown.dir = 'auto';
  byId('toasts').append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}
