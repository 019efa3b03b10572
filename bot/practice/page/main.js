// Entry of the page: it reads the address, connects, and moves between places.
// The hash #C… is a channel, #C…/ts a thread, #home the App Home.

import { focusComposer } from "./channel.js";
import { loadHistory } from "./loading.js";
import "./modal.js";
import { showDrawer } from "./sidebar.js";
import { connect } from "./socket.js";
import { emit, on, state } from "./store.js";
import { startTheme } from "./theme.js";
import "./thread.js";
import "./tour.js";
import { countUnread } from "./unread.js";
import { t } from "./words.js";

const LAST_USER = "user";

function placeOf(hash) {
  const [id, ts] = hash.slice(1).split("/");
  if (id === "home") return { place: { kind: "home" }, thread: null };
  const known = state.channels.get(id) ?? [...state.channels.values()].find((channel) => !channel.is_im);
  if (!known) return { place: { kind: "none" }, thread: null };
  return { place: { kind: "channel", id: known.id }, thread: ts && known.id === id ? { channel: id, ts } : null };
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function go(force) {
  const { place, thread } = placeOf(location.hash);
  const moved = force || !same(place, state.place);
  const rethreaded = force || !same(thread, state.thread);
  Object.assign(state, { place, thread });
  if (moved) emit("place");
  if (rethreaded) emit("threadplace");
  if (moved) showDrawer(false);
  if (moved && !thread) focusComposer();
}

async function loadUnread() {
  for (const { id } of state.channels.values()) {
    if (id === state.place.id) continue;
    if (!(await loadHistory(id))) return;
    countUnread(id);
  }
}

on("hello", () => {
  localStorage.setItem(LAST_USER, state.me.id);
  history.replaceState(null, "", `/?${new URLSearchParams({ user: state.me.id })}${location.hash}`);
  document.body.dataset.ready = "true";
  go(true);
  loadUnread();
});
on("connection", () => {
  if (!state.me) document.querySelector("#main [role=status]").textContent = t("error_unreachable");
});
addEventListener("hashchange", () => state.me && go(false));
addEventListener("keydown", (event) => event.key === "Escape" && showDrawer(false));

// The server redirects a permalink to ?channel=…&ts=… without a user. The page then acts as this browser's last user.
function readAddress() {
  const query = new URLSearchParams(location.search);
  const user = query.get("user") ?? localStorage.getItem(LAST_USER) ?? "";
  const ts = query.get("ts")?.replace(/^(\d{10})(\d{6})$/, "$1.$2");
  const hash = query.has("channel") ? `#${[query.get("channel"), ts].filter(Boolean).join("/")}` : location.hash;
  history.replaceState(null, "", `/?${new URLSearchParams(user ? { user } : {})}${hash}`);
  return user;
}

startTheme();
connect(readAddress());
