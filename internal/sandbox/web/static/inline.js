// Inline mode: what the bot answers while a person types its name and a query, as in any
// chat. The person chooses where a result is sent, since the page has no other chats.

import { arrowKeys, button, element, post, toast } from './dom.js';

const TYPING_MS = 300; // without a key before the query is sent
const NEAR_END = 80; // px from the end of the results that request the next page

export class InlineResults {
  constructor(chat, input) {
    this.chat = chat;
    this.input = input;
    this.timer = 0;
    this.requested = 0; // the number of results whose next page is on its way
    this.to = element('select', '');
    this.to.append(...chat.bot.people.map(({ id, name }) => {
      const item = element('option', '', id === chat.person.id ? 'this chat' : name);
      item.value = id;
      return item;
    }));
    this.to.value = chat.person.id;
    this.list = element('div', 'results');
    this.box = element('div', 'inline', element('label', 'dim', 'Send to ', this.to), this.list);
    this.box.setAttribute('role', 'group');
    this.box.setAttribute('aria-label', 'Results of the bot');
    this.box.hidden = true;
    arrowKeys(this.list, () => [...this.list.querySelectorAll('button')]);
    input.addEventListener('input', () => this.typed());
    this.list.addEventListener('scroll', () => this.more(), { passive: true });
  }

  // query returns what is typed after the bot's name, null if it is not typed.
  query() {
    if (this.chat.room) return null;
    const name = `@${this.chat.bot.username} `;
    return this.input.value.startsWith(name) ? this.input.value.slice(name.length) : null;
  }

  // type types a query, as the app does after a press on a button that shares.
  type(query) {
    this.input.value = `@${this.chat.bot.username} ${query}`;
    this.input.focus();
    this.typed();
  }

  typed() {
    clearTimeout(this.timer);
    const query = this.query();
    if (query === null) {
      this.close();
      return;
    }
    this.timer = setTimeout(() => post('/inline', { person: this.chat.person.id, query }), TYPING_MS);
  }

  close() {
    clearTimeout(this.timer);
    this.box.hidden = true;
  }

  // show draws the answer. Until the answer to a newer query the earlier one stays.
  show() {
    if (this.query() === null) return;
    const { results, button: label } = this.chat.inline;
    const person = this.chat.person.id;
    const cards = results.map((result) => {
      const card = button('', 'card', () => this.choose(result));
      const letter = element('span', 'avatar', result.title.trim().slice(0, 1).toUpperCase());
      letter.setAttribute('aria-hidden', 'true');
      const title = element('b', '', result.title);
      const about = element('span', 'dim', result.about);
      for (const line of [title, about]) line.dir = 'auto';
      card.append(letter, element('span', 'lines', title, about));
      return card;
    });
    if (label) cards.unshift(button(label, 'switch', () => this.leave(post('/inline/button', { person }))));
    if (cards.length === 0) cards.push(element('p', 'dim', 'No results'));
    const at = this.list.scrollTop;
    this.list.replaceChildren(...cards);
    this.list.scrollTop = results.length > this.requested ? at : 0;
    this.requested = 0;
    this.box.hidden = false;
  }

  more() {
    const { list, chat } = this;
    if (!chat.inline?.more || this.requested || list.scrollHeight - list.scrollTop - list.clientHeight > NEAR_END) return;
    this.requested = chat.inline.results.length;
    post('/inline', { person: chat.person.id, query: '', more: true });
  }

  async choose({ id }) {
    const to = Number(this.to.value);
    const name = this.to.selectedOptions[0].textContent;
    const sent = await this.leave(post('/inline/choose', { person: this.chat.person.id, result: id, to }));
    if (sent && to !== this.chat.person.id) toast(`Sent to ${name}`);
  }

  // leave ends the choice if the request succeeds.
  async leave(request) {
    if (!(await request)) return false;
    this.input.value = '';
    this.close();
    this.input.focus();
    return true;
  }

  focus() {
    this.list.querySelector('button')?.focus();
  }
}
