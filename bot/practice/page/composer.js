// The composer: Enter sends, Shift+Enter breaks the line, and each channel or thread keeps its draft.

import { post } from "./api.js";
import { completion } from "./completion.js";
import { el, icon, iconButton } from "./dom.js";
import { openMenu } from "./menu.js";
import { state } from "./store.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const drafts = new Map();

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
  const names = files.length ? { file_names: files } : {};
  return (await post("messages", { ...place, text, ...names })).ok;
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

/** Create the composer of a channel or thread; `place` is {channel, thread_ts?}. */
export function composer(place, label) {
  const key = `${place.channel}/${place.thread_ts ?? ""}`;
  let files = [];
  let before = Promise.resolve();
  const chips = el("div", { class: "chips", "aria-label": t("attached") });

  function showFiles() {
    const drop = (name) => () => {
      files = files.filter((file) => file !== name);
      showFiles();
    };
    chips.replaceChildren(
      ...files.map((name) =>
        el("span", { class: "chip" }, icon("file"), name, iconButton("close", t("remove", name), drop(name))),
      ),
    );
  }

  function write(text, names) {
    field.value = text;
    files = names;
    if (text) drafts.set(key, text);
    else drafts.delete(key);
    showFiles();
  }

  // The field is cleared at once for the next message. A message that fails returns above the text written since.
  async function send() {
    const [text, names] = [field.value.trim(), files];
    if (!text && !names.length) return;
    write("", []);
    const sent = before.then(() => deliver(text, names, place));
    before = sent;
    if (await sent) return;
    write([text, field.value].filter(Boolean).join("\n"), [...new Set([...names, ...files])]);
  }

  const { field, list } = textField({
    label,
    value: drafts.get(key),
    send,
    testid: place.thread_ts ? "thread-composer" : "composer",
  });
  field.addEventListener("input", () => drafts.set(key, field.value));
  const chooser = el("input", {
    type: "file",
    multiple: true,
    hidden: true,
    "data-testid": place.thread_ts ? "thread-file" : "file",
  });
  chooser.addEventListener("change", () => {
    files = [...new Set([...files, ...[...chooser.files].map((file) => file.name)])];
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
