// What people have entered or chosen in one message or view, and how it is sent: Slack's state.values and block_actions.

import { post } from "./api.js";
import { ask } from "./dialogs.js";

export class Surface {
  #values = new Map();

  /** @param container Slack's container: {type: "message", channel, ts} or {type: "view", view_id}. */
  constructor(container) {
    this.container = container;
    this.errors = {};
  }

  /** A place for one element's value; a value entered before is kept, as Slack keeps it when ids are unchanged. */
  field(blockId, element, initial) {
    const key = `${blockId}\n${element.action_id}`;
    if (!this.#values.has(key))
      this.#values.set(key, { blockId, actionId: element.action_id, value: { type: element.type, ...initial } });
    const entry = this.#values.get(key);
    return { read: () => entry.value, write: (value) => Object.assign(entry.value, value) };
  }

  /** Forget the values of elements that the blocks no longer hold. */
  keepOnly(blockIds) {
    for (const [key, { blockId }] of this.#values) if (!blockIds.includes(blockId)) this.#values.delete(key);
  }

  state() {
    const values = {};
    for (const { blockId, actionId, value } of this.#values.values()) (values[blockId] ??= {})[actionId] = value;
    return { values };
  }

  /** Send one action, after its confirm dialog if it has one. Resolves to whether the bot took it. */
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
