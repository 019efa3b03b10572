"""The shapes of Slack's payloads, as far as Bolt and our listeners rely on them.

A payload of another shape cannot be answered: it would end in an error somewhere in the middle. Fields that are not
named here may be anything.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.errors import Reason, Refused
from bot.domain.nesting import is_too_deep

Id = Annotated[str, Field(pattern=r"^[\w.:|-]*$", max_length=255)]
"""An id, a timestamp or a kind of Slack's: what a database can store, and a call can carry."""
Object = dict[str, Any]
Objects = list[Object]


class SlackShape(BaseModel):
    """A part of a payload. Slack may leave out each field, or send null, unless the field has no default."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class MessageShape(SlackShape):
    """A message, within an event or under a button."""

    type: Id | None = None
    subtype: Id | None = None
    user: Id | Object | None = None
    bot_id: Id | None = None
    app_id: Id | None = None
    team: Id | Object | None = None
    user_team: Id | None = None
    source_team: Id | None = None
    channel: Id | Object | None = None
    channel_type: Id | None = None
    ts: Id | None = None
    event_ts: Id | None = None
    thread_ts: Id | None = None
    deleted_ts: Id | None = None
    text: str | None = None
    blocks: Objects | None = None
    attachments: Objects | None = None
    files: Objects | None = None
    edited: Object | None = None
    metadata: Object | None = None
    user_profile: Object | None = None
    bot_profile: Object | None = None


class ReactedShape(SlackShape):
    """The item of a reaction."""

    type: Id | None = None
    channel: Id | None = None
    ts: Id | None = None


class EventShape(MessageShape):
    """The inner event of an event's payload."""

    type: Id
    message: MessageShape | None = None
    previous_message: MessageShape | None = None
    item: ReactedShape | None = None
    item_user: Id | None = None
    reaction: str | None = None
    tab: Id | None = None
    view: Object | None = None
    subteam: Object | None = None
    subteam_id: Id | None = None


class SpokenShape(EventShape):
    """An event that is a message: it says where and when."""

    channel: Id
    ts: Id
    user: Id | None = None


class PersonShape(SlackShape):
    """The person who pressed or submitted something."""

    id: Id


class NamedShape(SlackShape):
    """A channel, team or organisation."""

    id: Id | None = None


class OptionShape(SlackShape):
    """An option of a menu."""

    value: str | None = None


class ActionShape(SlackShape):
    """A control that was pressed."""

    type: Id | None = None
    action_id: str
    block_id: str
    value: str | None = None
    selected_option: OptionShape | None = None
    selected_options: list[OptionShape] | None = None


class EnteredShape(SlackShape):
    """The value of an input."""

    value: str | None = None
    selected_option: OptionShape | None = None
    selected_options: list[OptionShape] | None = None
    selected_user: Id | None = None
    selected_conversation: Id | None = None


class StateShape(SlackShape):
    """The values of the inputs of a modal or a message: block → action → value."""

    values: dict[str, dict[str, EnteredShape]] | None = None


class ViewShape(SlackShape):
    """A modal or an App Home."""

    id: Id
    type: Id | None = None
    callback_id: str | None = None
    private_metadata: str | None = None
    hash: str | None = None
    root_view_id: Id | None = None
    previous_view_id: Id | None = None
    external_id: str | None = None
    blocks: Objects | None = None
    state: StateShape | None = None
    title: Object | None = None


class SentViewShape(SlackShape):
    """A modal that was submitted."""

    id: Id
    callback_id: str
    private_metadata: str
    hash: str
    state: StateShape | None = None


class ContainerShape(SlackShape):
    """The place of a control."""

    type: Id | None = None
    channel_id: Id | None = None
    message_ts: Id | None = None
    thread_ts: Id | None = None
    view_id: Id | None = None


class PayloadShape(SlackShape):
    """The common fields of payloads of all kinds."""

    type: Id | None = None
    team: NamedShape | None = None
    enterprise: NamedShape | None = None
    authorizations: Objects | None = None
    team_id: Id | None = None
    enterprise_id: Id | None = None
    api_app_id: Id | None = None
    trigger_id: str | None = None
    response_url: str | None = None
    channel: NamedShape | None = None
    container: ContainerShape | None = None
    message: MessageShape | None = None
    state: StateShape | None = None


class EventPayload(PayloadShape):
    """The payload of an event."""

    event_id: Id
    event: EventShape


class SpokenPayload(EventPayload):
    """The payload of an event that is a message."""

    event: SpokenShape


class PressPayload(PayloadShape):
    """The payload of a press."""

    user: PersonShape
    trigger_id: str
    view: ViewShape | None = None
    actions: Annotated[list[ActionShape], Field(min_length=1)]


class ClosedPayload(PayloadShape):
    """The payload of a modal that was closed."""

    user: PersonShape
    view: ViewShape


class ModalPayload(PayloadShape):
    """The payload of a modal that was submitted."""

    user: PersonShape
    view: SentViewShape


class ShortcutPayload(PayloadShape):
    """The payload of a shortcut."""

    user: PersonShape
    trigger_id: str
    callback_id: str


class MessageShortcutPayload(ShortcutPayload):
    """The payload of a shortcut of a message."""

    channel: NamedShape
    message: MessageShape
    message_ts: Id | None = None


class CommandPayload(SlackShape):
    """The payload of a slash command."""

    command: str
    text: str | None = None
    user_id: Id
    channel_id: Id
    team_id: Id | None = None
    enterprise_id: Id | None = None
    trigger_id: str
    response_url: str | None = None


SPOKEN_EVENTS = ("app_mention", "message")
SHAPES: Mapping[str, type[SlackShape]] = {
    "block_actions": PressPayload,
    "view_submission": ModalPayload,
    "view_closed": ClosedPayload,
    "shortcut": ShortcutPayload,
    "message_action": MessageShortcutPayload,
}
"""The shape of an interaction's payload, by its type."""


def misshapen(payload: object) -> str | None:
    """Return the first field of a payload that has another shape than Slack's, such as `event.ts`; None if none has."""
    if not isinstance(payload, dict):
        return "payload"
    if is_too_deep(payload):
        return "depth"
    try:
        _shape_of(payload).model_validate(payload)
    except ValidationError as error:
        return ".".join(str(part) for part in error.errors(include_input=False, include_url=False)[0]["loc"])[:100]
    return None


def modal_of(body: Mapping[str, Any]) -> Object:
    """Return the modal in which a control was pressed.

    Raises:
        Refused: There is none, as for a control of a form that stands in a message.
    """
    view = body.get("view")
    try:
        SentViewShape.model_validate(view)
    except ValidationError:
        raise Refused(Reason.OTHER_CONTROL) from None
    return dict(view or {})


def entered(view: Mapping[str, Any], block: str) -> Object:
    """Return what an input of a form holds, by the id of its block and control; nothing if there is none."""
    return dict(entries(view).get(block, {}).get(block, {}))


def entries(view: Mapping[str, Any]) -> dict[str, dict[str, Object]]:
    """Return what the inputs of a form hold: block → action → value. A form without inputs may come without a state."""
    return dict((view.get("state") or {}).get("values") or {})


def _shape_of(payload: Object) -> type[SlackShape]:
    if "event" in payload:
        event = payload["event"]
        return SpokenPayload if isinstance(event, dict) and event.get("type") in SPOKEN_EVENTS else EventPayload
    if "command" in payload:
        return CommandPayload
    kind = payload.get("type")
    return SHAPES.get(kind, PayloadShape) if isinstance(kind, str) else PayloadShape
