// Short notes at the edge of the page: errors, mostly. They are announced and go by themselves.

import { el, icon, iconButton } from "./dom.js";
import { t } from "./words.js";

const STAY_MS = 8000;
const box = el("div", { class: "toasts", popover: "manual", role: "alert" });

/** Tell the person one sentence. It stays while it is pointed at or focused. */
export function toast(text) {
  const note = el("div", { class: "toast", "data-testid": "toast" }, icon("alert"), el("span", {}, text));
  note.append(iconButton("close", t("dismiss"), () => note.remove()));
  const leave = () => (note.matches(":hover, :focus-within") ? setTimeout(leave, STAY_MS) : note.remove());
  setTimeout(leave, STAY_MS);
  // What lies outside an open dialog can be neither read out nor closed.
  const home = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (box.parentNode !== home) home.append(box);
  if (!box.matches(":popover-open")) box.showPopover();
  box.append(note);
}
