// The scrolling list of messages: it stays at its end, or where the person reads, and says how many messages are below.

import { arrowKeys, el, icon, reconcile } from "./dom.js";
import { itemsOf } from "./messages.js";
import { state } from "./store.js";
import { t } from "./words.js";

const ANNOUNCE_DELAY_MS = 1000;
const PAGE_SIZE = 200;
const END_PX = 80;

const earlier = (onclick) =>
  el("button", { type: "button", class: "button earlier", onclick, "data-testid": "earlier" }, t("earlier"));

/**
 * Create the scroll box. `toEnd()` shows the newest item, from its top if it is taller than the box. `notice()` reads
 * where the person scrolled to; the browser tells that only with its next frame.
 */
function scroller(testid, list, onend) {
  const props = { class: "scroll", role: "log", "aria-live": "polite", tabindex: "0", "data-testid": testid };
  const box = el("div", props, list);
  const scroll = { box, atEnd: true, top: 0 };
  const isAtEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;
  scroll.toEnd = () => {
    const last = list.lastElementChild;
    box.scrollTop = last?.offsetHeight > box.clientHeight ? last.offsetTop : box.scrollHeight;
    scroll.atEnd = true;
    onend();
  };
  scroll.notice = () => {
    if (isAtEnd()) {
      scroll.atEnd = true;
      onend();
    } else if (box.scrollTop < scroll.top) scroll.atEnd = false;
    scroll.top = box.scrollTop;
  };
  box.addEventListener("scroll", scroll.notice);
  // A picture that loads, or a composer that grows, must not push the newest message out of sight.
  const observer = new ResizeObserver(() => scroll.atEnd && scroll.toEnd());
  [box, list].forEach((node) => observer.observe(node));
  return scroll;
}

/** Run `change`, which may put items above, and keep the first visible message where it is. */
function anchored(box, list, change) {
  const messages = [...list.querySelectorAll("[data-ts]")];
  const first = messages.find((node) => node.offsetTop + node.offsetHeight > box.scrollTop);
  const before = first?.offsetTop - box.scrollTop;
  change();
  const now = first && list.querySelector(`[data-ts="${first.dataset.ts}"]`);
  if (now) box.scrollTop = now.offsetTop - before;
}

/** Create a message list. It shows the newest messages and stays at its end unless the person scrolls up. */
export function messageList(testid) {
  const list = el("div", { class: "list", role: "list" });
  const pill = el("button", { type: "button", class: "pill", hidden: true, "data-testid": `${testid}-pill` });
  let [shown, limit, newest, seen] = [null, PAGE_SIZE, "0", "0"];
  let given = null; // what `show` was called with last; the button for earlier messages outlives its first call
  const scroll = scroller(testid, list, () => {
    seen = newest;
    pill.hidden = true;
  });
  const { box } = scroll;
  arrowKeys(list, "[role=listitem]");
  box.addEventListener("keydown", (event) => {
    if (event.target !== box || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    list.querySelector("[role=listitem]:last-of-type")?.focus();
  });
  pill.addEventListener("click", () => {
    box.focus({ preventScroll: true });
    scroll.toEnd();
  });

  function start(place) {
    shown = place;
    list.replaceChildren();
    limit = PAGE_SIZE;
    // A screen reader must not read out a whole history, only the messages that arrive later.
    box.setAttribute("aria-live", "off");
    setTimeout(() => box.setAttribute("aria-live", "polite"), ANNOUNCE_DELAY_MS);
  }

  function showPill(messages) {
    const below = messages.filter(({ ts }) => Number(ts) > Number(seen)).length;
    pill.hidden = !below;
    pill.replaceChildren(icon("down"), below === 1 ? t("new_message") : t("new_messages", below));
  }

  function show(what) {
    given = what;
    const { channel, messages, label, place, inThread = false, empty } = what;
    const last = messages.at(-1);
    // What the person wrote, and a private answer to it, is wanted in sight.
    const own = last && last.ts !== newest && (last.user === state.me.id || last.ephemeral);
    if (place === shown) {
      if (!box.scrollTop) box.scrollTop = scroll.top; // the box was taken out of the page and put back
      scroll.notice();
    }
    const follow = place !== shown || scroll.atEnd || own;
    if (place !== shown) start(place);
    newest = last?.ts ?? "0";
    box.setAttribute("aria-label", label);
    const none = { key: "empty", signature: empty, make: () => el("p", { class: "empty", role: "listitem" }, empty) };
    const items = itemsOf(channel, messages.slice(-limit), inThread);
    const more = () => {
      limit += PAGE_SIZE;
      scroll.atEnd = false;
      show(given);
    };
    if (messages.length > limit)
      items.unshift({ key: "earlier", signature: `${limit} ${t("earlier")}`, make: () => earlier(more) });
    anchored(box, list, () => reconcile(list, messages.length || !empty ? items : [none]));
    if (follow) scroll.toEnd();
    else showPill(messages);
  }
  return { node: el("div", { class: "scroll-frame" }, box, pill), show };
}
