"""The story of /finetune: export, start, status, cancel, switch, rollback, help."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import ModelDown, ModelError, Reason, Refused
from bot.domain.prompt import Prompt
from bot.domain.release import Release
from bot.domain.scorecard import Scorecard
from bot.evaluating import Evaluating
from bot.releasing import Releasing
from bot.reporting import Reporting
from bot.tuning import Tuning
from handlers.escape import escaped
from handlers.guard import Guard
from handlers.people import People
from handlers.private import Private, Spot, spot_of
from handlers.views import finetune as views
from handlers.views.ids import FINETUNE_CONFIRM, FINETUNE_DISMISS, FINETUNE_SWITCH
from handlers.views.message import Message, section
from handlers.words import Words

log = logging.getLogger(__name__)

COMMAND = "/finetune"


@dataclass(frozen=True)
class Desk:
    """What the commands need. `wake` starts a fine-tune's next step without waiting for a tick."""

    client: AsyncWebClient
    guard: Guard
    people: People
    private: Private
    tuning: Tuning
    evaluating: Evaluating
    releasing: Releasing
    reporting: Reporting
    prompt: Prompt
    ops_channel: str | None
    wake: Callable[[], None]


@dataclass(frozen=True)
class Call:
    """One command or press: who and where, in which language, with which words after the verb, and how to answer."""

    spot: Spot
    words: Words
    argument: str
    respond: AsyncRespond
    desk: Desk

    async def say(self, message: Message | str, *, in_channel: bool = False, replace: bool = False) -> None:
        """Answer for this person's eyes, unless others must know; by another way where the response_url has run out."""
        if isinstance(message, str):
            message = Message(message, [section(message)])
        answer = await self.respond(
            text=message.text,
            blocks=message.blocks,
            response_type="in_channel" if in_channel else "ephemeral",
            replace_original=replace,
        )
        if answer.status_code != 200:
            log.info("a response_url was refused with %s", answer.status_code)
            await self.desk.private.tell(self.spot, message)

    async def dm(self) -> str:
        opened = await self.desk.client.conversations_open(users=self.spot.user)
        return str(opened["channel"]["id"])


Verb = Callable[[Call], Awaitable[None]]


