// Messages with author, time, files, reactions, thread bar and toolbar.

import { blocks, content } from "./blocks.js";
import { bareTime, clockTime, dateOf, dayLine, fullTime } from "./dates.js";
import { el, icon } from "./dom.js";
import { editor } from "./editing.js";
import { avatar } from "./people.js";
import { reactions, toolbar } from "./reactions.js";
import { author, isReply, nameOf, state } from "./store.js";
import { Surface } from "./surface.js";
import { hasFreshReplies } from "./unread.js";
import { t, locale } from "./words.js";

const GROUP_WINDOW_S = 300;
const surfaces = new Map();

function surfaceOf(channel, ts) {
  const key = `${channel}/${ts}`;
  return surfaces.get(key) ?? surfaces.set(key, new Surface({ type: "message", channel, ts })).get(key);
}

function sized(bytes) {
  if (bytes === undefined) return "";
  const [amount, unit] =
    bytes < 1000 ? [bytes, "byte"] : bytes < 1e6 ? [bytes / 1000, "kilobyte"] : [bytes / 1e6, "megabyte"];
  const unitDisplay = unit === "byte" ? "long" : "short"; // the short form of 555 bytes is “555 byte”
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay, maximumFractionDigits: 1 }).format(amount);
}

function file(each) {
  if (each.mode === "tombstone") return el("em", { class: "soft" }, t("deleted_file"));
  const name = each.title || each.name;
  const href = `/page/files/${each.id}`;
  const picture = each.mimetype?.startsWith("image/");
  return el(
    "a",
    {
      class: picture ? "file picture" : "file",
      href,
      download: each.name ?? "",
      "aria-label": t("download", name),
      "data-testid": `file-${each.id}`,
    },
    picture ? el("img", { src: href, alt: each.alt_txt ?? name }) : icon("file"),
    el("span", {}, name, el("small", {}, sized(each.size))),
  );
}

function threadBar(channel, message) {
  if (!message.reply_count) return null;
  const faces = (message.reply_users ?? []).slice(0, 4).map((id) => avatar(author({ user: id, bot_id: id }), "tiny"));
  const words = message.reply_count === 1 ? t("reply") : t("replies", message.reply_count);
  const last =
    message.latest_reply && el("span", { class: "soft" }, t("last_reply", clockTime(dateOf(message.latest_reply))));
  const fresh = hasFreshReplies(channel, message.ts) && el("span", { class: "fresh" }, t("new_replies"));
  const open = () => (location.hash = `#${channel}/${message.ts}`);
  return el(
    "button",
    { type: "button", class: "thread-bar", "data-testid": "thread-bar", "data-spot": "thread-bar", onclick: open },
    faces,
    el("strong", {}, words),
    last,
    fresh,
  );
}

function head(person, message) {
  const when = dateOf(message.ts);
  return el(
    "div",
    { class: "message-head" },
    el("strong", {}, nameOf(person)),
    (person.is_bot || message.bot_id) && el("span", { class: "badge" }, t("app_badge")),
    el("time", { datetime: when.toISOString(), title: fullTime(when) }, clockTime(when)),
  );
}

function body(channel, message) {
  if (state.editing === `${channel}/${message.ts}`) return editor(channel, message);
  const surface = surfaceOf(channel, message.ts);
  return [
    el(
      "div",
      { class: "content", "data-testid": "content" },
      content(message, surface),
      message.edited && el("span", { class: "soft edited" }, t("edited")),
    ),
    (message.attachments ?? []).map((each) =>
      el(
        "div",
        { class: "attachment" },
        each.blocks ? blocks(each.blocks, surface) : (each.text ?? each.fallback ?? ""),
      ),
    ),
    message.files?.length ? el("div", { class: "files", role: "group", "aria-label": t("files") }, message.files.map(file)) : null,
  ];
}

function article(channel, message, { follow, inThread }) {
  const person = author(message);
  const label = t("message_from", nameOf(person), clockTime(dateOf(message.ts)));
  const kind = ["message", follow && "follow", message.ephemeral && "ephemeral"].filter(Boolean).join(" ");
  const props = {
    class: kind,
    role: "listitem",
    tabindex: "-1",
    "aria-label": label,
    "data-testid": "message",
    "data-ts": message.ts,
    "data-user": message.user,
  };
  const inner = el(
    "div",
    { class: "message-body" },
    message.ephemeral && el("div", { class: "only-you" }, icon("eye"), t("only_you")),
    !follow && head(person, message),
    body(channel, message),
    reactions(channel, message),
    !inThread && threadBar(channel, message),
  );
  const side = follow
    ? el("time", { class: "side-time", "aria-hidden": "true" }, bareTime(dateOf(message.ts)))
    : avatar(person);
  return el("div", props, side, inner, !message.ephemeral && toolbar(channel, message, inThread));
}

/** Return the items of a list, for `reconcile`: each message, with a line above the first one of each day. */
export function itemsOf(channel, messages, inThread) {
  const items = [];
  let before = null;
  for (const message of messages) {
    const day = dayLine(dateOf(message.ts));
    if (!before || dayLine(dateOf(before.ts)) !== day) {
      items.push({
        key: `day-${day}`,
        signature: day,
        make: () => el("div", { class: "day" }, el("span", {}, day)),
      });
      before = null;
    }
    const follow =
      Boolean(before) &&
      !message.ephemeral &&
      !before.ephemeral &&
      before.user === message.user &&
      message.ts - before.ts < GROUP_WINDOW_S;
    const signature = JSON.stringify([
      message,
      follow,
      inThread,
      locale(),
      state.editing === `${channel}/${message.ts}`,
      hasFreshReplies(channel, message.ts),
    ]);
    items.push({ key: message.ts, signature, make: () => article(channel, message, { follow, inThread }) });
    before = isReply(message) && !inThread ? null : message;
  }
  return items;
}
