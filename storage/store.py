"""The store: transactions with access to every kind of stored thing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from bot import ports
from storage.askers import SqlAskers
from storage.audiences import SqlAudiences
from storage.audit import SqlAuditLog
from storage.batches import SqlBatches
from storage.cards import SqlCards
from storage.corrections import SqlCorrections
from storage.cursors import SqlCursors
from storage.database import Database
from storage.datasets import SqlDatasets
from storage.due import SqlDue
from storage.feedback import SqlFeedback, SqlSignals
from storage.files import SqlShelf
from storage.finetunes import SqlFinetunes
from storage.forgetting import SqlForgetting
from storage.inbox import SqlInbox
from storage.index_parts import SqlIndexParts
from storage.leases import SqlLeases
from storage.looks import SqlLooks
from storage.marks import SqlMarks
from storage.mirrored import (
    MirroredAudiences,
    MirroredCorrections,
    MirroredFinetunes,
    MirroredQuestions,
    MirroredRows,
    MirroredShadows,
)
from storage.outbox import SqlOutbox
from storage.posts import SqlPosts
from storage.prompts import SqlPrompts
from storage.proposals import SqlProposals
from storage.questions import SqlQuestions
from storage.releases import SqlReleases
from storage.replicas import SqlReplicas
from storage.results import SqlResults
from storage.rows import SqlRows
from storage.shadows import SqlShadows
from storage.vectors import SqlVectors
from storage.weeks import SqlWeeks


class SqlTransaction:
    """One unit of work on a connection with an open transaction."""

    def __init__(self, connection: AsyncConnection, *, mirrored: bool = False) -> None:  # noqa: PLR0915 - one line a kind
        self.inbox: ports.Inbox = SqlInbox(connection)
        self.questions: ports.Questions = (MirroredQuestions if mirrored else SqlQuestions)(connection)
        self.cards: ports.Cards = SqlCards(connection)
        self.corrections: ports.Corrections = (MirroredCorrections if mirrored else SqlCorrections)(connection)
        self.feedback: ports.StoredFeedback = SqlFeedback(connection)
        self.signals: ports.StoredSignals = SqlSignals(connection)
        self.marks: ports.StoredMarks = SqlMarks(connection)
        self.rows: ports.Rows = (MirroredRows if mirrored else SqlRows)(connection)
        self.prompts: ports.Prompts = SqlPrompts(connection)
        self.releases: ports.Releases = SqlReleases(connection)
        self.finetunes: ports.Finetunes = (MirroredFinetunes if mirrored else SqlFinetunes)(connection)
        self.proposals: ports.StoredProposals = SqlProposals(connection)
        self.weeks: ports.Weeks = SqlWeeks(connection)
        self.datasets: ports.Datasets = SqlDatasets(connection)
        self.shelf: ports.Shelf = SqlShelf(connection)
        self.results: ports.Results = SqlResults(connection)
        self.shadows: ports.Shadows = (MirroredShadows if mirrored else SqlShadows)(connection)
        self.batches: ports.Batches = SqlBatches(connection)
        self.outbox: ports.Outbox = SqlOutbox(connection)
        self.due: ports.Due = SqlDue(connection)
        self.leases: ports.Leases = SqlLeases(connection)
        self.replicas: ports.Replicas = SqlReplicas(connection)
        self.cursors: ports.Cursors = SqlCursors(connection)
        self.audiences: ports.StoredAudiences = (MirroredAudiences if mirrored else SqlAudiences)(connection)
        self.vectors: ports.StoredVectors = SqlVectors(connection)
        self.index_parts: ports.IndexParts = SqlIndexParts(connection)
        self.looks: ports.Looks = SqlLooks(connection)
        self.askers: ports.Askers = SqlAskers(connection)
        self.audit: ports.AuditLog = SqlAuditLog(connection)
        self.forgetting: ports.StoredForgetting = SqlForgetting(connection)
        self.posts: ports.StoredPosts = SqlPosts(connection)


class SqlStore:
    """The store in a database whose tables are migrated.

    Args:
        database: The database.
        mirrored: Whether each change is also noted in the outbox for the mirror (bot/domain/mirrored.py).
    """

    def __init__(self, database: Database, *, mirrored: bool = False) -> None:
        self._database = database
        self._mirrored = mirrored

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[ports.Transaction]:
        """Open a transaction; raises what `Database.begin` raises."""
        async with self._database.begin() as connection:
            yield SqlTransaction(connection, mirrored=self._mirrored)

    @asynccontextmanager
    async def snapshot(self, *, patient: bool = False) -> AsyncIterator[ports.Transaction]:
        """Open a read-only snapshot, as `Database.snapshot` does."""
        async with self._database.snapshot(patient=patient) as connection:
            yield SqlTransaction(connection)

    async def scrub(self) -> bool:
        """Remove deleted texts from the database's own files; raises what the database raises."""
        return await self._database.scrub()
