// Avatars (initials on the person's colour) and the person switcher.

import { post } from "./api.js";
import { el, icon } from "./dom.js";
import { openMenu } from "./menu.js";
import { nameOf, state } from "./store.js";
import { language, t } from "./words.js";

function initials(person) {
  const words = nameOf(person)
    .split(/[\s　]+/)
    .filter(Boolean);
  if (/[^\u0000-\u024f]/.test(words[0] ?? "")) return words[0][0];
  return words
    .slice(0, 2)
    .map((word) => word[0].toUpperCase())
    .join("");
}

// Compares WCAG's relative luminance with a threshold, to choose black or white letters.
function isLight(hex) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179;
}

export function avatar(person, size = "") {
  const color = `#${(person.color ?? "").replace("#", "")}`;
  const shown = /^#[0-9a-f]{6}$/i.test(color) ? color : "#6b7280";
  const face = el(
    "span",
    { class: `avatar ${size} ${isLight(shown) ? "dark-ink" : ""}`, "aria-hidden": "true" },
    person.is_bot ? icon("chat") : initials(person),
  );
  face.style.backgroundColor = shown;
  return face;
}

export const personUrl = (id) => `/?${new URLSearchParams({ user: id })}${location.hash}`;

const roleOf = ({ role, team_names: teams }) =>
  [role && t(`role_${role}`), teams?.[language()]].filter(Boolean).join(" · ");

function choosePerson(event) {
  const people = [...state.people.values()].filter((person) => !person.is_bot);
  const items = people.map((person) => ({
    label: nameOf(person),
    hint: roleOf(person),
    lead: avatar(person, "small"),
    current: person.id === state.me.id,
    testid: `person-${person.id}`,
    onpick: () => location.assign(personUrl(person.id)),
  }));
  openMenu(event.currentTarget, t("switch_person"), items, "people");
}

function chooseWindow(event) {
  const others = [...state.people.values()].filter((person) => !person.is_bot && person.id !== state.me.id);
  const items = others.map((person) => ({
    label: nameOf(person),
    hint: roleOf(person),
    lead: avatar(person, "small"),
    href: personUrl(person.id),
    testid: `window-${person.id}`,
  }));
  openMenu(event.currentTarget, t("new_window"), items, "people");
}

/** Create the person switcher, with menus to act as another person in this window or in a new one. */
export function personSwitcher() {
  const words = el(
    "span",
    { class: "me-words" },
    el("span", { class: "unseen" }, `${t("you_are")} `),
    el("strong", {}, nameOf(state.me)),
    el("small", {}, roleOf(state.me)),
    el("span", { class: "unseen" }, ` ${t("switch_person")}`),
  );
  const props = {
    type: "button",
    class: "me",
    "data-testid": "person-switcher",
    "aria-haspopup": "menu",
  };
  const other = {
    type: "button",
    class: "icon-button",
    "aria-label": t("new_window"),
    title: t("new_window"),
    "aria-haspopup": "menu",
    "data-testid": "new-window",
  };
  return el(
    "div",
    { class: "me-row" },
    el("button", { ...props, onclick: choosePerson }, avatar(state.me), words, icon("down")),
    el("button", { ...other, onclick: chooseWindow }, icon("window")),
  );
}

export const toggleLocale = () => post("locale", { locale: state.me.locale?.startsWith("ja") ? "en-US" : "ja-JP" });
