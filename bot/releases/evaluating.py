"""Evaluations of a release on rows that no fine-tune was trained on, and the gate's decision on it."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.domain.attack import Attack, AttackReport, attack_report, attack_rows, attacks_on, is_attack
from bot.domain.dataset import Row, Source, Split, text_key, usable_rows
from bot.domain.errors import ModelDown, ModelError, ModelRefused, Reason, Refused, Trouble
from bot.domain.evaluation import Evaluation, changes, held_out
from bot.domain.gate import decide, undecided
from bot.domain.prompt import Prompt
from bot.domain.release import EMBEDDED, Release
from bot.domain.scorecard import FILTERED, Judged, KeptFigures, Result, Scorecard, scorecard
from bot.domain.shares import set_aside
from bot.domain.similar import Example
from bot.ports import Clock, Embedded, Estimator, Model, Neighbours, NothingEmbedded, Store, Transaction
from bot.questions.recalling import Recalling
from bot.releases.evidence import Both, FairRows, lineage, trained_rows
from bot.similarity.disjoint import UnseenRows

CONCURRENT_CLASSIFICATIONS = 8
"""Maximum number of classifications in flight per provider, so that live questions still get through."""
PER_SECOND = 5.0
"""Classifications started per second at one provider: below the 500 requests a minute of OpenAI's lowest paid tier."""
ROUND_PAUSES = (2.0, 10.0, 30.0)
"""Pauses in seconds before failed rows are asked again. After the last round the run fails; a later run continues."""
SEARCHED_AT_ONCE = 16
"""Rows whose examples are looked for together: one read of the database serves them all, and one of the encoder."""
MOST_FAILURES = 8
"""Maximum number of failures in one round, so that a model that is down is not asked hundreds of rows."""
FILTERED_KEPT = timedelta(days=7)
"""Age up to which a row that a content filter stopped is not asked again. Companies change the settings of a filter."""
KEPT_FIGURES = "evaluated:"
"""Beginning of the cursors that keep the figures of each release's last evaluation; its id follows."""

OnProgress = Callable[[int, int], object]
"""Callback that gets the number of answered rows and the number of all rows."""


