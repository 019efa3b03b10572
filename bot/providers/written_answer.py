"""The answer in a model's text: the last complete one outside of any reasoning.

Drafts, reasoning and an echoed template are never the answer. What could mean two categories means none, and so does
an answer that was begun and not finished: the model is asked again.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from bot.providers.lenient_json import NOTHING_BEGUN, LenientValue, Members, NotJson, Word, parse_lenient

DOUBLE_ENCODED = 3
"""How many times JSON within a JSON text is decoded."""

_REASONING = r"(?:think(?:ing)?|thoughts?|reasoning|analysis|scratchpad|reflection|draft|(?:begin|end)_of_thought)"
_TAG = re.compile(
    rf"(?P<open><\|?(?:\w+:)?(?!end_){_REASONING}\b[^<>\n]{{0,80}}>|◁{_REASONING}▷|\[think(?:ing)?\]|<\|channel>\w*)"
    rf"|<\|?(?:/(?:\w+:)?{_REASONING}|end_of_thought)\s*\|?>|◁/{_REASONING}▷|\[/think(?:ing)?\]|<channel\|>",
    re.IGNORECASE,
)
"""Matches the marks around reasoning. Without `open` it is a closing one."""
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)(?:[^<]*<\|message\|>)?")
"""The start of a channel of OpenAI's harmony format; only what stands in the channel `final` is the answer."""
_BARE_CHANNELS = re.compile(r"\s*analysis.*assistant\s*final(?=\W)", re.DOTALL)
"""The same format after a server dropped its special tokens."""
_FENCED_REASONING = re.compile(rf"```{_REASONING}\s*\n.*?(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```[\w+-]*|<\|\w+\|>|</?s>|<(?:eos|end_of_turn)>")
"""Code fences, and special tokens that a server left in the text."""
_FENCED_OBJECT = re.compile(r"\s*(?:```(?:json\w*|te?xt|js|javascript|python)?\s*)?(?=\{)", re.IGNORECASE)
_VALUE_BEGINS = re.compile(r"\{|\[\s*(?=\{)")
_LINE = (
    r"^[\s>*_#\-•\"'“【]*(?:{names})[\s*_\"'”]*[:：=】][ \t*_]*"
    r"(?:[\"'“](?P<quoted>[^\"'“”\n]+)[\"'”],?|(?P<bare>[^\"“”{{}}\n]+))\s*$"
)
_CATEGORY_LINE = re.compile(_LINE.format(names="category|カテゴリー?|分類"), re.MULTILINE | re.IGNORECASE)
_REASON_LINE = re.compile(_LINE.format(names="reason|理由"), re.MULTILINE | re.IGNORECASE)
_TAGGED = r"<(?P<tag>{names})\s*>(?P<tagged>[^<>]{{1,200}})</(?P=tag)\s*>"
_TAGGED_CATEGORY = re.compile(
    _TAGGED.format(names=r"(?:final[_ ]?)?answer|category|label|class|result|output|カテゴリー?|分類|回答")
    + r"|\\boxed\{(?:\\text\{)?(?P<boxed>[^{}]{1,200})\}",
    re.IGNORECASE,
)
_TAGGED_REASON = re.compile(_TAGGED.format(names="reason|理由"), re.IGNORECASE)
_CATEGORY_NAMES = frozenset(
    {
        *("category", "category_name", "category_id", "label", "class"),
        *("カテゴリ", "カテゴリー", "カテゴリ名", "カテゴリー名", "分類", "分類名"),
    }
)
_NO_REASON = re.compile(r"\W*(?:confidence|score|probability|確信度|信頼度)\b.*", re.IGNORECASE)
"""A line that stands beside an answer and is no reason for it."""
_REASON_MARK = re.compile(r"\W*(?:reason(?:ing)?|explanation|理由|説明)\W*[:：]\W*", re.IGNORECASE)
_REASON_NAMES = frozenset({"reason", "理由"})
_PLACEHOLDER = re.compile(r"\s*(?:[.…]+|<[^<>]*>|\{[^{}]*\})\s*")
_SEVERAL = re.compile(r"[|｜]|\bone of\b|のいずれか|のどれか|のうち")


