// Blocks and elements that the page cannot draw are shown as JSON, so that no part of a message is lost.

import { el } from "./dom.js";
import { t } from "./words.js";

export function jsonBox(data) {
  return el(
    "figure",
    { class: "json", "data-testid": "unknown" },
    el("figcaption", {}, t("unknown_block", data?.type ?? "?")),
    el("pre", { tabindex: "0" }, JSON.stringify(data, null, 2)),
  );
}
