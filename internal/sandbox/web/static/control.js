// The panel that controls the marketplace and the bot ("Back room").

import { button, byId, copy, element, formatTime, input, keyed, post, setText } from './dom.js';

// control connects the panel with the page.
export const control = {
  activeChat: null, // receives what the panel sends
  showChat: () => {},
  addPeople,
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
  if (update.bot) showBot(update.bot);
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

// The first rented number opens its section, unless the person has used its toggle.
const rented = byId('rented');
let toggled = false;
rented.querySelector('summary').addEventListener('click', () => {
  toggled = true;
});

function openRented() {
  if (!toggled) rented.open = true;
  toggled = true;
}

function showBot(bot) {
  const since = bot.since ? ` since ${formatTime(bot.since)}` : '';
  const parts = [`${bot.state === 'running' ? 'Running' : 'Down'}${since}`, times(bot.starts, 'started')];
  if (bot.kills) parts.push(times(bot.kills, 'killed'));
  if (bot.waiting) parts.push(`${bot.waiting} updates waiting at Telegram`);
  setText(byId('bot-status'), parts.join(' · '));
}

const times = (n, what) => `${what} ${n === 1 ? 'once' : `${n} times`}`;

// named sets an accessible name that is clear outside the node's row.
function named(node, name) {
  node.setAttribute('aria-label', name);
  return node;
}

// titled sets a tooltip and keeps the accessible name.
function titled(node, title) {
  node.title = title;
  return node;
}

const showKeys = keyed(byId('keys'), (first) => {
  const { key } = first;
  const balance = element('b', '', '');
  const amount = named(input('Balance', first.amount), `Balance of ${key}`);
  amount.inputMode = 'decimal';
  amount.size = 8;
  const form = element('form', 'row', button('Copy', '', () => copy(key)),
    titled(button('Send', '', () => {
      control.showChat();
      control.activeChat?.sendToBot(key);
    }), 'Sends the key in the open chat'),
    amount, element('button', '', 'Set'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    post('/balance', { key, balance: amount.value });
  });
  const node = element('li', '', element('div', 'name', element('code', '', key), ' ', balance), element('div', 'dim', first.about), form);
  let shown = first.amount;
  return {
    node,
    update(now) {
      setText(balance, now.balance);
      if (now.amount !== shown && document.activeElement !== amount) amount.value = now.amount;
      shown = now.amount;
    },
  };
});

const showOrders = keyed(byId('orders'), (first) => {
  const { number: order } = first;
  const action = (label, name, more) => button(label, '', () => post('/order', { order, do: name, ...more?.() }));
  const count = named(input('', '1', 'number'), `Pieces to deliver of order ${order}`);
  count.min = 1;
  count.max = Math.max(first.quantity, 1);
  const status = named(input('', ''), `Status of order ${order}`);
  status.placeholder = 'Status';
  const deliver = action('Deliver', 'finish');
  const part = action('Deliver a part', 'deliver', () => ({ n: Math.trunc(Number(count.value)) }));
  const fail = action('Fail', 'fail');
  const refund = action('Refund', 'refund');
  const form = element('form', 'row', status, element('button', '', 'Set status'));
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (await post('/order', { order, do: 'status', word: status.value })) status.value = '';
  });
  const name = element('div', 'name', `#${order} `, element('bdi', '', first.name));
  const state = element('div', 'state', '');
  const node = element('li', '', name, state, element('div', 'row', deliver, part, count, fail, refund), form);
  node.dataset.order = order;
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
  text.placeholder = 'Code or text (empty: random)';
  text.dir = 'auto';
  const action = (label, name, title) => titled(button(label, '', () => post('/number', { number, do: name })), title);
  const send = async (name) => {
    if (await post('/number', { number, do: name, text: text.value })) text.value = '';
  };
  const sms = element('form', 'row', text, titled(element('button', '', 'Send code'), 'An SMS arrives'));
  sms.addEventListener('submit', (event) => {
    event.preventDefault();
    send('code');
  });
  const two = titled(button('Send two codes', '', () => send('twice')), 'An SMS arrives, and one with another code after the bot has asked');
  const late = titled(button('Send late', '', () => send('late')), 'The number expires, and an SMS arrives after the bot has asked');
  const never = action('No code', 'never', 'Cancels the automatic code');
  const expire = action('Expire', 'expire', 'The number expires without a code');
  const state = element('div', 'state', '');
  const next = element('div', 'dim', '');
  const node = element('li', '',
    element('div', 'name', `#${number} ${first.phone} `, element('bdi', '', first.project)), state, next, sms,
    element('div', 'row', two, late, never, expire));
  node.dataset.number = number;
  return {
    node,
    update(n) {
      const until = n.open && n.expires ? ` · until ${formatTime(n.expires)}` : '';
      setText(state, `${n.country} · ${n.charge} · ${n.status}${n.code ? ` · code ${n.code}` : ''}${until}`);
      setText(next, nextSMS(n));
      next.hidden = !next.textContent;
      never.disabled = !n.comes;
      expire.disabled = !n.open;
      node.dataset.status = n.status;
    },
  };
});

// nextSMS tells which SMS a number receives automatically.
function nextSMS(n) {
  if (n.follows) return 'Another SMS arrives after the bot has asked';
  if (n.comes) return `A code arrives automatically at ${formatTime(n.comes)}`;
  return n.open ? 'No code arrives automatically' : '';
}

// -- faults

