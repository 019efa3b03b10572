"""Classification with any OpenAI-compatible model."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from httpx2 import Response
from pydantic import ValidationError

from bot.domain.characters import clean_text
from bot.domain.errors import ModelError, ModelRefused
from bot.domain.obedience import harmless_reason
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.providers.asking import Shape, Task
from bot.providers.providers import Providers
from bot.providers.reading import (
    Completion,
    DecisionBody,
    UnusableAnswer,
    Usage,
    category_and_answer,
    confidence,
    content_of,
    next_likely,
)
from bot.providers.sdk import sdk
from bot.providers.tokens import rough_tokens, tokens_of
from bot.providers.wire import is_transient, read, translate_errors

if TYPE_CHECKING:
    from openai.types.decision_create_params import QuestionQuestionParamChoiceChoice

BUDGET_S = 45.0
"""Deadline of a whole answer in seconds, including the SDK's retries, their backoff and the second attempt."""
DECISION_CHOICES = 255
"""Most choices of one question to `/v1/decisions`."""


class OpenAIModel:
    """`ports.Model` over chat completions.

    The request shape that a model accepts is cached for the life of the process, so only its first question pays for
    finding it.

    Args:
        providers: The SDK clients.
        timeout_s: Deadline of one request, in seconds.
        budget_s: Deadline of one answer, in seconds, however many requests it needs.
    """

    def __init__(self, providers: Providers, *, timeout_s: float = 20.0, budget_s: float = BUDGET_S) -> None:
        self._providers = providers
        self._timeout_s = timeout_s
        self._budget_s = budget_s
        self._shapes: dict[ModelName, Shape] = {}
        self._without_decisions: set[ModelName] = set()
        self._clients: dict[str, tuple[sdk.AsyncOpenAI, sdk.AsyncOpenAI]] = {}
        """Provider → its client, and the copy of it with our timeout."""

    async def classify(
        self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = (), *, explain: bool = True
    ) -> Answer:
        """Ask the model, and ask once more if the answer is unusable.

        Raises:
            ModelDown: The deadline passed, or the provider is down or overloaded.
            ModelRefused: The provider refused, or both answers were unusable.
        """
        client, answer = await self._ask(
            model, Task(prompt, text, examples, explain=explain or not self._providers.in_process(model.provider))
        )
        if answer.confidence is not None:
            return answer
        decision = await self._decision(client, model, prompt, text, answer)
        category = prompt.category(answer.category)
        if decision is None or category is None:
            return answer
        confidence = decision.probability_of(category.name)
        return answer.model_copy(
            update={"confidence": confidence, "others": _others(prompt, answer, decision.ranked())}
        )

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """Return a reason for this category, from a model that may answer no other category.

        Raises:
            ModelDown: As for `classify`.
            ModelRefused: As for `classify`, or the prompt has no such category.
        """
        only = prompt.category(category)
        if only is None:
            raise ModelRefused(f"the prompt has no category {category}")
        _, answer = await self._ask(model, Task(prompt, text, only=only.name))
        return answer.reason

    def shape(self, model: ModelName) -> Shape:
        """Return the request shape that this model is known to accept, or the default shape."""
        return self._shapes.get(model, Shape())

    async def _ask(self, model: ModelName, task: Task) -> "tuple[sdk.AsyncOpenAI, Answer]":
        """Ask within the time that an answer may take, and once more if the answer is unusable."""
        client, asked_again = self._client(model.provider), False
        try:
            with translate_errors(hide=task.text):
                # The SDK's timeout covers a single read, and an in-process server has none.
                async with asyncio.timeout(self._budget_s):
                    shape = self.shape(model)
                    while True:
                        try:
                            known = model in self._shapes
                            completion, accepted = await _complete(client, shape, model.model, task, proven=known)
                            return client, await self._answer(completion, model, task, shape, accepted)
                        except UnusableAnswer as unusable:
                            if asked_again:
                                raise ModelRefused(str(unusable), unusable.trouble) from None
                            shape, asked_again = self.shape(model), True
                            shape = shape.plain() if unusable.wrong_form else shape
        except ModelError as error:
            error.model = error.model or str(model)
            raise

    def _client(self, provider: str) -> "sdk.AsyncOpenAI":
        """Return the provider's client with our timeout, made once: a copy per question costs more than it looks."""
        original = self._providers[provider]
        known = self._clients.get(provider)
        if known is None or known[0] is not original:
            known = self._clients[provider] = original, original.with_options(timeout=self._timeout_s)
        return known[1]

    async def _answer(
        self, completion: Completion, model: ModelName, task: Task, shape: Shape, accepted: Shape | None
    ) -> Answer:
        """Return the answer that a completion gives, and remember the shape that the model accepted."""
        answer = parse_answer(completion, task)
        if self._providers.in_process(model.provider):  # elsewhere it changes from answer to answer
            answer = answer.model_copy(update={"revision": completion.system_fingerprint})
        if accepted:
            self._shapes[model] = accepted
        if completion.usage is None or completion.usage.from_cache:
            return answer  # some providers do not bill what they cached, so that the counts cannot be compared
        messages = (accepted or shape).body(model.model, task)["messages"]
        counted = rough_tokens(messages)
        if answer.model_copy(update={"tokens_counted": counted}).prompt_cut:
            counted = await asyncio.to_thread(tokens_of, messages)
        return answer.model_copy(update={"tokens_counted": counted})

    async def _decision(
        self, client: "sdk.AsyncOpenAI", model: ModelName, prompt: Prompt, text: str, answer: Answer
    ) -> DecisionBody | None:
        """Return the probabilities of the categories by `/v1/decisions`, or None if there are none."""
        category = prompt.category(answer.category)
        if category is None or model in self._without_decisions or len(prompt.categories) > DECISION_CHOICES:
            return None
        choices: list[QuestionQuestionParamChoiceChoice] = [
            {"value": c.name, "description": c.rule or c.name} for c in prompt.categories
        ]
        call = client.with_options(max_retries=0).decisions.with_raw_response.create(
            model=model.model,
            input=text,
            questions=[{"type": "choice", "name": "category", "instructions": prompt.text, "choices": choices}],
            prompt_cache_key=prompt.id,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                return await read(call, DecisionBody)
        except (sdk.APIStatusError, ValidationError) as error:
            if isinstance(error, ValidationError) or not is_transient(error):
                self._without_decisions.add(model)
        except (sdk.OpenAIError, TimeoutError):
            pass
        return None


def parse_answer(completion: Completion, task: Task) -> Answer:
    """Return the answer that a completion gives to this task; raises UnusableAnswer."""
    choice = completion.choice
    category, written = category_and_answer(choice, task.prompt)
    written_reason = clean_text(written.reason).strip()
    if category.name not in task.names:
        raise UnusableAnswer("the model answered another category than the required one")
    if task.only and not written_reason:
        raise UnusableAnswer("the model gave no reason", wrong_form=True)
    tokens = (choice.logprobs.content if choice.logprobs else None) or ()
    content = content_of(choice)
    usage = completion.usage or Usage()
    answer = Answer(
        category=category.id,
        reason=harmless_reason(written_reason, task.text),
        confidence=confidence(content, tokens, written.span),
        tokens_in=usage.prompt_tokens or 0,
        tokens_out=usage.completion_tokens or 0,
    )
    likely = next_likely(content, tokens, written.span, task.names)
    return answer.model_copy(update={"others": _others(task.prompt, answer, likely)})


def _others(prompt: Prompt, answer: Answer, ranked: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of these categories, by name, without the answered one."""
    named = filter(None, map(prompt.named, ranked))
    return tuple(category.id for category in named if category.id != answer.category)


async def _complete(
    client: "sdk.AsyncOpenAI", shape: Shape, model: str, task: Task, *, proven: bool
) -> tuple[Completion, Shape | None]:
    """Return the completion, and the accepted shape, or None if it is uncertain which shape helped.

    Args:
        client: The SDK client.
        shape: The shape to try first; simpler ones follow.
        model: The model's name at the provider.
        task: The question.
        proven: Whether this shape was accepted before. If so, it is not blamed for an error that names nothing.
    """
    certain = True
    while True:
        try:
            # Not `chat.completions.create`, which goes through each body to rewrite it, and finds nothing in ours.
            call = client.post("/chat/completions", body=shape.body(model, task), cast_to=Response)
            return await read(call, Completion), shape if certain else None
        except sdk.APIStatusError as error:
            simpler = shape.simpler(error, task.prompt)
            if simpler is None and not proven:
                # After a transient error (500), success may be due to the server's recovery, not to the simpler shape.
                simpler, certain = shape.bare(error, task.prompt), not is_transient(error)
                client = client.with_options(max_retries=0)
            if simpler is None:
                raise
            shape = simpler
