from datetime import datetime, timedelta, timezone

import pytest

from bot.domain.hours import next_working_moment

TOKYO = timedelta(hours=9)


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-27 10:00", "2026-11-27 10:00"),  # a Friday
        ("2026-11-27 17:59", "2026-11-27 17:59"),
        ("2026-11-27 18:00", "2026-11-30 09:00"),
        ("2026-11-28 10:00", "2026-11-30 09:00"),
        ("2026-11-30 08:00", "2026-11-30 09:00"),
        ("2026-11-30 20:00", "2026-12-01 09:00"),
    ],
)
def test_reminder_waits_for_working_hours(now: str, then: str) -> None:
    zone = timezone(TOKYO)
    moment = datetime.fromisoformat(now).replace(tzinfo=zone)
    assert next_working_moment(moment, TOKYO) == datetime.fromisoformat(then).replace(tzinfo=zone)
