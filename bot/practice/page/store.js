// The page's state. The socket and the answers to history requests fill it; every part of the page reads it.

import { language } from "./words.js";

export const state = {
  me: null,
  people: new Map(),
  bot: null,
  groups: new Map(),
  channels: new Map(),
  commands: [],
  shortcuts: [],
  connected: false,
  online: false,
  place: { kind: "none" },
  thread: null,
  home: null,
  views: [],
};

const histories = new Map();
const threads = new Map();
const bus = new EventTarget();

/** Call `fn(detail)` at each event of a topic; the calls of `emit` show the topics. */
export function on(topic, fn) {
  bus.addEventListener(topic, (event) => fn(event.detail));
}

export function emit(topic, detail) {
  bus.dispatchEvent(new CustomEvent(topic, { detail }));
}

const bucket = (map, key) => map.get(key) ?? map.set(key, new Map()).get(key);
const inOrder = (messages) => [...messages.values()].sort((a, b) => Number(a.ts) - Number(b.ts));

export const isReply = (message) => Boolean(message.thread_ts) && message.thread_ts !== message.ts;
export const isLoaded = (channel) => histories.has(channel);
export const history = (channel) => inOrder(histories.get(channel) ?? new Map());
export const replies = (channel, ts) => inOrder(threads.get(`${channel}/${ts}`) ?? new Map());
export const findMessage = (channel, ts) => histories.get(channel)?.get(ts);

/** Return what is known of a channel. Call it before the request for its history, for `setHistory`. */
export const knownHistory = (channel) => new Map(histories.get(channel));

/** Return what is known of a thread, whose replies are kept from now on. Call it before the request, for `setReplies`. */
export const knownReplies = (channel, ts) => new Map(bucket(threads, `${channel}/${ts}`));

// What came over the socket while the request was in progress may be newer than the answer, so it is kept.
function merge(map, key, messages, known) {
  const newest = Number(messages.at(-1)?.ts ?? 0);
  const isNewer = (message) => Number(message.ts) > newest || known.get(message.ts) !== message;
  const since = [...(map.get(key)?.values() ?? [])].filter(isNewer);
  map.set(key, new Map([...messages, ...since].map((message) => [message.ts, message])));
}

export function setHistory(channel, messages, known) {
  merge(histories, channel, messages, known);
  emit("history", { channel });
}

export function setReplies(channel, ts, messages, known) {
  merge(threads, `${channel}/${ts}`, messages, known);
  emit("thread", { channel, ts });
}

/** Drop all messages and views, because they may have changed while the page was disconnected. */
export function forget() {
  histories.clear();
  threads.clear();
  state.views = [];
  emit("views");
}

/** Insert or replace a message in its channel, its thread, or both. */
export function putMessage(channel, message) {
  const root = message.thread_ts ?? message.ts;
  const known = findMessage(channel, message.ts) ?? threads.get(`${channel}/${root}`)?.get(message.ts);
  if (!isReply(message) || message.subtype === "thread_broadcast") {
    bucket(histories, channel).set(message.ts, message);
    emit("history", { channel });
  }
  const thread = threads.get(`${channel}/${root}`);
  if (thread) {
    thread.set(message.ts, message);
    emit("thread", { channel, ts: root });
  }
  if (!known) emit("arrived", { channel, message });
}

export function dropMessage(channel, ts) {
  bucket(histories, channel).delete(ts);
  emit("history", { channel });
  for (const [key, messages] of threads) {
    if (!key.startsWith(`${channel}/`) || !messages.delete(ts)) continue;
    emit("thread", { channel, ts: key.slice(channel.length + 1) });
  }
}

/** Show a view: it replaces its older version, goes on top of a pushed stack, or starts a new stack. */
export function putView(view) {
  const at = state.views.findIndex((known) => known.id === view.id);
  if (at >= 0) state.views = state.views.with(at, view);
  else if (view.previous_view_id && state.views.length) state.views = [...state.views, view];
  else state.views = [view];
  emit("views");
}

export function dropView(id, cleared) {
  state.views = cleared ? [] : state.views.filter((view) => view.id !== id);
  emit("views");
}

/** Return the person or bot that wrote a message; an unknown author gets a placeholder. */
export function author(message) {
  const known = state.people.get(message.user);
  if (known) return known;
  if (message.bot_id && state.bot && (!message.user || message.user === state.bot.id)) return state.bot;
  return { id: message.user ?? "", name: message.username ?? message.user ?? "?", real_name: "", color: "#6b7280" };
}

/** Return a person's or group's name in the page's language. */
export const nameOf = (one) => one.names?.[language()] || one.real_name || one.name;
export const botChannel = () =>
  [...state.channels.values()].find((channel) => channel.is_im && channel.user === state.bot?.id);
