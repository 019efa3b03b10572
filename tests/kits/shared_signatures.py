"""Signatures of listeners, which a test process reads once.

Bolt reads the signature of each listener and matcher anew for each app. The bot has one app; a test process has
hundreds, and their listeners are made of the same code.
"""

import inspect
from collections.abc import Callable
from types import CodeType, SimpleNamespace
from typing import Any

from slack_bolt.util import utils


def share_signatures() -> None:
    """Let every app that this process makes from now on take the names of arguments from one cache."""
    read: dict[CodeType, Any] = {}

    def read_once(function: Callable[..., Any]) -> Any:
        code = getattr(function, "__code__", None)
        if code is None:
            return inspect.getfullargspec(function)
        if code not in read:
            read[code] = inspect.getfullargspec(function)
        return read[code]

    cached = SimpleNamespace(**vars(inspect) | {"getfullargspec": read_once})
    vars(utils)["inspect"] = cached
