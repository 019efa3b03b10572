"""/finetune: who may, in which language, and which story a word after it belongs to."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts
from bot.domain.errors import ModelDown, ModelError, Reason, Refused
from handlers.context import Context
from handlers.slack.private import Spot, spot_of
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views import finetune as views
from handlers.views.message import Message, section

log = logging.getLogger(__name__)

COMMAND = "/finetune"


@dataclass(frozen=True)
class Call:
    """One command or press: who and where, in which language, with which words after the verb, and how to answer."""

    spot: Spot
    words: Words
    argument: str
    respond: AsyncRespond
    context: Context
    trigger: str = ""
    """What opens a modal, within three seconds."""
    value: str = ""
    """What the pressed control carries, whole."""
    block: str = ""
    """The block id of the pressed control."""
    shared: bool = False
    """Whether others see the message that was pressed."""

    @property
    def acts(self) -> Acts:
        return self.context.acts

    async def say(self, message: Message | str, *, in_channel: bool = False, replace: bool = False) -> None:
        """Answer for this person's eyes, unless others must know; by another way where the response_url has run out."""
        if isinstance(message, str):
            message = Message(message, [section(message)])
        if self.spot.response_url is None:  # a submitted modal has none
            await self.context.private.tell(self.spot, message)
            return
        answer = await self.respond(
            text=message.text,
            blocks=message.blocks,
            response_type="in_channel" if in_channel else "ephemeral",
            replace_original=replace,
        )
        if answer.status_code != 200:
            log.info("a response_url was refused with %s", answer.status_code)
            await self.context.private.tell(self.spot, message)

    async def channel(self) -> str:
        """Where long results go: the ops channel, else a DM."""
        return self.context.ops_channel or await self.dm()

    async def upload(self, text: str, files: Mapping[str, bytes]) -> None:
        """Post a text there, with files by name."""
        await upload(self.context.client, await self.channel(), text, files)

    async def dm(self) -> str:
        opened = await self.context.client.conversations_open(users=self.spot.user)
        return str(opened["channel"]["id"])


async def upload(client: AsyncWebClient, channel: str, text: str, files: Mapping[str, bytes]) -> None:
    """Post a text, with files by name."""
    if not files:
        await client.chat_postMessage(channel=channel, text=text, unfurl_links=False)
        return
    uploads = [{"filename": name, "title": name, "file": data} for name, data in files.items()]
    await client.files_upload_v2(channel=channel, initial_comment=text, file_uploads=uploads)


Verb = Callable[[Call], Awaitable[None]]
May = Callable[[str], Awaitable[None]]
"""Raises Refused where this user may not."""


class Submit(Protocol):
    """Takes a submitted modal. It acks, with errors by block id or without; where it refuses, the modal closes."""

    async def __call__(self, call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None: ...


@dataclass(frozen=True)
class Story:
    """Some subcommands that belong together, and the buttons that they show."""

    verbs: Mapping[str, Verb]
    presses: Mapping[str | re.Pattern[str], Verb] = field(default_factory=dict)
    """Action id → verb; the control's value is a `views.finetune.Named`, whose id becomes the argument."""
    forms: Mapping[str, Submit] = field(default_factory=dict)
    """Callback id → what takes the modal; `channel` and `thread` of its private_metadata say where to answer."""
    for_staff: bool = False
    """Staff may use it too; else admins only."""


def register(app: AsyncApp, context: Context, stories: Iterable[Story]) -> None:
    """Register the command with all stories' subcommands, and their buttons."""
    stories = list(stories)
    verbs = {name: verb for story in stories for name, verb in story.verbs.items()}
    verbs["help"] = partial(help_, verbs=[*verbs, "help"])
    for_staff = {name for story in stories if story.for_staff for name in story.verbs}

    @app.command(COMMAND)
    async def command(ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        name, _, argument = str(body.get("text") or "").strip().partition(" ")
        name = name.lower() or "help"
        verb = verbs.get(name) or partial(unknown, name=name, verbs=list(verbs))
        words = await context.people.words(body["user_id"])
        call = Call(spot_of(body), words, argument.strip(), respond, context, body["trigger_id"])
        await run(call, verb, None if name == "help" else may(context, staff=name in for_staff))

    for story in stories:
        for action_id, verb in story.presses.items():
            app.action(action_id)(pressed(context, verb, may(context, staff=story.for_staff)))
        for callback_id, submit in story.forms.items():
            app.view(callback_id)(submitted(context, submit))


def may(context: Context, *, staff: bool) -> May:
    """Who may: admins, and staff where the story is for them."""
    return context.guard.staff_or_admins if staff else context.guard.admins_only


def pressed(context: Context, verb: Verb, allowed: May) -> Callable[..., Awaitable[None]]:
    """The listener of a button or menu whose value names what it is about."""

    async def listener(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        spot = spot_of(body)
        value = action["value"] if "value" in action else action["selected_option"]["value"]
        call = Call(
            spot,
            await context.people.words(spot.user),
            views.NamedPayload.unpacked(value).id,
            respond,
            context,
            body["trigger_id"],
            value=value,
            block=action["block_id"],
            shared="message" in body,
        )
        await run(call, verb, allowed)

    return listener


def submitted(context: Context, submit: Submit) -> Callable[..., Awaitable[None]]:
    """The listener of a modal's submit."""

    async def listener(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any], respond: AsyncRespond) -> None:
        spot = spot_of(body)
        call = Call(spot, await context.people.words(spot.user), "", respond, context)
        await run(call, partial(submit, view=view, ack=ack), context.guard.admins_only)
        if ack.response is None:
            await ack()

    return listener


async def run(call: Call, verb: Verb, allowed: May | None) -> None:
    """Do what was asked if this person may (None: anybody); every call ends in an answer."""
    try:
        if allowed:
            await allowed(call.spot.user)
        await verb(call)
    except Refused as refused:
        await call.say(call.words.refusal(refused))
    except ModelError as error:
        reason = Reason.PROVIDER_DOWN if isinstance(error, ModelDown) else Reason.PROVIDER_REFUSED
        await call.say(call.words(f"refused.{reason.value}", error=escaped(str(error), 500)))


async def help_(call: Call, *, verbs: Iterable[str]) -> None:
    await call.say(views.help_(verbs, call.words))


async def unknown(call: Call, *, name: str, verbs: list[str]) -> None:
    near = get_close_matches(name, verbs, n=1)
    text = call.words("finetune.unknown", verb=escaped(name, 40))
    if near:
        text += " " + call.words("finetune.near", verb=near[0])
    await call.say(Message(text, [section(text), *views.help_(verbs, call.words).blocks]))
