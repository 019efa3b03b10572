"""The command /finetune: subcommands, their buttons and modals, permissions and help."""

import logging
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from typing import Any, Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.acts import Acts
from bot.domain.errors import ModelDown, ModelError, Reason, Refused
from bot.forgetting.posting import Posting
from handlers.context import Context
from handlers.slack.failures import error_name
from handlers.slack.private import Spot, spot_of
from handlers.texts.escape import escaped
from handlers.texts.typed import read_command
from handlers.texts.words import Words
from handlers.views import finetune as views
from handlers.views.ids import HELP_ALL, NamedPayload, value_of
from handlers.views.message import Message, section
from handlers.views.message import context as context_line
from handlers.views.trouble import explained

log = logging.getLogger(__name__)

COMMAND = "/finetune"
TYPED_SHOWN = 200
"""Maximum length of the command that an answer repeats, in characters."""


@dataclass(frozen=True)
class Call:
    """One command, press or submitted modal, with everything that is needed to answer the person."""

    spot: Spot
    words: Words
    argument: str
    """The words after the subcommand, or the id that the pressed control carries."""
    context: Context
    trigger: str = ""
    """Slack's trigger id, which opens a modal within three seconds."""
    value: str = ""
    """The complete value of the pressed control."""
    block: str = ""
    """The block id of the pressed control."""
    shared: bool = False
    """Whether other people see the message that holds the pressed control."""
    message_ts: str = ""
    """The ts of the message that holds the pressed control; empty if there is none."""
    view: Mapping[str, Any] = field(default_factory=dict)
    """The App Home or modal that holds the pressed control; empty for a message."""
    typed: str = ""
    """The command as it was understood; empty for a press. The answer repeats it, because Slack does not show it."""

    @property
    def acts(self) -> Acts:
        return self.context.acts

    async def say(self, message: Message | str, *, in_channel: bool = False, replace: bool = False) -> None:
        """Answer the person, in private unless `in_channel` is set.

        The answer goes to the response_url. If there is none or Slack refuses it, `Private` delivers the answer.

        Args:
            message: The answer, or its text as mrkdwn.
            in_channel: Whether everybody in the channel sees the answer.
            replace: Whether the answer replaces the message that was pressed.
        """
        if isinstance(message, str):
            message = Message(message, [section(message)])
        if self.typed:
            quoted = escaped(self.typed.replace("`", ""), TYPED_SHOWN)
            message = Message(message.text, [context_line(f"`{quoted}`"), *message.blocks])
        if not await self.context.private.respond(self.spot, message, in_channel=in_channel, replace=replace):
            await self.context.private.tell(self.spot, message)

    async def channel(self) -> str:
        """Return the channel for long results: the ops channel, else a DM with this person.

        An ops channel that another organisation reads does not count.
        """
        ops = self.context.ops_channel
        return await self.dm() if ops is None or await self.context.private.is_shared(ops) else ops

    async def upload(self, text: str, files: Mapping[str, bytes], holds: Collection[str]) -> None:
        """Post a text and files, by name, to the channel for long results.

        Args:
            text: The text above the files.
            files: The files by name.
            holds: Ids of the questions and rows that they show, and of the people whom they name.

        Raises:
            Refused: FORGOTTEN_MEANWHILE.
        """
        shown = Shows(self.acts.posting, holds, self.words.language)
        await upload(self.context.client, await self.channel(), text, files, shown)

    async def list_here(self, message: Message, holds: Collection[str]) -> None:
        """Post a list of questions where everybody in the channel sees it.

        Raises:
            Refused: FORGOTTEN_MEANWHILE.
        """
        channel = self.spot.channel or ""
        if await self.context.private.is_shared(channel):
            await self.say(message, in_channel=True)  # shown to this person alone
            return
        posted_id = await self.acts.posting.begin(channel, holds, self.words.language)
        try:
            posted = await self.context.client.chat_postMessage(
                channel=channel, text=message.text, blocks=message.blocks
            )
        except SlackApiError as error:
            # The bot is no member of the channel. Slack does not tell the ts of what goes to a response URL.
            log.info("a list goes to the response URL: Slack answers %s", error_name(error))
            await self.say(message, in_channel=True)
            return
        await self.acts.posting.end(posted_id, ts=posted["ts"])

    async def dm(self) -> str:
        opened = await self.context.client.conversations_open(users=self.spot.user)
        return str(opened["channel"]["id"])


