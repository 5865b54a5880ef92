// The marketplace's back room, beside the chat.

import { button, byId, copy, element, post } from './dom.js';

byId('lose').addEventListener('click', () => post('/lose'));
byId('kill').addEventListener('click', () => post('/kill'));

const toggle = byId('room-toggle');
toggle.addEventListener('click', () => {
  const open = document.body.classList.toggle('room-open');
  toggle.setAttribute('aria-expanded', String(open));
});

export function showRoom(room) {
  byId('keys').replaceChildren(...room.keys.map((key) =>
    element('li', '',
      element('code', '', key.key), ' ', element('span', 'dim', key.balance),
      element('div', 'row',
        named(button('Copy', '', () => copy(key.key)), `Copy ${key.key}`),
        named(button('Send', '', () => post('/type', { text: key.key })), `Send ${key.key}`)))));

  const faults = byId('faults');
  faults.hidden = room.faults === 0;
  faults.textContent = `The answer to the next sale will be lost (${room.faults}).`;

  byId('no-orders').hidden = room.orders.length > 0;
  byId('orders').replaceChildren(...room.orders.map(order));
}

function order(o) {
  const act = (label, what, off) => {
    const made = named(button(label, '', () => post('/order', { order: o.number, do: what })), `${label}, order ${o.number}`);
    made.disabled = off;
    return made;
  };
  const name = element('div', 'name', `#${o.number} ${o.name}`);
  name.dir = 'auto';
  return element('li', '', name,
    element('div', 'dim', `${o.delivered} of ${o.quantity} · ${o.charge} · ${o.status}`),
    element('div', 'row',
      act('Deliver 1', 'deliver', !o.left),
      act('Deliver all', 'finish', !o.left),
      act('Fail', 'fail', false),
      act('Refund', 'refund', o.refunded)));
}

// named gives a button a name that makes sense out of its row.
function named(made, name) {
  made.setAttribute('aria-label', name);
  return made;
}
