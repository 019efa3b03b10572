"""The questions of the stories, and how they act through the practice page."""

import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot.app.running import Running
from bot.domain.dataset import Split, group_of, split_of
from bot.practice import Person, Server
from bot.practice.person import RefusedError, Which
from bot.practice.state import elements
from handlers.views import ids

Message = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """A company's own way of sorting: no prompt could guess where `perks` go; `usual` go where anybody would expect."""

    language: str
    asked: str
    again: str
    similar: str
    """The question of `asked` in other words."""
    perks: tuple[str, ...]
    usual: dict[str, str]
    """Each question with its right category."""
    because: str
    """The admin's sentence for switching before there is enough evidence."""


JAPANESE = Story(
    language="ja",
    asked="カフェテリアポイントの使い道を教えてください",
    again="カフェテリアポイントは何に使えますか",
    similar="カフェテリアポイントの使い方を教えてほしい",
    perks=(
        "カフェテリアポイントの残りを知りたい",
        "カフェテリアポイントはいつ失効しますか",
        "カフェテリアポイントでジムに通えますか",
        "家族もカフェテリアポイントを使えますか",
        "カフェテリアポイントが付与されていません",
        "カフェテリアポイントの申し込み方を知りたい",
    ),
    usual={
        "有給休暇の残り日数はどこで見られますか": "labor",
        "残業時間の上限は何時間ですか": "labor",
        "パスワードの期限が切れました": "it",
        "VPNの接続が切れてしまいます": "it",
        "会議室のモニターが足りません": "general_affairs",
        "名刺の英語版を作りたい": "general_affairs",
        "領収書の宛名は会社名でよいですか": "accounting",
        "出張費の仮払いはできますか": "accounting",
    },
    because="ポイントの質問が多い週なので先に使います",
)
ENGLISH = Story(
    language="en",
    asked="What can I spend my Acorn points on?",
    again="Where are Acorn points accepted?",
    similar="How can I spend my Acorn points?",
    perks=(
        "How many Acorn points do I have?",
        "When do my Acorn points expire?",
        "Can I use Acorn points for a gym?",
        "May my family use my Acorn points?",
        "My Acorn points have not arrived",
        "How do I sign up for Acorn points?",
    ),
    usual={
        "How many vacation days do I have left this year?": "labor",
        "What is the limit for overtime hours?": "labor",
        "My password has expired": "it",
        "The VPN connection drops all the time": "it",
        "We need another monitor in the meeting room": "general_affairs",
        "I would like business cards in Japanese": "general_affairs",
        "Whose name should be on the receipt?": "accounting",
        "Can I get an advance for travel expenses?": "accounting",
    },
    because="Everybody asks about the points this week",
)
STORIES = (JAPANESE, ENGLISH)


class LoopDesk:
    """The help desk, with the windows of an employee, a member of staff and the admin."""

    def __init__(self, server: Server, employee: Person, staff: Person, admin: Person) -> None:
        self.channel = server.channels.help_desk.id
        self.employee = employee
        self.staff = staff
        self.admin = admin

    async def ask(self, text: str) -> Message:
        """Ask a question and return the card that answers it."""
        return await self.employee.answer(await self.employee.say(self.channel, text), timeout=60.0)

    async def settle(self, card: Message, category: str) -> Message:
        """Have staff press the right category; return the settled card."""
        before = card["ts"]
        if category in {choice.category for choice in choices(card)}:
            await self._press(card, lambda element: f'"c":"{category}"' in element.get("value", ""))
        else:
            await self._press(card, ids.CORRECT_OPEN)
            await self.submit(category)
        return await self.employee.message(lambda m: m["ts"] == before and ids.UNDO in actions(m), timeout=60.0)

    async def _press(self, card: Message, which: Which) -> None:
        """Press a control of a card, which may have changed since it was read."""
        try:
            await self.staff.press(card, which)
        except RefusedError as refused:
            if refused.error != "stale_action":
                raise
            thread = await self.staff.replies(card["channel"], card["thread_ts"])
            await self.staff.press(next(one for one in thread if one["ts"] == card["ts"]), which)

    async def submit(self, category: str | None = None) -> None:
        """Submit the form that is open, with this category or as it is.

        Events about earlier forms are passed over.
        """
        while True:
            form = await self.staff.view(timeout=60.0)
            block = next((one for one in form["blocks"] if one["block_id"] == ids.CATEGORY_INPUT), None)
            if block is None:
                continue
            values = {}
            if category:
                chosen = next(option for option in block["element"]["options"] if option["value"] == category)
                entry = {"type": "static_select", "selected_option": chosen}
                values = {ids.CATEGORY_INPUT: {ids.CATEGORY_INPUT: entry}}
            try:
                assert await self.staff.submit(form, values) == {}
            except RefusedError as refused:
                if refused.error != "not_found":
                    raise
            else:
                return

    async def command(self, text: str) -> Message:
        """Type a command as the admin and return its private answer; earlier private messages may still come in."""
        asked = time.time()
        await self.admin.command(f"/finetune {text}", self.channel)
        return await self.admin.message(lambda m: "ephemeral" in m and float(m["ts"]) >= asked, timeout=60.0)


@asynccontextmanager
async def open_loop_desk(running: Running) -> AsyncIterator[LoopDesk]:
    server = running.practice
    assert server
    people = server.people
    async with (
        Person(server.url, people.employees[0].id) as employee,
        Person(server.url, people.staff[0].id) as staff,
        Person(server.url, people.admin.id) as admin,
    ):
        yield LoopDesk(server, employee, staff, admin)


