// The log of the bot's calls to the marketplace and to Telegram.

import { byId, element, formatTime, setText } from './dom.js';

const MAX_ENTRIES = 300;

const list = byId('log');
const query = byId('log-q');
const side = byId('log-side');
const polls = byId('log-polls');
const entries = new Map(); // by id: {node, call, update}

// showCalls adds new calls at the top and fills in answers.
export function showCalls(calls, initial) {
  if (initial) clear();
  for (const call of calls) {
    let shown = entries.get(call.id);
    if (!shown) {
      shown = entry(call);
      entries.set(call.id, shown);
      list.prepend(shown.node);
    }
    shown.call = call;
    shown.update(call);
    shown.node.hidden = !matches(call);
  }
  for (const [id, old] of entries) {
    if (entries.size <= MAX_ENTRIES) break;
    old.node.remove();
    entries.delete(id);
  }
}

function clear() {
  entries.clear();
  list.replaceChildren();
}

function matches(call) {
  if (call.poll && !polls.checked) return false;
  if (side.value && call.side !== side.value) return false;
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [call.name, call.who, call.result, call.said, call.answer, call.note].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

function filter() {
  for (const { node, call } of entries.values()) node.hidden = !matches(call);
}
for (const field of [query, side, polls]) field.addEventListener('input', filter);
byId('log-clear').addEventListener('click', clear);

function entry(call) {
  const result = element('span', 'result', '');
  const answer = element('p', 'answer', '');
  const note = element('p', 'note', '');
  const request = element('p', 'request', element('bdi', '', call.said));
  request.hidden = !call.said;
  const time = element('time', '', formatTime(call.at));
  time.dateTime = new Date(call.at).toISOString();
  const arrow = call.side === 'Telegram' ? '→ Telegram' : '→ marketplace';
  const head = element('p', 'line', time, ' ', element('span', 'side', call.who ? `${arrow} (${call.who})` : arrow), ' ',
    element('b', '', call.name), ' ', result);
  const node = element('li', call.side === 'Telegram' ? 'call telegram' : 'call market', head, note, request, answer);
  const update = (now) => {
    setText(result, now.took < 0 ? now.result : `${now.result} · ${now.took} ms`);
    result.classList.toggle('bad', now.took >= 0 && !now.good);
    setText(note, now.note);
    note.hidden = !now.note;
    setText(answer, now.answer);
    answer.hidden = !now.answer;
    node.classList.toggle('fault', Boolean(now.fault));
  };
  return { node, update };
}
