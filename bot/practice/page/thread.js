// The right side: one thread with its parent and replies. On a phone it covers the whole page.

import { channelLabel } from "./channel.js";
import { composer } from "./composer.js";
import { debounce, el, iconButton, isPhone } from "./dom.js";
import { messageList } from "./list.js";
import { loadReplies } from "./loading.js";
import { on, replies, state } from "./store.js";
import { markThreadRead } from "./unread.js";
import { t } from "./words.js";

const root = document.getElementById("thread");
const list = messageList("thread-messages");
const coversPage = matchMedia("(max-width: 900px)");

function close() {
  const { channel, ts } = state.thread;
  location.hash = `#${channel}`;
  document.querySelector(`#main [data-ts="${CSS.escape(ts)}"]`)?.focus();
}

function show() {
  const { channel, ts } = state.thread;
  const label = t("thread_in", channelLabel(state.channels.get(channel)));
  list.show({ channel, messages: replies(channel, ts), label, place: `${channel}/${ts}`, inThread: true });
}

async function open() {
  root.hidden = !state.thread;
  document.body.classList.toggle("threaded", Boolean(state.thread));
  if (!state.thread) return root.replaceChildren();
  const { channel, ts } = state.thread;
  const title = el(
    "div",
    { class: "bar-words" },
    el(coversPage.matches ? "h1" : "h2", {}, t("thread")),
    el("p", { class: "soft" }, channelLabel(state.channels.get(channel))),
  );
  const back = iconButton("close", t("close"), close, { "data-testid": "close-thread" });
  root.setAttribute("aria-label", t("thread"));
  root.setAttribute("role", coversPage.matches ? "main" : "complementary");
  root.replaceChildren(
    el("header", { class: "bar" }, title, back),
    list.node,
    composer({ channel, thread_ts: ts }, t("write_reply")),
  );
  show();
  markThreadRead(channel, ts);
  await loadReplies(channel, ts);
  if (!isPhone()) root.querySelector("textarea")?.focus({ preventScroll: true });
  else root.querySelector("button").focus();
}

const isShown = ({ channel, ts }) => state.thread?.channel === channel && state.thread.ts === ts;

on("threadplace", open);
coversPage.addEventListener("change", open);
const showSoon = debounce(() => state.thread && show());
on("language", open);
on("thread", (thread) => isShown(thread) && showSoon());
on("redraw", showSoon);
root.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && close());