@dataclass(frozen=True)
class Shows:
    """The questions, rows and people in files, noted by id so that forgetting one of them removes the files."""

    posting: Posting
    holds: Collection[str]
    language: str


async def upload(  # noqa: PLR0913 - a post's parts
    client: AsyncWebClient,
    channel: str,
    text: str,
    files: Mapping[str, bytes],
    shows: Shows | None,
    *,
    alts: Mapping[str, str] | None = None,
    thread: str | None = None,
) -> None:
    """Post a text and files to a channel or to a thread in it.

    Args:
        client: The Web API.
        channel: The channel's id.
        text: The text above the files.
        files: The files by name.
        shows: The questions in the files; None for none.
        alts: Texts instead of pictures, by the file's name, for people who cannot see them.
        thread: The ts of the message that the files belong to.

    Raises:
        Refused: FORGOTTEN_MEANWHILE.
    """
    posted_id = await shows.posting.begin(channel, shows.holds, shows.language) if shows else ""
    uploads = [
        {"filename": name, "title": name, "file": data, "alt_txt": (alts or {}).get(name)}
        for name, data in files.items()
    ]
    try:
        answer = await client.files_upload_v2(
            channel=channel, initial_comment=text, file_uploads=uploads, thread_ts=thread
        )
    except SlackApiError:
        if shows:
            await shows.posting.drop(posted_id)
        raise
    if shows:
        await shows.posting.end(posted_id, files=[str(file["id"]) for file in answer["files"]])


Verb = Callable[[Call], Awaitable[None]]
"""A function that carries out a subcommand or a press."""
Permission = Callable[[str], Awaitable[None]]
"""A function that takes a user id and raises Refused if the user has no permission."""


class Submit(Protocol):
    """A function that carries out a submitted modal.

    It acks the submission itself, without errors or with errors by block id. If it raises Refused, the modal closes and
    the person gets the refusal as a message.
    """

    async def __call__(self, call: Call, *, view: dict[str, Any], ack: AsyncAck) -> None: ...


