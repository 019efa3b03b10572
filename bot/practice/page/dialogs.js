// Modal questions: the confirm dialog of an element, and the question before a message is deleted.

import { el, trapTab } from "./dom.js";
import { plain, textObject } from "./mrkdwn.js";
import { t } from "./words.js";

/** Ask a yes-or-no question, given as Slack's confirm object. The promise resolves to whether the person agreed. */
export function ask({ title, text, confirm, deny, style }) {
  const yes = el(
    "button",
    { class: `button ${style === "danger" ? "danger-fill" : "primary"}`, value: "yes" },
    plain(confirm) || t("yes"),
  );
  const no = el("button", { class: "button", value: "no" }, plain(deny) || t("cancel"));
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { id: "ask-title" }, plain(title)),
    el("div", {}, textObject(text)),
  );
  form.append(el("div", { class: "dialog-foot" }, no, yes));
  const dialog = el(
    "dialog",
    { class: "ask", role: "alertdialog", "aria-labelledby": "ask-title", "data-testid": "confirm" },
    form,
  );
  trapTab(dialog);
  document.body.append(dialog);
  const answer = new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
  dialog.showModal();
  no.focus();
  return answer;
}
