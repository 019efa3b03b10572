// Block Kit's interactive elements as native controls with data-action-id. The surface stores the entered values.
// In this module, `at` is the context of an element; see the last function.

import { el, icon, iconButton } from "./dom.js";
import { openByKeys, openMenu } from "./menu.js";
import { plain, textObject } from "./mrkdwn.js";
import { nameOf, state } from "./store.js";
import { jsonBox } from "./unknown.js";
import { t } from "./words.js";

const hooks = (element, at) => ({
  "data-action-id": element.action_id,
  "data-block-id": at.blockId,
  "data-spot": `${at.blockId}/${element.action_id}/${element.value ?? ""}`,
  id: at.id,
  "aria-describedby": at.describedBy,
  "aria-invalid": at.invalid && "true",
  autofocus: element.focus_on_load,
});

const named = (element, at) => ({
  ...hooks(element, at),
  "aria-label": at.id ? null : plain(element.placeholder) || t("choose"),
});

async function change(element, at, field, value, control, undo) {
  const before = { ...field.read() };
  field.write(value);
  if (!at.dispatch || (await at.surface.act(at.blockId, element, value, control))) return;
  field.write(before);
  undo?.(before);
}

function button(element, at) {
  const style = element.style ? ` ${element.style}` : "";
  const props = { ...hooks(element, at), class: `button${style}`, "aria-label": element.accessibility_label };
  const press = (event) =>
    at.surface.act(
      at.blockId,
      element,
      element.value === undefined ? {} : { value: element.value },
      event.currentTarget,
    );
  if (!element.url) return el("button", { ...props, type: "button", onclick: press }, plain(element.text));
  if (!/^https?:/i.test(element.url)) return jsonBox(element);
  return el(
    "a",
    { ...props, href: element.url, target: "_blank", rel: "noopener noreferrer", onclick: press },
    plain(element.text),
    icon("window"),
  );
}

/** Draw a small button with an icon. As on Slack, its text is its name and tooltip unless a longer label is given. */
function smallButton(name, element, at, data, more = {}) {
  const label = data.accessibility_label || plain(data.text);
  const press = (event) =>
    at.surface.act(at.blockId, element, data.value === undefined ? {} : { value: data.value }, event.currentTarget);
  const spot = { "data-spot": `${at.blockId}/${element.action_id}/${name}` };
  return iconButton(name, label, press, { ...hooks(element, at), ...spot, title: plain(data.text), ...more });
}

function feedbackButtons(element, at) {
  const side = (name, data) => smallButton(name, element, at, data, { "data-value": data.value });
  return el(
    "span",
    { class: "feedback" },
    side("thumb_up", element.positive_button),
    side("thumb_down", element.negative_button),
  );
}

function iconControl(element, at) {
  const seen = element.visible_to_user_ids?.includes(state.me.id) ?? true;
  return seen ? smallButton(element.icon, element, at, element) : null;
}

function selectBox(element, at, { groups, chosen, write, blank }) {
  const field = at.surface.field(at.blockId, element, write(chosen));
  const flatOptions = groups.flatMap((group) => group.options);
  const show = () => String(flatOptions.findIndex(({ data }) => idOf(data) === idOf(pickOf(field.read()))));
  let index = 0;
  const option = (each) => el("option", { value: index++ }, each.label);
  const select = el(
    "select",
    { ...named(element, at), class: "select" },
    el("option", { value: "-1", hidden: at.dispatch }, plain(element.placeholder) || blank),
  );
  select.append(
    ...groups.flatMap((group) =>
      group.label ? el("optgroup", { label: group.label }, group.options.map(option)) : group.options.map(option),
    ),
  );
  select.value = show();
  if (at.dispatch) openByKeys(select);
  select.addEventListener("change", () => {
    const picked = flatOptions[Number(select.value)]?.data ?? null;
    change(element, at, field, write(picked), select, () => (select.value = show()));
  });
  return el("span", { class: "select-wrap" }, select, icon("down"));
}

const idOf = (choice) => choice?.value ?? choice;
const pickOf = (value) => value.selected_option ?? value.selected_user ?? null;
const asOption = (option) => ({ label: plain(option.text), data: option });
const groupsOf = (element) =>
  element.option_groups?.map((group) => ({ label: plain(group.label), options: group.options.map(asOption) })) ?? [
    { options: (element.options ?? []).map(asOption) },
  ];

const staticSelect = (element, at) =>
  selectBox(element, at, {
    groups: groupsOf(element),
    chosen: element.initial_option ?? null,
    write: (option) => ({ selected_option: option }),
    blank: t("choose"),
  });

const usersSelect = (element, at) =>
  selectBox(element, at, {
    groups: [{ options: [...state.people.values()].map((person) => ({ label: nameOf(person), data: person.id })) }],
    chosen: element.initial_user ?? null,
    write: (id) => ({ selected_user: id }),
    blank: t("choose_person"),
  });

function choice(type, name, option, checked, onchange) {
  const input = el("input", {
    type,
    name,
    value: option.value,
    checked,
    onchange,
    "data-spot": `${name}/${option.value}`,
  });
  const description = option.description && el("small", {}, textObject(option.description));
  return el("label", { class: "choice" }, input, el("span", {}, textObject(option.text), description));
}

