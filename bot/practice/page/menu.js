// Menus that open beside a control: message actions, overflow elements, people, reactions.

import { arrowKeys, el } from "./dom.js";
import { t } from "./words.js";

const GAP_PX = 6;
// A region of the page, so that a screen reader finds what is open in it.
const layer = el("section", { class: "layer" });
document.body.append(layer);

function place(box, anchor) {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = at.bottom + GAP_PX + height <= innerHeight;
  const fits = at.left + width + GAP_PX <= innerWidth;
  const left = fits ? at.left : at.right - width;
  const top = below ? at.bottom + GAP_PX : at.top - GAP_PX - height;
  box.style.left = `${Math.max(GAP_PX, left)}px`;
  box.style.top = `${Math.max(GAP_PX, top)}px`;
}

/** Open a box beside a control; Escape or a press elsewhere closes it and returns the focus to the control. */
export function openPopover(anchor, box) {
  box.setAttribute("popover", "auto");
  box.classList.add("popover");
  // A popover outside an open dialog would be inert.
  layer.setAttribute("aria-label", t("menus"));
  (anchor.closest("dialog") ?? layer).append(box);
  anchor.setAttribute("aria-expanded", "true");
  box.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    anchor.setAttribute("aria-expanded", "false");
    if (box.contains(document.activeElement) || document.activeElement === document.body) anchor.focus();
    box.remove();
  });
  box.showPopover();
  place(box, anchor);
}

function item({ label, hint, lead, onpick, href, danger, current, testid }, close) {
  const inside = [lead, el("span", { class: "menu-label" }, label, hint && el("small", {}, hint))];
  const props = {
    role: "menuitem",
    tabindex: "0",
    class: danger ? "menu-item danger" : "menu-item",
    "data-testid": testid,
    "aria-current": current && "true",
  };
  if (href) return el("a", { ...props, href, target: "_blank", rel: "noopener", onclick: close }, inside);
  const pick = () => {
    close();
    onpick();
  };
  return el("button", { ...props, type: "button", onclick: pick }, inside);
}

/** Open a menu with arrow keys; its items are {label, hint?, lead?, onpick | href, danger?, current?, testid?}. */
export function openMenu(anchor, label, items, kind = "") {
  const box = el("div", { role: "menu", class: `menu ${kind}`, "aria-label": label });
  box.append(...items.map((each) => item(each, () => box.hidePopover())));
  arrowKeys(box, "[role=menuitem]");
  openPopover(anchor, box);
  (box.querySelector("[aria-current]") ?? box.querySelector("[role=menuitem]"))?.focus();
}

/** Open a menu by the keys that a browser takes for a choice while it is closed: arrows, letters and the like. */
export function openByKeys(select) {
  select.addEventListener("keydown", (event) => {
    const chooses = event.key.length === 1 ? event.key !== " " : CHOOSING_KEYS.has(event.key);
    if (!chooses || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    select.showPicker?.();
  });
}

const CHOOSING_KEYS = new Set(["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"]);
