"""All views keep Slack's limits for any data, in both languages; slack_sdk's models are the oracle."""

import html
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.corrections.reviewing import Entry, Page, ReviewProgress
from bot.domain.card import Card
from bot.domain.correction import Correction, CorrectionKind
from bot.domain.curve import Curve, Measured, Need
from bot.domain.dataset import Manifest
from bot.domain.finetune import Estimate, Finetune, FinetuneState
from bot.domain.gain import QueueReason
from bot.domain.prompt import Category, Prompt
from bot.domain.question import Place, Question, Verdict, Via
from bot.domain.release import ModelName, Release, ReleaseState
from bot.domain.scorecard import KeptFigures
from handlers.slack.announcer import MOST_STAFF_MENTIONS
from handlers.texts.escape import mention, visible
from handlers.texts.words import LANGUAGES, Language, Words
from handlers.views.card import NEXT_LIKELY, REASON_LENGTH, card, modal, settle_anyway
from handlers.views.details import sheet
from handlers.views.finetune import accuracy
from handlers.views.home import about, home, own_questions, roles
from handlers.views.ids import DETAILS, FINETUNE_COMPARE, FINETUNE_SWITCH, CategoryChoice, Form
from handlers.views.message import Message
from handlers.views.review import PAGE_SIZE, ShownPage, review
from handlers.views.review import progress as progress_of
from handlers.views.training import ended, paragraphs, progress, stalled
from tests.bot.things import PROMPT, row
from tests.kits.slack_desk import controls, texts

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3_000) | st.sampled_from(
    ["<!channel>" * 400, "&" * 3_000, "<https://x.example|x> https://y.example", ""]
)
WORDS = st.sampled_from(LANGUAGES).map(Words)
ID = st.text("abcdefghijklmnopqrstuvwxyz日本0123456789_-", min_size=1, max_size=64)


@st.composite
def cards(draw: st.DrawFn) -> Card:
    names = draw(st.lists(st.text(min_size=1, max_size=60).filter(str.strip), min_size=2, max_size=130, unique=True))
    category_ids = draw(st.lists(ID, min_size=len(names), max_size=len(names), unique=True))
    owner, guide = draw(st.sampled_from([None, "U1", "S1", "nobody"])), draw(st.none() | TEXT)
    categories = tuple(
        Category(id=i, name=name, owner=owner, guide=guide, other=n == 0)
        for n, (i, name) in enumerate(zip(category_ids, names, strict=True))
    )
    asked = Question(
        id="a" * 32,
        text="?",
        asker="U9",
        place=Place(team="T1", channel="C1", ts="1.1"),
        via=Via.DM,
        language="en",
        asked_at=AT,
        cut=draw(st.booleans()),
    )
    verdict = Verdict(
        id="b" * 32,
        question_id=asked.id,
        release_id="r",
        category=draw(st.sampled_from(category_ids)),
        reason=draw(TEXT),
        confidence=draw(st.none() | st.floats(0, 1)),
        latency_ms=1,
        tokens_in=1,
        tokens_out=1,
        at=AT,
    )
    settled = draw(st.none() | st.sampled_from([CorrectionKind.AGREE, CorrectionKind.CHANGE]))
    correction = settled and Correction(
        question_id=asked.id,
        seq=draw(st.integers(1, 10**6)),
        kind=settled,
        verdict_id=verdict.id,
        category=draw(st.sampled_from(category_ids)),
        reason=draw(st.none() | TEXT.map(lambda t: t[:REASON_LENGTH])),
        by="U2",
        at=AT,
    )
    prompt = Prompt(language="en", template="x", categories=categories)
    return Card(
        question=asked,
        verdict=verdict,
        prompt=prompt,
        settled=correction,
        seen=correction.seq if correction else 0,
        unsure=draw(st.booleans()),
    )


def walk(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(found for inner in value.values() for found in walk(inner))]
    return [found for inner in value for found in walk(inner)] if isinstance(value, list) else []


def check(blocks: list[dict[str, Any]], most: int) -> None:
    """Check Slack's limits (docs.slack.dev): those that slack_sdk checks, and those that it does not."""
    assert len(blocks) <= most
    for block in blocks:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.to_dict()
    named = [block["block_id"] for block in blocks if "block_id" in block]
    assert len(named) == len(set(named))
    for block in blocks:
        in_block = [found["action_id"] for found in walk(block) if "action_id" in found]
        assert len(in_block) == len(set(in_block))
        assert len(block.get("elements", [])) <= 25
    for found in walk(blocks):
        if found.get("type") == "button":
            assert len(found["text"]["text"]) <= 75
            assert len(found.get("value", "")) <= 2_000
        if "options" in found:
            assert 1 <= len(found["options"]) <= 100
            assert all(1 <= len(o["text"]["text"]) <= 75 and len(o["value"]) <= 150 for o in found["options"])
        if found.get("type") in {"mrkdwn", "plain_text"}:
            assert 1 <= len(found["text"]) <= 3_000
    assert sum(found.get("style") == "primary" for found in walk(blocks)) <= 1


