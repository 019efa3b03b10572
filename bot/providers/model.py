"""Classifying with any OpenAI-compatible model."""

import asyncio
from collections.abc import Sequence

from openai import APIStatusError, AsyncOpenAI, OpenAIError
from openai.types.decision_create_params import QuestionQuestionParamChoiceChoice
from pydantic import ValidationError

from bot.domain.errors import ModelRefused, Trouble
from bot.domain.prompt import Prompt
from bot.domain.release import ModelName
from bot.domain.similar import Example
from bot.ports import Answer
from bot.providers.asking import Shape, Task
from bot.providers.providers import Providers
from bot.providers.reading import Completion, DecisionBody, Unusable, category_and_reason, confidence
from bot.providers.wire import passing, read, translated

BUDGET_S = 45.0
"""Seconds for a whole answer: the SDK's retries, with their waits, and the second question are in it."""
DECISION_CHOICES = 255
"""Of one question of `/v1/decisions`."""


class OpenAIModel:
    """`ports.Model` over chat completions.

    What a model turns out not to understand is remembered for the life of the process, so only its first question pays
    for finding out.

    Args:
        providers: where models are.
        timeout_s: seconds that one request may take.
        budget_s: seconds that an answer may take, however many requests it needs.
    """

    def __init__(self, providers: Providers, *, timeout_s: float = 20.0, budget_s: float = BUDGET_S) -> None:
        self._providers = providers
        self._timeout_s = timeout_s
        self._budget_s = budget_s
        self._shapes: dict[ModelName, Shape] = {}
        self._undecided: set[ModelName] = set()

    async def classify(self, model: ModelName, prompt: Prompt, text: str, examples: Sequence[Example] = ()) -> Answer:
        """Ask once, and once more where the answer cannot be used.

        Raises:
            ModelDown: no answer within the time, or the provider is down or overloaded.
            ModelRefused: the provider said no, or no answer could be used.
        """
        client, answer = await self._asked(model, Task(prompt, text, examples))
        if answer.confidence is not None:
            return answer
        return answer.model_copy(update={"confidence": await self._decided(client, model, prompt, text, answer)})

    async def reason(self, model: ModelName, prompt: Prompt, text: str, category: str) -> str:
        """A reason for this category, thought of by a model that may answer no other one.

        Raises:
            ModelDown, ModelRefused: as `classify`; ModelRefused also where the prompt has no such category.
        """
        only = prompt.category(category)
        if only is None:
            raise ModelRefused(f"the prompt has no category {category}")
        _, answer = await self._asked(model, Task(prompt, text, only=only.name))
        return answer.reason

    def shape(self, model: ModelName) -> Shape:
        """The form of request that this model is known to understand."""
        return self._shapes.get(model, Shape())

    async def _asked(self, model: ModelName, task: Task) -> tuple[AsyncOpenAI, Answer]:
        client = self._providers[model.provider].with_options(timeout=self._timeout_s)
        with translated(hide=task.text):
            # The SDK's timeout is for each read, and a server in this process knows none.
            async with asyncio.timeout(self._budget_s):
                return client, await self._answer(client, model, task)

    async def _answer(self, client: AsyncOpenAI, model: ModelName, task: Task) -> Answer:
        try:
            return await self._once(client, model, task, self.shape(model))
        except Unusable as unusable:
            shape = self.shape(model)
            again = shape.plain() if unusable.formless else shape
        try:
            return await self._once(client, model, task, again)
        except Unusable as unusable:
            raise ModelRefused(str(unusable), Trouble.UNUSABLE) from None

    async def _once(self, client: AsyncOpenAI, model: ModelName, task: Task, shape: Shape) -> Answer:
        completion, understood = await _complete(client, shape, model.model, task, proven=model in self._shapes)
        answer = answer_of(completion, task)
        if understood:
            self._shapes[model] = understood
        return answer

    async def _decided(
        self, client: AsyncOpenAI, model: ModelName, prompt: Prompt, text: str, answer: Answer
    ) -> float | None:
        """The probability of the answered category by `/v1/decisions`; None wherever it is not to be had."""
        category = prompt.category(answer.category)
        if category is None or model in self._undecided or len(prompt.categories) > DECISION_CHOICES:
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
                return (await read(call, DecisionBody)).of(category.name)
        except (APIStatusError, ValidationError) as error:
            if isinstance(error, ValidationError) or not passing(error):
                self._undecided.add(model)
        except (OpenAIError, TimeoutError):
            pass
        return None


def answer_of(completion: Completion, task: Task) -> Answer:
    """What a completion answers to this task; raises Unusable."""
    choice = completion.choices[0]
    category, reason = category_and_reason(choice, task.prompt)
    if category.name not in task.names:
        raise Unusable("another category than the one that was asked for")
    tokens = choice.logprobs.content if choice.logprobs else None
    return Answer(
        category=category.id,
        reason=reason,
        confidence=confidence(choice.message.content or "", tokens or ()),
        tokens_in=completion.usage.prompt_tokens if completion.usage else 0,
        tokens_out=completion.usage.completion_tokens if completion.usage else 0,
    )


async def _complete(
    client: AsyncOpenAI, shape: Shape, model: str, task: Task, *, proven: bool
) -> tuple[Completion, Shape | None]:
    """The completion, and the shape that is known to be understood.

    A shape that has brought an answer before (`proven`) is not to blame for an error that names nothing. Where a
    server's own trouble (500) may as well have passed meanwhile, no shape is known.
    """
    known = True
    while True:
        try:
            call = client.chat.completions.with_raw_response.create(**shape.body(model, task))
            return await read(call, Completion), shape if known else None
        except APIStatusError as error:
            simpler = shape.simpler(error, task.prompt)
            if simpler is None and not proven:
                simpler, known = shape.bare(error, task.prompt), not passing(error)
                client = client.with_options(max_retries=0)
            if simpler is None:
                raise
            shape = simpler
