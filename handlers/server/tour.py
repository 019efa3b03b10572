"""Routes for the first-steps card of the practice page: how far a newcomer has come, and sample examples."""

import asyncio
import csv
import io
from itertools import islice
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.dataset.importing import Importing
from bot.domain.finetune import UNDER_WAY, FinetuneState
from bot.ports import Store

SAMPLE_EXAMPLES = 60
"""Number of labelled questions that one press imports: enough to train on, read in a moment."""

TRAIN_COMMAND = "/finetune start"
"""The command that the card types for an admin."""


class Tour:
    """The routes `/tour` and `/tour/fill` of a practice workspace.

    The page of the workspace knows no bot, so it asks its own server, which passes these routes on to here. They are
    as open as the page itself: whoever reaches it can act as an admin there.
    """

    def __init__(self, prompt_folder: Path) -> None:
        self._history = prompt_folder / "history.csv"
        self._bot: tuple[Store, Importing] | None = None

    @property
    def routes(self) -> list[Route]:
        return [Route("/tour", self._answer), Route("/tour/fill", self._fill, methods=["POST"])]

    def start(self, store: Store, importing: Importing) -> None:
        """Answer from this bot from now on; until then the routes answer 503."""
        self._bot = store, importing

    async def _answer(self, _request: Request) -> Response:
        return JSONResponse(await self._state(self._bot[0])) if self._bot else Response(status_code=503)

    async def _fill(self, _request: Request) -> Response:
        if self._bot is None:
            return Response(status_code=503)
        store, importing = self._bot
        head = await asyncio.to_thread(_head, self._history)
        await importing.load(head.encode(), self._history.name)
        return JSONResponse(await self._state(store))

    async def _state(self, store: Store) -> dict[str, bool | int | str]:
        """Return which steps are done, and what the next ones need."""
        async with store.transaction() as tx:
            finetunes = await tx.finetunes.newest(limit=100)
            trained = [one.last_progress for one in finetunes if one.state is FinetuneState.SUCCEEDED]
            return {
                "asked": await tx.questions.count() > 0,
                "corrected": bool(await tx.corrections.settled_answers()),
                "training": any(one.state in UNDER_WAY for one in finetunes),
                "trained": bool(trained),
                "asked_again": bool(trained) and sum(await tx.questions.answers(min(trained))) > 0,
                "examples": sum((await tx.rows.counts()).values()),
                "fillable": self._history.is_file(),
                "train_command": TRAIN_COMMAND,
            }


def _head(history: Path) -> str:
    """Return the header and the first records of a CSV file, as CSV."""
    head = io.StringIO()
    with history.open(encoding="utf-8", newline="") as file:
        csv.writer(head).writerows(islice(csv.reader(file), SAMPLE_EXAMPLES + 1))
    return head.getvalue()
