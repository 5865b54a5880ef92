// The reply keyboard below the text field, and the choice of chats and people that its
// buttons ask for.

import { button, element, post } from './dom.js';

// showReply draws the keyboard of a chat.
export function showReply(box, chat) {
  const rows = chat.reply ?? [];
  box.hidden = rows.length === 0;
  box.replaceChildren(...rows.map((row) => element('div', 'keys', ...row.map((key) => replyButton(key, chat)))));
}

function replyButton(key, chat) {
  const item = button(key.text, key.look ?? '', () => press(key, chat));
  item.dir = 'auto';
  item.title = key.text; // long labels are truncated
  item.disabled = !key.kind;
  return item;
}

function press(key, chat) {
  if (key.kind === 'text') {
    chat.send(key.text);
    return;
  }
  choose(key, (ids) => post('/share', { person: chat.person.id, request: key.request ?? 0, kind: key.kind, ids }));
}

// choose opens a list. One choice needs one press; several are ticked and then shared.
function choose({ text, choices = [], max }, share) {
  const title = element('p', '', text);
  title.dir = 'auto';
  const box = element('dialog', 'alert choices', title);
  box.setAttribute('aria-label', text);
  const done = (ids) => {
    box.close();
    share(ids);
  };
  const last = element('div', 'row end', button('Cancel', '', () => box.close()));
  if (choices.length === 0) box.append(element('p', 'dim', 'None fits.'));
  if (max === 1) {
    box.append(...choices.map(({ id, name }) => button(name, 'choice', () => done([id]))));
  } else {
    const ticks = choices.map(({ id, name }) => {
      const tick = element('input', '');
      tick.type = 'checkbox';
      tick.value = id;
      box.append(element('label', 'choice', tick, ' ', name));
      return tick;
    });
    const sender = button('Share', 'primary', () => done(ticks.filter((t) => t.checked).map((t) => Number(t.value))));
    const count = () => {
      const n = ticks.filter((t) => t.checked).length;
      sender.disabled = n === 0 || n > max;
    };
    for (const tick of ticks) tick.addEventListener('change', count);
    count();
    last.append(sender);
  }
  box.append(last);
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
}
