"""A stand-in model that knows the correct answers and often fails to give them."""

import json
from dataclasses import replace

from tests.chaos import words
from tests.chaos.slack import RandomFaults
from tests.kits.openai_server import CHAT, OpenAIServer, ReceivedRequest, Reply, completion, refusal, said

UNLISTED_CATEGORY = "Astrology"
LONGEST_DELAY = 4.0
"""Longest delay of a slow answer, in seconds: twice the bot's timeout."""


class FailingModel(OpenAIServer):
    """An OpenAI-compatible server that fails at random until the given faults are stopped."""

    def __init__(self, faults: RandomFaults) -> None:
        super().__init__()
        self._faults = faults

    def choose(self, got: ReceivedRequest) -> Reply:
        if got.route != CHAT:
            return super().choose(got)
        question = got.json["messages"][-1]["content"]
        category = words.CATEGORIES[words.correct_category(question)][0]
        reply = self._failed_request() or said(category, f"It is a matter of {category}.", p=0.9)
        slow = self._faults.occurs("model: slow", 0.1)
        return replace(reply, wait_s=self._faults.seconds(LONGEST_DELAY) if slow else 0.05)

    def _failed_request(self) -> Reply | None:
        occurs = self._faults.occurs
        if occurs("model: 429 with Retry-After", 0.02):
            return Reply({"error": {"message": "slow down"}}, 429, {"retry-after": "1"})
        if occurs("model: 429 without Retry-After", 0.02):
            return Reply({"error": {"message": "slow down"}}, 429)
        if occurs("model: 500", 0.03):
            return refusal(500, "oops")
        if occurs("model: connection lost", 0.03):
            return Reply(lost=True)
        return self._unusable_answer()

    def _unusable_answer(self) -> Reply | None:
        occurs = self._faults.occurs
        if occurs("model: half an answer", 0.02):
            return completion('{"reason": "It is a mat')
        if occurs("model: empty answer", 0.02):
            return completion("")
        if occurs("model: refusal", 0.02):
            return completion(None, refused="I cannot help with that.")
        if occurs("model: category outside the list", 0.02):
            return completion(json.dumps({"reason": "The stars say so.", "category": UNLISTED_CATEGORY}))
        return None
