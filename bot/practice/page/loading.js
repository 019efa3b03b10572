// Reading a channel's history or a thread from the server into the page's state.

import { get } from "./api.js";
import { knownHistory, knownReplies, setHistory, setReplies } from "./store.js";

/** Load a channel's messages and return whether that worked. */
export async function loadHistory(channel) {
  const known = knownHistory(channel);
  const answer = await get("history", { channel });
  if (answer.ok) setHistory(channel, answer.messages, known);
  return answer.ok;
}

/** Load a thread's messages and return whether that worked. */
export async function loadReplies(channel, ts) {
  const known = knownReplies(channel, ts);
  const answer = await get("replies", { channel, ts });
  if (answer.ok) setReplies(channel, ts, answer.messages, known);
  return answer.ok;
}
