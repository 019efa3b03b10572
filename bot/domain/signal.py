"""Signals: an owner's 👀 or ✅ on a question or its card, which tells that somebody has it, or that it is done."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from bot.domain.thing import Thing


class SignalKind(StrEnum):
    """The meaning of an owner's reaction. Each kind has a text in each language under `card.signal.<value>`."""

    TAKEN = "taken"
    DONE = "done"


class Signal(Thing):
    """One person's reaction to one message of a question. A reaction that was removed is kept as `withdrawn`."""

    question_id: str
    message_ts: str
    kind: SignalKind
    by: str
    at: datetime
    """When Slack saw the newest change of the reaction: a late event never undoes a newer one."""
    withdrawn: bool = False


def standing(signals: Sequence[Signal]) -> Signal | None:
    """Return the signal to show: the newest *done*, else the newest *taken*, else None."""
    current = [signal for signal in signals if not signal.withdrawn]
    return max(current, key=lambda signal: (signal.kind is SignalKind.DONE, signal.at), default=None)
