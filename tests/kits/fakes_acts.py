"""Fakes for the acts: a provider that keeps files and jobs, and a Slack that keeps messages."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum

from bot.domain.batch import BatchJob
from bot.domain.budget import BudgetNews
from bot.domain.card import Card
from bot.domain.consent import Author
from bot.domain.digest import Digest
from bot.domain.errors import ModelDown, ModelError, ModelRefused, OutcomeUnknown, Reason, Refused, Trouble, Undelivered
from bot.domain.finetune import Finetune, Job
from bot.domain.fold import TrainingReport
from bot.domain.forgetting import ForgetRequest, OlderFiles, Posted, Shown
from bot.domain.hourly import LimitRefusal
from bot.domain.prompt import Category, Prompt
from bot.domain.proposal import Proposal, ProposalState
from bot.domain.question import Arrival, Missed, Notice, Place, Question
from bot.domain.release import ModelName, Release
from bot.domain.similar import Example
from bot.domain.trouble import TroubleReport
from bot.ports import Answer, Store


class Fault(StrEnum):
    """A fault of one request."""

    DOWN = "down"
    """The request never arrives."""
    REFUSED = "refused"
    LOST = "lost"
    """The request is carried out, but its answer is lost."""
    KILLED = "killed"
    """The request is carried out, and the caller dies at that moment."""


def lose(fault: Fault | None, error: Exception) -> None:
    """Raise this fault after the request was carried out: the answer is lost, or the caller dies."""
    if fault is Fault.KILLED:
        raise asyncio.CancelledError
    if fault:
        raise error


class Faults:
    """Scheduled faults by verb; each occurs once."""

    def __init__(self) -> None:
        self._scheduled: dict[str, list[Fault]] = {}

    def add(self, verb: str, fault: Fault, times: int = 1) -> None:
        self._scheduled.setdefault(verb, []).extend([fault] * times)

    def take(self, verb: str) -> Fault | None:
        """Remove and return the next fault of this verb."""
        scheduled = self._scheduled.get(verb)
        return scheduled.pop(0) if scheduled else None


class FakeTrainer:
    """A provider that keeps files and jobs. A job changes only when a test sets its status."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.files: dict[str, bytes] = {}
        self.unread: set[str] = set()
        """Ids of files that are not reported as read."""
        self.jobs: dict[str, Job] = {}
        self.finetune_ids: dict[str, str] = {}
        """Job id → the fine-tune's id in the job's metadata."""
        self.reports: dict[str, TrainingReport] = {}
        """Job id → what the provider reports about it."""
        self.without_texts: list[str] = []
        """Models that were told to forget single texts."""
        self.requests: Counter[str] = Counter()
        """Verb → number of requests."""

    def set_status(self, job_id: str, status: str, model: str | None = None, error: str | None = None) -> None:
        self.jobs[job_id] = self.jobs[job_id].model_copy(update={"status": status, "model": model, "error": error})

    def _receive(self, verb: str) -> Fault | None:
        """Count a request and raise its fault; return a fault that strikes only after the request was carried out."""
        self.requests[verb] += 1
        fault = self.faults.take(verb)
        if fault is Fault.REFUSED:
            raise ModelRefused(f"{verb}: no")
        if fault is Fault.DOWN:
            raise ModelDown(f"{verb}: no connection")
        return fault

    async def forget_texts(self, model: ModelName) -> None:
        self._receive("forget_texts")
        self.without_texts.append(str(model))

    async def delete_file(self, student: ModelName, file_id: str) -> None:
        self._receive("delete_file")
        self.files.pop(file_id, None)

    async def upload(self, student: ModelName, name: str, lines: Iterable[bytes]) -> str:
        fault = self._receive("upload")
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = b"".join(line + b"\n" for line in lines)
        lose(fault, ModelDown("upload: no answer"))
        return file_id

    async def has_read(self, student: ModelName, file_id: str) -> bool:
        return file_id not in self.unread

    async def create(self, student: ModelName, file_id: str, finetune_id: str, suffix: str) -> Job:
        try:
            fault = self._receive("create")
        except ModelDown as error:
            raise OutcomeUnknown(str(error)) from None
        if file_id not in self.files:
            raise ModelRefused("create: no such file")
        job = Job(id=f"job-{len(self.jobs)}", status="validating_files")
        self.jobs[job.id] = job
        self.finetune_ids[job.id] = finetune_id
        lose(fault, OutcomeUnknown("create: no answer"))
        return job

    async def find(self, student: ModelName, finetune_id: str) -> Job | None:
        self._receive("find")
        return next((self.jobs[job_id] for job_id, of in self.finetune_ids.items() if of == finetune_id), None)

    async def job(self, student: ModelName, job_id: str) -> Job:
        self._receive("job")
        return self.jobs[job_id]

    async def report(self, student: ModelName, job_id: str) -> TrainingReport:
        self._receive("report")
        return self.reports.get(job_id, TrainingReport())

    async def cancel(self, student: ModelName, job_id: str) -> Job:
        self._receive("cancel")
        self.set_status(job_id, "cancelled")
        return self.jobs[job_id]


