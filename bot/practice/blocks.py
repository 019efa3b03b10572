"""Slack's limits on Block Kit, with Slack's error texts: `must be less than 3001 characters [json-pointer:/…]`.

The numbers come from Slack's Block Kit reference. For the types in `_OTHER_BLOCKS` only the block_id is checked.
"""

from collections.abc import Callable
from typing import Any

from bot.practice.wire import Json, SlackError

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
MESSAGE_CHARACTERS = 13_200
_OTHER_BLOCKS = {"rich_text", "video", "file", "task_card", "plan", "alert", "card", "container", "carousel"}
_OTHER_BLOCKS |= {"data_table", "data_visualization", "call"}
_MESSAGES_ONLY = {"context_actions"}
_SELECTS = {f"{many}{kind}_select" for many in ("", "multi_") for kind in ("users", "conversations", "channels")}
_SELECTS |= {"external_select", "multi_external_select"}
_PICKERS = {"datepicker", "timepicker", "datetimepicker"}
_CHOICES = {"static_select", "multi_static_select", "radio_buttons", "checkboxes", *_SELECTS, *_PICKERS}
_INPUTS = {"plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input", "file_input"}
ALLOWED = {
    "actions": {"button", "overflow", "workflow_button", *_CHOICES, "rich_text_input"},
    "accessory": {"button", "overflow", "image", "workflow_button", *_CHOICES},
    "input": {*_CHOICES, *_INPUTS},
    "context": {"image", "plain_text", "mrkdwn"},
    "context_actions": {"feedback_buttons", "icon_button"},
}
_MAX_OPTIONS = {"static_select": 100, "multi_static_select": 100, "overflow": 5, "radio_buttons": 10, "checkboxes": 10}