def register(app: AsyncApp, desk: Desk) -> None:
    """Register the command and its buttons."""

    @app.command(COMMAND)
    async def command(ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        verb, _, argument = str(body.get("text") or "").strip().partition(" ")
        act = TYPED.get(verb.lower() or "help") or partial(unknown, verb=verb)
        await run(desk, act, argument.strip(), spot_of(body), respond)

    for action_id, verb in ((FINETUNE_CONFIRM, confirm), (FINETUNE_DISMISS, dismiss), (FINETUNE_SWITCH, switch)):
        app.action(action_id)(pressed(desk, verb))


def pressed(desk: Desk, verb: Verb) -> Callable[..., Awaitable[None]]:
    """The listener of a button whose value names a fine-tune or a release."""

    async def listener(ack: AsyncAck, body: dict[str, Any], action: dict[str, Any], respond: AsyncRespond) -> None:
        await ack()
        await run(desk, verb, views.Named.unpacked(action["value"]).id, spot_of(body), respond)

    return listener


async def run(desk: Desk, verb: Verb, argument: str, spot: Spot, respond: AsyncRespond) -> None:
    """Do what was asked if this person may; every call ends in an answer."""
    words = (await desk.people.get(spot.user)).words
    call = Call(spot, words, argument, respond, desk)
    try:
        if verb is not help_:
            await desk.guard.admins_only(spot.user)
        await verb(call)
    except Refused as refused:
        await call.say(words.refusal(refused))
    except ModelError as error:
        reason = Reason.PROVIDER_DOWN if isinstance(error, ModelDown) else Reason.PROVIDER_REFUSED
        await call.say(words(f"refused.{reason.value}", error=escaped(str(error), 500)))


async def help_(call: Call) -> None:
    await call.say(views.help_(call.words))


async def unknown(call: Call, *, verb: str) -> None:
    near = get_close_matches(verb, TYPED, n=1)
    text = call.words("finetune.unknown", verb=escaped(verb, 40))
    if near:
        text += " " + call.words("finetune.near", verb=near[0])
    await call.say(Message(text, [section(text), *views.help_(call.words).blocks]))


async def export(call: Call) -> None:
    """Upload the training file and its manifest to the ops channel, else to a DM."""
    frozen = await call.desk.tuning.export()
    text = views.exported(frozen.manifest, call.desk.prompt, call.words)
    channel = call.desk.ops_channel or await call.dm()
    name = f"madoguchi-{frozen.manifest.id[:12]}"
    manifest = frozen.manifest.model_dump_json(indent=2) + "\n"
    await call.desk.client.files_upload_v2(
        channel=channel,
        initial_comment=text,
        file_uploads=[
            {"filename": f"{name}.jsonl", "title": f"{name}.jsonl", "file": frozen.data},
            {"filename": f"{name}.manifest.json", "title": f"{name}.manifest.json", "file": manifest.encode()},
        ],
    )
    await call.say(f"{text}\n{call.words('finetune.export.where', channel=f'<#{channel}>')}")


async def start(call: Call) -> None:
    finetune, frozen = await call.desk.tuning.plan(call.spot.user, call.words.language)
    await call.say(views.plan(finetune, frozen.manifest, call.desk.prompt, call.words))


async def confirm(call: Call) -> None:
    finetune = await call.desk.tuning.confirm(call.argument, call.spot.user)
    call.desk.wake()
    await call.say(call.words("finetune.started", id=finetune.id), replace=True)


async def dismiss(call: Call) -> None:
    await call.say(call.words("finetune.dismissed"), replace=True)


async def status(call: Call) -> None:
    await call.say(views.status(await call.desk.reporting.status(), call.words))


async def cancel(call: Call) -> None:
    finetune = await call.desk.tuning.cancel()
    call.desk.wake()
    await call.say(call.words("finetune.cancelled", id=finetune.id))


async def switch(call: Call) -> None:
    """Without a name: a choice. With one: both releases are scored on the same held-out rows, then it serves."""
    desk = call.desk
    if not call.argument:
        await choose(call)
        return
    release = await desk.releasing.named(call.argument.strip("`"))
    serving = await desk.releasing.serving()
    if release.id == serving.id:
        raise Refused(Reason.ALREADY_SERVING, name=str(release.model))
    await desk.evaluating.probe(release)
    new, old = await desk.evaluating.score(release), await score(desk, serving)
    served = await desk.releasing.switch(release.id, call.spot.user)
    desk.wake()
    await call.say(views.switched(served, new, old, call.words), in_channel=desk.ops_channel is None)


async def score(desk: Desk, release: Release) -> Scorecard | None:
    """A release's scorecard, or None where its model does not answer: that must not keep anybody from leaving it."""
    try:
        return await desk.evaluating.score(release)
    except ModelError as error:
        log.warning("release %s could not be scored: %s", release.id, error)
        return None


async def choose(call: Call) -> None:
    desk = call.desk
    releases = await desk.releasing.choices()
    if not releases:
        await call.say(call.words("finetune.switch.none"))
        return
    serving = await score(desk, await desk.releasing.serving())
    scored = [(release, await score(desk, release)) for release in releases[: views.MOST_CHOICES]]
    await call.say(views.choices(scored, serving, call.words))


async def rollback(call: Call) -> None:
    release = await call.desk.releasing.rollback(call.spot.user)
    call.desk.wake()
    text = call.words("finetune.rolled_back", model=str(release.model), release=release.id)
    await call.say(text, in_channel=call.desk.ops_channel is None)


TYPED: dict[str, Verb] = {
    "help": help_,
    "export": export,
    "start": start,
    "status": status,
    "cancel": cancel,
    "switch": switch,
    "rollback": rollback,
}
