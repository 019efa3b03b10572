// Conversion of Slack's mrkdwn, and of the Markdown of markdown blocks, to nodes: one inline parser, two sets of rules.

import { fillDate } from "./dates.js";
import { el, flat } from "./dom.js";
import { emojiText } from "./emoji.js";
import { nameOf, state } from "./store.js";

const unescape = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

// A permalink of this workspace, /archives/C…/p…, opens on this page; that of a reply also names its thread.
function placeOfLink({ pathname, searchParams }) {
  const found = pathname.match(/^\/archives\/(\w+)\/p(\d{10})(\d{6})$/);
  return found && `#${found[1]}/${searchParams.get("thread_ts") ?? `${found[2]}.${found[3]}`}`;
}

/** Create a link that opens a new tab, or this page for a permalink. Only http(s) and mailto URLs become links. */
export function link(url, children) {
  const here = url.startsWith("http") && new URL(url).origin === location.origin && placeOfLink(new URL(url));
  if (here) return el("a", { href: here }, children);
  if (!/^(https?:|mailto:)/i.test(url)) return el("span", {}, children);
  return el("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, children);
}

export function mention(kind, id, label) {
  const [sign, known] = {
    "@": ["@", state.people.get(id) && nameOf(state.people.get(id))],
    "#": ["#", state.channels.get(id)?.name],
    "!subteam": ["@", state.groups.get(id) && nameOf(state.groups.get(id))],
  }[kind];
  const mine = id === state.me?.id || state.groups.get(id)?.users?.includes(state.me?.id);
  const text = `${sign}${(known ?? label ?? id).replace(/^[@#]/, "")}`;
  if (kind === "#" && known) return el("a", { class: "mention", href: `#${id}` }, text);
  return el("span", { class: mine ? "mention mine" : "mention" }, text);
}

export const broadcast = (range) => el("span", { class: "mention mine" }, `@${range}`);

function angle(inside) {
  const [target, label] = inside.split(/\|(.*)/s);
  const words = label && unescape(label);
  if (/^[@#]\w+$/.test(target)) return mention(target[0], target.slice(1), words);
  if (target.startsWith("!subteam^")) return mention("!subteam", target.slice(9), words);
  if (target.startsWith("!date^")) return dateNode(target, words);
  if (/^!(here|channel|everyone)$/.test(target)) return broadcast(target.slice(1));
  return link(unescape(target), words ?? unescape(target).replace(/^mailto:/, ""));
}

function dateNode(target, fallback) {
  const [, seconds, pattern, url] = target.split("^");
  const text = /^\d+$/.test(seconds) && pattern ? fillDate(seconds, unescape(pattern)) : (fallback ?? target);
  const time = el("time", { title: fallback }, text);
  return url ? link(unescape(url), time) : time;
}

// Slack reads a mark only at the edge of a word: *bold*, but not 2*3*4.
const marked = (mark, tag) => ({
  re: new RegExp(
    `(?<![\\p{L}\\p{N}${mark}])${mark}(?!\\s)([^${mark}\\n]+?)(?<!\\s)${mark}(?![\\p{L}\\p{N}${mark}])`,
    "u",
  ),
  make: ([, inside], again) => el(tag, {}, again(inside)),
});
const CODE = { re: /`([^`\n]+)`/, make: ([, inside]) => el("code", {}, unescape(inside)) };
const EMOJI = { re: /:([a-z0-9_+-]+(?:::[a-z0-9-]+)?):/, make: ([, name]) => emojiText(name) };
const ADDRESS = {
  re: /https?:\/\/[^\s<>|]+[^\s<>|.,;:!?)。、）」]/,
  make: ([url]) => link(unescape(url), unescape(url)),
};
const ANGLE = { re: /<([^<>\n]+)>/, make: ([, inside]) => angle(inside) };

const MRKDWN = [CODE, ANGLE, marked("\\*", "strong"), marked("_", "em"), marked("~", "s"), EMOJI, ADDRESS];
const MARKDOWN = [
  CODE,
  { re: /\[([^\]\n]+)\]\(([^)\s]+)\)/, make: ([, words, url], again) => link(url, again(words)) },
  ANGLE,
  { re: /\*\*(?!\s)(.+?)\*\*/, make: ([, inside], again) => el("strong", {}, again(inside)) },
  { re: /~~(?!\s)(.+?)~~/, make: ([, inside], again) => el("s", {}, again(inside)) },
  marked("\\*", "em"),
  marked("_", "em"),
  EMOJI,
  ADDRESS,
];

function inline(text, rules) {
  const found = rules.map((rule) => ({ rule, match: rule.re.exec(text) })).filter(({ match }) => match);
  if (!found.length) return [unescape(text)];
  const { rule, match } = found.reduce((first, next) => (next.match.index < first.match.index ? next : first));
  const again = (inside) => inline(inside, rules);
  const rest = text.slice(match.index + match[0].length);
  return flat([unescape(text.slice(0, match.index)), rule.make(match, again), inline(rest, rules)]);
}

const lines = (texts, rules) =>
  texts.flatMap((text, at) => (at ? [el("br"), ...inline(text, rules)] : inline(text, rules)));

// Consecutive lines of one kind form one block. `re` recognizes a line, `make` draws the block.
const KINDS = [
  { name: "quote", re: /^(?:&gt;|>) ?(.*)$/, make: (texts, rules) => el("blockquote", {}, lines(texts, rules)) },
  {
    name: "bullets",
    re: /^\s*[-•*]\s+(.*)$/,
    make: (texts, rules) =>
      el(
        "ul",
        {},
        texts.map((text) => el("li", {}, inline(text, rules))),
      ),
  },
  {
    name: "numbers",
    re: /^\s*\d+[.)]\s+(.*)$/,
    make: (texts, rules) =>
      el(
        "ol",
        {},
        texts.map((text) => el("li", {}, inline(text, rules))),
      ),
  },
];
const HEADING = {
  name: "heading",
  re: /^(#{1,6}\s+.*)$/,
  make: (texts, rules) =>
    texts.map((text) => el(`h${Math.min(text.indexOf(" ") + 1, 6)}`, {}, inline(text.replace(/^#+\s+/, ""), rules))),
};
const TABLE = { name: "table", re: /^\s*\|(.*)\|\s*$/, make: (texts, rules) => markdownTable(texts, rules) };
const PLAIN = { name: "plain", re: /^(.*)$/, make: (texts, rules) => el("p", {}, lines(texts, rules)) };

function markdownTable(texts, rules) {
  const rows = texts.filter((text) => !/^[\s|:-]+$/.test(text)).map((text) => text.split("|"));
  const row = (cells, tag) =>
    el(
      "tr",
      {},
      cells.map((cell) => el(tag, {}, inline(cell.trim(), rules))),
    );
  return el(
    "div",
    { class: "table-wrap" },
    el(
      "table",
      {},
      rows.map((cells, at) => row(cells, at ? "td" : "th")),
    ),
  );
}

function paragraphs(text, kinds, rules) {
  const blocks = [];
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const kind = kinds.find(({ re }) => re.test(line));
    const last = blocks.at(-1);
    if (last?.kind === kind) last.texts.push(line.match(kind.re)[1]);
    else blocks.push({ kind, texts: [line.match(kind.re)[1]] });
  }
  return blocks.flatMap(({ kind, texts }) => kind.make(texts, rules));
}

function render(text, kinds, rules) {
  const parts = text.split(/```(?:\w*\n)?([\s\S]+?)```/);
  return parts.flatMap((part, at) => {
    if (at % 2) return [el("pre", {}, unescape(part.replace(/^\n|\n$/g, "")))];
    return part.trim() ? paragraphs(part, kinds, rules) : [];
  });
}

export const mrkdwn = (text) => render(text, [KINDS[0], KINDS[1], PLAIN], MRKDWN);
export const markdown = (text) => render(text, [HEADING, TABLE, ...KINDS, PLAIN], MARKDOWN);

/** Return the nodes of a text object, plain or mrkdwn. */
export function textObject(object) {
  if (!object) return [];
  if (typeof object === "string") return mrkdwn(object);
  return object.type === "mrkdwn" ? mrkdwn(object.text) : [el("span", { class: "plain" }, plain(object))];
}

/** Return the plain text of a text object, for labels. */
export function plain(object) {
  const text = typeof object === "string" ? object : (object?.text ?? "");
  return unescape(text).replace(/:([a-z0-9_+-]+):/g, (_, name) => emojiText(name));
}

/** Return a message's text as the person typed it, with names in place of ids. */
export function typed(text) {
  const named = text
    .replace(/<@(\w+)(?:\|[^>]*)?>/g, (_, id) => `@${state.people.get(id)?.name ?? id}`)
    .replace(/<#(\w+)(?:\|[^>]*)?>/g, (_, id) => `#${state.channels.get(id)?.name ?? id}`)
    .replace(/<!subteam\^(\w+)(?:\|[^>]*)?>/g, (_, id) => `@${state.groups.get(id)?.handle ?? id}`)
    .replace(/<(https?:[^|>]+)(?:\|[^>]*)?>/g, "$1");
  return unescape(named);
}