@dataclass(frozen=True)
class WrittenAnswer:
    """An answer as the model wrote it.

    Attributes:
        category: The written label; None if it is unfinished, or more than one.
        reason: The written reason; empty if there is none.
        span: The place of the label in the text, with its closing mark; None if it has no such place.
    """

    category: str | None
    reason: str = ""
    span: tuple[int, int] | None = None


def written_answer(
    text: str,
    is_label: Callable[[str], bool],
    explained: Callable[[str], tuple[str, str] | None] = lambda _: None,
) -> WrittenAnswer | None:
    """Return the answer that stands in a text; None if there is none.

    Args:
        text: What the model wrote.
        is_label: Whether a text plainly means one category.
        explained: Returns the label that a text begins with, and the explanation behind it.
    """
    inner = _decoded(text)
    if inner != text:
        answer = written_answer(inner, is_label, explained)
        return WrittenAnswer(answer.category, answer.reason) if answer else None
    found = _whole(text)
    if found is None:
        text = _outside_reasoning(text)
        found = list(_objects(text))
        found = [_unless_template(one, is_label) for one in found]
    if found:
        return ([one for one in found if not _is_unfilled(one, is_label)] or found)[-1]
    return _in_words(text, is_label) or _explained(text, explained)


def _decoded(text: str) -> str:
    """Return the text within a JSON text, within another one at most."""
    for _ in range(DOUBLE_ENCODED):
        try:
            inner = json.loads(text) if text.lstrip().startswith('"') else None
        except (ValueError, RecursionError):
            return text
        if not isinstance(inner, str):
            return text
        text = inner
    return text


def _whole(text: str) -> list[WrittenAnswer] | None:
    """Return the answers of a text that is one valid JSON object; a mark of reasoning in it is a part of its texts."""
    begins = _FENCED_OBJECT.match(text)
    if not begins:
        return None
    try:
        json.loads(text[begins.end() :].rstrip("` \t\r\n"))
    except (ValueError, RecursionError):
        return None
    return list(_objects(text))


MOST_BROKEN_VALUES = 1_000
"""How many broken values are passed over in one text. Each costs some parsing: a hundred thousand took 13 seconds."""


def _objects(text: str) -> Iterator[WrittenAnswer]:
    """Yield the answers of all JSON values in a text."""
    at, broken = 0, 0
    while broken < MOST_BROKEN_VALUES and (begins := _VALUE_BEGINS.search(text, at)):
        at = begins.start() + 1
        try:
            value, end = parse_lenient(text, begins.start())
        except NotJson:
            broken += 1
            continue
        if value != NOTHING_BEGUN:
            at = end
            yield from _answers(value)


def _answers(value: LenientValue) -> Iterator[WrittenAnswer]:
    """Yield the one answer in a value: of an object with a category, or of what it wraps."""
    if isinstance(value, Word):
        return
    if isinstance(value, Members):
        if answer := _answer(value):
            yield answer
            return
        value = tuple(each for _, each in value.pairs)
    inner = [answer for each in value for answer in _answers(each)]
    if inner:
        yield inner[0] if len({answer.category for answer in inner}) == 1 else WrittenAnswer(None)


def _answer(members: Members) -> WrittenAnswer | None:
    categories = [value for key, value in members.pairs if _plain_key(key) in _CATEGORY_NAMES]
    reasons = [value for key, value in members.pairs if _plain_key(key) in _REASON_NAMES]
    if not categories:
        begun = not members.closed and members.pairs and not any(isinstance(v, Members) for _, v in members.pairs)
        return WrittenAnswer(None) if begun else None
    words = [_only_word(category) for category in categories]
    first = words[0]
    if first is None or any(word is None or word.text != first.text for word in words):
        return WrittenAnswer(None)
    if not (members.closed or first.quoted):
        return WrittenAnswer(None)
    reason = reasons[-1].text if reasons and isinstance(reasons[-1], Word) else ""
    return WrittenAnswer(first.text, reason, (first.start, first.stop + first.quoted))


