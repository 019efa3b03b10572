"""The run of one target: payloads until a number of them or a time is used up, each judged on its own."""

import logging
import time
import warnings
from contextlib import AbstractAsyncContextManager
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import HypothesisDeprecationWarning

from tests.fuzz.mutating import Sample, Samples, changed
from tests.fuzz.targets import LoopThread, Target

CHECKS = list(HealthCheck)


class PayloadError(AssertionError):
    """A payload that caused an error, with what was logged."""


def fuzz(
    opening: AbstractAsyncContextManager[Target],
    *,
    examples: int,
    seconds: float = float("inf"),
    seed: int | None = None,
) -> int:
    """Send changed payloads and return how many were sent.

    Args:
        opening: Opens the target.
        examples: How many payloads one round sends.
        seconds: Rounds are repeated until so much time has passed; without it, one round is sent.
        seed: The seed of the first round; each round adds one. None means that Hypothesis chooses.

    Raises:
        PayloadError: A payload caused an error line, a stack trace or a status of 500 or more.
    """
    thread = LoopThread()
    sent = 0
    try:
        target = thread.run(opening.__aenter__())
        logging.getLogger().addHandler(target.complaints)
        try:
            ends = time.monotonic() + seconds if seconds != float("inf") else 0.0
            while True:
                sent += _round(target, thread, examples, None if seed is None else seed + sent)
                thread.run(target.alive())
                if time.monotonic() >= ends:
                    return sent
        finally:
            logging.getLogger().removeHandler(target.complaints)
            thread.run(opening.__aexit__(None, None, None))
    finally:
        thread.close()


def _round(target: Target, thread: LoopThread, examples: int, seed: int | None) -> int:
    sent = 0

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=CHECKS,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    @given(sample=changed(Samples(target.samples)))
    def judge(sample: Sample) -> None:
        nonlocal sent
        sent += 1
        target.complaints.found.clear()
        status: Any = thread.run(target.send(*sample))
        if status >= 500 or target.complaints.found:
            raise PayloadError(f"{target.name}: status {status}; " + "\n".join(target.complaints.found)[-3000:])

    with warnings.catch_warnings():
        # The bot draws random numbers in its own thread meanwhile, which looks as if a strategy did.
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)
        (seeded(seed)(judge) if seed is not None else judge)()
    return sent