def check_message(message: Message) -> None:
    check(message.blocks, 50)
    # chat.update refuses more than 4,000 characters.
    assert 1 <= len(message.text) <= 4_000
    mrkdwn = [message.text, *(f["text"] for f in walk(message.blocks) if f.get("type") == "mrkdwn")]
    for text in mrkdwn:
        for outside in ("<!channel", "<!here", "<!everyone", "<https"):
            assert outside not in text


@given(cards(), WORDS)
@settings(SLOW, max_examples=25)
def test_card_keeps_slacks_limits(shown: Card, words: Words) -> None:
    staff = ", ".join(f"<!subteam^S{n:010}>" for n in range(MOST_STAFF_MENTIONS))
    message = card(shown, words, staff)
    check_message(message)
    name = words.name(shown.category) if shown.category else ""
    said = [b["text"]["text"] for b in message.blocks if b["type"] == "section"]
    guessed = shown.unsure and shown.settled is None
    key = "card.guess" if guessed else "card.perhaps" if shown.doubtful else "card.owner"
    expected = words(key, category=name, owner="").removesuffix("→ ").strip()
    assert html.unescape(said[0]).startswith(visible(expected))
    assert (staff in said[0]) == (staff in message.text) == guessed
    owner = mention(shown.category.owner) if shown.category else None
    assert not (guessed and owner and owner in said[0]), "a guess notifies no owner"
    assert not (guessed and any(words("card.guide", guide="") in one for one in said))
    assert ("correct.undo" in controls({"blocks": message.blocks})) == (shown.settled is not None)
    if shown.settled is None:
        offered = [
            CategoryChoice.unpacked(f["value"]).category
            for f in walk(message.blocks)
            if f.get("value", "").startswith('{"q"')
            if '"c"' in f["value"]
        ]
        most = NEXT_LIKELY if shown.doubtful else NEXT_LIKELY + 1
        assert offered == [category.id for category in shown.likely[:most]]
        assert "correct.open" in controls({"blocks": message.blocks}), "all others are one press away"


@given(cards(), WORDS, st.none() | TEXT.map(lambda t: t[:REASON_LENGTH]))
@settings(SLOW, max_examples=25)
def test_settle_anyway_message_keeps_slacks_limits(shown: Card, words: Words, reason: str | None) -> None:
    choice = CategoryChoice(question=shown.question.id, seen=0, category=shown.prompt.categories[0].id, reason=reason)
    check_message(settle_anyway(shown, choice, words))


@given(
    shown=cards(), words=WORDS, draft=st.none() | TEXT.map(lambda text: text[:REASON_LENGTH]), drafting=st.booleans()
)
@settings(SLOW, max_examples=25)
def test_correction_form_keeps_slacks_limits(*, shown: Card, words: Words, draft: str | None, drafting: bool) -> None:
    form = Form(question=shown.question.id, seen=shown.seen, channel="C1", thread="1.1", draft=draft)
    view = modal(shown, form, shown.verdict.category, words, drafting=drafting)
    View(**view).to_dict()
    check(view["blocks"], 100)
    assert all(len(view[part]["text"]) <= 24 for part in ("title", "submit", "close"))
    assert Form.unpacked(view["private_metadata"]).question == shown.question.id
    assert len(view["private_metadata"]) <= 3_000


@given(shown=cards(), words=WORDS, staff=st.booleans(), admin=st.booleans())
@settings(SLOW, max_examples=30)
def test_app_home_keeps_slacks_limits(*, shown: Card, words: Words, staff: bool, admin: bool) -> None:
    view = home(
        [
            own_questions([shown] * 3, {}, words),
            about(shown.prompt, words, bot="<@U0>"),
            roles(words, staff="<@U1>" if staff else None, admin=admin),
        ]
    )
    View(**view).to_dict()
    check(view["blocks"], 100)
    assert ("/finetune" in texts(view)) == admin
    assert ("<@U1>" in texts(view)) or not staff