const kinds = [
  ['lose', 'Lose the answer', 'The next purchase is charged, and its answer is lost'],
  ['slow', 'Slow', 'The marketplace answers after 5 seconds'],
  ['refuse', 'Refuse', 'The marketplace refuses with this text'],
  ['cut', 'Cut', 'Requests are carried out, and their answers break off in the middle'],
  ['502', '502', 'A gateway’s error page'],
  ['429', '429', 'The marketplace: too many requests'],
  ['tg429', 'Telegram 429', 'Telegram: too many requests, retry after 3 seconds'],
  ['tglose', 'Telegram loses', 'The next message arrives, and its answer is lost'],
];
const switches = new Map(); // by fault, and by "blocked <person>"
const refusal = named(input('', ''), 'Text of the refusal');
refusal.placeholder = 'Refuse with: Something went wrong';
const scope = named(element('select', '', new Option('every call', ''), new Option('buying only', 'buying')), 'Which calls to the marketplace');
const duration = named(element('select', '', new Option('until switched off', ''), new Option('only the next', 'once')), 'How often');

function faultSwitch(label, title, fault, options) {
  const node = titled(button(label, 'switch', () => {
    const on = node.getAttribute('aria-checked') !== 'true';
    post('/fault', { fault, on, ...options() });
  }), title);
  node.setAttribute('role', 'switch');
  node.setAttribute('aria-checked', 'false');
  node.dataset.fault = fault;
  return node;
}

const faultSwitches = element('div', 'row');
for (const [fault, label, title] of kinds) {
  const node = faultSwitch(label, title, fault, () => ({ text: fault === 'refuse' ? refusal.value : '', buying: scope.value !== '', once: duration.value !== '' }));
  switches.set(fault, node);
  faultSwitches.append(node);
}
const blocks = element('div', 'row');
blocks.setAttribute('role', 'group');
blocks.setAttribute('aria-label', 'Who blocks the bot');
byId('faults').append(faultSwitches, element('div', 'row', scope, duration, refusal), element('p', 'dim', 'Block the bot:'), blocks);

function showFaults(faults) {
  for (const [name, node] of switches) {
    const on = faults.some((f) => name === (f.person ? `${f.fault} ${f.person}` : f.fault));
    node.setAttribute('aria-checked', String(on));
  }
  const rows = faults.map((f) => element('li', '', f.once ? `Next call: ${f.says}` : f.says, ' ',
    named(button('✕', 'icon', () => post('/fault', { fault: f.fault, on: false, person: f.person })), `Switch off: ${f.says}`)));
  if (faults.length > 1) rows.push(element('li', '', button('Clear all', '', () => post('/clear'))));
  byId('active').replaceChildren(...rows);
}

// -- people and deep links

const deepLinks = [
  ['p_2', 'a product'], ['p_1', 'an SMM service'], ['p_9999', 'a product that no longer exists'], ['o_23501', 'the first order, for its buyer'],
];

function addPeople(chats, open) {
  if (blocks.childElementCount > 0) return;
  for (const chat of chats) {
    const { id, name } = chat.person;
    const node = named(faultSwitch(name, `${name} blocks the bot`, 'blocked', () => ({ person: id })), `${name} blocks the bot`);
    node.dataset.person = id;
    switches.set(`blocked ${id}`, node);
    blocks.append(node);
  }
  const { username } = chats[0].bot;
  byId('links').replaceChildren(...deepLinks.map(([start, target]) => {
    const address = `t.me/${username}?start=${start}`;
    return element('li', '', element('code', '', address), element('div', 'dim', target),
      element('div', 'row', named(button('Open', '', () => {
        control.showChat();
        if (!control.activeChat) open(chats[0]);
        control.activeChat.sendToBot(`/start ${start}`);
      }), `Open the link to ${target}`), named(button('Copy', '', () => copy(`https://${address}`)), `Copy the link to ${target}`)));
  }));
}

// -- stock and prices

const search = byId('items-q');
let requests = 0;

async function find() {
  const request = ++requests;
  const answer = await fetch(`/rows?q=${encodeURIComponent(search.value)}`).catch(() => null);
  if (!answer?.ok || request !== requests) return; // a newer search replaces this one
  showItems(await answer.json(), (item) => item.service);
}
byId('items-search').addEventListener('submit', (event) => {
  event.preventDefault();
  find();
});
search.addEventListener('input', find);
byId('stock').addEventListener('toggle', () => {
  if (byId('stock').open) find();
});

const showItems = keyed(byId('items'), (first) => {
  const { service } = first;
  const stock = named(input('', '', 'number'), `Stock of ${first.name}`);
  stock.min = 0;
  const rate = named(input('', ''), `Price of ${first.name}`);
  rate.size = 6;
  rate.inputMode = 'decimal';
  let current = first;
  const hold = titled(button('Manual', 'switch', async () => {
    if (await post('/row', { service, held: !current.held })) find();
  }), 'Orders are delivered only from here');
  hold.setAttribute('role', 'switch');
  const form = element('form', 'row', element('label', '', 'Stock ', stock), element('label', '', '$ ', rate), element('button', '', 'Set'), hold);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const change = { service };
    if (Number(stock.value) !== current.stock) change.stock = Math.trunc(Number(stock.value));
    if (rate.value.trim() !== current.rate) change.rate = rate.value.trim();
    if (await post('/row', change)) find();
  });
  const node = element('li', '', element('div', 'name', `${service} · `, element('bdi', '', first.name)), element('div', 'dim', first.shelf), form);
  node.dataset.service = service;
  return {
    node,
    update(item) {
      current = item;
      if (document.activeElement !== stock) stock.value = item.stock;
      if (document.activeElement !== rate) rate.value = item.rate;
      hold.setAttribute('aria-checked', String(item.held || !item.byItself));
      hold.disabled = !item.byItself;
    },
  };
});
