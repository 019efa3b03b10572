"""Column types that mean the same on SQLite and on PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator


class Moment(TypeDecorator[datetime]):
    """An aware datetime. It comes back aware, in UTC; a naive one is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class WrittenText(TypeDecorator[str]):
    """Text that people or models wrote. U+0000, which PostgreSQL cannot hold, is kept as U+FFFD on both."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}")


# Order by code point, as Python and SQLite do: a company's locale must not decide the order of rows in an export.
KeyText = Text().with_variant(Text(collation="C"), "postgresql")

# SQLite numbers rows by itself only where the type is exactly INTEGER (64 bits all the same).
BigNumber = BigInteger().with_variant(Integer, "sqlite")

# Not JSONB: it reorders keys and refuses U+0000, which an arrival may hold.
DOCUMENT = JSON(none_as_null=True)
