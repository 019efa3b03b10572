// Toasts: short notes, mostly errors. Screen readers announce them, and they disappear by themselves.

import { el, icon, iconButton } from "./dom.js";
import { t } from "./words.js";

const STAY_MS = 8000;
const box = el("div", { class: "toasts", role: "alert" });
document.body.append(box);

/** Show a text below everything else, so that it covers nothing, for `STAY_MS` milliseconds, and longer while it is hovered or focused. */
export function toast(text) {
  const note = el("div", { class: "toast", "data-testid": "toast" }, icon("alert"), el("span", {}, text));
  note.append(iconButton("close", t("dismiss"), () => note.remove()));
  const leave = () => (note.matches(":hover, :focus-within") ? setTimeout(leave, STAY_MS) : note.remove());
  setTimeout(leave, STAY_MS);
  // Outside an open modal dialog, a toast could be neither read out nor closed.
  const home = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (box.parentNode !== home) home.append(box);
  box.append(note);
}
