"""Slack's limits on Block Kit: the limit itself is accepted, one more is refused with its place and reason."""

from collections.abc import Callable

import pytest

from bot.practice.blocks import check_message, check_view
from bot.practice.wire import Json, SlackError


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "あ" * length}


def option(text: int = 5, value: str = "v") -> Json:
    return {"text": plain(text), "value": value}


def options(count: int) -> list[Json]:
    return [option(value=str(number)) for number in range(count)]


def actions_block(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": list(elements)}]


def button(**more: object) -> Json:
    return {"type": "button", "action_id": "a", "text": plain(5), **more}


def select(kind: str = "static_select", **more: object) -> Json:
    return {"type": kind, "action_id": "s", "options": options(2), **more}


def feedback(**more: object) -> Json:
    side = {"text": plain(5), "value": "v"}
    return {"type": "feedback_buttons", "action_id": "f", "positive_button": side, "negative_button": side, **more}


def trash(**more: object) -> Json:
    return {"type": "icon_button", "action_id": "t", "icon": "trash", "text": plain(5), **more}


def context_actions(*elements: Json) -> list[Json]:
    return [{"type": "context_actions", "elements": list(elements)}]


def section(**more: object) -> list[Json]:
    return [{"type": "section", "text": plain(5), **more}]


def input_block(**more: object) -> list[Json]:
    element = {"type": "plain_text_input", "action_id": "i"}
    return [{"type": "input", "label": plain(5), "element": element, **more}]


def confirm_dialog(**more: object) -> Json:
    return {"title": plain(1), "text": plain(1), "confirm": plain(1), "deny": plain(1), **more}


LIMITS: dict[str, tuple[int, str, Callable[[int], list[Json]]]] = {
    "blocks": (50, "/blocks", lambda n: [{"type": "divider"}] * n),
    "block_id": (255, "/blocks/0/block_id", lambda n: [{"type": "divider", "block_id": "b" * n}]),
    "section text": (3000, "/blocks/0/text/text", lambda n: section(text=plain(n))),
    "section fields": (10, "/blocks/0/fields", lambda n: section(fields=[plain(1)] * n)),
    "section field": (2000, "/blocks/0/fields/0/text", lambda n: section(fields=[plain(n)])),
    "header": (150, "/blocks/0/text/text", lambda n: [{"type": "header", "text": plain(n)}]),
    "context": (10, "/blocks/0/elements", lambda n: [{"type": "context", "elements": [plain(1)] * n}]),
    "markdown": (12_000, "/blocks/0/text", lambda n: [{"type": "markdown", "text": "m" * n}]),
    "actions": (25, "/blocks/0/elements", lambda n: actions_block(*(button(action_id=str(i)) for i in range(n)))),
    "action_id": (255, "/blocks/0/elements/0/action_id", lambda n: actions_block(button(action_id="a" * n))),
    "button text": (75, "/blocks/0/elements/0/text/text", lambda n: actions_block(button(text=plain(n)))),
    "button value": (2000, "/blocks/0/elements/0/value", lambda n: actions_block(button(value="v" * n))),
    "button url": (3000, "/blocks/0/elements/0/url", lambda n: actions_block(button(url="u" * n))),
    "select options": (100, "/blocks/0/elements/0/options", lambda n: actions_block(select(options=options(n)))),
    "option text": (
        75,
        "/blocks/0/elements/0/options/0/text/text",
        lambda n: actions_block(select(options=[option(n)])),
    ),
    "option value": (
        150,
        "/blocks/0/elements/0/options/0/value",
        lambda n: actions_block(select(options=[option(1, "v" * n)])),
    ),
    "placeholder": (
        150,
        "/blocks/0/elements/0/placeholder/text",
        lambda n: actions_block(select(placeholder=plain(n))),
    ),
    "overflow": (5, "/blocks/0/elements/0/options", lambda n: actions_block(select("overflow", options=options(n)))),
    "radio": (10, "/blocks/0/elements/0/options", lambda n: actions_block(select("radio_buttons", options=options(n)))),
    "checkboxes": (
        10,
        "/blocks/0/elements/0/options",
        lambda n: actions_block(select("checkboxes", options=options(n))),
    ),
    "confirm title": (
        100,
        "/blocks/0/elements/0/confirm/title/text",
        lambda n: actions_block(button(confirm=confirm_dialog(title=plain(n)))),
    ),
    "confirm text": (
        300,
        "/blocks/0/elements/0/confirm/text/text",
        lambda n: actions_block(button(confirm=confirm_dialog(text=plain(n)))),
    ),
    "confirm deny": (
        30,
        "/blocks/0/elements/0/confirm/deny/text",
        lambda n: actions_block(button(confirm=confirm_dialog(deny=plain(n)))),
    ),
    "input label": (2000, "/blocks/0/label/text", lambda n: input_block(label=plain(n))),
    "input hint": (2000, "/blocks/0/hint/text", lambda n: input_block(hint=plain(n))),
    "image alt": (2000, "/blocks/0/alt_text", lambda n: [{"type": "image", "image_url": "u", "alt_text": "a" * n}]),
    "context actions": (
        5,
        "/blocks/0/elements",
        lambda n: context_actions(*(trash(action_id=str(i)) for i in range(n))),
    ),
    "feedback text": (
        75,
        "/blocks/0/elements/0/positive_button/text/text",
        lambda n: context_actions(feedback(positive_button={"text": plain(n), "value": "v"})),
    ),
    "feedback value": (
        2000,
        "/blocks/0/elements/0/negative_button/value",
        lambda n: context_actions(feedback(negative_button={"text": plain(1), "value": "v" * n})),
    ),
    "icon button label": (
        75,
        "/blocks/0/elements/0/accessibility_label",
        lambda n: context_actions(trash(accessibility_label="a" * n)),
    ),
    "icon button people": (
        10,
        "/blocks/0/elements/0/visible_to_user_ids",
        lambda n: context_actions(trash(visible_to_user_ids=["U0"] * n)),
    ),
    "table rows": (100, "/blocks/0/rows", lambda n: [{"type": "table", "rows": [[]] * n}]),
    "table columns": (20, "/blocks/0/rows/0", lambda n: [{"type": "table", "rows": [[{}] * n]}]),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit_itself_fits_and_one_more_is_refused(name: str) -> None:
    maximum, at, build = LIMITS[name]
    assert check_message(build(maximum))
    with pytest.raises(SlackError) as caught:
        check_message(build(maximum + 1))
    assert caught.value.error == "invalid_blocks"
    expected = [f"must be less than {maximum + 1} characters", f"no more than {maximum} items allowed"]
    assert any(f"{words} [json-pointer:{at}]" in caught.value.messages for words in expected)


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ([{"type": "sections"}], "unsupported type: sections [json-pointer:/blocks/0/type]"),
        (["words"], "unsupported type: None [json-pointer:/blocks/0/type]"),
        ([{"type": "section"}], "missing required field: text [json-pointer:/blocks/0]"),
        (section(text=plain(0)), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "must be a valid enum value: plain_text"),
        (actions_block(), "must have at least 1 item [json-pointer:/blocks/0/elements]"),
        (actions_block({"type": "plain_text_input"}), "unsupported type: plain_text_input"),
        (
            actions_block(button(), button()),
            "`action_id` a already exists [json-pointer:/blocks/0/elements/1/action_id]",
        ),
        (actions_block(button(style="loud")), "must be a valid enum value: primary, danger"),
        (actions_block(feedback()), "unsupported type: feedback_buttons [json-pointer:/blocks/0/elements/0/type]"),
        (context_actions(button()), "unsupported type: button [json-pointer:/blocks/0/elements/0/type]"),
        (context_actions(trash(icon="star")), "must be a valid enum value: trash"),
        (context_actions(feedback(negative_button=None)), "missing required field: negative_button"),
        (actions_block(select(options=[option(), option()])), "duplicate value found in options"),
        ([{"type": "divider", "block_id": "b"}] * 2, "`block_id` b already exists [json-pointer:/blocks/1]"),
    ],
)
def test_invalid_block_is_refused_with_its_place(blocks: list[Json], problem: str) -> None:
    with pytest.raises(SlackError) as caught:
        check_message(blocks)
    assert any(one.startswith(problem) for one in caught.value.messages)


