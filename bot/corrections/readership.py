"""The right to read a question or a row outside of the place where it was asked."""

from collections.abc import Iterable
from typing import TypeVar

from bot.domain.audience import Audience
from bot.domain.dataset import Row
from bot.domain.question import Question
from bot.ports import Membership

AskedT = TypeVar("AskedT", Question, Row)


class Readership:
    """The rules of who may read what. Listeners reach them as `context.readership`.

    Check before one person is shown the text of a question, or anything that tells of it. Examples are a review queue,
    a comparison's rows, the examples under *Why this answer?*, and a reply. What several people see together
    (`review here`) may only hold what is public or was asked in that channel.

        shown = await context.readership.readable(call.spot.user, questions)

    A role gives no right to read: staff see no question of a private channel whose members they are not. A lock in a
    list belongs to each thing that `is_private` names.
    """

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    async def may_read(self, user: str, asked: Question | Row) -> bool:
        """Return whether this person may read a question or row.

        Everybody may read what is public. A private channel's questions are for its members, and so are those of a
        channel that Slack has not told of yet. A direct message is for its asker, and for staff once it was sent; rows
        of unsent ones are never read from the store. The caller checks that the person is staff.
        """
        if asked.audience is Audience.PUBLIC:
            return True
        if is_direct(asked):
            return isinstance(asked, Row) or not asked.unsent or asked.asker == user
        channel = asked.place.channel if isinstance(asked, Question) else asked.channel
        return channel is not None and await self._membership.holds(channel, user)

    async def readable(self, user: str, asked: Iterable[AskedT]) -> list[AskedT]:
        """Return those of these questions or rows that the person may read, in the same order.

        It asks Slack once for each private channel, one after the other, and remembers the answer for a minute.
        """
        return [one for one in asked if await self.may_read(user, one)]


def is_private(asked: Question | Row) -> bool:
    """Return whether only some people may read a question or row, so that a list marks it with a lock."""
    return asked.audience is not Audience.PUBLIC


def is_direct(asked: Question | Row) -> bool:
    """Return whether a question or row is from a direct message."""
    channel = asked.place.channel if isinstance(asked, Question) else asked.channel
    return asked.audience is Audience.DIRECT or (channel or "").startswith("D")