@given(
    state=st.sampled_from(FinetuneState),
    words=WORDS,
    error=st.none() | TEXT,
    said=st.none() | TEXT,
    named=st.booleans(),
)
@settings(SLOW, max_examples=25)
def test_fine_tune_messages_keep_slacks_limits(
    *, state: FinetuneState, words: Words, error: str | None, said: str | None, named: bool
) -> None:
    model = ModelName(provider="local", model="ft:base:madoguchi")
    made = Release(
        id="r1", model=model, prompt_id="p", state=ReleaseState.CANDIDATE, created_at=AT, version=4, examples=50
    )
    finetune = Finetune(
        id="ft-1",
        student=ModelName(provider="local", model="base"),
        dataset_id="d",
        prompt_id="p",
        estimate=Estimate(rows=50, tokens=1_000, epochs=3, usd=None, price_date=None),
        state=state,
        requested_by="U1",
        language=words.language,
        created_at=AT,
        updated_at=AT,
        model=model if named else None,
        error=error,
        progress=said,
    )
    end = ended(finetune, made if named else None, words)
    for message in (progress(finetune, words), stalled(finetune, words), end):
        check_message(message)
        assert "ft-1" not in texts(message.__dict__), "ids stand under Details"
    manifest = Manifest(
        id="d", prompt_id="p", rows=50, held_out=9, per_category={"it": 50}, sources={}, left_out={}, bytes=1
    )
    View(**sheet(paragraphs(finetune, manifest, PROMPT, words), words)).validate_json()
    if state is FinetuneState.SUCCEEDED and named:
        assert "v4" in end.text
        assert controls(end.__dict__) == [FINETUNE_SWITCH, FINETUNE_COMPARE, DETAILS]


def test_check_finds_violations_of_limits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with pytest.raises(SlackObjectFormationError):
        check([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}], 50)
    with pytest.raises(AssertionError):
        check([{"type": "no_such_block"}], 50)


REASONS = st.sampled_from(list(QueueReason))


@st.composite
def pages(draw: st.DrawFn) -> Page:
    entries = []
    for n in range(draw(st.integers(0, PAGE_SIZE))):
        shown = draw(cards())
        if draw(st.booleans()):
            shadow = draw(st.none() | st.sampled_from([c.id for c in shown.prompt.categories]))
            entries.append(Entry(key=f"{n:032}", why=draw(REASONS), prompt=shown.prompt, card=shown, shadow=shadow))
        else:
            names = draw(st.lists(st.sampled_from([c.id for c in shown.prompt.categories]), min_size=1, max_size=6))
            rows = tuple(row(draw(TEXT), name, row_id=str(at), at=at) for at, name in enumerate(names))
            entries.append(Entry(key=f"{n:032}", why=QueueReason.CONFLICT, prompt=shown.prompt, rows=rows))
    return Page(entries=tuple(entries), offset=draw(st.integers(0, 9_999)), waiting=draw(st.integers(0, 400)))


@given(pages(), WORDS)
@settings(SLOW, max_examples=25)
def test_review_keeps_limits_and_encodes_its_page(page: Page, words: Words) -> None:
    message = review(page, words, "small print")
    check_message(message)
    ids = [block["block_id"] for block in message.blocks if block["type"] == "actions"]
    assert len(set(ids)) == len(ids)
    for block_id in ids:
        assert ShownPage.read(block_id) == ShownPage.of(page, words.language)


POINTS = st.builds(Measured, trained=st.integers(0, 99_999), right=st.integers(0, 500), of=st.integers(500, 9_999))


@given(
    points=st.lists(POINTS, max_size=9),
    curve=st.none() | st.just(Curve(top=0.9, drop=0.4, half=100)),
    shown=cards(),
    more=st.lists(st.tuples(st.integers(1, 500), st.none() | st.floats(0, 1)), max_size=9),
    words=WORDS,
)
@settings(SLOW, max_examples=30)
def test_progress_fits_into_small_print(
    *,
    points: list[Measured],
    curve: Curve | None,
    shown: Card,
    more: list[tuple[int, float | None]],
    words: Words,
) -> None:
    needs = tuple(Need(category=shown.verdict.category, rows=0, more=n, recall=recall) for n, recall in more)
    state = ReviewProgress(
        prompt=shown.prompt, points=tuple(points), trainable=9, curve=curve if points else None, needs=needs
    )
    assert 0 < len(progress_of(state, words)) <= 2_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_flat_curve_differs_from_early_curve(language: Language) -> None:
    words = Words(language)
    points = tuple(Measured(trained=n, right=90 - n, of=100) for n in (0, 10, 20))
    state = ReviewProgress(prompt=PROMPT, points=points, trainable=30, curve=None, needs=())
    text = progress_of(state, words)
    assert words("review.curve.flat") in text
    assert "80% (71%" in text.replace("（", " ("), "each point has its interval"
    early = progress_of(state.model_copy(update={"points": points[:2]}), words)
    assert words("review.curve.early", n=2, least=3) in early


def test_accuracy_says_when_it_was_measured() -> None:
    figures, words = KeptFigures(rows=210, right=191, at=AT, revision=None), Words("en")
    assert accuracy(figures, words).startswith("right on 191 of 210 (91%, measured on <!date^")
    assert accuracy(figures, Words("ja")).startswith("210件中191件（91%、<!date^")
    assert accuracy(figures.model_copy(update={"rows": 0, "right": 0}), words) == "no questions to measure on yet"
    assert accuracy(None, words) == "not measured yet"
