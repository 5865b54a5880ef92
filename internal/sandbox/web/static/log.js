// The log of what the bot asks of the marketplace and of Telegram.

import { byId, element, setText } from './dom.js';

const MOST = 300; // entries that are kept

const list = byId('log');
const query = byId('log-q');
const side = byId('log-side');
const polls = byId('log-polls');
const entries = new Map(); // by id: {node, call, update}

// showCalls adds new calls at the top and fills in answers.
export function showCalls(calls, everything) {
  if (everything) clear();
  for (const call of calls) {
    const known = entries.get(call.id);
    if (known) {
      known.call = call;
      known.update(call);
      known.node.hidden = !fits(call);
      continue;
    }
    const made = entry(call);
    made.call = call;
    made.node.hidden = !fits(call);
    entries.set(call.id, made);
    list.prepend(made.node);
  }
  for (const [id, old] of entries) {
    if (entries.size <= MOST) break;
    old.node.remove();
    entries.delete(id);
  }
}

function clear() {
  entries.clear();
  list.replaceChildren();
}

function fits(call) {
  if (call.poll && !polls.checked) return false;
  if (side.value && call.side !== side.value) return false;
  const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = [call.name, call.who, call.result, call.said, call.answer, call.note].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

function filter() {
  for (const { node, call } of entries.values()) node.hidden = !fits(call);
}
for (const field of [query, side, polls]) field.addEventListener('input', filter);
byId('log-clear').addEventListener('click', clear);

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

function entry(call) {
  const result = element('span', 'result', '');
  const answer = element('p', 'answer', '');
  const note = element('p', 'note', '');
  const said = element('p', 'said', element('bdi', '', call.said));
  said.hidden = !call.said;
  const time = element('time', '', clock.format(new Date(call.at)));
  time.dateTime = new Date(call.at).toISOString();
  const arrow = call.side === 'Telegram' ? '→ Telegram' : '→ marketplace';
  const head = element('p', 'line', time, ' ', element('span', 'side', call.who ? `${arrow} (${call.who})` : arrow), ' ',
    element('b', '', call.name), ' ', result);
  const node = element('li', call.side === 'Telegram' ? 'call telegram' : 'call market', head, note, said, answer);
  const update = (now) => {
    setText(result, now.took < 0 ? now.result : `${now.result} · ${now.took} ms`);
    result.classList.toggle('bad', now.took >= 0 && !now.good);
    setText(note, now.note);
    note.hidden = !now.note;
    setText(answer, now.answer);
    answer.hidden = !now.answer;
    node.classList.toggle('fault', Boolean(now.fault));
  };
  update(call);
  return { node, update };
}
