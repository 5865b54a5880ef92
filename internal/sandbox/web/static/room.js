// A group or a channel: what the bot posts there, read and written as one of the people.

import { Chat } from './chat.js';
import { button, element, post, setText } from './dom.js';

const places = {
  restricted: 'the bot may not write', left: 'the bot is not here', kicked: 'the bot was removed', member: 'the bot is a member', administrator: 'the bot is an administrator',
};

export class Room extends Chat {
  constructor(room, bot) {
    super(room, bot);
    this.room = room.kind;
    this.icon = room.kind === 'channel' ? '📢' : '👥';
    this.title = room.name;
    this.logLabel = room.name;
    this.place = '';
    this.reader = bot.people.at(-1).id; // Olga, who owns it
  }

  send(text) {
    return this.room === 'channel' ? false : post('/room/type', { ...this.actor(), text });
  }

  actor() {
    return { person: this.reader, room: this.person.id };
  }

  // sendToBot sends a text in the reader's chat with the bot, and shows that chat.
  sendToBot(text) {
    this.bot.openChat(this.reader);
    return post('/type', { person: this.reader, text });
  }

  apply(update, initial) {
    if (update.place) this.place = update.place;
    super.apply(update, initial);
  }

  // dress replaces what only a chat with the bot has.
  dress({ head, form, commands, sticker, input, start }) {
    this.adding = button('', '', () => post('/room/bot', { room: this.person.id, on: this.away() }));
    head.append(this.adding);
    start.hidden = true;
    const readers = element('select', '');
    readers.append(...this.bot.people.map(({ id, name }) => {
      const item = element('option', '', name);
      item.value = id;
      return item;
    }));
    readers.value = this.reader;
    readers.setAttribute('aria-label', this.room === 'channel' ? 'Who reads' : 'Who writes');
    readers.addEventListener('change', () => {
      this.reader = Number(readers.value);
    });
    for (const node of [commands, sticker]) node.remove();
    if (this.room === 'channel') form.replaceChildren(element('label', 'dim', 'Only the bot posts here. You read as ', readers));
    else input.before(readers);
  }

  away() {
    return this.place === 'left' || this.place === 'kicked';
  }

  showStatus() {
    super.showStatus();
    if (!this.view) return;
    if (!this.typing && this.bot.running) setText(this.view.status, places[this.place] ?? '');
    setText(this.adding, this.away() ? 'Add the bot' : 'Remove the bot');
  }
}
