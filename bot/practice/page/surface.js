// The entered values of one message or view (Slack's state.values), and the sending of its actions (block_actions).

import { post } from "./api.js";
import { ask } from "./dialogs.js";

export class Surface {
  #values = new Map();

  /**
   * @param container Slack's container: {type: "message", channel, ts} or {type: "view", view_id}.
   * @param heading The tag of a header block: one level below the title of the page or the dialog.
   */
  constructor(container, heading = "h2") {
    this.container = container;
    this.heading = heading;
    this.errors = {};
  }

  /** Return {read, write} for an element's value. As on Slack, an entered value stays while the ids are unchanged. */
  field(blockId, element, initial) {
    const key = `${blockId}\n${element.action_id}`;
    if (!this.#values.has(key))
      this.#values.set(key, { blockId, actionId: element.action_id, value: { type: element.type, ...initial } });
    const entry = this.#values.get(key);
    return { read: () => entry.value, write: (value) => Object.assign(entry.value, value) };
  }

  /** Drop the values of blocks that no longer exist. */
  keepOnly(blockIds) {
    for (const [key, { blockId }] of this.#values) if (!blockIds.includes(blockId)) this.#values.delete(key);
  }

  state() {
    const values = {};
    for (const { blockId, actionId, value } of this.#values.values()) (values[blockId] ??= {})[actionId] = value;
    return { values };
  }

  /** Send one action, after its confirm dialog if it has one. The promise resolves to whether the bot accepted it. */
  async act(blockId, element, value, control) {
    if (control?.ariaBusy === "true") return false;
    if (element.confirm && !(await ask(element.confirm))) return false;
    control?.setAttribute("aria-busy", "true");
    const action = { type: element.type, block_id: blockId, action_id: element.action_id, ...value };
    const answer = await post("actions", { container: this.container, action, state: this.state() });
    control?.removeAttribute("aria-busy");
    return answer.ok;
  }
}
