// Unread counts per channel. This browser remembers, for each person, the last message read in a channel.

import { emit, history, isReply, on, state } from "./store.js";

const counts = new Map();
const freshThreads = new Set();
const key = (channel) => `read/${state.me.id}/${channel}`;
const isShown = (channel) => !document.hidden && state.place.kind === "channel" && state.place.id === channel;
const isThreadShown = (channel, ts) => !document.hidden && state.thread?.channel === channel && state.thread.ts === ts;

export const unread = (channel) => counts.get(channel) ?? 0;
export const hasFreshReplies = (channel, ts) => freshThreads.has(`${channel}/${ts}`);

/** Mark a channel as seen up to its newest message. */
export function markRead(channel) {
  const newest = history(channel).at(-1);
  if (newest) localStorage.setItem(key(channel), newest.ts);
  counts.delete(channel);
  emit("unread");
}

export function markThreadRead(channel, ts) {
  freshThreads.delete(`${channel}/${ts}`);
  emit("history", { channel });
}

/** Count the unread messages of a loaded history. A channel never opened counts as read, a direct message as unread. */
export function countUnread(channel) {
  const seen = localStorage.getItem(key(channel)) ?? (state.channels.get(channel)?.is_im ? "0" : "9");
  const fresh = history(channel).filter((message) => message.ts > seen && message.user !== state.me.id);
  if (fresh.length && !isShown(channel)) counts.set(channel, fresh.length);
  emit("unread");
}

const concerns = (parent) => parent && (parent.user === state.me.id || parent.reply_users?.includes(state.me.id));

on("arrived", ({ channel, message }) => {
  if (message.user === state.me.id) return;
  if (isReply(message)) {
    if (isThreadShown(channel, message.thread_ts)) return;
    const parent = history(channel).find(({ ts }) => ts === message.thread_ts);
    freshThreads.add(`${channel}/${message.thread_ts}`);
    emit("history", { channel });
    if (!concerns(parent)) return;
  }
  if (isShown(channel)) markRead(channel);
  else counts.set(channel, unread(channel) + 1);
  emit("unread");
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && state.place.kind === "channel") markRead(state.place.id);
});
