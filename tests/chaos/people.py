"""The people of the test: employees ask and edit; staff correct, undo, and press at the same time."""

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
from tests.chaos.evidence import AskedQuestion, Edit, Outcome, Press
from tests.chaos.slack import FailingSlack

Json = dict[str, Any]
MAX_PRESSES = 6
"""How often one of the staff presses the same control while Slack shows an error."""
CARD_TIMEOUT = 8.0
"""Longest wait for a card to change, in seconds."""
_REASON = re.compile(rf"^{ids.REASON_INPUT}\.")


class Employees:
    """The employees. `asked` lists their messages, oldest first."""

    def __init__(self, server: Server, windows: list[Person], rng: Random) -> None:
        self._server = server
        self._windows = windows
        self._rng = rng
        self._mention = f"@{server.people.bot.name}"
        self.asked: list[AskedQuestion] = []
        self._by_message: dict[tuple[str, str], AskedQuestion] = {}

    async def ask(self, number: int) -> None:
        """Ask one question in a random place, and sometimes edit it once or twice a little later."""
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
        asked = AskedQuestion(channel, await person.say(channel, typed, thread), thread, via, text)
        self.asked.append(asked)
        self._by_message[asked.channel, asked.ts] = asked
        for _ in range(self._rng.choices([0, 1, 2], [90, 8, 2])[0]):
            await asyncio.sleep(self._rng.uniform(0.1, 6.0))
            edit = Edit(words.question(self._rng, number))
            asked.edits.append(edit)
            prefix = f"{self._mention} " if via is Via.MENTION else ""
            await person.edit(channel, asked.ts, prefix + edit.text)

    def note_ack(self, event: Json) -> None:
        """Mark the message or the edit in an acked event as acked."""
        message = event.get("message") if event.get("subtype") == "message_changed" else event
        asked = self._by_message.get((event.get("channel", ""), (message or {}).get("ts", "")))
        if asked is None or not message:
            return
        if event is not message:
            for edit in asked.edits:
                edit.acked |= message["text"].endswith(edit.text)
        elif (event["type"] == "app_mention") == (asked.via is Via.MENTION):
            asked.acked = True


class StaffMember:
    """One of the staff. A member presses one control at a time, so a rejection belongs to the press in progress."""

    def __init__(self, slack: FailingSlack, person: Person, presses: list[Press]) -> None:
        self._slack = slack
        self._person = person
        self._presses = presses
        self._pressing = asyncio.Lock()

    def card(self, channel: str, ts: str) -> Json:
        """Return the card in its current state."""
        return {**self._slack.board.message(channel, ts), "channel": channel}

    async def settle(self, at: tuple[str, str], category: str) -> bool:
        """Press a category until Slack shows no error, and return whether the press was confirmed."""
        return await self._press_until_answered(at, lambda: self._choose(at, category))

    async def undo(self, at: tuple[str, str]) -> bool:
        return await self._press_until_answered(at, lambda: self._undo(at))

    async def explain(self, at: tuple[str, str], reason: str) -> bool:
        """Submit the form with a reason, and return whether the submission was confirmed."""
        return await self._press_until_answered(at, lambda: self._submit(at, reason))

    async def _press_until_answered(self, at: tuple[str, str], press: Callable[[], Any]) -> bool:
        for _ in range(MAX_PRESSES):
            async with self._pressing:
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
                payload = SeenPayload.unpacked(element["value"])
                return await self._press(card, element, payload.question, payload.seen, None)
        return None

    async def _submit(self, at: tuple[str, str], reason: str) -> Outcome | None:
        card = self.card(*at)
        payload = next(
            SeenPayload.unpacked(e["value"]) for _, e in elements(card["blocks"]) if e["action_id"] == ids.CORRECT_OPEN
        )
        try:
            await self._person.press(card, ids.CORRECT_OPEN)
            view = (await self._person.wait_for(lambda frame: _is_form(frame, payload), 3.0))["view"]
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
        messages_before = self._private_message_count()
        try:
            errors = await self._person.submit(view, values)
        except RefusedError:
            errors = {"": "no answer"}
        outcome = Outcome.UNKNOWN if errors else Outcome.CONFIRMED
        press = Press(form.question, form.seen, category, self._person.user_id, outcome, reason)
        return self._record(card, messages_before, press)

    async def _press(self, card: Json, element: Json, question: str, seen: int, category: str | None) -> Outcome:
        messages_before = self._private_message_count()
        outcome = Outcome.CONFIRMED
        try:
            await self._person.press(card, element["action_id"])
        except RefusedError:
            outcome = Outcome.UNKNOWN
        return self._record(card, messages_before, Press(question, seen, category, self._person.user_id, outcome))

    def _private_message_count(self) -> int:
        return len(self._slack.recording_windows.private_messages[self._person.user_id])

    def _record(self, card: Json, messages_before: int, press: Press) -> Outcome:
        """Record the press and return its outcome: a private message about the card since the press rejects it."""
        since = self._slack.recording_windows.private_messages[self._person.user_id][messages_before:]
        if press.outcome is Outcome.CONFIRMED and any(_is_about(message, card) for message in since):
            outcome = Outcome.TOLD_OTHERWISE
            press = Press(press.question, press.seen, press.category, press.by, outcome, press.reason)
        self._presses.append(press)
        return press.outcome


