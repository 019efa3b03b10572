"""Fakes for the acts: a provider that keeps files and jobs, and people who are told things."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from bot.domain.batch import BatchJob
from bot.domain.card import Card
from bot.domain.errors import ModelDown, ModelError, ModelRefused, OutcomeUnknown, Reason, Refused, Trouble, Undelivered
from bot.domain.finetune import Finetune, Job
from bot.domain.prompt import Prompt
from bot.domain.question import Arrival, Missed, Notice, Place, Question
from bot.domain.release import ModelName, Release
from bot.domain.similar import Example
from bot.ports import Answer


class Fault(StrEnum):
    """What goes wrong with one request."""

    DOWN = "down"
    """It never arrives."""
    REFUSED = "refused"
    LOST = "lost"
    """It is done, and the answer does not come back."""
    KILLED = "killed"
    """It is done, and whoever asked is gone at that moment."""


def lose(fault: Fault | None, error: Exception) -> None:
    """After it was done: the answer is lost, or who waits for it."""
    if fault is Fault.KILLED:
        raise asyncio.CancelledError
    if fault:
        raise error


class Faults:
    """Faults that wait for a verb; each is met once."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Fault]] = {}

    def add(self, verb: str, fault: Fault, times: int = 1) -> None:
        self._waiting.setdefault(verb, []).extend([fault] * times)

    def met(self, verb: str) -> Fault | None:
        waiting = self._waiting.get(verb)
        return waiting.pop(0) if waiting else None


class KeepingTrainer:
    """A provider: it keeps files and jobs by the metadata of their creation, and a test moves the jobs on."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, Job] = {}
        self.made_for: dict[str, str] = {}
        """Job id → the fine-tune's id in its metadata."""
        self.asked: Counter[str] = Counter()

    def say(self, job_id: str, status: str, model: str | None = None, error: str | None = None) -> None:
        """The job now stands like this."""
        self.jobs[job_id] = self.jobs[job_id].model_copy(update={"status": status, "model": model, "error": error})

    def _meet(self, verb: str) -> Fault | None:
        self.asked[verb] += 1
        fault = self.faults.met(verb)
        if fault is Fault.REFUSED:
            raise ModelRefused(f"{verb}: no")
        if fault is Fault.DOWN:
            raise ModelDown(f"{verb}: no connection")
        return fault

    async def upload(self, student: ModelName, name: str, data: bytes) -> str:
        fault = self._meet("upload")
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = data
        lose(fault, ModelDown("upload: no answer"))
        return file_id

    async def create(self, student: ModelName, file_id: str, finetune_id: str, suffix: str) -> Job:
        try:
            fault = self._meet("create")
        except ModelDown as error:
            raise OutcomeUnknown(str(error)) from None
        if file_id not in self.files:
            raise ModelRefused("create: no such file")
        job = Job(id=f"job-{len(self.jobs)}", status="validating_files")
        self.jobs[job.id] = job
        self.made_for[job.id] = finetune_id
        lose(fault, OutcomeUnknown("create: no answer"))
        return job

    async def find(self, student: ModelName, finetune_id: str) -> Job | None:
        self._meet("find")
        return next((self.jobs[job_id] for job_id, made_for in self.made_for.items() if made_for == finetune_id), None)

    async def job(self, student: ModelName, job_id: str) -> Job:
        self._meet("job")
        return self.jobs[job_id]

    async def cancel(self, student: ModelName, job_id: str) -> Job:
        self._meet("cancel")
        self.say(job_id, "cancelled")
        return self.jobs[job_id]


class CountingEstimator:
    """One token a byte, one dollar a million of them."""

    def tokens(self, data: bytes) -> int:
        return len(data)

    def words(self, text: str) -> int:
        return len(text)

    def price(self, student: ModelName, tokens: int) -> tuple[float | None, str | None]:
        return (tokens / 1e6, "2026-11-01") if student.provider == "local" else (None, None)

    def cost(self, model: ModelName, tokens_in: int, tokens_out: int) -> float | None:
        return (tokens_in + tokens_out) / 1e6 if model.provider == "local" else None


NO_ANSWER = Undelivered("no answer", final=False)


