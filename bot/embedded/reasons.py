"""Reasons for an answer: the deciding words of the question, in the question's language."""

import re
from collections.abc import Mapping

import numpy as np

from bot.embedded.features import FUNCTION_WORDS, Floats, is_japanese, normalized

Span = tuple[int, int]
"""Start and end of a word in the normalized question."""

_OKURIGANA = "[いえきぎけげしせちてびべみめりれ]"
"""Kana that usually continue a word begun in kanji (申し込み, 届き); most particles start with other kana."""
_KANJI = r"[\u3400-\u9fff々〆]"
_WORD = re.compile(
    rf"{_KANJI}+(?:(?<!{_KANJI}{_KANJI})(?:っ{_KANJI}+|{_OKURIGANA}{{1,2}}{_KANJI}*))*|[\u30a0-\u30ffー]+|"
    r"[\u3041-\u309f]+|[^\W_\u3041-\u30ff\u3400-\u9fff]+(?:['’-][^\W_]+)*"
)
_STEM = re.compile(rf"{_KANJI}(?![はがをにでとのもかやへ])[\u3041-\u309f]")
"""A single character that begins an inflected word (使った): alone it is no word that one would quote."""
_KANA = re.compile(r"[\u3041-\u309f]+")
# fmt: off
_COMMON_WORDS = frozenset({
    "何", "誰", "方", "事", "時", "私", "物", "所", "今", "際", "為", "件", "場合", "自分", "こと", "もの",
    "とき", "ため", "ところ", "どこ", "どれ", "いつ", "だれ", "どう", "なに", "です", "ます", "ください",
    "教え", "願い", "質問", "相談", "下さい", "可能", "必要", "場所", "方法", "いつまで", "どこで",
    "どうすれば", "どうやって", "ですか", "ますか", "でしょうか",
    "about", "above", "after", "again", "all", "already", "also", "always", "another", "anybody", "anyone",
    "anything", "around", "away", "back", "because", "been", "before", "being", "below", "between", "both", "came",
    "cannot", "come", "coming", "does", "doing", "done", "down", "during", "each", "early", "either", "else",
    "enough", "even", "ever", "every", "everybody", "everyone", "everything", "few", "first", "five", "four", "get",
    "gets", "getting", "give", "given", "go", "goes", "going", "gone", "got", "had", "happen", "happens", "he",
    "her", "here", "him", "his", "hi", "hey", "hours", "into", "just", "keep", "kept", "know", "last", "late",
    "later", "least", "less", "let", "like", "long", "look", "made", "make", "many", "may", "maybe", "minutes",
    "month", "more", "most", "much", "must", "need", "needs", "never", "new", "next", "no", "nobody", "none", "not",
    "nothing", "now", "off", "often", "ok", "okay", "old", "once", "one", "only", "onto", "other", "others", "ours",
    "out", "over", "own", "per", "pls", "put", "quite", "rather", "same", "say", "see", "seem", "set", "several",
    "shall", "she", "should", "since", "six", "some", "somebody", "someone", "something", "soon", "still", "such",
    "sure", "take", "taken", "tell", "than", "thanks", "thank", "them", "themselves", "then", "those", "three",
    "through", "till", "today", "together", "tomorrow", "too", "took", "try", "two", "under", "until", "up", "us",
    "use", "used", "very", "via", "want", "wants", "way", "week", "weeks", "well", "went", "were", "whether",
    "while", "whole", "whom", "whose", "within", "without", "work", "works", "yes", "yesterday", "yet", "yours",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
})
# fmt: on
"""Words that ask, refer, count or date: they say nothing about the subject, though a label may be called so."""
_MOST_CANDIDATES = 6
"""Most words that are tried: each costs one more encoding of the question."""
_MAX_WORDS = 3
_LONGEST_REASON = 60
"""Longest reason in characters, in Japanese."""
_MOST_REASON_WORDS = 12
"""Most words of an English reason."""
_LEAST_EFFECT = 0.1
"""Least fall of the label's log-odds without a word, for the word to count as deciding."""


def candidate_words(question: str, evidence: Floats | None = None) -> list[Span]:
    """Return the words of a question that may decide, in their order; at most six, the most telling ones.

    Function words and, if there are other words, words in hiragana alone are mostly grammar and never returned.

    Args:
        question: The question as it was asked.
        evidence: How much each character of `normalized(question)` supports the answer; without it, the longest words
            are returned.
    """
    text = normalized(question)
    spans = [
        match.span()
        for match in _WORD.finditer(text)
        if not _is_function_word(match.group()) and not (len(match.group()) == 1 and _STEM.match(text, match.start()))
    ]
    subjects = [span for span in spans if not _KANA.fullmatch(text[slice(*span)])]
    spans = subjects or spans
    weights = {
        span: float(np.sum(evidence[slice(*span)])) if evidence is not None else float(span[1] - span[0])
        for span in spans
    }
    return sorted(sorted(spans, key=lambda span: -weights[span])[:_MOST_CANDIDATES])


def without_word(question: str, span: Span) -> str:
    """Return the question without the word."""
    text = normalized(question)
    return f"{text[: span[0]]} {text[span[1] :]}"


def deciding_words(question: str, effects: Mapping[Span, float]) -> list[str]:
    """Return up to three words, the strongest first; words that touch are returned as one.

    Args:
        question: The question as it was asked.
        effects: For each candidate, how far the label's log-odds fall if the word is missing.
    """
    text = normalized(question)
    strongest = max(effects.values(), default=0.0)
    if strongest < _LEAST_EFFECT:
        return []
    strong = sorted((span for span in effects if effects[span] >= strongest / 3), key=lambda span: -effects[span])
    merged = _merge_touching(sorted(strong[:_MAX_WORDS]))
    merged.sort(key=lambda span: -sum(effects[one] for one in effects if span[0] <= one[0] and one[1] <= span[1]))
    return list(dict.fromkeys(text[slice(*span)] for span in merged))


def quoted_reason(question: str, words: list[str]) -> str:
    """Return a sentence that names the words: under 60 characters in Japanese, at most 12 words in English."""
    for count in range(len(words), 0, -1):
        if is_japanese(question):
            reason = "".join(f"「{word}」" for word in words[:count]) + "という言葉から判断しました"
            if len(reason) < _LONGEST_REASON:
                return reason
        else:
            reason = "Decided by " + ", ".join(f'"{word}"' for word in words[:count])
            if len(reason.split()) <= _MOST_REASON_WORDS and len(reason) < 2 * _LONGEST_REASON:
                return reason
    return ""


def like_example(question: str, example: str) -> str:
    """Return a sentence that names an example like the question, cut to a reason's length."""
    shown = " ".join(example.split())
    if is_japanese(question):
        room = _LONGEST_REASON - len("「…」と似た質問です") - 1
        return f"「{shown if len(shown) <= room else shown[:room] + '…'}」と似た質問です"
    words = shown.split()
    kept = " ".join(words[: _MOST_REASON_WORDS - 2])[:_LONGEST_REASON]
    return f'Like "{kept}{"…" if kept != shown else ""}"'


def _merge_touching(spans: list[Span]) -> list[Span]:
    """Join adjacent spans, so that a word written in kanji and kana stays one word."""
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _is_function_word(word: str) -> bool:
    """Return whether the word is a particle, a number or a function word: alone it says nothing about the subject."""
    kana = _KANA.fullmatch(word) and len(word) < 3
    return bool(kana) or word.isdecimal() or word.casefold() in FUNCTION_WORDS | _COMMON_WORDS
