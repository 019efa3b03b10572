"""A failing Slack stand-in: calls fail or answer late, and events arrive twice, late or out of order."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from random import Random
from typing import Any

import yaml

from bot.practice import Timing, Workspace
from bot.practice.delivery import NotAckedError
from bot.practice.faults import InjectedFault, InjectedFaults
from bot.practice.sockets import SocketMode
from bot.practice.windows import Windows
from bot.settings import ROOT

Json = dict[str, Any]
LATE_ANSWER = 4.0
"""Delay of a late answer, in seconds: longer than the bot's timeout."""
MAX_EVENT_IDS = 11
"""The largest number of event ids under which Slack was seen to deliver one message."""


_FAULTS = (
    ("Slack: 429", 0.02, InjectedFault(status=429, retry_after=1)),
    ("Slack: 500", 0.02, InjectedFault(status=500)),
    ("Slack: 503", 0.01, InjectedFault(status=503)),
    ("Slack: connection lost, call not carried out", 0.01, InjectedFault(status=0, drop=True)),
    ("Slack: connection lost, call carried out", 0.03, InjectedFault(drop=True)),
)


class RandomFaults:
    """A random source of faults that counts them in `counts`. No fault occurs while `stopped` is set."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.stopped = False
        self.counts: Counter[str] = Counter()

    def occurs(self, name: str, probability: float) -> bool:
        """Return whether the fault occurs now, and count it if it does."""
        occurs = not self.stopped and self._rng.random() < probability
        self.counts[name] += occurs
        return occurs

    def seconds(self, longest: float) -> float:
        return self._rng.uniform(0, longest)

    def number(self, largest: int) -> int:
        """Return a number from 1 to `largest`."""
        return self._rng.randint(1, largest)


class FailingCalls(InjectedFaults):
    """Faults for the Web API: any call may fail, before or after it was carried out."""

    def __init__(self, faults: RandomFaults) -> None:
        super().__init__()
        self._faults = faults

    def take(self, method: str) -> InjectedFault:
        occurs = self._faults.occurs
        for name, probability, fault in _FAULTS:
            if occurs(name, probability):
                return fault
        if occurs("Slack: call carried out, answered too late", 0.02):
            gate = asyncio.Event()
            asyncio.get_running_loop().call_later(LATE_ANSWER, gate.set)
            return InjectedFault(hold=gate)
        return InjectedFault()


class FailingSockets(SocketMode):
    """Socket Mode whose events arrive twice, late, or under up to 11 ids, and whose acks get lost.

    Attributes:
        on_ack: Called with each event that the bot acked, even if the ack then gets lost.
    """

    def __init__(self, original: SocketMode, app_id: str, faults: RandomFaults, clock: Callable[[], float]) -> None:
        super().__init__(app_id, original.timing, clock)
        self._faults = faults
        self.on_ack: Callable[[Json], None] = lambda _event: None

    def deliver(self, callback: Json) -> None:
        copies = [callback]
        if self._faults.occurs("Slack: an event twice", 0.05):
            copies.append(callback)
        if self._faults.occurs("Slack: an event under several ids", 0.03):
            copies += [
                {**callback, "event_id": f"{callback['event_id']}{n}"}
                for n in range(self._faults.number(MAX_EVENT_IDS - 1))
            ]
        for copy in copies:
            super().deliver(copy)

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        if kind == "events_api" and self._faults.occurs("Slack: an event late", 0.05):
            await asyncio.sleep(self._faults.seconds(3.0))
        answer = await super().ask(kind, payload, **extra)
        if kind == "events_api":
            self.on_ack(payload["event"])
        if self._faults.occurs("Slack: an ack lost", 0.02):
            raise NotAckedError("timeout")
        return answer

    @property
    def busy(self) -> bool:
        """Whether a delivery is in progress."""
        return bool(self._tasks)


class RecordingWindows(Windows):
    """Windows that record the bot's private messages, by user."""

    def __init__(self) -> None:
        super().__init__()
        self.private_messages: defaultdict[str, list[Json]] = defaultdict(list)

    def tell(self, frame: Json, to: Collection[str] | None = None) -> None:
        super().tell(frame, to)
        message = frame.get("message") or {}
        if message.get("ephemeral"):
            for user in to or ():
                self.private_messages[user].append({**message, "channel": frame["channel"]})


class FailingSlack(Workspace):
    """A practice workspace that fails at random until the given faults are stopped.

    Attributes:
        on_card: Called with the channel and the ts of each new card.
        posted_cards: Number of cards ever posted, including deleted ones.
    """

    def __init__(self, faults: RandomFaults, redeliver: tuple[float, ...]) -> None:
        manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
        super().__init__(manifest, timing=Timing(redeliver=redeliver, disconnect=1.0))
        self.faults = FailingCalls(faults)
        self.failing_sockets = FailingSockets(self.sockets, self.app.app_id, faults, self.clock)
        self.failing_sockets.on_change = self.sockets.on_change
        self.sockets = self.failing_sockets
        self.recording_windows = RecordingWindows()
        self.windows = self.recording_windows
        self.on_card: Callable[[str, str], None] = lambda _channel, _ts: None
        self.posted_cards = 0

    def show(self, channel: Any, message: Json | None) -> None:
        super().show(channel, message)
        if message is None or message.get("user") != self.app.bot_user:
            return
        if "question_id" in (message.get("metadata") or {}).get("event_payload", {}):
            if "edited" not in message:
                self.posted_cards += 1
                self.on_card(channel.id, message["ts"])
        elif channel.is_im and "metadata" not in message:
            self.recording_windows.private_messages[channel.user].append({**message, "channel": channel.id})