def sentence(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """Return the form of an override as it is submitted."""
    return {ids.SENTENCE_INPUT: {ids.SENTENCE_INPUT: {"type": "plain_text_input", "value": text}}}


def said(card: Message) -> str:
    """Return the category that the card says, read from its agree button."""
    value = next(e["value"] for _, e in elements(card["blocks"]) if e["action_id"] == ids.AGREE)
    return ids.CategoryChoice.unpacked(value).category


def choices(card: Message) -> list[ids.CategoryChoice]:
    """Return what the card's buttons settle."""
    values = [element.get("value", "") for _, element in elements(card["blocks"])]
    return [ids.CategoryChoice.unpacked(value) for value in values if '"c":' in value]


def actions(message: Message) -> set[str]:
    return {element["action_id"] for _, element in elements(message.get("blocks", []))}


def words(message: Message) -> str:
    """Return all text of a message and its sections."""
    parts = [b["text"]["text"] for b in message.get("blocks", []) if b.get("type") == "section"]
    return "\n".join([message["text"], *parts])


async def settle_all_questions(desk: LoopDesk, story: Story, *, guessed: str = "") -> str:
    """Have staff settle every question of the story; return the category that its perks belong to.

    It is neither what the bot says of them first nor `guessed`.
    """
    first = await desk.ask(story.asked)
    perks_go_to = next(one for one in ("hr", "accounting", "labor") if one not in {said(first), guessed})
    await desk.settle(first, perks_go_to)
    for text in story.perks:
        await desk.settle(await desk.ask(text), perks_go_to)
    for text, category in story.usual.items():
        await desk.settle(await desk.ask(text), category)
    return perks_go_to


async def run_finetune(desk: LoopDesk) -> str:
    """Start a fine-tune, wait for its announcement, and return the name of the version that it made."""
    plan = await desk.command("start")
    assert ids.FINETUNE_CONFIRM in actions(plan), words(plan)
    await desk.admin.press(plan, ids.FINETUNE_CONFIRM)
    told = await desk.admin.message(lambda m: ids.FINETUNE_COMPARE in actions(m), timeout=60.0)
    return version_in(told)


async def candidate(desk: LoopDesk, recall: int) -> str:
    """Make a candidate with this recall and return its name."""
    return version_in(await desk.command(f"recall {recall}"))


def version_in(message: Message) -> str:
    """Return the first name of a version in a message."""
    found = re.search(r"\bv\d+", words(message))
    assert found, words(message)
    return found.group()


async def details(desk: LoopDesk, message: Message) -> str:
    """Press *Details* as the admin and return all text of the modal, once it is filled."""
    await desk.admin.press(message, ids.DETAILS)
    await desk.admin.view()
    view = await desk.admin.view()
    return "\n".join(block["text"]["text"] for block in view["blocks"])


async def serve(desk: LoopDesk, release: str) -> None:
    told = words(await desk.command(f"switch {release} because a test wants it to answer now"))
    assert release in told, told


FRAMES = {
    "ja": [
        "{}について教えてください",
        "{}の担当は誰ですか",
        "{}に困っています",
        "{}の締め切りはいつですか",
        "{}を申請したい",
        "{}ができません",
        "{}の変更は可能ですか",
        "{}はどこで見られますか",
    ],
    "en": [
        "how do I get my {}",
        "who knows about the {}",
        "the {} does not work",
        "where do I find the {}",
        "can I change my {}",
        "when is the {} due",
        "the {} was cancelled",
        "is there a list of {} rules",
    ],
}
SUBJECTS = {
    "ja": {
        "labor": ["有給", "残業", "育休", "シフト", "遅刻", "産休", "夜勤"],
        "hr": ["評価", "昇進", "研修", "面談", "異動", "採用", "社宅"],
        "it": ["PC", "VPN", "パスワード", "メール", "画面", "マウス", "回線"],
        "accounting": ["領収書", "経費", "請求書", "出張費", "振込", "予算", "消費税"],
        "general_affairs": ["名刺", "会議室", "備品", "駐車場", "郵便", "鍵", "清掃"],
        "other": ["天気", "昼食", "音楽", "映画", "旅行", "料理", "野球"],
    },
    "en": {
        "labor": ["overtime", "leave", "shift", "break", "holiday", "lateness", "timesheet"],
        "hr": ["review", "promotion", "training", "interview", "transfer", "hiring", "mentor"],
        "it": ["laptop", "vpn", "password", "mailbox", "screen", "mouse", "wifi"],
        "accounting": ["receipt", "expense", "invoice", "refund", "payment", "budget", "tax"],
        "general_affairs": ["badge", "room", "desk", "parking", "mail", "key", "cleaning"],
        "other": ["weather", "lunch", "game", "movie", "music", "journey", "recipe"],
    },
}


async def settle_all(running: Running, language: str, subjects: int = 7) -> None:
    """Import all held-out questions about these first subjects of each category, and some of the others."""
    lines = [
        json.dumps({"text": frame.format(subject), "category": category})
        for category, named in SUBJECTS[language].items()
        for subject, frame in itertools.product(named[:subjects], FRAMES[language])
        if split_of(group_of(frame.format(subject))) is Split.HELD_OUT or frame in FRAMES[language][:3]
    ]
    assert not (await running.core.acts.importing.load("\n".join(lines).encode(), "generated.jsonl")).bad


async def settle_anew(desk: LoopDesk, language: str, n: int) -> None:
    """Ask so many questions about the last subject of each category, and have staff settle them."""
    asked = [
        (frame.format(named[-1]), category)
        for frame in FRAMES[language]
        for category, named in SUBJECTS[language].items()
    ]
    for text, category in asked[:n]:
        await desk.settle(await desk.ask(text), category)
