"""The Protocols of everything outside the app: one file per outside.

Each Protocol has one real implementation and is tested through it.
"""

from bot.ports.batcher import Batcher
from bot.ports.clock import Clock, Meter, Unmetered
from bot.ports.embedded import Embedded, NothingEmbedded
from bot.ports.encoding import TextEncoder
from bot.ports.estimator import Budget, Estimator
from bot.ports.forgetting import StoredForgetting, StoredPosts
from bot.ports.model import Answer, Model
from bot.ports.neighbours import Neighbours, RowChanges
from bot.ports.shelf import Shelf
from bot.ports.slack import Announcer, Audiences, History, Membership, NoSlack, Remover, Threads
from bot.ports.store import (
    MESSAGE_ID,
    Askers,
    AuditLog,
    Batches,
    Corrections,
    Cursors,
    Datasets,
    Due,
    DueWork,
    Finetunes,
    HeldLease,
    Inbox,
    Leases,
    Looks,
    Outbox,
    OutboxEntry,
    OutboxItem,
    Prompts,
    Questions,
    Releases,
    Replicas,
    Results,
    Rows,
    Shadows,
    Store,
    StoredAudiences,
    StoredFeedback,
    StoredMarks,
    StoredProposals,
    StoredSignals,
    StoredVectors,
    Transaction,
    Weeks,
)
from bot.ports.tracker import Tracker
from bot.ports.trainer import Trainer

__all__ = [
    "MESSAGE_ID",
    "Announcer",
    "Answer",
    "Askers",
    "Audiences",
    "AuditLog",
    "Batcher",
    "Batches",
    "Budget",
    "Clock",
    "Corrections",
    "Cursors",
    "Datasets",
    "Due",
    "DueWork",
    "Embedded",
    "Estimator",
    "Finetunes",
    "HeldLease",
    "History",
    "Inbox",
    "Leases",
    "Looks",
    "Membership",
    "Meter",
    "Model",
    "Neighbours",
    "NoSlack",
    "NothingEmbedded",
    "Outbox",
    "OutboxEntry",
    "OutboxItem",
    "Prompts",
    "Questions",
    "Releases",
    "Remover",
    "Replicas",
    "Results",
    "RowChanges",
    "Rows",
    "Shadows",
    "Shelf",
    "Store",
    "StoredAudiences",
    "StoredFeedback",
    "StoredForgetting",
    "StoredMarks",
    "StoredPosts",
    "StoredProposals",
    "StoredSignals",
    "StoredVectors",
    "TextEncoder",
    "Threads",
    "Tracker",
    "Trainer",
    "Transaction",
    "Unmetered",
    "Weeks",
]
