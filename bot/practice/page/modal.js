// Modal views. The top of the stack is shown, each view keeps its entered values, and inputs are validated as on Slack.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { el, iconButton, trapTab } from "./dom.js";
import { plain } from "./mrkdwn.js";
import { dropView, on, state } from "./store.js";
import { Surface } from "./surface.js";
import { t } from "./words.js";

const surfaces = new Map();
let dialog = null;
let opener = null;

function surfaceOf(view) {
  return surfaces.get(view.id) ?? surfaces.set(view.id, new Surface({ type: "view", view_id: view.id }, "h3")).get(view.id);
}

const isEmpty = (value) => {
  const { type, ...rest } = value ?? {};
  return Object.values(rest).every((part) => part === null || part === undefined || part === "" || part.length === 0);
};

function numberError({ min_value: minimum, max_value: maximum, is_decimal_allowed: decimal }, text) {
  const number = Number(text);
  if (!Number.isFinite(number) || (!decimal && !Number.isInteger(number))) return t("not_number");
  if (minimum !== undefined && number < Number(minimum)) return t("too_small", minimum);
  if (maximum !== undefined && number > Number(maximum)) return t("too_large", maximum);
  return null;
}

function errorOf({ element, optional }, value) {
  if (isEmpty(value)) return optional ? null : t("required");
  if (element.type === "number_input") return numberError(element, value.value);
  if (element.min_length && value.value.length < element.min_length) return t("too_short", element.min_length);
  return null;
}

function errorsOf(view, surface) {
  const { values } = surface.state();
  const inputs = view.blocks.filter(({ type }) => type === "input");
  const found = inputs.map((block) => [
    block.block_id,
    errorOf(block, values[block.block_id]?.[block.element.action_id]),
  ]);
  return Object.fromEntries(found.filter(([, error]) => error));
}

function showErrors(surface, errors) {
  surface.errors = errors;
  render();
  dialog?.querySelector("[aria-invalid]")?.focus();
}

async function submit(view) {
  const surface = surfaceOf(view);
  const errors = errorsOf(view, surface);
  if (Object.keys({ ...surface.errors, ...errors }).length) showErrors(surface, errors);
  if (Object.keys(errors).length) return;
  const button = dialog.querySelector("[data-testid=submit]");
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  const answer = await post("views/submit", { view_id: view.id, state: surface.state() });
  button.ariaBusy = null;
  if (answer.errors) showErrors(surface, answer.errors);
}

// A view that the server no longer knows is closed on the page anyway.
async function dismiss(view) {
  if (!(await post("views/close", { view_id: view.id })).ok) dropView(view.id, false);
}

function form(view) {
  const surface = surfaceOf(view);
  const title = el("h2", { id: "modal-title" }, plain(view.title));
  const head = el(
    "header",
    { class: "dialog-head" },
    title,
    iconButton("close", t("close"), () => dismiss(view), { "data-spot": "x" }),
  );
  const hasControls = view.blocks.some(({ type }) => type === "input" || type === "actions");
  // A text that scrolls has no control whose focus would scroll it.
  const tabindex = hasControls ? null : "0";
  const body = el("div", { class: "dialog-body content", tabindex }, blocks(view.blocks, surface));
  const needsSubmit = view.submit || view.blocks.some(({ type }) => type === "input");
  const foot = el(
    "footer",
    { class: "dialog-foot" },
    el(
      "button",
      {
        type: "button",
        class: "button",
        "data-testid": "close-view",
        "data-spot": "close",
        onclick: () => dismiss(view),
      },
      plain(view.close) || t("cancel"),
    ),
    needsSubmit &&
      el(
        "button",
        { type: "submit", class: "button primary", "data-testid": "submit", "data-spot": "submit" },
        plain(view.submit) || t("submit"),
      ),
  );
  const onsubmit = (event) => {
    event.preventDefault();
    submit(view);
  };
  return el("form", { novalidate: true, onsubmit }, head, body, foot);
}

function openDialog() {
  opener = {
    node: document.activeElement,
    spot: document.activeElement?.dataset.spot,
    ts: document.activeElement?.closest("[data-ts]")?.dataset.ts,
  };
  dialog = el("dialog", { class: "modal", "aria-labelledby": "modal-title", "data-testid": "modal" });
  trapTab(dialog);
  // Escape asks the server to close the top view; the dialog closes when the stack is empty. The key is caught here,
  // because a browser lets a page cancel the closing of a dialog only once in a row.
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector(":popover-open.menu")) return;
    event.preventDefault();
    dismiss(state.views.at(-1));
  });
  document.body.append(dialog);
  dialog.showModal();
}

// The message may have been redrawn while the dialog was open, so its button is looked up again.
function giveFocusBack() {
  const again =
    opener.ts && document.querySelector(`[data-ts="${opener.ts}"] [data-spot="${CSS.escape(opener.spot ?? "")}"]`);
  const target = opener.node?.isConnected ? opener.node : again || document.querySelector(`[data-ts="${opener.ts}"]`);
  target?.focus();
}

function closeDialog() {
  dialog.close();
  dialog.remove();
  dialog = null;
  surfaces.clear();
  giveFocusBack();
}

function render() {
  const view = state.views.at(-1);
  if (!view) return dialog && closeDialog();
  if (!dialog) openDialog();
  const held = dialog.contains(document.activeElement) ? document.activeElement : null;
  const same = dialog.dataset.viewId === view.id;
  const [spot, from, to, scroll] = [
    held?.dataset.spot,
    held?.selectionStart,
    held?.selectionEnd,
    dialog.querySelector(".dialog-body")?.scrollTop,
  ];
  dialog.dataset.viewId = view.id;
  dialog.dataset.callbackId = view.callback_id ?? "";
  dialog.replaceChildren(form(view));
  if (same) dialog.querySelector(".dialog-body").scrollTop = scroll ?? 0;
  const again = same && spot && dialog.querySelector(`[data-spot="${CSS.escape(spot)}"]`);
  (again || firstStop()).focus();
  if (again && typeof from === "number" && again.setSelectionRange) again.setSelectionRange(from, to);
}

const firstStop = () =>
  dialog.querySelector("[autofocus], .dialog-body :is(input, select, textarea, summary)") ??
  dialog.querySelector(".dialog-foot button:last-child");

on("views", render);
on("language", () => dialog && render());
