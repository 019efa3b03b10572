"""The values that stand in the inputs of a message or view, and what an interaction says of one of them."""

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
    """Yield each interactive element with its block."""
    for block in blocks:
        inner = [block.get("element"), block.get("accessory"), *(block.get("elements") or [])]
        for element in inner:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def values(blocks: Iterable[Json], given: Json) -> Json:
    """Return `state.values`: of every stateful element what the person entered, else its initial value."""
    state: Json = {}
    for block, element in elements(blocks):
        if key := _VALUE.get(element["type"]):
            entered = given.get(block["block_id"], {}).get(element["action_id"])
            value = entered.get(key) if entered is not None else _initial(element, key)
            if value is None and element["type"] in {"checkboxes", "multi_static_select"}:
                value = []
            state.setdefault(block["block_id"], {})[element["action_id"]] = {"type": element["type"], key: value}
    return state


def _initial(element: Json, key: str) -> object:
    return element.get("initial_value" if key in {"value", "rich_text_value"} else key.replace("selected_", "initial_"))


def missing(blocks: Iterable[Json], state: Json, words: str) -> dict[str, str]:
    """Return `words` by the block_id of each input that is empty and not optional: Slack's client stops there."""
    return {
        block["block_id"]: words
        for block, element in elements(blocks)
        if block["type"] == "input"
        and not block.get("optional")
        and not state[block["block_id"]][element["action_id"]][_VALUE[element["type"]]]
    }


def find(blocks: Iterable[Json], block_id: str, action_id: str) -> Json | None:
    """Return the element with these ids."""
    for block, element in elements(blocks):
        if (block["block_id"], element["action_id"]) == (block_id, action_id):
            return element
    return None


def acted(element: Json, given: Json, block_id: str, ts: str) -> Json | None:
    """Return the `actions` item of an interaction; None if the element does not offer what was chosen."""
    kind = element["type"]
    action: Json = {"type": kind, "block_id": block_id, "action_id": element["action_id"], "action_ts": ts}
    if kind == "button":
        kept = {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        return action | kept
    key = "selected_option" if kind == "overflow" else _VALUE.get(kind, "value")
    chosen = given.get(key)
    if kind in _STATIC and not _offered(element, chosen if isinstance(chosen, list) else [chosen or {}]):
        return None
    action[key] = chosen
    return action | ({"placeholder": element["placeholder"]} if "placeholder" in element else {})


def _offered(element: Json, chosen: list[Json]) -> bool:
    groups = element.get("option_groups") or [element]
    offered = {option["value"] for group in groups for option in group.get("options", [])}
    return all(option.get("value") in offered for option in chosen)
