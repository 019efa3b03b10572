"""The circuit breaker of a provider: when it opens, and one trial after each rest."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bot.domain.errors import ModelDown, ModelRefused, Trouble
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.providers.breaker import FAILURES, LONGEST_REST_S, REST_S, Breaker, BreakerModel
from bot.providers.model import OpenAIModel
from bot.providers.providers import Providers
from tests.kits.fakes import ManualTimer
from tests.kits.openai_server import CHAT, OpenAIServer, Reply, refusal, said

TRANSIENT = [trouble for trouble in Trouble if not trouble.lasting and not trouble.of_this_question]
QUESTION = "有給は？"


class BreakerMachine(RuleBasedStateMachine):
    """Random histories of a breaker, compared with a simple model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.breaker = Breaker(now=lambda: self.time)
        self.consecutive = 0
        self.rests_until = 0.0
        """While open, the breaker admits no question before this time."""

    @rule(seconds=st.floats(0, 2 * REST_S))
    def time_passes(self, seconds: float) -> None:
        self.time += seconds

    @rule()
    def succeed(self) -> None:
        self.breaker.succeeded()
        self.consecutive = 0

    @rule(trouble=st.sampled_from(TRANSIENT), wait_s=st.none() | st.floats(0, REST_S, exclude_max=True))
    def fail(self, trouble: Trouble, wait_s: float | None) -> None:
        self.breaker.failed(trouble, wait_s)
        self.consecutive += 1
        if self.consecutive >= FAILURES:
            self.rests_until = self.time + REST_S

    @rule(trouble=st.sampled_from([t for t in Trouble if t.lasting]))
    def fail_lastingly(self, trouble: Trouble) -> None:
        self.breaker.failed(trouble)
        self.consecutive = max(self.consecutive + 1, FAILURES)
        self.rests_until = self.time + REST_S

    @rule(wait_s=st.floats(REST_S, 10 * LONGEST_REST_S) | st.just(float("inf")))
    def fail_with_a_long_retry_after(self, wait_s: float) -> None:
        self.breaker.failed(Trouble.BUSY, wait_s)
        self.consecutive = max(self.consecutive + 1, FAILURES)
        self.rests_until = self.time + min(wait_s, LONGEST_REST_S)

    @precondition(lambda self: self.consecutive < FAILURES)
    @rule()
    def ask_while_closed(self) -> None:
        assert self.breaker.admits()

    @precondition(lambda self: self.consecutive >= FAILURES)
    @rule()
    def ask_while_open(self) -> None:
        rested = self.time >= self.rests_until
        assert self.breaker.admits() is rested
        if rested:
            assert not self.breaker.admits(), "one trial at a time"
            self.rests_until = self.time + REST_S

    @invariant()
    def is_open_only_after_consecutive_failures(self) -> None:
        assert self.breaker.open is (self.consecutive >= FAILURES)


TestBreaker = BreakerMachine.TestCase


async def test_open_breaker_sends_no_request(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt
) -> None:
    time = ManualTimer()
    guarded = BreakerModel(OpenAIModel(providers), lambda: Breaker(now=time))
    server.on(CHAT, said("HR", p=0.5))
    await guarded.classify(model, prompt, QUESTION)  # caches the request shape: errors will not be blamed on it
    server.on(CHAT, refusal(500, "oh"))
    for _ in range(FAILURES):
        with pytest.raises(ModelDown):
            await guarded.classify(model, prompt, QUESTION)
    sent = len(server.sent(CHAT))
    assert sent == 1 + 3 * FAILURES
    with pytest.raises(ModelDown, match="circuit breaker") as raised:
        await guarded.classify(model, prompt, QUESTION)
    assert raised.value.trouble is Trouble.DOWN
    with pytest.raises(ModelDown, match="oh"):
        await guarded.classify(model.model_copy(update={"provider": "azure"}), prompt, QUESTION)
    assert len(server.sent(CHAT)) == sent + 3 + 1, (
        "another provider has its own breaker, and its shape is not cached: one request more"
    )
    time.seconds += REST_S
    server.on(CHAT, said("HR", p=0.5))
    assert (await guarded.classify(model, prompt, QUESTION)).category == "hr"
    assert (await guarded.classify(model, prompt, QUESTION)).category == "hr"


async def test_refused_key_opens_the_breaker_at_once(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt
) -> None:
    guarded = BreakerModel(OpenAIModel(providers))
    server.on(CHAT, refusal(401, "bad key"))
    with pytest.raises(ModelRefused):
        await guarded.classify(model, prompt, QUESTION)
    for _ in range(3):
        with pytest.raises(ModelDown) as raised:
            await guarded.classify(model, prompt, QUESTION)
        assert raised.value.trouble is Trouble.KEY
    assert len(server.requests) == 1


async def test_refused_question_does_not_open_the_breaker(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt
) -> None:
    guarded = BreakerModel(OpenAIModel(providers))
    server.on(CHAT, refusal(400, "content policy"))
    for _ in range(FAILURES + 1):
        with pytest.raises(ModelRefused, match="content policy"):
            await guarded.classify(model, prompt, QUESTION)


async def test_reason_bypasses_the_open_breaker(
    server: OpenAIServer, providers: Providers, model: ModelName, prompt: Prompt
) -> None:
    guarded = BreakerModel(OpenAIModel(providers))
    server.on(CHAT, Reply({"error": {"message": "no"}}, 401), said("HR", "staff matters"))
    with pytest.raises(ModelRefused):
        await guarded.classify(model, prompt, QUESTION)
    assert await guarded.reason(model, prompt, QUESTION, "hr") == "staff matters"
