"""The input values of a message or view, and the `actions` item that an interaction sends for one element."""

from collections.abc import Iterable, Iterator

from bot.practice.wire import Json

_VALUE = {
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "plain_text_input": "value",
    "number_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "rich_text_input": "rich_text_value",
    "file_input": "files",
}
_STATIC = {"static_select", "multi_static_select", "radio_buttons", "checkboxes", "overflow"}


def elements(blocks: Iterable[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield each interactive element as a pair of its block and itself."""
    for block in blocks:
        inner = [block.get("element"), block.get("accessory"), *(block.get("elements") or [])]
        for element in inner:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def values(blocks: Iterable[Json], entered: Json) -> Json:
    """Return `state.values`: for each input element the entered value, or its initial value if nothing was entered."""
    state: Json = {}
    for block, element in elements(blocks):
        if key := _VALUE.get(element["type"]):
            own = entered.get(block["block_id"], {}).get(element["action_id"])
            value = own.get(key) if own is not None else _initial(element, key)
            if value is None and element["type"] in {"checkboxes", "multi_static_select"}:
                value = []
            state.setdefault(block["block_id"], {})[element["action_id"]] = {"type": element["type"], key: value}
    return state


def _initial(element: Json, key: str) -> object:
    return element.get("initial_value" if key in {"value", "rich_text_value"} else key.replace("selected_", "initial_"))


def missing_inputs(blocks: Iterable[Json], state: Json, error_text: str) -> dict[str, str]:
    """Return `error_text` by block_id for each empty required input, with which Slack's client submits no form."""
    return {
        block["block_id"]: error_text
        for block, element in elements(blocks)
        if block["type"] == "input"
        and not block.get("optional")
        and not state[block["block_id"]][element["action_id"]][_VALUE[element["type"]]]
    }


def find_element(blocks: Iterable[Json], block_id: str, action_id: str) -> Json | None:
    """Return the element with these ids, or None."""
    for block, element in elements(blocks):
        if (block["block_id"], element["action_id"]) == (block_id, action_id):
            return element
    return None


def action_item(element: Json, entered: Json, block_id: str, ts: str) -> Json | None:
    """Return the `actions` item of an interaction, or None if what was pressed or chosen is not offered."""
    kind = element["type"]
    action: Json = {"type": kind, "block_id": block_id, "action_id": element["action_id"], "action_ts": ts}
    if kind == "button":
        details = {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        return action | details
    if kind == "icon_button":
        return action | {key: element[key] for key in ("icon", "text", "value") if key in element}
    if kind == "feedback_buttons":
        sides = (element["positive_button"], element["negative_button"])
        pressed = next((side for side in sides if side["value"] == entered.get("value")), None)
        return action | {"text": pressed["text"], "value": pressed["value"]} if pressed else None
    key = "selected_option" if kind == "overflow" else _VALUE.get(kind, "value")
    chosen = entered.get(key)
    if kind in _STATIC and not _offers_all(element, chosen if isinstance(chosen, list) else [chosen or {}]):
        return None
    action[key] = chosen
    return action | ({"placeholder": element["placeholder"]} if "placeholder" in element else {})


def _offers_all(element: Json, chosen: list[Json]) -> bool:
    groups = element.get("option_groups") or [element]
    offered = {option["value"] for group in groups for option in group.get("options", [])}
    return all(option.get("value") in offered for option in chosen)