def _only_word(value: LenientValue) -> Word | None:
    """Return the text of a category, which may stand in a list of one."""
    if isinstance(value, tuple) and len(value) == 1:
        return _only_word(value[0])
    return value if isinstance(value, Word) else None


def _plain_key(key: str) -> str:
    return unicodedata.normalize("NFKC", key).casefold().strip(" *_")


def _is_unfilled(answer: WrittenAnswer, is_label: Callable[[str], bool]) -> bool:
    """Return whether this is the form of an answer, repeated from the request, with no category filled in."""
    category = answer.category
    if category is None or is_label(category):
        return False
    return bool(_PLACEHOLDER.fullmatch(category) or _SEVERAL.search(category))


def _unless_template(answer: WrittenAnswer, is_label: Callable[[str], bool]) -> WrittenAnswer:
    """Return the answer, or none for an example that stands in other text: its category is no answer."""
    is_example = bool(_PLACEHOLDER.fullmatch(answer.reason)) and answer.category is not None
    return WrittenAnswer(None) if is_example and is_label(answer.category or "") else answer


def _outside_reasoning(text: str) -> str:
    """Return the text with all reasoning replaced by spaces, so that each character keeps its place."""
    for each in _FENCED_REASONING.finditer(text):
        text = _blank(text, each.start(), each.end())
    if bare := _BARE_CHANNELS.match(text):
        text = _blank(text, 0, bare.end())
    channels = list(_CHANNEL.finditer(text))
    begun = 0
    for channel, following in zip_longest(channels, channels[1:]):
        text = _blank(text, begun, channel.end())
        begun = following.start() if following else len(text)
        if channel.group(1) != "final":
            text = _blank(text, channel.end(), begun)
    return _outside_tags(text)


def _outside_tags(text: str) -> str:
    begun: int | None = None
    for tag in _TAG.finditer(text):
        if tag["open"]:
            begun = tag.start() if begun is None else begun
        else:
            # Without an opening mark, which some servers put into the request, all before it is reasoning.
            text = _blank(text, begun or 0, tag.end())
            begun = None
    return text if begun is None else _blank(text, begun, len(text))


def _blank(text: str, start: int, stop: int) -> str:
    return text[:start] + " " * (stop - start) + text[stop:]


def _in_words(text: str, is_label: Callable[[str], bool]) -> WrittenAnswer | None:
    """Return the answer of a text that is a label alone, or has a line for it."""
    if tagged := _tagged(text):
        return tagged
    found_reason = _REASON_LINE.search(text)
    reason = (found_reason["quoted"] or found_reason["bare"]).strip() if found_reason else ""
    label = _FENCE.sub("", _REASON_LINE.sub("", text)).strip()
    was_cut = label.count('"') % 2 or label.count("“") != label.count("”")
    if is_label(label) and not was_cut:
        return WrittenAnswer(label, reason)
    lines = [(found["quoted"] or found["bare"]).strip() for found in _CATEGORY_LINE.finditer(text)]
    if not lines:
        return None
    if len(set(lines)) > 1:
        return WrittenAnswer(None)
    return WrittenAnswer(lines[0], reason)


def _tagged(text: str) -> WrittenAnswer | None:
    """Return the answer that stands between tags such as `<answer>`, or in a box; no label if they differ."""
    written = [(found["tagged"] or found["boxed"]).strip() for found in _TAGGED_CATEGORY.finditer(text)]
    labels = {label for label in written if not _PLACEHOLDER.fullmatch(label)}
    reason = _TAGGED_REASON.search(text)
    if not labels:
        return None
    return WrittenAnswer(labels.pop() if len(labels) == 1 else None, reason["tagged"].strip() if reason else "")


def _explained(text: str, explained: Callable[[str], tuple[str, str] | None]) -> WrittenAnswer | None:
    found = explained(_FENCE.sub("", text).strip())
    if not found:
        return None
    label, why = found
    lines = [line for line in why.splitlines() if not _NO_REASON.fullmatch(line)]
    return WrittenAnswer(label, _REASON_MARK.sub("", "\n".join(lines), count=1).strip())