class Evaluating:
    """Evaluations of releases by their stored answers to settled questions, and by the gate.

    Args:
        store: The rows and the answers; an interrupted run continues from the stored answers.
        model: The model port, for all providers.
        clock: The time of the answers.
        neighbours: The source of examples for a release with recall.
        estimator: The price of the answers.
        per_second: Provider → classifications per second, where it differs from PER_SECOND.
        pauses: Seconds; replaces ROUND_PAUSES.
        embedded: Tells the revision of the embedded model. Questions that another revision answered are asked anew.
        attacks: Returns the attacks on a prompt, which a release is asked besides.
        guarded: Whether rows are set aside (`shares.py`).
        private_rows: Whether models elsewhere are asked rows, too, that not everybody may read.
    """

    def __init__(  # noqa: PLR0913 - the ports, and the pace
        self,
        store: Store,
        model: Model,
        clock: Clock,
        *,
        neighbours: Neighbours,
        estimator: Estimator,
        per_second: Mapping[str, float] | None = None,
        pauses: Sequence[float] = ROUND_PAUSES,
        embedded: Embedded | None = None,
        attacks: Callable[[Prompt], list[Attack]] = attacks_on,
        guarded: bool = True,
        private_rows: bool = False,
    ) -> None:
        self._guarded = guarded
        self._private_rows = private_rows
        self._store = store
        self._model = model
        self._clock = clock
        self._neighbours = neighbours
        self._recalling = Recalling(store, neighbours, guarded=guarded)
        self._unseen = UnseenRows(neighbours)
        self._estimator = estimator
        self._attacks = attacks
        self._rates = per_second or {}
        self._pauses = pauses
        self._embedded = embedded or NothingEmbedded()
        self._fair = FairRows(store, neighbours, self._embedded)
        self._throttles: dict[str, Throttle] = {}
        self._unsaved: list[tuple[Row, Result]] = []
        self._saving = asyncio.Lock()
        self._busy: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def revision(self, release: Release) -> str | None:
        """Return the revision that the release answers under; None if its model is not the embedded one."""
        return self._embedded.revision(release.model)

    async def evaluate(self, release: Release, progress: OnProgress = lambda _done, _of: None) -> Evaluation:
        """Return the figures on the held-out rows; for a candidate also the gate's decision and the changed rows.

        The gate decides on the rows that neither release has learned (`FairRows`).

        Raises:
            ModelDown, ModelRefused: the release did not answer every row; the answers so far are stored.
            Refused: NOT_DISJOINT, if a held-out question was trained on after all; FORGOTTEN_MEANWHILE, if a row was
                forgotten before it was asked: the next evaluation goes on without it.
        """
        prompt, usable = await self._usable(release)
        rows = await self._askable(release, usable)
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
        judged = await self.judge(release, rows, progress)
        card = scorecard(release.id, held_out(judged))
        await self._keep(release, card)
        cost = self._estimator.cost(release.model, card.tokens_in, card.tokens_out) if card.rows else None
        evaluation = Evaluation(
            release=release,
            prompt=prompt,
            card=card,
            usd=None if cost is None else cost / card.rows,
            filtered=tuple(one.row for one in judged if one.result.filtered),
            attacks=await self._attacked(release, prompt),
            private=len(usable) - len(rows),
        ).model_copy(update=await self._learning(release, judged))
        if serving is None or serving.id == release.id:
            return evaluation
        try:
            serving_judged = await self.judge(serving, rows, progress)
        except ModelError:
            return evaluation.model_copy(update={"serving": serving, "decision": undecided(serving.id)})
        before = scorecard(serving.id, held_out(serving_judged))
        await self._keep(serving, before)
        evidence = await self._fair.compared(judged, serving_judged, await self._both(release, serving))
        card_of_evidence = scorecard(release.id, evidence.candidate)
        decision = decide(
            evidence.comparison, card_of_evidence, scorecard(serving.id, evidence.serving), evidence.generous
        )
        comparison = {
            "serving": serving,
            "before": before,
            "decision": decision,
            "evidence": evidence,
            "changes": changes(serving_judged, judged),
        }
        return evaluation.model_copy(update=comparison)

    async def _both(self, candidate: Release, serving: Release) -> Both:
        shown = [*(await self._prompt(candidate)).examples, *(await self._prompt(serving)).examples]
        return Both(candidate=candidate, serving=serving, shown=tuple(dict.fromkeys(shown)))

    async def _learning(self, release: Release, judged: Sequence[Judged]) -> dict[str, object]:
        """Return how many corrections the release was trained on, those still wrong, and the trust in the training."""
        async with self._store.transaction() as tx:
            finetune = await tx.finetunes.get(release.finetune_id) if release.finetune_id else None
            texts = await tx.finetunes.trained_rows(finetune.id) if finetune else {}
        if finetune is None:
            return {}
        taught = [
            one
            for one in judged
            if one.row.source is Source.CHANGE
            and texts.get(one.row.id) == one.row.text
            and one.row.settled_at <= finetune.created_at
        ]
        wrong = tuple(one for one in taught if not one.right)
        return {"learned": len(taught), "still_wrong": wrong, "trust": finetune.trust}

    async def _attacked(self, release: Release, prompt: Prompt) -> AttackReport | None:
        """Return how often the release obeys a question that orders a category; None if nothing could be asked."""
        attacks = self._attacks(prompt)
        try:
            judged = await self.judge(release, attack_rows(attacks))
        except ModelError:
            return None  # the figures on settled rows are worth showing without it
        return attack_report(attacks, [one.result for one in judged]) if attacks else None

    async def seconds(self, release: Release) -> float:
        """Return how many seconds `evaluate` takes at least, from the rate at which each provider is asked."""
        prompt, rows = await self._rows(release)
        attacks = {text_key(attack.text) for attack in self._attacks(prompt)}
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
            both = {one.id: one for one in (release, serving) if one}.values()
            known = {one.id: await self._known(tx, one) for one in both}
        keys = {text_key(row.text) for row in rows}
        asked = {one.id: keys | attacks if one.id == release.id else keys for one in both}
        return sum(len(asked[one.id] - known[one.id].keys()) / self._rate(one.model.provider) for one in both)

    async def _known(self, tx: Transaction, release: Release) -> dict[str, Result]:
        """Return the stored answers that the release would still give, by the key of their text.

        Examples may change with each change of a row. The embedded model costs nothing, so its answers from before
        the last change are not used.
        """
        known = await tx.results.of(release.id, self.revision(release))
        changed = await tx.rows.last_change() if release.recall and release.model.provider == EMBEDDED else None
        oldest_filtered = self._clock.now() - FILTERED_KEPT
        return {
            key: one
            for key, one in known.items()
            if (changed is None or one.at >= changed) and not (one.filtered and one.at < oldest_filtered)
        }

    async def known(self, release: Release) -> KeptFigures | None:
        """Return the figures of the last evaluation; None if there was none, or by another revision of the model.

        No model is asked and no row is read, however many there are.
        """
        async with self._store.transaction() as tx:
            kept = await tx.cursors.get(f"{KEPT_FIGURES}{release.id}")
        found = KeptFigures.kept(json.loads(kept)) if kept else None
        return found if found and found.revision == self.revision(release) else None

    async def _keep(self, release: Release, card: Scorecard) -> None:
        """Keep the figures for `known`."""
        now = self._clock.now()
        figures = KeptFigures(rows=card.rows, right=card.right, at=now, revision=self.revision(release))
        async with self._store.transaction() as tx:
            await tx.cursors.move(f"{KEPT_FIGURES}{release.id}", figures.model_dump_json(), now)

    async def kept(self, release: Release) -> tuple[list[Judged], int]:
        """Return the held-out rows that the release has answered, and the number of the others; no model is asked."""
        async with self._store.transaction() as tx:
            known = await self._known(tx, release)
        _, rows = await self._rows(release)
        rows = [row for row in rows if row.split is Split.HELD_OUT]
        judged = [
            Judged(row=row, result=result) for row in rows if (result := known.get(text_key(row.text))) is not None
        ]
        return judged, len(rows) - len(judged)

    async def unanswered(self, release: Release) -> list[Row]:
        """Return the rows that `evaluate` would ask this release, one row per text, and last the attacks."""
        prompt, rows = await self._rows(release)
        rows = [*rows, *attack_rows(self._attacks(prompt))]
        async with self._store.transaction() as tx:
            known = await self._known(tx, release)
        return list({key: row for row in rows if (key := text_key(row.text)) not in known}.values())

    async def requests(self, release: Release) -> tuple[Prompt, list[tuple[str, str, Sequence[Example]]]]:
        """Return the prompt and, for each unanswered row, its text's key, its text and the examples to show with it."""
        unanswered = self._with_examples(release, await self.unanswered(release), kept=True)
        return await self._prompt(release), [(text_key(row.text), row.text, shown) async for row, shown in unanswered]

    async def probe(self, release: Release) -> None:
        """Ask a release one question, so that nobody switches to a model that does not answer.

        Raises:
            ModelDown, ModelRefused: the release does not answer.
        """
        prompt = await self._prompt(release)
        category = prompt.categories[0]
        try:
            await self._model.classify(release.model, prompt, next(iter(category.examples), category.name))
        except ModelRefused as error:
            if error.trouble is not Trouble.FILTERED:  # the filter answers, so the model does
                raise

    async def judge(
        self,
        release: Release,
        rows: Sequence[Row],
        progress: OnProgress = lambda _done, _of: None,
        *,
        keep: bool = True,
    ) -> list[Judged]:
        """Return the release's answer to each of these rows; stored answers are not asked for again.

        Args:
            release: The release to ask.
            rows: The rows to ask about.
            progress: Called after each answer.
            keep: False for rows outside the dataset: stored answers are not used, and new ones are not stored.

        Raises:
            ModelDown, ModelRefused: some rows got no answer in any round.
        """
        prompt = await self._prompt(release)
        async with self._busy[release.id]:
            known: dict[str, Result] = {}
            if keep:
                async with self._store.transaction() as tx:
                    known = await self._known(tx, release)
            run = Run(release, prompt, known, keep=keep)
            todo = {key: row for row in rows if (key := text_key(row.text)) not in known}
            await self._ask_all(run, todo, progress)
        return [Judged(row=row, result=known[text_key(row.text)]) for row in rows]

    async def judge_held_out(self, release: Release, progress: OnProgress = lambda _done, _of: None) -> list[Judged]:
        """Return the release's answer to each held-out row.

        Raises:
            ModelDown, ModelRefused: some rows got no answer in any round.
        """
        _, rows = await self._rows(release)
        return await self.judge(release, [row for row in rows if row.split is Split.HELD_OUT], progress)

    async def _ask_all(self, run: "Run", todo: dict[str, Row], progress: OnProgress) -> None:
        total = len(todo)
        for pause in (*self._pauses, None):
            before = len(todo)
            failures = await self._round(run, todo, lambda left: progress(total - left, total))
            if not todo:
                return
            retry_is_useless = len(todo) == before and not any(isinstance(error, ModelDown) for error in failures)
            if pause is None or retry_is_useless:
                raise failures[0]
            await asyncio.sleep(pause)

    async def _round(self, run: "Run", todo: dict[str, Row], report_left: Callable[[int], object]) -> list[ModelError]:
        """Ask each row in `todo` once. Answered rows are removed from `todo`; the failures are returned."""
        waiting = self._with_examples(run.release, [*todo.values()], kept=run.keep)
        turn, failures = asyncio.Lock(), list[ModelError]()

        async def next_row() -> tuple[Row, Sequence[Example]] | None:
            async with turn:
                return await anext(waiting, None)

        async def work() -> None:
            while len(failures) < MOST_FAILURES and (found := await next_row()):
                row, examples = found
                key = text_key(row.text)
                try:
                    run.known[key] = await self._ask(run, row, examples)
                except ModelError as error:
                    failures.append(error)
                else:
                    del todo[key]
                    report_left(len(todo))

        workers = [asyncio.ensure_future(work()) for _ in range(CONCURRENT_CLASSIFICATIONS)]
        try:
            await asyncio.gather(*workers)
        finally:  # a failed run must not go on asking, which costs money
            for each in workers:
                each.cancel()
        return failures

    async def _with_examples(
        self, release: Release, rows: Sequence[Row], *, kept: bool
    ) -> AsyncIterator[tuple[Row, Sequence[Example]]]:
        """Yield these rows, each with the examples to show. They are looked for a few rows at a time.

        Args:
            release: The release that is asked.
            rows: The rows.
            kept: Whether they are rows of the dataset.

        Raises:
            Refused: FORGOTTEN_MEANWHILE.
        """
        for start in range(0, len(rows), SEARCHED_AT_ONCE):
            some = rows[start : start + SEARCHED_AT_ONCE]
            if kept:
                await self._refuse_forgotten(some)
            shown = await self._recalling.examples_for_rows(release, some)
            examples = [example.text for one in shown for example in one]
            await self._embedded.read_ahead(release.model, [row.text for row in some], examples)
            for found in zip(some, shown, strict=True):
                yield found

    async def _ask(self, run: "Run", row: Row, examples: Sequence[Example]) -> Result:
        release = run.release
        async with self._throttle(release.model.provider).turn():
            started = time.perf_counter()
            try:
                answer = await self._model.classify(release.model, run.prompt, row.text, examples, explain=False)
            except ModelRefused as error:
                if error.trouble is not Trouble.FILTERED:
                    raise
                result = self.filtered(release, text_key(row.text))
            else:
                result = Result(
                    release_id=release.id,
                    text_key=text_key(row.text),
                    latency_ms=round((time.perf_counter() - started) * 1000),
                    at=self._clock.now(),
                    **answer.model_dump(exclude={"reason"}),
                )
        if run.keep:
            await self._save(row, result)
        return result

    def filtered(self, release: Release, key: str, revision: str | None = None) -> Result:
        """Return the result of a text, by its key, that the provider's content filter stopped now."""
        return Result(
            release_id=release.id,
            text_key=key,
            category=FILTERED,
            confidence=None,
            latency_ms=None,
            tokens_in=0,
            tokens_out=0,
            at=self._clock.now(),
            revision=revision,
        )

    async def _save(self, row: Row, result: Result) -> None:
        """Store an answer. Answers that arrive during a write share the next transaction."""
        self._unsaved.append((row, result))
        async with self._saving:
            waiting, self._unsaved = self._unsaved, []
            if waiting:
                await self.keep(waiting)

    async def keep(self, answered: Sequence[tuple[Row, Result]]) -> None:
        """Store answers to rows, but none whose row was forgotten while it was asked."""
        async with self._store.transaction() as tx:
            standing = await tx.forgetting.standing(_stored_ids(row for row, _ in answered))
            await tx.results.put([result for row, result in answered if is_attack(row) or row.id in standing])

    async def _refuse_forgotten(self, rows: Sequence[Row]) -> None:
        ids = _stored_ids(rows)
        async with self._store.transaction() as tx:
            if await tx.forgetting.standing(ids) != ids:
                raise Refused(Reason.FORGOTTEN_MEANWHILE)

    def _throttle(self, provider: str) -> "Throttle":
        if provider not in self._throttles:
            self._throttles[provider] = Throttle(CONCURRENT_CLASSIFICATIONS, self._rate(provider))
        return self._throttles[provider]

    def _rate(self, provider: str) -> float:
        return self._rates.get(provider, PER_SECOND)

    async def _prompt(self, release: Release) -> Prompt:
        async with self._store.transaction() as tx:
            prompt = await tx.prompts.get(release.prompt_id)
        if prompt is None:
            raise ModelRefused(f"release {release.id} has no prompt")
        return prompt

    async def _rows(self, release: Release) -> tuple[Prompt, list[Row]]:
        """Return the prompt and the rows that the release is asked."""
        prompt, usable = await self._usable(release)
        return prompt, await self._askable(release, usable)

    async def _askable(self, release: Release, usable: list[Row]) -> list[Row]:
        """Return the rows that both releases of a comparison may be asked.

        Private rows are left out if one of the two models runs elsewhere. They were meant for the model that answers,
        not for every model that is tried.
        """
        async with self._store.transaction() as tx:
            serving = await tx.releases.serving()
        both = [one for one in (release, serving) if one]
        if self._private_rows or all(self._embedded.reads_here(one.model) for one in both):
            return usable
        return [row for row in usable if row.public]

    async def _usable(self, release: Release) -> tuple[Prompt, list[Row]]:
        """Return the prompt and all settled rows that the release could get right.

        Rows in a conflict, and rows of a category that the prompt lacks, are left out. So are held-out rows of which
        this release or the serving one has seen a near-duplicate: in training, or in the examples of its prompt.
        """
        prompt = await self._prompt(release)
        async with self._store.snapshot() as tx:
            every = [row async for row in tx.rows.all()]
            looks = await tx.looks.all()
            serving = await tx.releases.serving()
            both = [one for one in (release, serving) if one]
            trained = await trained_rows(tx, [each for one in both for each in (await lineage(tx, one)).finetunes])
            prompts = [await tx.prompts.get(one.prompt_id) for one in both]
        rows = await asyncio.to_thread(usable_rows, every, await self._neighbours.contested(every))
        aside = (await asyncio.to_thread(set_aside, every, looks)).ids if self._guarded else frozenset()
        rows = [row for row in rows if row.id not in aside]
        held_out = [row for row in rows if row.split is Split.HELD_OUT]
        shown = dict.fromkeys(text for one in prompts if one for text in one.examples)
        unseen = {row.id for row in await self._unseen.of(held_out, trained, [*shown])}
        return prompt, [
            row for row in rows if prompt.category(row.category) and (row.split is Split.TRAIN or row.id in unseen)
        ]


def _stored_ids(rows: Iterable[Row]) -> set[str]:
    return {row.id for row in rows if not is_attack(row)}


class Run:
    """One run of a release: its prompt and the answers known so far."""

    def __init__(self, release: Release, prompt: Prompt, known: dict[str, Result], *, keep: bool) -> None:
        self.release = release
        self.prompt = prompt
        self.known = known
        self.keep = keep


class Throttle:
    """A limit on concurrent calls and on starts per second."""

    def __init__(self, at_once: int, per_second: float) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._gap = 1 / per_second
        self._next = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, which lasts until the end of the block."""
        async with self._room:
            now = asyncio.get_running_loop().time()
            start = max(now, self._next)
            self._next = start + self._gap
            await asyncio.sleep(start - now)
            yield
