// The toolbar and menu of a message: reactions, reply, message shortcuts, edit and delete.

import { post } from "./api.js";
import { arrowKeys, el, iconButton } from "./dom.js";
import { remove, startEditing } from "./editing.js";
import { emojiText, PICKS } from "./emoji.js";
import { openMenu, openPopover } from "./menu.js";
import { author, nameOf, state } from "./store.js";
import { t } from "./words.js";

const react = (channel, message, name, isOn) => post("reactions", { channel, ts: message.ts, name, on: isOn });

export function reactions(channel, message) {
  if (!message.reactions?.length) return null;
  const pill = ({ name, users, count }) => {
    const mine = users.includes(state.me.id);
    const who = users.map((id) => nameOf(author({ user: id }))).join(", ");
    const props = {
      type: "button",
      class: "reaction",
      "aria-pressed": String(mine),
      title: t("reacted", `:${name}:`, who),
      "data-reaction": name,
      "data-spot": `reaction/${name}`,
    };
    return el(
      "button",
      { ...props, onclick: () => react(channel, message, name, !mine) },
      el("span", {}, emojiText(name)),
      String(count ?? users.length),
    );
  };
  return el("div", { class: "reactions" }, message.reactions.map(pill));
}

function pickReaction(anchor, channel, message) {
  const pick = (name) => () => {
    box.hidePopover();
    react(channel, message, name, true);
  };
  const box = el("div", { class: "picker", role: "group", "aria-label": t("react") });
  box.append(
    ...PICKS.map((name) =>
      el(
        "button",
        { type: "button", "aria-label": `:${name}:`, "data-reaction": name, onclick: pick(name) },
        emojiText(name),
      ),
    ),
  );
  arrowKeys(box, "button");
  openPopover(anchor, box);
  box.querySelector("button").focus();
}

function openMore(anchor, channel, message, inThread) {
  const ts = message.thread_ts ?? message.ts;
  const open = { label: t("reply_in_thread"), onpick: () => (location.hash = `#${channel}/${ts}`) };
  const shortcuts = state.shortcuts
    .filter(({ type }) => type === "message")
    .map(({ name, callback_id: id, description }) => ({
      label: name,
      hint: description,
      testid: `shortcut-${id}`,
      onpick: () => post("shortcuts", { callback_id: id, channel, ts: message.ts }),
    }));
  const own = [
    { label: t("edit"), onpick: () => startEditing(channel, message.ts) },
    { label: t("delete"), danger: true, onpick: () => remove(channel, message.ts) },
  ];
  openMenu(anchor, t("more"), [
    ...(inThread ? [] : [open]),
    ...shortcuts,
    ...(message.user === state.me.id ? own : []),
  ]);
}

export function toolbar(channel, message, inThread) {
  const reply = () => (location.hash = `#${channel}/${message.ts}`);
  const menu = { "aria-haspopup": "menu", "data-testid": "message-menu", "data-spot": "message-menu" };
  return el(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": t("more") },
    iconButton("smile", t("react"), (event) => pickReaction(event.currentTarget, channel, message), {
      "data-spot": "react",
      "aria-haspopup": "true",
    }),
    !inThread && iconButton("reply", t("reply_in_thread"), reply, { "data-spot": "reply" }),
    iconButton("more", t("more"), (event) => openMore(event.currentTarget, channel, message, inThread), menu),
  );
}
