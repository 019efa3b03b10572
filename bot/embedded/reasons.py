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
_LONGEST_KANA_WORD = 8
"""Hiragana that goes on for longer is no single word, and where it ends is not known."""
_KANA_OF_GRAMMAR = re.compile(
    r"(?:よろしく|これ|それ|あれ|どれ|どう|どの|どん|どちら|どこ|いつ|なに|なぜ|だれ).*|"
    r".*(?:ます|です|せん|した|たい|でしょう)か?"
)
_DATE_OR_COUNT = re.compile(
    r"[一二三四五六七八九十百千]+(?:年|月|日|週|時|分|回|人|つ|個|件|階|番)[間目前後]*|"
    r"[今昨明先来翌毎前当本去次](?:日|週|月|年|朝|晩|夜|回)[中末頃内]*|[月火水木金土日]曜日?"
)
_ADDRESS = re.compile(
    r"<[@#!][^>]*>|\w+://[!-~]+|www\.[!-~]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|:[a-z][\w+'-]*:|"
    r"[a-z0-9.-]+\.(?:com|net|org|edu|gov|io|dev|info|biz|jp)\b(?:/[!-~]*)?",
    re.IGNORECASE | re.ASCII,
)
"""Web and mail addresses, Slack's mentions and emoji."""
_ENDING = re.compile(r"n['’]t$|['’](?:s|re|ve|ll|d|m)$")
# fmt: off
_COMMON_WORDS = frozenset({
    "何", "誰", "方", "事", "時", "私", "僕", "物", "所", "今", "際", "為", "件", "場合", "自分", "自身", "様",
    "御中", "教え", "願い", "願いし", "質問", "相談", "下さい", "可能", "必要", "場所", "方法", "対応", "確認",
    "連絡", "了解", "至急", "今度", "以前", "以後", "午前", "午後", "夕方", "現在", "最近", "最初", "最後", "以下",
    "以上", "上記", "下記", "本当", "全部", "全然", "多分", "色々", "皆", "皆さん", "弊社", "当社", "御社", "本件",
    "拝啓", "疲れ", "疲れ様", "世話", "関し", "関して", "関する", "こと", "もの", "とき", "ため", "ところ",
    "という", "しかし", "そして", "または", "および", "けれど", "ください", "について", "によって", "のために",
    "そちら", "こちら", "あちら", "そこで", "ここで", "ありがとう", "おねがい", "すみません", "なのに", "なので",
    "だから",
    "about", "above", "across", "after", "afternoon", "again", "against", "ago", "ain", "all", "almost", "alone",
    "along", "already", "also", "although", "always", "am", "amid", "among", "amongst", "another", "anybody",
    "anyhow", "anymore", "anyone", "anything", "anyway", "anywhere", "apart", "around", "aside", "away", "back",
    "because", "been", "before", "behind", "being", "below", "beneath", "beside", "besides", "between", "beyond",
    "both", "but", "ca", "came", "cannot", "come", "coming", "day", "days", "despite", "does", "doing", "done",
    "down", "during", "each", "early", "either", "else", "enough", "even", "evening", "ever", "every", "everybody",
    "everyone", "everything", "everywhere", "except", "few", "first", "five", "four", "further", "get", "gets",
    "getting", "give", "given", "go", "goes", "going", "gone", "got", "had", "happen", "happens", "having", "he",
    "hence", "her", "here", "hers", "herself", "hey", "hi", "him", "himself", "his", "hours", "however", "indeed",
    "inside", "instead", "into", "itself", "just", "keep", "kept", "know", "last", "late", "later", "least", "less",
    "let", "like", "long", "look", "made", "make", "many", "may", "maybe", "meanwhile", "might", "mine", "minutes",
    "month", "months", "more", "moreover", "morning", "most", "much", "must", "myself", "near", "need", "needs",
    "neither", "never", "new", "next", "night", "no", "nobody", "none", "noon", "nor", "not", "nothing", "now",
    "nowhere", "off", "often", "ok", "okay", "old", "once", "one", "oneself", "only", "onto", "other", "others",
    "otherwise", "ought", "ours", "ourselves", "out", "outside", "over", "own", "past", "per", "perhaps", "pls",
    "put", "quite", "rather", "really", "same", "say", "see", "seem", "set", "several", "sha", "shall", "she",
    "should", "since", "six", "some", "somebody", "somehow", "someone", "something", "sometime", "sometimes",
    "somewhere", "soon", "still", "such", "sure", "take", "taken", "tell", "than", "thank", "thanks", "theirs",
    "them", "themselves", "then", "therefore", "those", "though", "three", "through", "throughout", "thus", "till",
    "today", "together", "tomorrow", "tonight", "too", "took", "toward", "towards", "try", "two", "under", "unless",
    "until", "up", "upon", "us", "use", "used", "usually", "very", "via", "want", "wants", "way", "week", "weeks",
    "well", "went", "were", "whatever", "whenever", "whereas", "wherever", "whether", "whichever", "while",
    "whoever", "whole", "whom", "whose", "within", "without", "wo", "work", "works", "year", "years", "yes",
    "yesterday", "yet", "yours", "yourself", "yourselves",
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march",
    "april", "june", "july", "august", "september", "october", "november", "december",
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

    Function words, addresses and, if there are other words, words in hiragana alone are never returned.

    Args:
        question: The question as it was asked.
        evidence: How much each character of `normalized(question)` supports the answer; without it, the longest words
            are returned.
    """
    text = normalized(question)
    spans = [
        match.span()
        for match in _WORD.finditer(_ADDRESS.sub(lambda found: " " * len(found.group()), text))
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
    if _KANA.fullmatch(word) and (not 3 <= len(word) <= _LONGEST_KANA_WORD or _KANA_OF_GRAMMAR.fullmatch(word)):
        return True
    plain = _ENDING.sub("", word.casefold())
    return word.isdecimal() or _DATE_OR_COUNT.fullmatch(word) is not None or plain in FUNCTION_WORDS | _COMMON_WORDS