def test_message_with_too_many_characters_is_refused() -> None:
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message(section(text=plain(3000)) * 5)
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        check_message({"type": "divider"})


def modal(**more: object) -> Json:
    return {"type": "modal", "title": plain(5), "blocks": [{"type": "divider"}], **more}


@pytest.mark.parametrize(
    ("fits", "exceeds", "at"),
    [
        (modal(title=plain(24)), modal(title=plain(25)), "/view/title/text"),
        (modal(submit=plain(24)), modal(submit=plain(25)), "/view/submit/text"),
        (modal(close=plain(24)), modal(close=plain(25)), "/view/close/text"),
        (modal(private_metadata="p" * 3000), modal(private_metadata="p" * 3001), "/view/private_metadata"),
        (modal(callback_id="c" * 255), modal(callback_id="c" * 256), "/view/callback_id"),
        (modal(blocks=[{"type": "divider"}] * 100), modal(blocks=[{"type": "divider"}] * 101), "/view/blocks"),
        (modal(blocks=input_block(), submit=plain(1)), modal(blocks=input_block()), "/view"),
        (modal(), modal(type="home"), "/view/type"),
        (modal(), modal(blocks=context_actions(trash())), "/view/blocks/0/type"),
    ],
)
def test_view_at_its_limit_fits_beyond_is_refused(fits: Json, exceeds: Json, at: str) -> None:
    assert check_view(fits, "modal")
    with pytest.raises(SlackError) as caught:
        check_view(exceeds, "modal")
    assert caught.value.error == "invalid_arguments"
    assert any(one.endswith(f"[json-pointer:{at}]") for one in caught.value.messages)


def test_error_body_has_the_shape_of_slacks() -> None:
    with pytest.raises(SlackError) as caught:
        check_message(section(text=plain(3001)))
    too_long = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    unmatched = "failed to match all allowed schemas [json-pointer:/blocks/0/text]"
    assert caught.value.body() == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [unmatched, too_long],
        "response_metadata": {"messages": [f"[ERROR] {unmatched}", f"[ERROR] {too_long}"]},
    }
