"""Every act, built once from the ports. A new act is one line here; handlers and tests are given all of them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from bot.care.caring import Caring
from bot.corrections.consenting import Consenting
from bot.corrections.correcting import Correcting
from bot.corrections.drafting import Drafting
from bot.corrections.explaining import Explaining
from bot.corrections.focusing import Focusing
from bot.corrections.hearing import Hearing
from bot.corrections.keeping import Keeping
from bot.corrections.recounting import Recounting
from bot.corrections.reviewing import Reviewing
from bot.corrections.sending import Sending
from bot.corrections.signalling import Signalling
from bot.dataset.auditing import Auditing
from bot.dataset.exporting import Exporting
from bot.dataset.guarding import Guarding
from bot.dataset.importing import Importing
from bot.dataset.permitting import Permitting
from bot.dataset.surveying import Surveying
from bot.dataset.withdrawing import Withdrawing
from bot.domain.fallback import Fallback
from bot.domain.forgetting import Retention
from bot.domain.release import ModelName
from bot.domain.training_file import FileProblem
from bot.finetunes.budget import BudgetEnd, Spending
from bot.finetunes.digesting import Digesting
from bot.finetunes.following import Following
from bot.finetunes.glancing import Glancing
from bot.finetunes.planning import Planning
from bot.finetunes.progress import FinetuneProgress
from bot.finetunes.proposing import Proposing
from bot.finetunes.reports import TrainingReports
from bot.finetunes.starting import Starting
from bot.finetunes.status import Reporting
from bot.forgetting.forgetting import Forgetting
from bot.forgetting.posting import Posting
from bot.forgetting.reaching import Reaching
from bot.mirror.inbound import MirrorInbound
from bot.mirror.outbound import MirrorOutbound
from bot.mirror.status import mirror_state
from bot.ports import (
    Announcer,
    Audiences,
    Batcher,
    Clock,
    Embedded,
    Estimator,
    History,
    Meter,
    Model,
    Neighbours,
    NothingEmbedded,
    Shelf,
    Store,
    TextEncoder,
    Threads,
    Tracker,
    Trainer,
    Unmetered,
)
from bot.questions.answering import Answering
from bot.questions.arrivals import Pruning
from bot.questions.catching_up import CatchingUp
from bot.questions.classifying import Classifying
from bot.questions.delivering import Delivering
from bot.questions.rechecking import Rechecking
from bot.releases.batching import Batching
from bot.releases.evaluating import Evaluating
from bot.releases.prompting import Prompting
from bot.releases.releasing import Releasing
from bot.releases.shadowing import Shadowing
from bot.releases.threshold import Thresholding


@dataclass(frozen=True)
class Ports:
    """The outside, as the acts see it."""

    store: Store
    shelf: Shelf
    clock: Clock
    neighbours: Neighbours
    model: Model
    live_model: Model
    """The same model behind a circuit breaker, for questions whose askers wait."""
    trainer: Trainer
    batcher: Batcher
    estimator: Estimator
    check_file: Callable[[Iterable[bytes]], list[FileProblem]]
    """Returns what a provider would find wrong in a training file."""
    tracker: Tracker | None = None
    meter: Meter = field(default_factory=Unmetered)
    embedded: Embedded = field(default_factory=NothingEmbedded)
    encoder: TextEncoder | None = None
    """The encoder whose vectors `Caring` knows, if it is set: it runs in this process."""


@dataclass(frozen=True)
class Choices:
    """The settings of the acts."""

    student: ModelName
    fallback: Fallback = field(default_factory=Fallback)
    budget_usd: float | None = None
    shadow_per_day: int = 200
    judged_per_second: Mapping[str, float] = field(default_factory=dict)
    """Provider → classifications a second in evaluations, where it differs from the default."""
    langsmith_staff: Collection[str] = ()
    auto_train: bool = False
    """Whether trainings begin by themselves, or are proposed where they cost money."""
    training_allowed: bool = False
    """Whether the settings say that the company allows trainings; if not, an admin says it in Slack."""
    guarded: bool = True
    """Whether what one person settled is set aside if it is too much of all, until an admin looks."""
    private_rows: bool = False
    """Whether hosted trainers, downloads and the tracker get what was asked in private channels and direct messages."""
    retention: Retention = field(default_factory=Retention)
    """After how long things are forgotten by themselves."""


class Acts:
    """The acts that need no Slack."""

    def __init__(self, ports: Ports, choices: Choices) -> None:  # noqa: PLR0915 - one line an act
        store, clock, neighbours = ports.store, ports.clock, ports.neighbours
        spending = Spending(ports.estimator, clock, choices.budget_usd)
        reports = TrainingReports(store, ports.shelf, ports.trainer, neighbours, clock, ports.embedded)
        progress = FinetuneProgress(store, clock, reports)
        tracker = ports.tracker
        # questions
        self.caring = Caring(ports.encoder)
        budget = BudgetEnd(store, spending, clock)
        self.classifying = Classifying(
            *(store, ports.live_model, neighbours, clock, choices.fallback, ports.meter, budget),
            guarded=choices.guarded,
        )
        self.rechecking = Rechecking(store, self.classifying, clock)
        self.recounting = Recounting(store)
        self.pruning = Pruning(store, clock)
        # releases
        self.evaluating = Evaluating(
            store,
            ports.model,
            clock,
            neighbours=neighbours,
            estimator=ports.estimator,
            per_second=choices.judged_per_second,
            embedded=ports.embedded,
            guarded=choices.guarded,
            private_rows=choices.private_rows,
        )
        self.batching = Batching(store, self.evaluating, ports.batcher, clock)
        self.releasing = Releasing(store, clock, choices.fallback)
        self.shadowing = Shadowing(
            *(store, ports.model, neighbours, clock),
            per_day=choices.shadow_per_day,
            budget=budget,
            embedded=ports.embedded,
            private_rows=choices.private_rows,
        )
        self.thresholding = Thresholding(store, self.evaluating, clock)
        self.prompting = Prompting(store, ports.estimator, clock)
        # dataset and fine-tunes
        self.importing = Importing(store, neighbours, clock)
        self.exporting = Exporting(
            store,
            neighbours,
            clock,
            ports.embedded,
            private_rows=choices.private_rows,
            guarded=choices.guarded,
        )
        self.permitting = Permitting(store, clock, self.exporting, choices.student, by_setting=choices.training_allowed)
        self.planning = Planning(
            store, self.exporting, ports.estimator, ports.check_file, spending, clock, choices.student
        )
        self.starting = Starting(
            *(store, ports.shelf, ports.trainer, spending, progress, clock, self.exporting, self.permitting),
            ports.embedded,
        )
        self.following = Following(store, ports.trainer, self.starting, progress, clock)
        self.proposing = Proposing(
            store, self.planning, self.starting, self.evaluating, self.permitting, clock, on=choices.auto_train
        )
        self.glancing = Glancing(store, self.proposing, spending, neighbours, clock, choices.student, self.permitting)
        read_mirror = partial(mirror_state, private_rows=choices.private_rows) if tracker else None
        self.guarding = Guarding(store, clock, on=choices.guarded)
        self.reporting = Reporting(
            *(store, clock, spending, neighbours, read_mirror, ports.embedded, self.permitting), guarded=choices.guarded
        )
        self.withdrawing = Withdrawing(store, clock)
        # forgetting
        self.forgetting = Forgetting(store, clock, choices.retention)
        self.posting = Posting(store, clock)
        # corrections
        self.auditing = Auditing(store, clock)
        self.correcting = Correcting(store, neighbours, clock)
        self.hearing = Hearing(store, clock)
        self.signalling = Signalling(store, clock)
        self.keeping = Keeping(store, self.prompting)
        self.consenting = Consenting(store, neighbours, clock)
        self.sending = Sending(store, neighbours, clock)
        self.reviewing = Reviewing(store, self.correcting, neighbours, clock, ports.embedded)
        self.focusing = Focusing(store, self.reviewing, self.correcting, neighbours, clock)
        self.drafting = Drafting(store, ports.model, neighbours)
        self.explaining = Explaining(store, neighbours)
        # the mirror: None where there is no tracker
        self.outbound = (
            MirrorOutbound(store, tracker, self.evaluating, ports.estimator, clock, private_rows=choices.private_rows)
            if tracker
            else None
        )
        self.inbound = (
            MirrorInbound(store, tracker, self.correcting, clock, choices.langsmith_staff) if tracker else None
        )


@dataclass(frozen=True)
class SlackPorts:
    """Slack, as the acts see it."""

    announcer: Announcer
    history: History
    audiences: Audiences
    threads: Threads


class SlackActs:
    """The acts that need Slack."""

    def __init__(  # noqa: PLR0913 - the ports, and what the settings choose
        self,
        ports: Ports,
        acts: Acts,
        slack: SlackPorts,
        catch_up_within: timedelta,
        remind_after: timedelta | None = None,
        per_hour: int | None = None,
        *,
        tell_askers: bool = True,
    ) -> None:
        store, clock, meter = ports.store, ports.clock, ports.meter
        self.answering = Answering(
            store,
            acts.classifying,
            slack.announcer,
            clock,
            meter,
            slack.threads,
            caring=acts.caring,
            remind_after=remind_after,
            per_hour=per_hour,
            tell_askers=tell_askers,
            forget=acts.forgetting.message_deleted,
        )
        self.delivering = Delivering(store, slack.announcer, clock, meter)
        copies = ports.trainer, clock, ports.tracker, ports.embedded
        self.reaching = Reaching(store, slack.announcer, *copies, batcher=ports.batcher)
        self.digesting = Digesting(store, acts.glancing, slack.announcer, clock)
        self.catching_up = CatchingUp(store, slack.history, clock, catch_up_within, acts.caring)
        self.surveying = Surveying(store, slack.audiences, clock)
