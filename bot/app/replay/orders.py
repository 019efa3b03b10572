"""The corrections that the review queue saves, over several orders of the questions, with an interval."""

import math
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from random import Random

from bot.app.replay.plot import corrections_needed
from bot.app.replay.script import Plan, Script
from bot.app.replay.show import Point
from bot.domain.thing import Thing

GOAL_SHARE = 0.9
"""Share of the full accuracy that both orders are timed to."""
CONFIDENCE = 0.95

RunReplay = Callable[[Script, Plan, float], Awaitable[Sequence[Point]]]
"""Runs one replay until a point reaches this accuracy, and returns its points."""


class OrderComparison(Thing):
    """The corrections that were needed to reach the goal, run by run."""

    full: float
    """Accuracy after all questions are settled."""
    queue: tuple[float, ...]
    """Runs in the order of the review queue. One that never reaches the goal counts with all its corrections."""
    at_random: tuple[float, ...]

    @property
    def goal(self) -> float:
        return GOAL_SHARE * self.full

    @property
    def share(self) -> float:
        """Return the corrections needed in the order of the queue, as a share of those needed at random."""
        return sum(self.queue) / max(sum(self.at_random), 1.0)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95% interval of the share: Student's t for the ratio of paired means."""
        from scipy.stats import t

        runs = len(self.queue)
        errors = [queue - self.share * other for queue, other in zip(self.queue, self.at_random, strict=True)]
        error = math.sqrt(sum(one**2 for one in errors) / (runs * (runs - 1)))
        half = float(t.ppf((1 + CONFIDENCE) / 2, runs - 1)) * error / max(statistics.mean(self.at_random), 1.0)
        return max(self.share - half, 0.0), self.share + half


async def compare_orders(script: Script, plan: Plan, run: RunReplay) -> OrderComparison:
    """Settle everything once, then time both orders to the goal, `plan.seeds` times on differently shuffled questions.

    Args:
        script: The questions.
        plan: The options; at least two seeds.
        run: Runs one replay.
    """
    everything = plan.model_copy(update={"order": "random", "every": len(script.stream)})
    full = (await run(script, everything, 1.0))[-1].accuracy
    needed: dict[str, list[float]] = {"random": [], "queue": []}
    for seed in range(plan.seed, plan.seed + plan.seeds):
        shuffled = replace(script, stream=Random(seed).sample(script.stream, len(script.stream)))
        for order, found in needed.items():
            points = await run(shuffled, plan.model_copy(update={"order": order, "seed": seed}), GOAL_SHARE * full)
            found.append(corrections_needed(points, GOAL_SHARE * full))
    return OrderComparison(full=full, queue=tuple(needed["queue"]), at_random=tuple(needed["random"]))
