"""The parts of a card, read in one statement: a press waits for them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.card import CardParts
from bot.domain.correction import Correction
from bot.domain.feedback import AskerFeedback
from bot.domain.prompt import Prompt
from bot.domain.question import Question, Verdict
from bot.domain.release import Release
from storage.releases import release_of
from storage.tables import corrections, feedback, prompts, questions, releases, signals, verdicts

_ID: BindParameter[str] = bindparam("id")
_NEWEST_VERDICT = select(func.max(verdicts.c.number)).where(verdicts.c.question_id == _ID).scalar_subquery()
_NEWEST_CORRECTION = select(func.max(corrections.c.seq)).where(corrections.c.question_id == _ID).scalar_subquery()
_NEWEST_FEEDBACK = select(func.max(feedback.c.seq)).where(feedback.c.question_id == _ID).scalar_subquery()
_SIGNALLED = exists().where(signals.c.question_id == _ID, ~signals.c.withdrawn)
_PAIRED = exists().where(questions.c.id == bindparam("second"), questions.c.text != "")
_THINGS = (
    (Verdict, verdicts),
    (Release, releases),
    (Correction, corrections),
    (AskerFeedback, feedback),
)
_COLUMNS = [[table.c[name] for name in thing.model_fields] for thing, table in _THINGS]
_PARTS = (
    select(prompts.c.body, _SIGNALLED, _PAIRED, *(column for columns in _COLUMNS for column in columns))
    .select_from(verdicts)
    .join(releases, releases.c.id == verdicts.c.release_id)
    .join(prompts, prompts.c.id == releases.c.prompt_id)
    .outerjoin(corrections, (corrections.c.question_id == _ID) & (corrections.c.seq == _NEWEST_CORRECTION))
    .outerjoin(feedback, (feedback.c.question_id == _ID) & (feedback.c.seq == _NEWEST_FEEDBACK))
    .where(verdicts.c.number == _NEWEST_VERDICT)
)


class SqlCards:
    """The newest of a question in several tables."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def parts(self, question: Question) -> CardParts | None:
        asked = {"id": question.id, "second": question.second_id}
        found = (await self._connection.execute(_PARTS, asked)).one_or_none()
        if found is None:
            return None
        body, signalled, paired, *values = found
        verdict, release, correction, said = _split(values)
        return CardParts(
            verdict=Verdict.model_validate(verdict),
            release=release_of(release),
            prompt=Prompt.kept(body),
            correction=Correction.model_validate(correction) if correction["seq"] else None,
            feedback=AskerFeedback.model_validate(said) if said["seq"] else None,
            signalled=bool(signalled),
            paired=bool(paired),
        )


def _split(values: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the fields of each thing."""
    found, rest = list[dict[str, Any]](), iter(values)
    for thing, _ in _THINGS:
        found.append(dict(zip(thing.model_fields, rest, strict=False)))
    return found
