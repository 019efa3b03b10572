"""Column types that behave the same on SQLite and on PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator

from bot.domain.characters import clean_text


class Moment(TypeDecorator[datetime]):
    """An aware datetime, read back in UTC. A naive one raises ValueError, wrapped in SQLAlchemy's StatementError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime needs a time zone to be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class WrittenText(TypeDecorator[str]):
    """Text written by people or models. U+0000 and half characters become U+FFFD: not every database can store them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - fixed by SQLAlchemy
        return None if value is None else clean_text(value)


# Sorted by code point, as in Python and SQLite: a server's locale must not decide the order of exported rows.
KeyText = Text().with_variant(Text(collation="C"), "postgresql")

# SQLite numbers rows automatically only if the type is exactly INTEGER, which also has 64 bits.
BigNumber = BigInteger().with_variant(Integer, "sqlite")

# Not JSONB: JSONB reorders keys and rejects U+0000, which an arrival may contain.
DOCUMENT = JSON(none_as_null=True)
