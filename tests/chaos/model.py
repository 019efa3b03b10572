"""A model that knows the right answers and often does not give them."""

import json
from dataclasses import replace

from tests.chaos import words
from tests.chaos.slack import Trouble
from tests.kits.openai_server import CHAT, Got, OpenAIServer, Reply, completion, refusal, said

OUTSIDE = "Astrology"
SLOWEST = 4.0
"""Seconds: twice what the bot waits for."""


class FailingModel(OpenAIServer):
    """An OpenAI-compatible server, in trouble until `trouble.over`."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__()
        self._trouble = trouble

    def choose(self, got: Got) -> Reply:
        if got.route != CHAT:
            return super().choose(got)
        asked = got.json["messages"][-1]["content"]
        right = words.CATEGORIES[words.right(asked)][0]
        reply = self._failed() or said(right, f"It is a matter of {right}.", p=0.9)
        slow = self._trouble.strikes("model: slow", 0.1)
        return replace(reply, wait_s=self._trouble.seconds(SLOWEST) if slow else 0.05)

    def _failed(self) -> Reply | None:
        strikes = self._trouble.strikes
        if strikes("model: 429 with Retry-After", 0.02):
            return Reply({"error": {"message": "slow down"}}, 429, {"retry-after": "1"})
        if strikes("model: 429 without", 0.02):
            return Reply({"error": {"message": "slow down"}}, 429)
        if strikes("model: 500", 0.03):
            return refusal(500, "oops")
        if strikes("model: connection lost", 0.03):
            return Reply(lost=True)
        return self._unusable()

    def _unusable(self) -> Reply | None:
        strikes = self._trouble.strikes
        if strikes("model: half an answer", 0.02):
            return completion('{"reason": "It is a mat')
        if strikes("model: empty answer", 0.02):
            return completion("")
        if strikes("model: refusal", 0.02):
            return completion(None, refused="I cannot help with that.")
        if strikes("model: category outside of the list", 0.02):
            return completion(json.dumps({"reason": "The stars say so.", "category": OUTSIDE}))
        return None
