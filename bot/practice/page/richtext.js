// rich_text blocks, the format of Slack's editor.

import { fillDate } from "./dates.js";
import { el, flat } from "./dom.js";
import { emojiText } from "./emoji.js";
import { broadcast, link, mention } from "./mrkdwn.js";
import { jsonBox } from "./unknown.js";

const STYLES = { code: "code", strike: "s", italic: "em", bold: "strong" };

const INLINE = {
  text: ({ text }) => text.split("\n").flatMap((line, at) => (at ? [el("br"), line] : [line])),
  link: ({ url, text }) => link(url, text ?? url),
  user: ({ user_id }) => mention("@", user_id),
  usergroup: ({ usergroup_id }) => mention("!subteam", usergroup_id),
  channel: ({ channel_id }) => mention("#", channel_id),
  broadcast: ({ range }) => broadcast(range),
  emoji: ({ name }) => emojiText(name),
  date: ({ timestamp, format }) => el("time", {}, fillDate(timestamp, format)),
  color: ({ value }) => el("code", {}, value),
};

function inline(part) {
  if (!Object.hasOwn(INLINE, part.type)) return jsonBox(part);
  const styles = Object.keys(STYLES).filter((style) => part.style?.[style]);
  return styles.reduce((inside, style) => el(STYLES[style], {}, inside), flat([INLINE[part.type](part)]));
}

const inlines = (parts) => parts.map(inline);

const PARTS = {
  rich_text_section: ({ elements }) => el("p", {}, inlines(elements)),
  rich_text_quote: ({ elements }) => el("blockquote", {}, inlines(elements)),
  rich_text_preformatted: ({ elements }) =>
    el(
      "pre",
      {},
      elements.map((part) => part.text ?? part.url ?? ""),
    ),
  rich_text_list: ({ elements, style, indent }) =>
    el(
      style === "ordered" ? "ol" : "ul",
      { class: indent ? `indent-${Math.min(indent, 4)}` : null },
      elements.map((part) => el("li", {}, inlines(part.elements))),
    ),
};

export const richText = ({ elements }) =>
  elements.map((part) => (Object.hasOwn(PARTS, part.type) ? PARTS[part.type](part) : jsonBox(part)));
