// The marketplace's back room, beside the chat.

import { button, byId, copy, element, input, keyed, post, setText } from './dom.js';

// room is what the page tells the back room, and asks of it.
export const room = {
  active: null, // the chat that what is sent from here goes to
  toChat: () => {},
  people,
  show,
};

byId('kill').addEventListener('click', () => post('/kill'));

const numbers = new Map();
const orders = new Map();

function show(update) {
  if (update.all) {
    orders.clear();
    numbers.clear();
  }
  if (update.bot) showLife(update.bot);
  if (update.keys) showKeys(update.keys, (key) => key.key);
  if (update.orders || update.all) {
    for (const order of update.orders ?? []) orders.set(order.number, order);
    showOrders([...orders.values()].reverse(), (order) => order.number);
    byId('no-orders').hidden = orders.size > 0;
  }
  if (update.numbers || update.all) {
    for (const number of update.numbers ?? []) numbers.set(number.number, number);
    showNumbers([...numbers.values()].reverse(), (number) => number.number);
    byId('no-numbers').hidden = numbers.size > 0;
    setText(byId('numbers-count'), numbers.size ? `(${numbers.size})` : '');
    if (numbers.size) openRented();
  }
  if (update.faults) showFaults(update.faults);
}

// The first number opens its section, unless a person has opened or closed it.
const rented = byId('rented');
let untouched = true;
rented.querySelector('summary').addEventListener('click', () => {
  untouched = false;
});

function openRented() {
  if (untouched) rented.open = true;
  untouched = false;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function showLife(bot) {
  const since = bot.since ? ` since ${clock.format(new Date(bot.since))}` : '';
  const parts = [bot.state === 'running' ? `Running${since}` : `Down${since}`, times(bot.starts, 'started')];
  if (bot.kills) parts.push(times(bot.kills, 'killed'));
  if (bot.waiting) parts.push(`${bot.waiting} waiting for it at Telegram`);
  setText(byId('life'), parts.join(' · '));
}

const times = (n, what) => `${what} ${n === 1 ? 'once' : `${n} times`}`;

// named gives a control a name that makes sense out of its row.
function named(made, name) {
  made.setAttribute('aria-label', name);
  return made;
}

// titled says more where a mouse rests, and keeps the name as it stands.
function titled(made, title) {
  made.title = title;
  return made;
}

const showKeys = keyed(byId('keys'), (first) => {
  const { key } = first;
  const sum = element('b', '', '');
  const amount = named(input('Balance', first.amount), `Balance of ${key}`);
  amount.inputMode = 'decimal';
  amount.size = 8;
  const form = element('form', 'row', button('Copy', '', () => copy(key)),
    titled(button('Send', '', () => {
      room.toChat();
      room.active?.send(key);
    }), 'Into the open chat'),
    amount, element('button', '', 'Set'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    post('/balance', { key, balance: amount.value });
  });
  const node = element('li', '', element('div', 'name', element('code', '', key), ' ', sum), element('div', 'dim', first.about), form);
  let shown = first.amount;
  return {
    node,
    update(now) {
      setText(sum, now.balance);
      if (now.amount !== shown && document.activeElement !== amount) amount.value = now.amount;
      shown = now.amount;
    },
  };
});

const showOrders = keyed(byId('orders'), (first) => {
  const { number } = first;
  const act = (label, what, more) => button(label, '', () => post('/order', { order: number, do: what, ...more?.() }));
  const count = named(input('', '1', 'number'), `How many to deliver of order ${number}`);
  count.min = 1;
  count.max = Math.max(first.quantity, 1);
  const word = named(input('', ''), `Status word of order ${number}`);
  word.placeholder = 'Status word';
  const deliver = act('Deliver', 'finish');
  const part = act('Deliver a part', 'deliver', () => ({ n: Math.trunc(Number(count.value)) }));
  const fail = act('Fail', 'fail');
  const refund = act('Refund', 'refund');
  const say = element('form', 'row', word, element('button', '', 'Say'));
  say.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await post('/order', { order: number, do: 'status', word: word.value })) word.value = '';
  });
  const name = element('div', 'name', `#${number} `, element('bdi', '', first.name));
  const state = element('div', 'state', '');
  const node = element('li', '', name, state, element('div', 'row', deliver, part, count, fail, refund), say);
  node.dataset.order = number;
  return {
    node,
    update(o) {
      setText(state, `${o.delivered} of ${o.quantity} · ${o.charge} · ${o.status} · key ${o.whose}${o.link ? ` · ${o.link}` : ''}`);
      deliver.disabled = part.disabled = count.disabled = !o.left;
      refund.disabled = o.refunded;
      node.dataset.status = o.status;
    },
  };
});

