// The composer: Enter sends, Shift+Enter breaks the line, and each channel or thread keeps its draft.

import { post } from "./api.js";
import { completion } from "./completion.js";
import { el, icon, iconButton } from "./dom.js";
import { openMenu } from "./menu.js";
import { state } from "./store.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

// Drafts outlive a reload. Each person has their own, as if at a machine of their own.
const draftKey = (key) => `draft/${state.me.id}/${key}`;
const draftOf = (key) => localStorage.getItem(draftKey(key)) ?? "";

function keepDraft(key, text) {
  if (text) localStorage.setItem(draftKey(key), text);
  else localStorage.removeItem(draftKey(key));
}

/** Create a growing text field with completion. Enter calls `send`, Escape calls `cancel` if there is one. */
export function textField({ label, value = "", send, cancel, testid }) {
  const field = el("textarea", {
    rows: "1",
    "aria-label": label,
    placeholder: label,
    "data-testid": testid,
    enterkeyhint: "send",
  });
  field.value = value;
  const { list, onkey } = completion(field);
  field.addEventListener("keydown", (event) => {
    // While an input method is composing, Enter confirms its text and must not send.
    if (event.isComposing || onkey(event)) return;
    if (event.key === "Escape" && cancel) {
      event.stopPropagation();
      cancel();
    }
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    send();
  });
  return { field, list };
}

function runCommand(text, place) {
  const word = text.split(/\s/, 1)[0];
  if (!state.commands.some(({ command }) => command === word)) return (toast(t("no_command", word)), false);
  if (place.thread_ts) return (toast(t("no_command_in_thread")), false);
  return post("commands", { channel: place.channel, text });
}

async function deliver(text, files, place) {
  if (text.startsWith("/")) return Boolean((await runCommand(text, place)).ok);
  return (await post("messages", { ...place, text, ...(files.length ? { files } : {}) })).ok;
}

function shortcutButton(place) {
  const shortcuts = state.shortcuts.filter(({ type }) => type === "global");
  if (!shortcuts.length) return null;
  const items = shortcuts.map(({ name, description, callback_id: id }) => ({
    label: name,
    hint: description,
    onpick: () => post("shortcuts", { callback_id: id, channel: place.channel }),
  }));
  return iconButton("bolt", t("shortcuts"), (event) => openMenu(event.currentTarget, t("shortcuts"), items), {
    "aria-haspopup": "menu",
  });
}

const byName = (files) => [...new Map(files.map((file) => [file.name, file])).values()];

/** Create the composer of a channel or thread; `place` is {channel, thread_ts?}. */
export function composer(place, label) {
  const key = `${place.channel}/${place.thread_ts ?? ""}`;
  let files = [];
  let before = Promise.resolve();
  const chips = el("div", { class: "chips", role: "group", "aria-label": t("attached") });

  function showFiles() {
    const drop = (name) => () => {
      files = files.filter((file) => file.name !== name);
      showFiles();
    };
    chips.replaceChildren(
      ...files.map(({ name }) =>
        el("span", { class: "chip" }, icon("file"), name, iconButton("close", t("remove", name), drop(name))),
      ),
    );
  }

  function write(text, attached) {
    field.value = text;
    files = attached;
    keepDraft(key, text);
    showFiles();
  }

  // The field is cleared at once for the next message. A message that fails returns above the text written since.
  async function send() {
    const [text, attached] = [field.value.trim(), files];
    if (!text && !attached.length) return;
    write("", []);
    const sent = before.then(() => deliver(text, attached, place));
    before = sent;
    if (await sent) return;
    write([text, field.value].filter(Boolean).join("\n"), byName([...attached, ...files]));
  }

  const { field, list } = textField({
    label,
    value: draftOf(key),
    send,
    testid: place.thread_ts ? "thread-composer" : "composer",
  });
  field.addEventListener("input", () => keepDraft(key, field.value));
  const chooser = el("input", {
    type: "file",
    multiple: true,
    hidden: true,
    "data-testid": place.thread_ts ? "thread-file" : "file",
  });
  chooser.addEventListener("change", () => {
    files = byName([...files, ...[...chooser.files].map(({ name, size }) => ({ name, size }))]);
    chooser.value = "";
    showFiles();
    field.focus();
  });
  const tools = [
    iconButton("clip", t("attach"), () => chooser.click()),
    place.thread_ts ? null : shortcutButton(place),
  ];
  const row = el(
    "div",
    { class: "composer-tools" },
    tools,
    el("span", { class: "grow" }),
    iconButton("send", t("send"), send, { class: "icon-button send" }),
  );
  return el("div", { class: "composer" }, list, chips, el("div", { class: "composer-box" }, field, chooser, row));
}
