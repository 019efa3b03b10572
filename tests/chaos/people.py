"""The people of the test: employees who ask and edit; staff who press, think again, and press at the same time."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

from bot.domain.question import Via
from bot.practice import Person, RefusedError, Server
from bot.practice.state import elements
from handlers.views import ids
from handlers.views.ids import CategoryChoice, Form, SeenPayload
from tests.chaos import words
from tests.chaos.evidence import Asked, Edited, Outcome, Pressed
from tests.chaos.slack import FailingSlack

Json = dict[str, Any]
TRIES = 6
"""How often one of the staff presses again where Slack showed an error."""
PATIENCE = 8.0
"""Seconds that somebody waits for a card to change."""
_REASON = re.compile(rf"^{ids.REASON_INPUT}\.")


class Askers:
    """The employees. What they write is noted in `asked`, in the order of writing."""

    def __init__(self, server: Server, windows: list[Person], rng: Random) -> None:
        self._server = server
        self._windows = windows
        self._rng = rng
        self._mention = f"@{server.people.bot.name}"
        self.asked: list[Asked] = []
        self._at: dict[tuple[str, str], Asked] = {}

    async def ask(self, number: int) -> None:
        """Ask one question somewhere, and perhaps edit it a little later, once or twice."""
        person, text = self._rng.choice(self._windows), words.question(self._rng, number)
        via = self._rng.choices([Via.CHANNEL, Via.MENTION, Via.DM], [5, 3, 2])[0]
        thread = None
        if via is Via.CHANNEL:
            channel = self._server.channels.help_desk.id
        elif via is Via.DM:
            channel = await person.dm()
        else:
            channel = self._server.channels.general.id
            if self._rng.random() < 0.3:
                thread = await person.say(channel, "Good morning, all!")
        typed = f"{self._mention} {text}" if via is Via.MENTION else text
        asked = Asked(channel, await person.say(channel, typed, thread), thread, via, text)
        self.asked.append(asked)
        self._at[asked.channel, asked.ts] = asked
        for _ in range(self._rng.choices([0, 1, 2], [90, 8, 2])[0]):
            await asyncio.sleep(self._rng.uniform(0.1, 6.0))
            edited = Edited(words.question(self._rng, number))
            asked.edits.append(edited)
            prefix = f"{self._mention} " if via is Via.MENTION else ""
            await person.edit(channel, asked.ts, prefix + edited.text)

    def acked(self, event: Json) -> None:
        """Note that the bot acked an event: what it brought was accepted."""
        message = event.get("message") if event.get("subtype") == "message_changed" else event
        asked = self._at.get((event.get("channel", ""), (message or {}).get("ts", "")))
        if asked is None or not message:
            return
        if event is not message:
            for edit in asked.edits:
                edit.taken |= message["text"].endswith(edit.text)
        elif (event["type"] == "app_mention") == (asked.via is Via.MENTION):
            asked.taken = True


class Staff:
    """One of the staff, who presses one thing at a time: so what is told meanwhile is told of that press."""

    def __init__(self, slack: FailingSlack, person: Person, pressed: list[Pressed]) -> None:
        self._slack = slack
        self._person = person
        self._pressed = pressed
        self._busy = asyncio.Lock()

    def card(self, channel: str, ts: str) -> Json:
        """The card as it stands there now."""
        return {**self._slack.board.message(channel, ts), "channel": channel}

    async def settle(self, at: tuple[str, str], category: str) -> bool:
        """Press a category until Slack shows no error; whether it was pressed in vain no longer."""
        return await self._insist(at, lambda: self._choose(at, category))

    async def undo(self, at: tuple[str, str]) -> bool:
        return await self._insist(at, lambda: self._undo(at))

    async def explain(self, at: tuple[str, str], reason: str) -> bool:
        """Open the form, write a reason, and submit."""
        return await self._insist(at, lambda: self._submit(at, reason))

    async def _insist(self, at: tuple[str, str], press: Callable[[], Any]) -> bool:
        for _ in range(TRIES):
            async with self._busy:
                outcome = await press()
            if outcome is not Outcome.UNKNOWN:
                return outcome is Outcome.CONFIRMED
            await asyncio.sleep(1.0)
        return False

    async def _choose(self, at: tuple[str, str], category: str) -> Outcome | None:
        card = self.card(*at)
        for _, element in elements(card["blocks"]):
            if element["action_id"] == ids.AGREE or ids.CHANGES.match(element["action_id"]):
                choice = CategoryChoice.unpacked(element["value"])
                if choice.category == category:
                    return await self._press(card, element, choice.question, choice.seen, category)
        return None

    async def _undo(self, at: tuple[str, str]) -> Outcome | None:
        card = self.card(*at)
        for _, element in elements(card["blocks"]):
            if element["action_id"] == ids.UNDO:
                seen = SeenPayload.unpacked(element["value"])
                return await self._press(card, element, seen.question, seen.seen, None)
        return None

    async def _submit(self, at: tuple[str, str], reason: str) -> Outcome | None:
        card = self.card(*at)
        seen = next(
            SeenPayload.unpacked(e["value"]) for _, e in elements(card["blocks"]) if e["action_id"] == ids.CORRECT_OPEN
        )
        try:
            await self._person.press(card, ids.CORRECT_OPEN)
            view = (await self._person.wait_for(lambda one: _is_form(one, seen), 3.0))["view"]
        except (RefusedError, TimeoutError):
            return Outcome.UNKNOWN
        form = Form.unpacked(view["private_metadata"])
        category = next(
            e["initial_option"]["value"] for _, e in elements(view["blocks"]) if e["action_id"] == ids.CATEGORY_INPUT
        )
        block = next((b["block_id"] for b in view["blocks"] if _REASON.match(b.get("block_id", ""))), None)
        if block is None:
            return None
        values = {block: {ids.REASON_INPUT: {"type": "plain_text_input", "value": reason}}}
        told = self._told()
        try:
            errors = await self._person.submit(view, values)
        except RefusedError:
            errors = {"": "no answer"}
        return self._note(
            card, told, Pressed(form.question, form.seen, category, self._person.user_id, _of(errors), reason)
        )

    async def _press(self, card: Json, element: Json, question: str, seen: int, category: str | None) -> Outcome:
        told = self._told()
        outcome = Outcome.CONFIRMED
        try:
            await self._person.press(card, element["action_id"])
        except RefusedError:
            outcome = Outcome.UNKNOWN
        return self._note(card, told, Pressed(question, seen, category, self._person.user_id, outcome))

    def _told(self) -> int:
        return len(self._slack.overhearing.told[self._person.user_id])

    def _note(self, card: Json, told: int, press: Pressed) -> Outcome:
        """Keep the press; where the person was told something of it meanwhile, that is what counts."""
        since = self._slack.overhearing.told[self._person.user_id][told:]
        if press.outcome is Outcome.CONFIRMED and any(_concerns(one, card) for one in since):
            press = Pressed(press.question, press.seen, press.category, press.by, Outcome.TOLD, press.reason)
        self._pressed.append(press)
        return press.outcome


def _of(errors: dict[str, str]) -> Outcome:
    return Outcome.UNKNOWN if errors else Outcome.CONFIRMED


def _is_form(frame: Json, seen: SeenPayload) -> bool:
    if frame["type"] != "view" or frame["view"]["callback_id"] != ids.MODAL:
        return False
    form = Form.unpacked(frame["view"]["private_metadata"])
    return (form.question, form.seen) == (seen.question, seen.seen)


def _concerns(told: Json, card: Json) -> bool:
    """Whether a private message is about this card: in its thread, or, where that failed, in a direct message."""
    return told.get("thread_ts") in {card["thread_ts"], None}


class Desk:
    """What the staff do with each new card."""

    def __init__(self, slack: FailingSlack, staff: list[Staff], rng: Random) -> None:
        self._slack = slack
        self._staff = staff
        self._rng = rng
        self._stories: set[asyncio.Task[None]] = set()

    def take(self, channel: str, ts: str) -> None:
        """Start what will be done with a new card; one in a direct message is seen by nobody of the staff."""
        if self._slack.board.channel(channel).is_im:
            return
        story = asyncio.create_task(self._story((channel, ts)))
        self._stories.add(story)
        story.add_done_callback(self._stories.discard)

    @property
    def busy(self) -> bool:
        """Whether something is still being done with a card."""
        return bool(self._stories)

    async def _story(self, at: tuple[str, str]) -> None:
        one, other = self._rng.sample(self._staff, 2)
        what = self._rng.random()
        await asyncio.sleep(self._rng.uniform(0.0, 4.0))
        if what < 0.2:
            return  # nobody looks at it
        if what < 0.35:
            await asyncio.gather(one.settle(at, self._category()), other.settle(at, self._category()))
        elif what < 0.45:
            await one.explain(at, f"Says the handbook, page {words.mark(self._rng.randrange(1000))}.")
        else:
            await one.settle(at, self._category())
        if self._rng.random() < 0.35 and await self._changed(at, ids.UNDO):
            await other.undo(at)
            if self._rng.random() < 0.5 and await self._changed(at, ids.AGREE):
                await one.settle(at, self._category())

    async def _changed(self, at: tuple[str, str], control: str) -> bool:
        """Wait until the card has this control; False where it does not come."""
        for _ in range(int(PATIENCE / 0.1)):
            blocks = self._slack.board.message(*at)["blocks"]
            if any(element["action_id"] == control for _, element in elements(blocks)):
                return True
            await asyncio.sleep(0.1)
        return False

    def _category(self) -> str:
        return self._rng.choice(list(words.CATEGORIES))


@asynccontextmanager
async def everybody(
    server: Server, slack: FailingSlack, seed: int, pressed: list[Pressed]
) -> AsyncIterator[tuple[Askers, Desk]]:
    """All windows open; `pressed` is filled with what the staff press."""
    people = server.people
    async with AsyncExitStack() as stack:

        async def window(user: str) -> Person:
            return await stack.enter_async_context(Person(server.url, user))

        askers = Askers(server, [await window(one.id) for one in people.employees], Random(f"askers {seed}"))
        staff = [Staff(slack, await window(one.id), pressed) for one in (*people.staff, people.admin)]
        desk = Desk(slack, staff, Random(f"staff {seed}"))
        slack.wire.on_ack = askers.acked
        slack.on_card = desk.take
        yield askers, desk
