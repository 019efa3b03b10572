// Block Kit's blocks as nodes, each in an element with data-block-id and data-block-type.

import { el, icon } from "./dom.js";
import { element, image } from "./elements.js";
import { markdown, mrkdwn, plain, textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { jsonBox } from "./unknown.js";
import { t } from "./words.js";

const controls = (elements, at) =>
  el(
    "div",
    { class: "controls" },
    (elements ?? []).map((each) => element(each, at)),
  );

function section({ text, fields, accessory }, at) {
  const body = el("div", { class: "section-text" }, text && textObject(text));
  if (fields)
    body.append(
      el(
        "div",
        { class: "fields" },
        fields.map((field) => el("div", {}, textObject(field))),
      ),
    );
  return [body, accessory && el("div", { class: "accessory" }, element(accessory, at))];
}

function context({ elements }) {
  return elements.map((each) => (each.type === "image" ? image(each) : el("span", {}, textObject(each))));
}

function input({ label, hint, optional, element: inner, dispatch_action: dispatch }, at) {
  const id = `${at.surface.container.view_id ?? at.surface.container.ts}-${at.blockId}`.replace(/\s/g, "_");
  const error = at.surface.errors[at.blockId];
  const describedBy = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || null;
  const group = ["radio_buttons", "checkboxes"].includes(inner.type);
  const title = [plain(label), optional && el("span", { class: "soft" }, ` ${t("optional")}`)];
  const control = element(inner, { ...at, id, describedBy, invalid: Boolean(error), dispatch: Boolean(dispatch) });
  if (group || inner.type === "multi_static_select")
    (control.matches("details") ? control.querySelector("summary") : control).setAttribute("aria-label", plain(label));
  return [
    el(group ? "div" : "label", { class: "label", for: group ? null : id }, title),
    control,
    hint && el("p", { class: "hint", id: `${id}-hint` }, plain(hint)),
    error && el("p", { class: "error", id: `${id}-error`, role: "alert", "data-testid": "field-error" }, error),
  ];
}

function cell(data, settings, tag) {
  const content = data.type === "rich_text" ? richText(data) : String(data.text ?? data.value ?? "");
  return el(tag, { class: `align-${settings?.align ?? "left"}` }, content);
}

function table({ rows, column_settings: settings = [] }) {
  const row = (cells, tag) =>
    el(
      "tr",
      {},
      cells.map((data, at) => cell(data, settings[at], tag)),
    );
  const body = el(
    "table",
    {},
    el("thead", {}, row(rows[0], "th")),
    el(
      "tbody",
      {},
      rows.slice(1).map((cells) => row(cells, "td")),
    ),
  );
  return el("div", { class: "table-wrap", tabindex: "0" }, body);
}

function card({ hero_image: hero, icon: sign, title, subtitle, body, actions }, at) {
  return [
    hero && image(hero),
    el(
      "div",
      { class: "card-head" },
      sign && image(sign),
      el(
        "div",
        {},
        title && el("strong", {}, textObject(title)),
        subtitle && el("div", { class: "soft" }, textObject(subtitle)),
      ),
    ),
    body && el("div", {}, textObject(body)),
    actions && controls(actions, at),
  ];
}

const LEVELS = { info: "info", warning: "alert", error: "alert", success: "check" };
const BLOCKS = {
  section,
  context,
  input,
  table,
  card,
  header: ({ text }, { surface }) => el(surface.heading, {}, plain(text)),
  divider: () => el("hr"),
  actions: ({ elements }, at) => controls(elements, at),
  context_actions: ({ elements }, at) => controls(elements, at),
  image: (data) => [data.title && el("figcaption", {}, plain(data.title)), image(data)],
  rich_text: richText,
  markdown: ({ text }) => markdown(text),
  file: ({ external_id: id }) => el("span", { class: "file" }, icon("file"), id),
  alert: ({ text, level }) =>
    el(
      "div",
      { class: `alert ${level}`, role: "note" },
      icon(LEVELS[level] ?? "info"),
      el("div", {}, textObject(text)),
    ),
};

/** Draw blocks on a surface. An unknown or malformed block or element is shown as JSON. */
export function blocks(list, surface) {
  const ids = list.map((data, index) => data.block_id ?? `block-${index}`);
  surface.keepOnly(ids);
  return list.map((data, index) =>
    el(
      "div",
      { class: `block block-${data.type}`, "data-block-id": ids[index], "data-block-type": data.type },
      draw(data, { surface, blockId: ids[index], dispatch: true }),
    ),
  );
}

function draw(data, at) {
  try {
    return Object.hasOwn(BLOCKS, data.type) ? (BLOCKS[data.type](data, at) ?? []) : jsonBox(data);
  } catch (fault) {
    console.warn("malformed block", fault.message);
    return jsonBox(data);
  }
}

/** Draw a message's blocks, or its text if it has none. */
export const content = (message, surface) =>
  message.blocks?.length ? blocks(message.blocks, surface) : mrkdwn(message.text ?? "");
