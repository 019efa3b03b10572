// Editing and deleting a person's own messages.

import { post } from "./api.js";
import { textField } from "./composer.js";
import { ask } from "./dialogs.js";
import { el } from "./dom.js";
import { typed } from "./mrkdwn.js";
import { emit, state } from "./store.js";
import { t } from "./words.js";

function setEditing(channel, key) {
  state.editing = key;
  emit("redraw", { channel });
}

export const startEditing = (channel, ts) => setEditing(channel, `${channel}/${ts}`);

export function editor(channel, message) {
  const cancel = () => setEditing(channel, null);
  async function send() {
    const text = field.value.trim();
    if (text && (await post("messages/edit", { channel, ts: message.ts, text })).ok) cancel();
  }
  const { field, list } = textField({
    label: t("edit"),
    value: typed(message.text ?? ""),
    send,
    cancel,
    testid: "editor",
  });
  const buttons = el(
    "div",
    { class: "controls" },
    el("button", { type: "button", class: "button", onclick: cancel }, t("cancel")),
    el("button", { type: "button", class: "button primary", onclick: send }, t("save")),
  );
  setTimeout(() => field.focus());
  return el("div", { class: "composer editing" }, list, el("div", { class: "composer-box" }, field), buttons);
}

export async function remove(channel, ts) {
  const sure = await ask({ title: t("delete"), text: t("delete_ask"), confirm: t("delete"), style: "danger" });
  if (sure) await post("messages/delete", { channel, ts });
}