def _is_form(frame: Json, payload: SeenPayload) -> bool:
    if frame["type"] != "view" or frame["view"]["callback_id"] != ids.MODAL:
        return False
    form = Form.unpacked(frame["view"]["private_metadata"])
    return (form.question, form.seen) == (payload.question, payload.seen)


def _is_about(message: Json, card: Json) -> bool:
    """Return whether a private message is about a card.

    Such a message is in the card's thread. If posting there failed, the bot sends a direct message without a thread.
    """
    return message.get("thread_ts") in {card["thread_ts"], None}


class StaffDesk:
    """The staff as a group. A random choice decides what they do with each new card."""

    def __init__(self, slack: FailingSlack, staff: list[StaffMember], rng: Random) -> None:
        self._slack = slack
        self._staff = staff
        self._rng = rng
        self._tasks: set[asyncio.Task[None]] = set()

    def start_handling(self, channel: str, ts: str) -> None:
        """Start to handle a new card. Cards in direct messages are skipped: the staff cannot see them."""
        if self._slack.board.channel(channel).is_im:
            return
        task = asyncio.create_task(self._handle((channel, ts)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def busy(self) -> bool:
        """Whether a card is being handled."""
        return bool(self._tasks)

    async def _handle(self, at: tuple[str, str]) -> None:
        one, other = self._rng.sample(self._staff, 2)
        dice = self._rng.random()
        await asyncio.sleep(self._rng.uniform(0.0, 4.0))
        if dice < 0.2:
            return  # the staff ignore this card
        if dice < 0.35:
            await asyncio.gather(one.settle(at, self._category()), other.settle(at, self._category()))
        elif dice < 0.45:
            await one.explain(at, f"Says the handbook, page {words.unique_word(self._rng.randrange(1000))}.")
        else:
            await one.settle(at, self._category())
        if self._rng.random() < 0.35 and await self._wait_for_control(at, ids.UNDO):
            await other.undo(at)
            if self._rng.random() < 0.5 and await self._wait_for_control(at, ids.AGREE):
                await one.settle(at, self._category())

    async def _wait_for_control(self, at: tuple[str, str], control: str) -> bool:
        """Wait until the card has the control, and return False after CARD_TIMEOUT."""
        for _ in range(int(CARD_TIMEOUT / 0.1)):
            blocks = self._slack.board.message(*at)["blocks"]
            if any(element["action_id"] == control for _, element in elements(blocks)):
                return True
            await asyncio.sleep(0.1)
        return False

    def _category(self) -> str:
        return self._rng.choice(list(words.CATEGORIES))


@asynccontextmanager
async def open_windows(
    server: Server, slack: FailingSlack, seed: int, presses: list[Press]
) -> AsyncIterator[tuple[Employees, StaffDesk]]:
    """Open Slack for everybody and connect the people to its events; the staff's presses are appended to `presses`."""
    people = server.people
    async with AsyncExitStack() as stack:

        async def window(user: str) -> Person:
            return await stack.enter_async_context(Person(server.url, user))

        employees = Employees(server, [await window(one.id) for one in people.employees], Random(f"askers {seed}"))
        staff = [StaffMember(slack, await window(one.id), presses) for one in (*people.staff, people.admin)]
        desk = StaffDesk(slack, staff, Random(f"staff {seed}"))
        slack.failing_sockets.on_ack = employees.note_ack
        slack.on_card = desk.start_handling
        yield employees, desk
