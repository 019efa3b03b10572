// Helpers that create elements. Content always becomes text nodes, so that no message can inject markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Create an element. In `props`, a function under "on…" becomes a listener and `true` an empty attribute;
 * `false`, `null` and `undefined` are left out.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...flat(children));
  return node;
}

export function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

const PATHS = {
  hash: "M9 4 7 20M17 4l-2 16M4 9h17M3 15h17",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  home: "M4 11.5 12 5l8 6.5V20h-5.5v-5h-5v5H4z",
  chat: "M4 5h16v11H10l-4.5 4v-4H4z",
  smile: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M8.5 14a4 4 0 0 0 7 0M9 9.5v.5M15 9.5v.5",
  reply: "M4 5h16v11H10l-4.5 4v-4H4zM8 9h8M8 12h5",
  more: "M5 12a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M11.4 12a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M17.8 12a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0",
  clip: "M8 12.5 14.5 6a3 3 0 0 1 4.3 4.3l-8.3 8.2a5 5 0 0 1-7-7l7.5-7.6",
  send: "M4 12 20 4l-4.5 16-4-6.5zM11.5 13.5 20 4",
  close: "m6 6 12 12M18 6 6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  back: "M14.5 5.5 8 12l6.5 6.5",
  window: "M9 5H5v14h14v-4M13 4h7v7M20 4l-9 9",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  file: "M6 3.5h8l4 4v13H6zM14 3.5v4h4",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  eye: "M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5",
  thumb_up: "M7 11v9H4v-9zM7 11l4-7.5c1.5 0 2.6 1 2.4 2.6L13 9.5h5.2a2 2 0 0 1 2 2.4l-1.2 6.3a2.2 2.2 0 0 1-2.2 1.8H7",
  thumb_down: "M17 13V4h3v9zM17 13l-4 7.5c-1.5 0-2.6-1-2.4-2.6l.4-3.4H5.8a2 2 0 0 1-2-2.4L5 5.8A2.2 2.2 0 0 1 7.2 4H17",
  trash: "M4.5 7h15M9.5 7V4h5v3M6.5 7l1 13h9l1-13M10 10.5v6M14 10.5v6",
  down: "m7 10 5 5 5-5",
  check: "m5 12.5 4.5 4.5L19 7.5",
  info: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M12 11v5M12 8v.2",
  alert: "M12 4 3 19.5h18zM12 10v4M12 16.8v.2",
};

/** Create a decorative icon. It is hidden from screen readers, so its control needs the label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Create a button that shows only an icon; the label is its accessible name and its tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  return el(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...props },
    icon(name),
  );
}

/** Keep Tab inside a box: it moves from the last control to the first, and Shift+Tab back. */
export function trapTab(box) {
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Tab") return;
    const stops = [...box.querySelectorAll("button, a[href], input, select, textarea, [tabindex='0']")].filter(
      (node) => !node.disabled && node.offsetParent !== null,
    );
    const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
    if (!to || (document.activeElement !== from && box.contains(document.activeElement))) return;
    event.preventDefault();
    to.focus();
  });
}

/** Let the arrow keys, Home and End move the focus among the elements of a box that match the selector. */
export function arrowKeys(box, selector) {
  box.addEventListener("keydown", (event) => {
    const items = [...box.querySelectorAll(selector)].filter((node) => !node.disabled);
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    items[(next + items.length) % items.length].focus();
  });
}

/**
 * Update a box's children to match the items {key, signature, make}.
 * A child with the same key and signature is kept, so that only changed items are drawn again.
 */
export function reconcile(box, items) {
  const old = new Map([...box.children].map((node) => [node.dataset.key, node]));
  const held = document.activeElement?.closest("[data-key]");
  const spot = document.activeElement?.dataset.spot;
  const nodes = items.map(({ key, signature, make }) => {
    const known = old.get(key);
    if (known?.signature === signature) return known;
    const node = make();
    node.dataset.key = key;
    node.signature = signature;
    return node;
  });
  // What is gone goes first: otherwise each node behind it would be moved, and so laid out again.
  const kept = new Set(nodes);
  [...box.children].forEach((node) => kept.has(node) || node.remove());
  nodes.forEach((node, at) => box.children[at] !== node && box.insertBefore(node, box.children[at] ?? null));
  if (held && !held.isConnected)
    refocus(
      nodes.find((node) => node.dataset.key === held.dataset.key),
      spot,
    );
}

function refocus(node, spot) {
  const same = spot && [...(node?.querySelectorAll("[data-spot]") ?? [])].find((inner) => inner.dataset.spot === spot);
  (same ?? node)?.focus();
}

/** Return whether the page is as narrow as a phone, where focusing a field would open the keyboard. */
export const isPhone = () => matchMedia("(max-width: 480px)").matches;

/** Return a debounced `fn`: a burst of calls, for example by many frames, runs it once. */
export function debounce(fn) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      fn();
    });
  };
}
