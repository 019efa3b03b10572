"""Reasons for an answer: the deciding words of the question, in the question's language."""

import re

import numpy as np

from bot.embedded.features import FUNCTION_WORDS, Floats, is_japanese, normalized

_OKURIGANA = "[いえきぎけげしせちてびべみめりれ]"
"""Kana that usually continue a word begun in kanji (申し込み, 届き); most particles start with other kana."""
_KANJI = r"[\u3400-\u9fff々〆]"
_WORD = re.compile(
    rf"{_KANJI}+(?:(?<!{_KANJI}{_KANJI})(?:っ{_KANJI}+|{_OKURIGANA}{{1,2}}{_KANJI}*))*|[\u30a0-\u30ffー]+|"
    r"[\u3041-\u309f]+|[^\W_\u3041-\u30ff\u3400-\u9fff]+(?:['’-][^\W_]+)*"
)
_KANA = re.compile(r"[\u3041-\u309f]+")
_MAX_WORDS = 3
_MAX_WORD_LENGTH = 40


def _merge_touching(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join adjacent spans, so that a word written in kanji and kana stays one word."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _is_function_word(word: str) -> bool:
    """Return whether the word is a particle or function word, which alone says nothing about the subject."""
    return bool(_KANA.fullmatch(word) and len(word) < 3) or word.casefold() in FUNCTION_WORDS


def deciding_words(question: str, evidence: Floats) -> list[str]:
    """Return up to three words of the question that support the answer most, the strongest first.

    Args:
        question: The question as it was asked.
        evidence: How much each character of `normalized(question)` supports the answer; negative if it contradicts.
    """
    text = normalized(question)
    matches = [match.span() for match in _WORD.finditer(text)]
    weights = {
        span: float(np.sum(evidence[slice(*span)])) for span in matches if not _is_function_word(text[slice(*span)])
    }
    # Words in hiragana alone are mostly grammar: quote them only if no other word supports the answer.
    subjects = {
        span: weight for span, weight in weights.items() if weight > 0 and not _KANA.fullmatch(text[slice(*span)])
    }
    weights = subjects or weights
    strongest = max(weights.values(), default=0.0)
    if strongest <= 0:
        return []
    strong = sorted((span for span in weights if weights[span] >= strongest / 3), key=lambda span: -weights[span])[
        :_MAX_WORDS
    ]
    merged = _merge_touching(sorted(strong))
    merged.sort(key=lambda span: -float(np.sum(evidence[slice(*span)])))
    return list(dict.fromkeys(text[slice(*span)][:_MAX_WORD_LENGTH] for span in merged))


def reason_for(question: str, evidence: Floats) -> str:
    """Return a sentence of at most 200 characters, in Japanese if the question is Japanese, else in English."""
    words = deciding_words(question, evidence)
    if is_japanese(question):
        quoted = "".join(f"「{word}」" for word in words)
        return f"{quoted}が決め手です" if words else "決め手になる言葉はなく、最も近い分類を選びました"
    if not words:
        return "No word of the question decided; this is only the nearest category"
    return "Decided by " + ", ".join(f'"{word}"' for word in words)