class _Check:
    """The collected problems of some blocks. `at` is always the JSON pointer of the value that is checked."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.action_ids: set[str] = set()

    def report(self, problem: str, at: str) -> None:
        self.problems.append(f"{problem} [json-pointer:{at}]")

    def length(self, value: Any, at: str, maximum: int, minimum: int = 0) -> None:
        if not isinstance(value, str):
            self.report("must provide a string", at)
        elif len(value) > maximum:
            self.report(f"must be less than {maximum + 1} characters", at)
        elif len(value) < minimum:
            self.report(f"must be more than {minimum - 1} characters", at)

    def optional(self, holder: Json, key: str, at: str, maximum: int) -> None:
        if key in holder:
            self.length(holder[key], f"{at}/{key}", maximum)

    def items(self, holder: Json, key: str, at: str, maximum: int) -> list[Any]:
        items = holder.get(key)
        if not isinstance(items, list):
            self.report(f"missing required field: {key}", at)
            return []
        if len(items) > maximum:
            self.report(f"no more than {maximum} items allowed", f"{at}/{key}")
        if not items:
            self.report("must have at least 1 item", f"{at}/{key}")
        return items

    def text(self, holder: Json, key: str, at: str, maximum: int, *, plain: bool = False) -> None:
        value, at = holder.get(key), f"{at}/{key}"
        if not isinstance(value, dict):
            self.report(f"missing required field: {key}", at.rpartition("/")[0])
            return
        kinds = {"plain_text"} if plain else {"plain_text", "mrkdwn"}
        if value.get("type") not in kinds:
            self.report(f"must be a valid enum value: {', '.join(sorted(kinds))}", f"{at}/type")
        if len(value.get("text") or "") > maximum or not value.get("text"):
            self.report("failed to match all allowed schemas", at)
        self.length(value.get("text"), f"{at}/text", maximum, 1)

    def element(self, element: Any, at: str, place: str) -> None:
        kind = element.get("type") if isinstance(element, dict) else None
        if kind not in ALLOWED[place]:
            self.report(f"unsupported type: {kind}", f"{at}/type")
            return
        if "action_id" in element:
            self.length(element["action_id"], f"{at}/action_id", 255, 1)
            if element["action_id"] in self.action_ids:
                self.report(f"`action_id` {element['action_id']} already exists", f"{at}/action_id")
            self.action_ids.add(element["action_id"])
        if kind in _MAX_OPTIONS:
            self.options(element, at, kind)
        if "placeholder" in element:
            self.text(element, "placeholder", at, 150, plain=True)
        if "confirm" in element:
            self.confirm(element["confirm"], f"{at}/confirm")
        _ELEMENTS.get(kind, _no_checks)(self, element, at)

    def options(self, element: Json, at: str, kind: str) -> None:
        if "option_groups" in element and "options" not in element:
            for number, group in enumerate(self.items(element, "option_groups", at, 100)):
                self.text(group, "label", f"{at}/option_groups/{number}", 75, plain=True)
                self.options(group, f"{at}/option_groups/{number}", kind)
            return
        values: set[str] = set()
        for number, option in enumerate(self.items(element, "options", at, _MAX_OPTIONS[kind])):
            where = f"{at}/options/{number}"
            self.text(option, "text", where, 75, plain=kind not in {"radio_buttons", "checkboxes"})
            self.length(option.get("value"), f"{where}/value", 150)
            if "description" in option:
                self.text(option, "description", where, 75)
            if option.get("value") in values:
                self.report("duplicate value found in options", f"{at}/options")
            values.add(str(option.get("value")))

    def confirm(self, confirm: Json, at: str) -> None:
        self.text(confirm, "title", at, 100, plain=True)
        self.text(confirm, "text", at, 300)
        for key in ("confirm", "deny"):
            if key in confirm:
                self.text(confirm, key, at, 30, plain=True)


def _no_checks(_check: _Check, _value: Json, _at: str) -> None:
    return


def _button(check: _Check, button: Json, at: str) -> None:
    _labelled(check, button, at)
    check.optional(button, "value", at, 2000)
    check.optional(button, "url", at, 3000)
    if button.get("style", "primary") not in {"primary", "danger"}:
        check.report("must be a valid enum value: primary, danger", f"{at}/style")


def _feedback_buttons(check: _Check, element: Json, at: str) -> None:
    for side in ("positive_button", "negative_button"):
        button = element.get(side)
        if not isinstance(button, dict):
            check.report(f"missing required field: {side}", at)
            continue
        check.length(button.get("value"), f"{at}/{side}/value", 2000, 1)
        _labelled(check, button, f"{at}/{side}")


def _icon_button(check: _Check, element: Json, at: str) -> None:
    if element.get("icon") != "trash":
        check.report("must be a valid enum value: trash", f"{at}/icon")
    check.optional(element, "value", at, 2000)
    if "visible_to_user_ids" in element:
        check.items(element, "visible_to_user_ids", at, 10)
    _labelled(check, element, at)


def _labelled(check: _Check, element: Json, at: str) -> None:
    check.text(element, "text", at, 75, plain=True)
    check.optional(element, "accessibility_label", at, 75)


def _plain_input(check: _Check, element: Json, at: str) -> None:
    check.optional(element, "initial_value", at, 3000)
    if int(element.get("max_length", 1)) > 3000:
        check.report("must be less than 3001", f"{at}/max_length")


def _image(check: _Check, image: Json, at: str) -> None:
    if "slack_file" not in image:
        check.length(image.get("image_url"), f"{at}/image_url", 3000, 1)
    check.length(image.get("alt_text"), f"{at}/alt_text", 2000, 1)


def _section(check: _Check, block: Json, at: str) -> None:
    if "text" in block or "fields" not in block:
        check.text(block, "text", at, 3000)
    if "fields" in block:
        for number, text in enumerate(check.items(block, "fields", at, 10)):
            check.text({str(number): text}, str(number), f"{at}/fields", 2000)
    if "accessory" in block:
        check.element(block["accessory"], f"{at}/accessory", "accessory")


def _header(check: _Check, block: Json, at: str) -> None:
    check.text(block, "text", at, 150, plain=True)


def _context(check: _Check, block: Json, at: str) -> None:
    for number, element in enumerate(check.items(block, "elements", at, 10)):
        where = f"{at}/elements/{number}"
        check.element(element, where, "context")
        if isinstance(element, dict) and element.get("type") in {"plain_text", "mrkdwn"}:
            check.text({str(number): element}, str(number), f"{at}/elements", 3000)


def _actions(check: _Check, block: Json, at: str) -> None:
    for number, element in enumerate(check.items(block, "elements", at, 25)):
        check.element(element, f"{at}/elements/{number}", "actions")


def _context_actions(check: _Check, block: Json, at: str) -> None:
    for number, element in enumerate(check.items(block, "elements", at, 5)):
        check.element(element, f"{at}/elements/{number}", "context_actions")


def _input(check: _Check, block: Json, at: str) -> None:
    check.text(block, "label", at, 2000, plain=True)
    if "hint" in block:
        check.text(block, "hint", at, 2000, plain=True)
    check.element(block.get("element"), f"{at}/element", "input")


def _markdown(check: _Check, block: Json, at: str) -> None:
    check.length(block.get("text"), f"{at}/text", 12_000, 1)


def _table(check: _Check, block: Json, at: str) -> None:
    for number, row in enumerate(check.items(block, "rows", at, 100)):
        if isinstance(row, list) and len(row) > 20:
            check.report("no more than 20 items allowed", f"{at}/rows/{number}")


_Rule = Callable[[_Check, Json, str], None]
_ELEMENTS: dict[str, _Rule] = {"button": _button, "plain_text_input": _plain_input, "image": _image}
_ELEMENTS |= {"feedback_buttons": _feedback_buttons, "icon_button": _icon_button}
_BLOCKS: dict[str, _Rule] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "context_actions": _context_actions,
    "input": _input,
    "image": _image,
    "markdown": _markdown,
    "table": _table,
    "divider": _no_checks,
}


def problems(blocks: list[Any], at: str, maximum: int) -> list[str]:
    """Return the problems for which Slack would refuse these blocks, each with its JSON pointer.

    Args:
        blocks: The blocks.
        at: The JSON pointer of `blocks`.
        maximum: The largest allowed number of blocks.
    """
    check = _Check()
    if len(blocks) > maximum:
        check.report(f"no more than {maximum} items allowed", at)
    block_ids: set[str] = set()
    for number, block in enumerate(blocks):
        where = f"{at}/{number}"
        kind = block.get("type") if isinstance(block, dict) else None
        if (kind not in _BLOCKS and kind not in _OTHER_BLOCKS) or (kind in _MESSAGES_ONLY and at != "/blocks"):
            check.report(f"unsupported type: {kind}", f"{where}/type")
            continue
        if "block_id" in block:
            check.length(block["block_id"], f"{where}/block_id", 255)
            if block["block_id"] in block_ids:
                check.report(f"`block_id` {block['block_id']} already exists", where)
            block_ids.add(block["block_id"])
        check.action_ids = set()
        _BLOCKS.get(kind, _no_checks)(check, block, where)
    return check.problems


def check_message(blocks: Any) -> list[Json]:
    """Return the blocks of a message if Slack would accept them.

    Raises:
        SlackError: `invalid_blocks_format`, `invalid_blocks` or `msg_blocks_too_long`.
    """
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if found := problems(blocks, "/blocks", MESSAGE_BLOCKS):
        raise SlackError("invalid_blocks", *found)
    if sum(map(_characters, blocks)) > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return blocks


def _characters(value: object) -> int:
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if isinstance(value, list) else 0


def check_view(view: Any, kind: str) -> Json:
    """Return a view definition of this kind (`modal` or `home`) if Slack would accept it.

    Raises:
        SlackError: `invalid_arguments`.
    """
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", "view should be an object [json-pointer:/view]")
    check = _Check()
    if view.get("type") != kind:
        check.report(f"must be a valid enum value: {kind}", "/view/type")
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        check.report("missing required field: blocks", "/view")
        blocks = []
    if kind == "modal":
        _modal(check, view, blocks)
    for key, maximum in (("private_metadata", 3000), ("callback_id", 255), ("external_id", 255)):
        check.optional(view, key, "/view", maximum)
    if found := check.problems + problems(blocks, "/view/blocks", VIEW_BLOCKS):
        raise SlackError("invalid_arguments", *found)
    return view


def _modal(check: _Check, view: Json, blocks: list[Any]) -> None:
    check.text(view, "title", "/view", 24, plain=True)
    for key in ("submit", "close"):
        if view.get(key) is not None:
            check.text(view, key, "/view", 24, plain=True)
    if not view.get("submit") and any(isinstance(block, dict) and block.get("type") == "input" for block in blocks):
        check.report("missing required field: submit", "/view")