function choices(type, element, at) {
  const single = type === "radio";
  const key = single ? "selected_option" : "selected_options";
  const field = at.surface.field(at.blockId, element, {
    [key]: single ? (element.initial_option ?? null) : (element.initial_options ?? []),
  });
  const chosen = () => [field.read()[key]].flat().map((option) => option?.value);
  const box = el("div", { ...named(element, at), role: single ? "radiogroup" : "group", class: "choices" });
  const inputs = () => [...box.querySelectorAll("input")];
  const undo = () => inputs().forEach((input) => (input.checked = chosen().includes(input.value)));
  const picked = () => element.options.filter((_, at) => inputs()[at].checked);
  const onchange = () => change(element, at, field, { [key]: single ? (picked()[0] ?? null) : picked() }, box, undo);
  const name = `${at.surface.container.view_id ?? at.surface.container.ts}/${at.blockId}/${element.action_id}`;
  box.append(...element.options.map((option) => choice(type, name, option, chosen().includes(option.value), onchange)));
  return box;
}

function multiSelect(element, at) {
  const options = groupsOf(element).flatMap((group) => group.options.map((option) => option.data));
  const title = el("summary", { ...named(element, at), class: "select" });
  const inner = choices("checkbox", { ...element, options }, { ...at, id: null, dispatch: false });
  const field = at.surface.field(at.blockId, element, {});
  const showSelection = () =>
    title.replaceChildren(
      field
        .read()
        .selected_options.map((option) => plain(option.text))
        .join(", ") ||
        plain(element.placeholder) ||
        t("choose"),
    );
  const box = el("details", { class: "multi", onchange: () => queueMicrotask(showSelection) }, title, inner);
  let sent = JSON.stringify(field.read());
  // Slack sends the choice when the list closes, not at each checked box.
  box.addEventListener("toggle", () => {
    const now = JSON.stringify(field.read());
    if (box.open || !at.dispatch || now === sent) return;
    sent = now;
    at.surface.act(at.blockId, element, { selected_options: field.read().selected_options }, title);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !box.open) return;
    event.preventDefault();
    event.stopPropagation();
    box.open = false;
    title.focus();
  });
  showSelection();
  return box;
}

function input(element, at, { key, initial, props }) {
  const field = at.surface.field(at.blockId, element, { [key]: initial ?? null });
  const tag = element.multiline ? "textarea" : "input";
  const node = el(tag, { ...named(element, at), class: "input", placeholder: plain(element.placeholder), ...props });
  node.value = field.read()[key] ?? "";
  const triggers = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const value = () => ({ [key]: node.value === "" ? null : node.value });
  const send = () => at.dispatch && at.surface.act(at.blockId, element, value(), node);
  node.addEventListener("input", () => {
    field.write(value());
    if (triggers.includes("on_character_entered") && key === "value") send();
  });
  if (key !== "value") node.addEventListener("change", send);
  else if (triggers.includes("on_enter_pressed") && !element.multiline)
    node.addEventListener("keydown", (event) => event.key === "Enter" && !event.isComposing && send());
  return node;
}

const textInput = (element, at) =>
  input(element, at, {
    key: "value",
    initial: element.initial_value,
    props: {
      type: element.multiline ? null : "text",
      rows: element.multiline ? "4" : null,
      maxlength: element.max_length,
      autocomplete: "off",
    },
  });
const numberInput = (element, at) =>
  input(element, at, {
    key: "value",
    initial: element.initial_value,
    props: { type: "text", inputmode: element.is_decimal_allowed ? "decimal" : "numeric", autocomplete: "off" },
  });
const datePicker = (element, at) =>
  input(element, at, { key: "selected_date", initial: element.initial_date, props: { type: "date" } });

function overflow(element, at) {
  const open = (event) => {
    const control = event.currentTarget;
    const pick = (option) => () => (
      option.url && window.open(option.url, "_blank", "noopener"),
      at.surface.act(at.blockId, element, { selected_option: option }, control)
    );
    openMenu(
      control,
      t("more"),
      element.options.map((option) => ({
        label: plain(option.text),
        hint: plain(option.description),
        onpick: pick(option),
      })),
    );
  };
  return el(
    "button",
    {
      ...hooks(element, at),
      type: "button",
      class: "icon-button boxed",
      "aria-label": t("more"),
      "aria-haspopup": "menu",
      onclick: open,
    },
    icon("more"),
  );
}

/** Draw an image of this origin; any other image becomes a link, because the page sends no requests to other hosts. */
export function image({ image_url: url, alt_text: alt }) {
  if (url && new URL(url, location.href).origin === location.origin) return el("img", { src: url, alt });
  const safe = /^https?:/i.test(url ?? "");
  return el(
    safe ? "a" : "span",
    { class: "picture", href: safe && url, target: "_blank", rel: "noopener noreferrer" },
    icon("eye"),
    t("picture", alt ?? ""),
  );
}

const ELEMENTS = {
  button,
  feedback_buttons: feedbackButtons,
  icon_button: iconControl,
  image,
  overflow,
  static_select: staticSelect,
  users_select: usersSelect,
  multi_static_select: multiSelect,
  radio_buttons: (element, at) => choices("radio", element, at),
  checkboxes: (element, at) => choices("checkbox", element, at),
  plain_text_input: textInput,
  number_input: numberInput,
  datepicker: datePicker,
};

/**
 * Draw one element.
 * @param data The element's JSON.
 * @param at Its context {surface, blockId, dispatch, id?, describedBy?, invalid?}. With `dispatch`, each change is
 *   sent to the bot; an input block sets `id`, `describedBy` and `invalid`.
 */
export function element(data, at) {
  return Object.hasOwn(ELEMENTS, data?.type) ? ELEMENTS[data.type](data, at) : jsonBox(data);
}