const showNumbers = keyed(byId('numbers'), (first) => {
  const { number } = first;
  const text = named(input('', ''), `SMS for ${first.phone}`);
  text.placeholder = 'Code or text; empty: any';
  text.dir = 'auto';
  const act = (label, what, title) => titled(button(label, '', () => post('/number', { number, do: what })), title);
  const send = async (what) => {
    if (await post('/number', { number, do: what, text: text.value })) text.value = '';
  };
  const sms = element('form', 'row', text, titled(element('button', '', 'Send code'), 'An SMS comes in'));
  sms.addEventListener('submit', (event) => {
    event.preventDefault();
    send('code');
  });
  const twice = titled(button('Twice', '', () => send('twice')), 'An SMS comes in, and one with another code after the bot has asked');
  const late = titled(button('Late', '', () => send('late')), 'The time is over, and an SMS comes after the bot has asked');
  const never = act('Never', 'never', 'No code comes by itself');
  const expire = act('Expire', 'expire', 'The time is over');
  const state = element('div', 'state', '');
  const coming = element('div', 'dim', '');
  const node = element('li', '',
    element('div', 'name', `#${number} ${first.phone} `, element('bdi', '', first.project)), state, coming, sms,
    element('div', 'row', twice, late, never, expire));
  node.dataset.number = number;
  return {
    node,
    update(n) {
      const until = n.open && n.expires ? ` · until ${clock.format(new Date(n.expires))}` : '';
      setText(state, `${n.country} · ${n.charge} · ${n.status}${n.code ? ` · code ${n.code}` : ''}${until}`);
      setText(coming, comingTo(n));
      coming.hidden = !coming.textContent;
      never.disabled = !n.comes;
      expire.disabled = !n.open;
      node.dataset.status = n.status;
    },
  };
});

// comingTo says what comes to a number without a hand.
function comingTo(n) {
  if (n.follows) return 'An SMS follows once the bot has asked';
  if (n.comes) return `A code comes by itself at ${clock.format(new Date(n.comes))}`;
  return n.open ? 'No code comes by itself' : '';
}

// -- faults

const kinds = [
  ['lose', 'Lose the answer', 'The next sale is charged, and its answer is lost'],
  ['slow', 'Slow', 'The marketplace answers after 5 seconds'],
  ['refuse', 'Refuse', 'The marketplace refuses, in these words'],
  ['cut', 'Cut', 'Answers break off in the middle, and what was asked is done'],
  ['502', '502', 'A gateway’s error page'],
  ['429', '429', 'The marketplace: too many requests'],
  ['tg429', 'Telegram 429', 'Telegram: too many requests, retry after 3 seconds'],
  ['tglose', 'Telegram loses', 'The next message arrives, but its answer is lost'],
];
const switches = new Map(); // by fault, and by "blocked <person>"
const refusal = named(input('', ''), 'What the marketplace says when it refuses');
refusal.placeholder = 'Refuse with: Something went wrong';
const which = element('select', '', new Option('every call', ''), new Option('buying only', 'buying'));
which.setAttribute('aria-label', 'Which calls of the marketplace');
const often = element('select', '', new Option('until switched off', ''), new Option('only the next', 'once'));
often.setAttribute('aria-label', 'How often');

function toggle(label, title, fault, ask) {
  const made = titled(button(label, 'switch', () => {
    const on = made.getAttribute('aria-checked') !== 'true';
    post('/fault', { fault, on, ...ask() });
  }), title);
  made.setAttribute('role', 'switch');
  made.setAttribute('aria-checked', 'false');
  made.dataset.fault = fault;
  return made;
}

