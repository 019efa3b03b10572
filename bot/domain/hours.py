"""Working hours: Monday to Friday, 9:00 to 18:00, in a person's time zone."""

from datetime import datetime, time, timedelta, timezone

OPENS = time(9)
CLOSES = time(18)
SATURDAY = 5


def next_working_moment(now: datetime, utc_offset: timedelta) -> datetime:
    """Return `now` if it lies within working hours, else the next time at which they begin.

    Args:
        now: A moment.
        utc_offset: The person's time zone, as its present distance from UTC.
    """
    local = now.astimezone(timezone(utc_offset))
    if local.weekday() < SATURDAY and OPENS <= local.time() < CLOSES:
        return now
    day = local.date() + timedelta(days=local.time() >= OPENS)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return datetime.combine(day, OPENS, local.tzinfo)
