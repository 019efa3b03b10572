"""The Slack stand-in when nothing goes right: it fails, answers late, delivers twice and out of order."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from random import Random
from typing import Any

import yaml

from bot.practice import Timing, Workspace
from bot.practice.audience import Audience
from bot.practice.delivery import NotAckedError
from bot.practice.faults import InjectedFault, InjectedFaults
from bot.practice.sockets import SocketMode
from bot.settings import ROOT

Json = dict[str, Any]
HELD = 4.0
"""Seconds: longer than the bot waits for an answer."""
MOST_IDS = 11
"""Event ids under which Slack was seen to deliver one message."""


_FAULTS = (
    ("Slack: 429", 0.02, InjectedFault(status=429, retry_after=1)),
    ("Slack: 500", 0.02, InjectedFault(status=500)),
    ("Slack: 503", 0.01, InjectedFault(status=503)),
    ("Slack: connection lost, nothing done", 0.01, InjectedFault(status=0, drop=True)),
    ("Slack: connection lost, but done", 0.03, InjectedFault(drop=True)),
)


class Trouble:
    """Whether something goes wrong now, and the count of what did."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.over = False
        self.counted: Counter[str] = Counter()

    def strikes(self, what: str, share: float) -> bool:
        """Whether this happens, of so many in one."""
        struck = not self.over and self._rng.random() < share
        self.counted[what] += struck
        return struck

    def seconds(self, most: float) -> float:
        return self._rng.uniform(0, most)

    def some(self, most: int) -> int:
        return self._rng.randint(1, most)


class FailingCalls(InjectedFaults):
    """Any call of the Web API may fail, before or after it was carried out."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self._trouble = trouble

    def take(self, method: str) -> InjectedFault:
        strikes = self._trouble.strikes
        for what, share, fault in _FAULTS:
            if strikes(what, share):
                return fault
        if strikes("Slack: done, but answered too late", 0.02):
            gate = asyncio.Event()
            asyncio.get_running_loop().call_later(HELD, gate.set)
            return InjectedFault(hold=gate)
        return InjectedFault()


class FailingSockets(SocketMode):
    """Events come twice, late, and under up to 11 ids; acks get lost. `on_ack` hears of each event that was acked."""

    def __init__(self, whole: SocketMode, app_id: str, trouble: Trouble, clock: Callable[[], float]) -> None:
        super().__init__(app_id, whole.timing, clock)
        self._trouble = trouble
        self.on_ack: Callable[[Json], None] = lambda _event: None

    def deliver(self, callback: Json) -> None:
        copies = [callback]
        if self._trouble.strikes("Slack: an event twice", 0.05):
            copies.append(callback)
        if self._trouble.strikes("Slack: an event under several ids", 0.03):
            copies += [
                {**callback, "event_id": f"{callback['event_id']}{n}"} for n in range(self._trouble.some(MOST_IDS - 1))
            ]
        for copy in copies:
            super().deliver(copy)

    async def ask(self, kind: str, payload: Json, **extra: str | int | bool) -> Json | None:
        if kind == "events_api" and self._trouble.strikes("Slack: an event late", 0.05):
            await asyncio.sleep(self._trouble.seconds(3.0))
        answer = await super().ask(kind, payload, **extra)
        if kind == "events_api":
            self.on_ack(payload["event"])
        if self._trouble.strikes("Slack: an ack lost", 0.02):
            raise NotAckedError("timeout")
        return answer

    @property
    def busy(self) -> bool:
        """Whether something is still being delivered."""
        return bool(self._tasks)


class Overhearing(Audience):
    """Notes whom the bot told something in private, and in which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.told: defaultdict[str, list[Json]] = defaultdict(list)

    def tell(self, frame: Json, to: Collection[str] | None = None) -> None:
        super().tell(frame, to)
        message = frame.get("message") or {}
        if message.get("ephemeral"):
            for user in to or ():
                self.told[user].append({**message, "channel": frame["channel"]})


class FailingSlack(Workspace):
    """The workspace, in trouble until `trouble.over`."""

    def __init__(self, trouble: Trouble, redeliver: tuple[float, ...]) -> None:
        manifest = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
        super().__init__(manifest, timing=Timing(redeliver=redeliver, disconnect=1.0))
        self.trouble = trouble
        self.faults = FailingCalls(trouble)
        self.wire = FailingSockets(self.sockets, self.app.app_id, trouble, self.clock)
        self.wire.on_change = self.sockets.on_change
        self.sockets = self.wire
        self.overhearing = Overhearing()
        self.audience = self.overhearing
        self.on_card: Callable[[str, str], None] = lambda _channel, _ts: None
        self.cards = 0
        """How many were posted, those that were taken back among them."""

    def show(self, channel: Any, message: Json | None) -> None:
        super().show(channel, message)
        if message is None or message.get("user") != self.app.bot_user:
            return
        if "question_id" in (message.get("metadata") or {}).get("event_payload", {}):
            if "edited" not in message:
                self.cards += 1
                self.on_card(channel.id, message["ts"])
        elif channel.is_im and "metadata" not in message:
            self.overhearing.told[channel.user].append({**message, "channel": channel.id})