const wrong = element('div', 'row');
for (const [fault, label, title] of kinds) {
  const made = toggle(label, title, fault, () => ({ text: fault === 'refuse' ? refusal.value : '', buying: which.value !== '', once: often.value !== '' }));
  switches.set(fault, made);
  wrong.append(made);
}
const blocks = element('div', 'row');
blocks.setAttribute('role', 'group');
blocks.setAttribute('aria-label', 'Who blocks the bot');
byId('faults').append(wrong, element('div', 'row', which, often, refusal), element('p', 'dim', 'Block the bot:'), blocks);

function showFaults(faults) {
  for (const [name, made] of switches) {
    const on = faults.some((one) => name === (one.person ? `${one.fault} ${one.person}` : one.fault));
    made.setAttribute('aria-checked', String(on));
  }
  const rows = faults.map((one) => element('li', '', one.once ? `The next time: ${one.says}` : one.says, ' ',
    named(button('✕', 'icon', () => post('/fault', { fault: one.fault, on: false, person: one.person })), `Switch off: ${one.says}`)));
  if (faults.length > 1) rows.push(element('li', '', button('Clear all', '', () => post('/clear'))));
  byId('active').replaceChildren(...rows);
}

// -- people and deep links

const deepLinks = [
  ['p_2', 'a product'], ['p_1', 'an SMM service'], ['p_9999', 'a product that is gone'], ['o_23501', 'the first order, for who bought it'],
];

function people(chats, open) {
  if (blocks.childElementCount > 0) return;
  for (const chat of chats) {
    const { id, name } = chat.person;
    const made = toggle(name, `${name} blocks the bot`, 'blocked', () => ({ person: id }));
    named(made, `${name} blocks the bot`);
    made.dataset.person = id;
    switches.set(`blocked ${id}`, made);
    blocks.append(made);
  }
  const { username } = chats[0].bot;
  byId('links').replaceChildren(...deepLinks.map(([start, what]) => {
    const address = `t.me/${username}?start=${start}`;
    return element('li', '', element('code', '', address), element('div', 'dim', what),
      element('div', 'row', named(button('Open', '', () => {
        room.toChat();
        if (!room.active) open(chats[0]);
        room.active.send(`/start ${start}`);
      }), `Open the link to ${what}`), named(button('Copy', '', () => copy(`https://${address}`)), `Copy the link to ${what}`)));
  }));
}

// -- stock and prices

const search = byId('rows-q');
let asked = 0;

async function find() {
  const mine = ++asked;
  const answer = await fetch(`/rows?q=${encodeURIComponent(search.value)}`).catch(() => null);
  if (!answer?.ok || mine !== asked) return;
  showRows(await answer.json(), (row) => row.service);
}
byId('rows-search').addEventListener('submit', (event) => {
  event.preventDefault();
  find();
});
search.addEventListener('input', find);
byId('stock').addEventListener('toggle', () => {
  if (byId('stock').open) find();
});

const showRows = keyed(byId('rows'), (first) => {
  const { service } = first;
  const stock = named(input('', '', 'number'), `Stock of ${first.name}`);
  stock.min = 0;
  const rate = named(input('', ''), `Price of ${first.name}`);
  rate.size = 6;
  rate.inputMode = 'decimal';
  let now = first;
  const hold = titled(button('By hand', 'switch', async () => {
    if (await post('/row', { service, held: !now.held })) find();
  }), 'Delivered only from here');
  hold.setAttribute('role', 'switch');
  const form = element('form', 'row', element('label', '', 'Stock ', stock), element('label', '', '$ ', rate), element('button', '', 'Set'), hold);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const change = { service };
    if (Number(stock.value) !== now.stock) change.stock = Math.trunc(Number(stock.value));
    if (rate.value.trim() !== now.rate) change.rate = rate.value.trim();
    if (await post('/row', change)) find();
  });
  const node = element('li', '', element('div', 'name', `${service} · `, element('bdi', '', first.name)), element('div', 'dim', first.shelf), form);
  node.dataset.service = service;
  return {
    node,
    update(row) {
      now = row;
      if (document.activeElement !== stock) stock.value = row.stock;
      if (document.activeElement !== rate) rate.value = row.rate;
      hold.setAttribute('aria-checked', String(row.held || !row.byItself));
      hold.disabled = !row.byItself;
    },
  };
});
