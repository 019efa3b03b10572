// Completion in a text field: /commands with their hints, @people and @groups, #channels, :emoji:.

import { el } from "./dom.js";
import { EMOJI } from "./emoji.js";
import { nameOf, state } from "./store.js";
import { t } from "./words.js";

const MAX_SUGGESTIONS = 8;
let count = 0;

const starts = (word, ...names) => names.some((name) => name?.toLowerCase().includes(word));

const SOURCES = {
  "/": (word) =>
    state.commands
      .filter(({ command }) => command.slice(1).startsWith(word))
      .map((each) => ({
        insert: each.command,
        label: `${each.command} ${each.usage_hint ?? ""}`,
        hint: each.description,
      })),
  "@": (word) => [
    ...[...state.people.values()]
      .filter((person) => starts(word, person.name, ...Object.values(person.names ?? { own: person.real_name })))
      .map((person) => ({ insert: `@${person.name}`, label: nameOf(person), hint: `@${person.name}` })),
    ...[...state.groups.values()]
      .filter((group) => starts(word, group.handle, ...Object.values(group.names ?? { own: group.name })))
      .map((group) => ({ insert: `@${group.handle}`, label: nameOf(group), hint: `@${group.handle}` })),
  ],
  "#": (word) =>
    [...state.channels.values()]
      .filter((channel) => !channel.is_im && starts(word, channel.name))
      .map(({ name }) => ({ insert: `#${name}`, label: `#${name}` })),
  ":": (word) =>
    word.length < 2
      ? []
      : Object.keys(EMOJI)
          .filter((name) => name.startsWith(word))
          .map((name) => ({ insert: `:${name}:`, label: `${EMOJI[name]} :${name}:` })),
};

function triggerBefore(field) {
  const before = field.value.slice(0, field.selectionStart);
  const found = before.match(/^\/([\w-]*)$/) ?? before.match(/(?:^|[\s(（、。])[@#:]([^\s@#:]*)$/);
  if (!found) return null;
  return {
    sign: before.at(-found[1].length - 1),
    word: found[1].toLowerCase(),
    from: before.length - found[1].length - 1,
  };
}

/**
 * Add completion to a text field.
 * @returns {{list: HTMLElement, onkey: function}} `list` is the listbox to place near the field; `onkey` is a key
 *   handler that returns whether it used the key.
 */
export function completion(field) {
  const id = `suggestions-${++count}`;
  const list = el("ul", { class: "suggestions", role: "listbox", id, "aria-label": t("suggestions"), hidden: true });
  let items = [];
  let at = 0;
  let trigger = null;

  function mark() {
    [...list.children].forEach((node, index) => node.setAttribute("aria-selected", String(index === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    if (items.length) field.setAttribute("aria-activedescendant", `${id}-${at}`);
    else field.removeAttribute("aria-activedescendant");
  }

  function show(found) {
    items = found;
    at = 0;
    list.hidden = !items.length;
    field.setAttribute("aria-expanded", String(items.length > 0));
    const press = (index) => (event) => {
      event.preventDefault();
      take(index);
    };
    list.replaceChildren(
      ...items.map(({ label, hint }, index) =>
        el(
          "li",
          { role: "option", id: `${id}-${index}`, onmousedown: press(index) },
          label,
          hint && el("small", {}, hint),
        ),
      ),
    );
    mark();
  }

  function take(index) {
    field.setRangeText(`${items[index].insert} `, trigger.from, field.selectionStart, "end");
    show([]);
    field.dispatchEvent(new Event("input"));
    field.focus();
  }

  function look() {
    trigger = triggerBefore(field);
    show(trigger ? SOURCES[trigger.sign](trigger.word).slice(0, MAX_SUGGESTIONS) : []);
  }

  const KEYS = {
    ArrowDown: () => (at = (at + 1) % items.length),
    ArrowUp: () => (at = (at - 1 + items.length) % items.length),
    Enter: () => take(at),
    Tab: () => take(at),
    Escape: () => show([]),
  };

  function onkey(event) {
    // Enter sends a complete command instead of completing it again.
    const whole = event.key === "Enter" && trigger && items[at]?.insert === field.value.slice(trigger.from);
    if (!items.length || !KEYS[event.key] || event.isComposing || whole) return false;
    event.preventDefault();
    event.stopPropagation();
    KEYS[event.key]();
    if (event.key.startsWith("Arrow")) mark();
    return true;
  }

  Object.entries({
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-controls": id,
    "aria-expanded": "false",
  }).forEach(([key, value]) => field.setAttribute(key, value));
  field.addEventListener("input", look);
  field.addEventListener("blur", () => show([]));
  return { list, onkey };
}
