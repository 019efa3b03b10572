// What this page does not draw is shown as it came, so that nothing of a bot's message is silently lost.

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