class CountingEstimator:
    """An estimator with one token per byte, at one dollar per million tokens. Only `local` models have a price."""

    def tokens(self, lines: Iterable[bytes]) -> int:
        return sum(len(line) + 1 for line in lines)

    def words(self, text: str) -> int:
        return len(text)

    def price(self, student: ModelName, tokens: int) -> tuple[float | None, str | None]:
        return (tokens / 1e6, "2026-11-01") if student.provider == "local" else (None, None)

    def cost(self, model: ModelName, tokens_in: int, tokens_out: int) -> float | None:
        return (tokens_in + tokens_out) / 1e6 if model.provider == "local" else None

    def ends(self, model: ModelName) -> date | None:
        return None if model.provider == "local" else date(2027, 1, 14)


NO_ANSWER = Undelivered("no answer", final=False)


class FakeAnnouncer:
    """Slack as people see it: every posted message, and the present content of each card."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.removed: list[Shown] = []
        """Forgotten questions whose messages were replaced."""
        self.forgotten: list[tuple[ForgetRequest, list[int]]] = []
        """Reports of what was forgotten, and the versions that were trained on it."""
        self.cards: dict[str, list[Card]] = {}
        """Question id → its posted cards (there should be one)."""
        self.notices: list[tuple[str, Notice]] = []
        """Posted notices, each with the ts of the message that it answers."""
        self.limits: list[tuple[str, int]] = []
        """People who were told of the limit, each with the limit."""
        self.budget_ends: dict[str, BudgetNews] = {}
        """Message id → what admins were told of the end of the budget."""
        self.owners: dict[str, Card] = {}
        """Message id → the card whose owner the message mentions."""
        self.owner_again: list[bool] = []
        """The argument `again` of each try to announce an owner."""
        self.reminded: list[str] = []
        """Questions whose owners were reminded."""
        self.replies: set[str] = set()
        """Questions to which somebody replied."""
        self.feedback: dict[str, Card] = {}
        """Message id → the card whose owner was told what the asker said."""
        self.sent: dict[str, str] = {}
        """Direct message that was sent on → name of the category whose people got it."""
        self.asked: list[tuple[str, str]] = []
        """Authors who were asked for their agreement: (question id, author's id)."""
        self.proposals: list[tuple[ProposalState, str | None]] = []
        """Each proposal that was shown: its state, and the version's id."""
        self.told_askers: list[str] = []
        self.permissions: list[tuple[str, bool]] = []
        """Each question for the permission to train: the student, and whether trainings wait for it."""
        self.finetunes: dict[str, Finetune] = {}
        """ts of a progress message → the fine-tune that it shows."""
        self.announced: list[Finetune] = []
        """Fine-tunes whose end was announced."""
        self.stalled: list[Finetune] = []
        """Fine-tunes about which people were asked whether to wait any longer."""
        self.switches: list[tuple[str, str]] = []
        """Announced switches: (release id, who switched)."""
        self.message_ids: list[str] = []
        """Ids of the posted messages about switches, trouble and missed questions."""
        self.told_operators: list[tuple[str, dict[str, str]]] = []
        """Messages to operators: (key of the text, facts)."""
        self.troubles: list[tuple[str, Trouble, str | None]] = []
        """Reported troubles: (model, trouble, fallback model)."""
        self.missed: list[Missed] = []
        """Posted lists of questions that were missed."""
        self.digests: list[Digest] = []
        """Posted Monday summaries."""
        self.offset = timedelta(0)
        """The workspace's time zone."""
        self.notes: list[str] = []
        """Reasons for switches that the gate did not pass."""

    def _receive(self, verb: str) -> Fault | None:
        """Raise the scheduled fault; return a fault that strikes only after the message was posted."""
        fault = self.faults.take(verb)
        if fault in (Fault.DOWN, Fault.REFUSED):
            raise Undelivered(f"{verb}: {fault}", final=fault is Fault.REFUSED)
        return fault

    async def remove_shown(self, shown: Shown) -> int:
        self.removed.append(shown)
        return 1

    async def remove_posted(self, posted: Posted) -> int:
        return len(posted.files) or 1

    async def remove_older(self, known: Collection[str], before: datetime) -> OlderFiles:
        return OlderFiles()

    async def report_forgotten(self, request: ForgetRequest, versions: Sequence[int]) -> None:
        self.forgotten.append((request, list(versions)))

    async def post_card(self, card: Card, *, again: bool) -> str:
        fault = self._receive("post_card")
        posted = self.cards.setdefault(card.question.id, [])
        if not (again and posted):
            posted.append(card)
        lose(fault, NO_ANSWER)
        return f"{len(self.cards)}.card"

    async def take_back(self, question: Question) -> None:
        self._receive("take_back")
        self.cards.pop(question.id, None)

    async def posted_card(self, question: Question) -> str | None:
        self._receive("posted_card")
        return f"{len(self.cards)}.card" if self.cards.get(question.id) else None

    async def update_card(self, card: Card) -> None:
        fault = self._receive("update_card")
        self.cards[card.question.id][-1] = card
        lose(fault, NO_ANSWER)

    async def send_on(self, card: Card, category: Category | None, *, again: bool) -> list[tuple[str, str]]:
        fault = self._receive("send_on")
        self.sent[card.question.id] = category.name if category else ""
        lose(fault, NO_ANSWER)
        return [("C9", f"{len(self.sent)}.sent")]

    async def tell_unreached(self, card: Card, category: Category | None, *, again: bool) -> None:
        raise NotImplementedError

    async def pass_on(self, question: Question, reply: Place) -> None:
        raise NotImplementedError

    async def announce_owner(self, card: Card, *, message_id: str, again: bool) -> None:
        self.owner_again.append(again)
        fault = self._receive("announce_owner")
        assert again or message_id not in self.owners
        self.owners.setdefault(message_id, card)
        lose(fault, NO_ANSWER)

    async def tell_feedback(self, card: Card, *, message_id: str, again: bool) -> None:
        fault = self._receive("tell_feedback")
        assert again or message_id not in self.feedback
        self.feedback.setdefault(message_id, card)
        lose(fault, NO_ANSWER)

    async def utc_offset(self, card: Card) -> timedelta:
        return timedelta(0)

    async def replied(self, card: Card) -> bool:
        return card.question.id in self.replies

    async def remind_owner(self, card: Card, *, message_id: str, again: bool) -> None:
        fault = self._receive("remind_owner")
        assert again
        if message_id not in self.reminded:
            self.reminded.append(message_id)
        lose(fault, NO_ANSWER)

    async def ask_author(self, question_id: str, author: Author, *, message_id: str, again: bool) -> None:
        fault = self._receive("ask_author")
        if not (again and (question_id, author.id) in self.asked):
            self.asked.append((question_id, author.id))
        lose(fault, NO_ANSWER)

    async def post_notice(self, arrival: Arrival, notice: Notice, *, again: bool) -> None:
        fault = self._receive("post_notice")
        said = (arrival.place.ts, notice)
        if not (again and said in self.notices):
            self.notices.append(said)
        lose(fault, NO_ANSWER)

    async def keep_one(self, place: Place, event_id: str, question: Question | None) -> None:
        self._receive("keep_one")
        if question:
            del self.cards.get(question.id, [])[1:]
        said = [notice for notice in self.notices if notice[0] == place.ts]
        for surplus in said[1:]:
            self.notices.remove(surplus)

    async def tell_trouble(self, report: TroubleReport, *, message_id: str, again: bool) -> None:
        fault = self._receive("tell_trouble")
        if not (again and message_id in self.message_ids):
            self.message_ids.append(message_id)
            self.troubles.append((report.model, report.trouble, report.fallback))
        lose(fault, NO_ANSWER)

    async def tell_operators(self, text: str, facts: Mapping[str, str], *, message_id: str, again: bool) -> None:
        fault = self._receive("tell_operators")
        if not (again and message_id in self.message_ids):
            self.message_ids.append(message_id)
            self.told_operators.append((text, dict(facts)))
        lose(fault, NO_ANSWER)

    async def tell_limit(self, arrival: Arrival, refusal: LimitRefusal) -> None:
        self._receive("tell_limit")
        self.limits.append((arrival.counted_for, refusal.most))

    async def show_finetune(self, finetune: Finetune, *, again: bool) -> tuple[str, str]:
        fault = self._receive("show_finetune")
        known = [ts for ts, shown in self.finetunes.items() if again and shown.id == finetune.id]
        ts = finetune.channel_ts or (known[0] if known else f"{len(self.finetunes)}.finetune")
        self.finetunes[ts] = finetune
        lose(fault, NO_ANSWER)
        return "C9", ts

    async def announce_finetune(self, finetune: Finetune, release: Release | None, *, again: bool) -> None:
        fault = self._receive("announce_finetune")
        if not (again and finetune.id in [announced.id for announced in self.announced]):
            self.announced.append(finetune)
        lose(fault, NO_ANSWER)

    async def ask_about_stall(self, finetune: Finetune, *, message_id: str, again: bool) -> None:
        fault = self._receive("ask_about_stall")
        if not (again and message_id in self.message_ids):
            self.message_ids.append(message_id)
            self.stalled.append(finetune)
        lose(fault, NO_ANSWER)

    async def post_missed(self, missed: Missed, *, message_id: str, again: bool) -> None:
        fault = self._receive("post_missed")
        if not (again and message_id in self.message_ids):
            self.message_ids.append(message_id)
            self.missed.append(missed)
        lose(fault, NO_ANSWER)

    async def home_offset(self) -> timedelta:
        self._receive("home_offset")
        return self.offset

    async def tell_budget_end(self, news: BudgetNews, *, message_id: str) -> None:
        self._receive("tell_budget_end")
        self.budget_ends[message_id] = news

    async def post_digest(self, digest: Digest, prompt: Prompt) -> None:
        del prompt
        fault = self._receive("post_digest")
        if digest.until not in [posted.until for posted in self.digests]:
            self.digests.append(digest)
        lose(fault, NO_ANSWER)

    async def tell_asker(self, person: str, models: Sequence[ModelName]) -> None:
        del models
        fault = self._receive("tell_asker")
        if person not in self.told_askers:
            self.told_askers.append(person)
        lose(fault, NO_ANSWER)

    async def ask_permission(self, student: ModelName, *, paused: bool) -> None:
        fault = self._receive("ask_permission")
        self.permissions.append((str(student), paused))
        lose(fault, NO_ANSWER)

    async def show_proposal(
        self, proposal: Proposal, release: Release | None, serving: Release | None
    ) -> dict[str, str]:
        del serving
        fault = self._receive("show_proposal")
        self.proposals.append((proposal.state, release.id if release else None))
        lose(fault, NO_ANSWER)
        return {"COPS": "1.1"}

    async def announce_switch(
        self, release: Release, by: str, note: str | None = None, *, message_id: str, again: bool
    ) -> None:
        fault = self._receive("announce_switch")
        if not (again and message_id in self.message_ids):
            self.message_ids.append(message_id)
            self.switches.append((release.id, by))
            self.notes += [note] if note else []
        lose(fault, NO_ANSWER)


class MemoryShelf:
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


class StoreShelf:
    """The files of a store, as the bot's shelf reads them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, name: str, data: bytes) -> None:
        async with self._store.transaction() as tx:
            await tx.shelf.put(name, data)

    async def get(self, name: str) -> bytes:
        async with self._store.transaction() as tx:
            return await tx.shelf.get(name)

    async def delete(self, name: str) -> bool:
        async with self._store.transaction() as tx:
            return await tx.shelf.delete(name)

    async def names(self, prefix: str) -> list[str]:
        async with self._store.transaction() as tx:
            return await tx.shelf.names(prefix)


class NoBatches:
    """A provider without batches."""

    async def check(self, model: ModelName) -> None:
        raise Refused(Reason.NO_BATCHES, provider=model.provider)

    async def submit(
        self, model: ModelName, prompt: Prompt, asked: Sequence[tuple[str, str, Sequence[Example]]], run_id: str
    ) -> str:
        raise NotImplementedError

    async def delete_files(self, model: ModelName, batch_id: str) -> None:
        raise NotImplementedError

    async def find(self, model: ModelName, run_id: str) -> str | None:
        raise NotImplementedError

    async def state(self, model: ModelName, batch_id: str) -> BatchJob:
        raise NotImplementedError

    async def answers(self, model: ModelName, prompt: Prompt, batch_id: str) -> dict[str, Answer | ModelError]:
        raise NotImplementedError
