"""The fixture with a mirrored store and its tracker."""

import pytest

from bot.releases.releasing import Releasing
from storage.database import Database
from storage.store import SqlStore
from tests.bot.things import BASE, PROMPT
from tests.kits.fakes import RuleModel, StepClock
from tests.kits.fakes_acts import FakeAnnouncer
from tests.kits.fakes_tracker import MemoryTracker
from tests.kits.mirror_desk import MirrorDesk


@pytest.fixture
async def mirror(database: Database, clock: StepClock, model: RuleModel, board: FakeAnnouncer) -> MirrorDesk:
    store = SqlStore(database, mirrored=True)
    await Releasing(store, clock).ensure(PROMPT, BASE)
    return MirrorDesk(store, clock, model, board, MemoryTracker(clock))