@dataclass(frozen=True)
class Story:
    """A group of subcommands with their buttons and modals."""

    verbs: Mapping[str, Verb]
    presses: Mapping[str | re.Pattern[str], Verb] = field(default_factory=dict)
    """Action id → verb. The control's value is a `NamedPayload`, whose id becomes the call's argument."""
    forms: Mapping[str, Submit] = field(default_factory=dict)
    """Callback id of a modal → the function that carries it out.

    The answer goes to the `channel` and `thread` in the modal's private_metadata.
    """
    for_staff: bool = False
    """Whether staff may use this story too; otherwise only admins may."""
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Subcommand → the words that may follow it. After a subcommand that is not here, none may."""
    free: frozenset[str] = frozenset()
    """Subcommands that read the words after them themselves."""


def register(app: AsyncApp, context: Context, stories: Iterable[Story]) -> None:
    """Register the command with the subcommands, buttons and modals of all stories."""
    stories = list(stories)
    verbs = {name: verb for story in stories for name, verb in story.verbs.items()}
    app.action(HELP_ALL)(press_listener(context, partial(show_commands, verbs=list(verbs)), None))
    verbs["help"] = show_help
    for_staff = {name for story in stories if story.for_staff for name in story.verbs}
    known_words = {name: words for story in stories for name, words in story.words.items()}
    free = {name for story in stories for name in story.free}

    @app.command(COMMAND)
    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        name, argument = read_command(str(body.get("text") or ""))
        name = name or "help"
        verb = verbs.get(name) or partial(show_unknown, name=name, verbs=list(verbs))
        if name in verbs and name not in free:
            verb = checked(verb, name, known_words.get(name, frozenset()))
        words = await context.people.words(body["user_id"])
        typed = f"{COMMAND} {name} {argument}".strip()
        call = Call(spot_of(body), words, argument, context, body["trigger_id"], typed=typed)
        await run(call, verb, None if name == "help" else permission_for(context, staff=name in for_staff))

    for story in stories:
        for action_id, verb in story.presses.items():
            app.action(action_id)(press_listener(context, verb, permission_for(context, staff=story.for_staff)))
        for callback_id, submit in story.forms.items():
            app.view(callback_id)(submit_listener(context, submit))


def permission_for(context: Context, *, staff: bool) -> Permission:
    """Return the check that lets admins pass, and staff too if `staff` is set."""
    return context.guard.staff_or_admins if staff else context.guard.admins_only


def press_listener(context: Context, verb: Verb, permission: Permission | None) -> Callable[..., Awaitable[None]]:
    """Return the listener for a button or menu whose value is a `NamedPayload`."""

    async def listener(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        spot = spot_of(body)
        value = value_of(action)
        call = Call(
            spot,
            await context.people.words(spot.user),
            NamedPayload.unpacked(value).id,
            context,
            body["trigger_id"],
            value=value,
            block=action["block_id"],
            shared="message" in body,
            message_ts=str((body.get("message") or {}).get("ts") or ""),
            view=body.get("view") or {},
        )
        await run(call, verb, permission)

    return listener


def submit_listener(context: Context, submit: Submit) -> Callable[..., Awaitable[None]]:
    """Return the listener for a submitted modal. Only admins may submit."""

    async def listener(ack: AsyncAck, body: dict[str, Any], view: dict[str, Any]) -> None:
        spot = spot_of(body)
        call = Call(spot, await context.people.words(spot.user), "", context)
        await run(call, partial(submit, view=view, ack=ack), context.guard.admins_only)
        if ack.response is None:
            await ack()

    return listener


async def run(call: Call, verb: Verb, permission: Permission | None) -> None:
    """Run the verb if this person has permission; answer a refusal or a model error in words.

    Args:
        call: The call to answer.
        verb: The verb to run.
        permission: The check to pass; None lets everybody pass.
    """
    try:
        if permission:
            await permission(call.spot.user)
        await verb(call)
    except (Refused, ModelError) as error:
        await call.say(failure_text(error, call.words))


def failure_text(error: Refused | ModelError, words: Words) -> str:
    """Return what stopped a command, as mrkdwn."""
    if isinstance(error, Refused):
        return words.refusal(error)
    reason = Reason.PROVIDER_DOWN if isinstance(error, ModelDown) else Reason.PROVIDER_REFUSED
    return explained(error, words) or words(f"refused.{reason.value}", error=escaped(str(error), 500))


def checked(verb: Verb, name: str, known: frozenset[str]) -> Verb:
    """Return the verb, which refuses all words after it but the known ones."""

    async def check(call: Call) -> None:
        unknown = next((word for word in call.argument.split() if word.casefold() not in known), None)
        if unknown is None:
            await verb(call)
            return
        text = call.words("finetune.word", verb=name, word=escaped(unknown, 40))
        near = get_close_matches(unknown.casefold(), known, n=1) or sorted(known)[:1]
        if near:
            text += " " + call.words("finetune.near", verb=f"{name} {near[0]}")
        await call.say(text)

    return check


async def show_help(call: Call) -> None:
    await call.say(views.help_message(call.words))


async def show_commands(call: Call, *, verbs: Iterable[str]) -> None:
    await call.context.client.views_open(trigger_id=call.trigger, view=views.help_sheet(verbs, call.words))


async def show_unknown(call: Call, *, name: str, verbs: list[str]) -> None:
    """Answer an unknown subcommand with the nearest known one and the help."""
    near = get_close_matches(name, verbs, n=1)
    text = call.words("finetune.unknown", verb=escaped(name, 40))
    if near:
        text += " " + call.words("finetune.near", verb=near[0])
    await call.say(Message(text, [section(text), *views.help_message(call.words).blocks]))