class Board:
    """Slack as people see it: every message that was posted, and what now stands on each card."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.cards: dict[str, list[Card]] = {}
        """Question id → the posted answers (there should be one)."""
        self.notices: list[tuple[str, Notice]] = []
        """(ts of the message that it answers, what was said)."""
        self.owners: dict[str, Card] = {}
        """Correction → the card whose owner was told of it."""
        self.owner_tries: list[bool] = []
        """Whether each try was told to look first."""
        self.finetunes: dict[str, Finetune] = {}
        """ts → what the progress message shows."""
        self.announced: list[Finetune] = []
        self.switches: list[tuple[str, str]] = []
        """(release, by)."""
        self.tellings: list[str] = []
        self.troubles: list[tuple[str, Trouble, str | None]] = []
        """(what gave no answer, why, what answers instead)."""
        self.missed: list[Missed] = []
        self.notes: list[str] = []
        """Why, where the gate was overridden."""

    def _meet(self, verb: str) -> Fault | None:
        fault = self.faults.met(verb)
        if fault in (Fault.DOWN, Fault.REFUSED):
            raise Undelivered(f"{verb}: {fault}", final=fault is Fault.REFUSED)
        return fault

    async def post_card(self, card: Card, *, again: bool) -> str:
        fault = self._meet("post_card")
        posted = self.cards.setdefault(card.question.id, [])
        if not (again and posted):
            posted.append(card)
        lose(fault, NO_ANSWER)
        return f"{len(self.cards)}.card"

    async def posted_card(self, question: Question) -> str | None:
        self._meet("posted_card")
        return f"{len(self.cards)}.card" if self.cards.get(question.id) else None

    async def update_card(self, card: Card) -> None:
        fault = self._meet("update_card")
        self.cards[card.question.id][-1] = card
        lose(fault, NO_ANSWER)

    async def announce_owner(self, card: Card, *, telling: str, again: bool) -> None:
        self.owner_tries.append(again)
        fault = self._meet("announce_owner")
        assert again or telling not in self.owners
        self.owners.setdefault(telling, card)
        lose(fault, NO_ANSWER)

    async def post_notice(self, arrival: Arrival, notice: Notice, *, again: bool) -> None:
        fault = self._meet("post_notice")
        said = (arrival.place.ts, notice)
        if not (again and said in self.notices):
            self.notices.append(said)
        lose(fault, NO_ANSWER)

    async def keep_one(self, place: Place, event_id: str, question: Question | None) -> None:
        self._meet("keep_one")
        if question:
            del self.cards.get(question.id, [])[1:]
        said = [notice for notice in self.notices if notice[0] == place.ts]
        for surplus in said[1:]:
            self.notices.remove(surplus)

    async def tell_trouble(
        self, model: ModelName, trouble: Trouble, fallback: ModelName | None, *, telling: str, again: bool
    ) -> None:
        fault = self._meet("tell_trouble")
        if not (again and telling in self.tellings):
            self.tellings.append(telling)
            self.troubles.append((str(model), trouble, str(fallback) if fallback else None))
        lose(fault, NO_ANSWER)

    async def show_finetune(self, finetune: Finetune, *, again: bool) -> tuple[str, str]:
        fault = self._meet("show_finetune")
        known = [ts for ts, shown in self.finetunes.items() if again and shown.id == finetune.id]
        ts = finetune.channel_ts or (known[0] if known else f"{len(self.finetunes)}.finetune")
        self.finetunes[ts] = finetune
        lose(fault, NO_ANSWER)
        return "C9", ts

    async def announce_finetune(self, finetune: Finetune, *, again: bool) -> None:
        fault = self._meet("announce_finetune")
        if not (again and finetune.id in [told.id for told in self.announced]):
            self.announced.append(finetune)
        lose(fault, NO_ANSWER)

    async def post_missed(self, missed: Missed, *, telling: str, again: bool) -> None:
        fault = self._meet("post_missed")
        if not (again and telling in self.tellings):
            self.tellings.append(telling)
            self.missed.append(missed)
        lose(fault, NO_ANSWER)

    async def announce_switch(
        self, release: Release, by: str, note: str | None = None, *, telling: str, again: bool
    ) -> None:
        fault = self._meet("announce_switch")
        if not (again and telling in self.tellings):
            self.tellings.append(telling)
            self.switches.append((release.id, by))
            self.notes += [note] if note else []
        lose(fault, NO_ANSWER)


class KeptShelf:
    """A shelf in memory."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    async def put(self, name: str, data: bytes) -> None:
        self._files[name] = data

    async def get(self, name: str) -> bytes:
        return self._files[name]

    async def delete(self, name: str) -> bool:
        return self._files.pop(name, None) is not None

    async def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self._files if name.startswith(prefix))


class NoBatches:
    """A provider without batches."""

    async def check(self, model: ModelName) -> None:
        raise Refused(Reason.NO_BATCHES, provider=model.provider)

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        raise NotImplementedError

    async def find(self, model: ModelName, run_id: str) -> str | None:
        raise NotImplementedError

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        raise NotImplementedError

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        raise NotImplementedError
