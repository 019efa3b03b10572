// The live connection: frames from the server update the store; a lost connection is opened again with backoff.

import { dropMessage, dropView, emit, forget, putMessage, putView, state } from "./store.js";
import { setLocale } from "./words.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

const byId = (things) => new Map(things.map((thing) => [thing.id, thing]));

const FRAMES = {
  hello(frame) {
    forget();
    Object.assign(state, {
      me: frame.user,
      bot: frame.bot,
      people: byId([...frame.people, frame.bot]),
      groups: byId(frame.groups),
      channels: byId(frame.channels),
      commands: frame.commands,
      shortcuts: frame.shortcuts,
      connected: frame.connected,
    });
    setLocale(state.me.locale);
    emit("hello");
  },
  channel({ channel }) {
    state.channels.set(channel.id, channel);
    emit("channels");
  },
  person({ person }) {
    state.people.set(person.id, person);
    if (person.id === state.me?.id) {
      state.me = person;
      setLocale(person.locale);
      emit("language");
    }
    emit("people");
  },
  message: ({ channel, message }) => putMessage(channel, message),
  message_deleted: ({ channel, ts }) => dropMessage(channel, ts),
  view: ({ view }) => putView(view),
  view_closed: ({ view_id, cleared }) => dropView(view_id, cleared),
  home({ view }) {
    state.home = view;
    emit("home");
  },
  connection({ connected }) {
    state.connected = connected;
    emit("connection");
  },
};

/**
 * Connect as a person ("" lets the server choose). After a loss, connect again `wait` milliseconds later.
 * The wait doubles at each failure, up to `LONGEST_WAIT_MS`.
 */
export function connect(user, wait = FIRST_WAIT_MS) {
  const query = user ? `?${new URLSearchParams({ user })}` : "";
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/page/socket${query}`);
  let waitNext = Math.min(wait * 2, LONGEST_WAIT_MS);
  socket.addEventListener("message", (event) => {
    const frame = JSON.parse(event.data);
    if (frame.type === "hello") {
      state.online = true;
      waitNext = FIRST_WAIT_MS;
    }
    FRAMES[frame.type]?.(frame);
  });
  socket.addEventListener("close", () => {
    state.online = false;
    emit("connection");
    // A user id that was refused before any hello is unknown: the server then chooses the person.
    setTimeout(() => connect(state.me?.id ?? "", waitNext), wait);
  });
}
