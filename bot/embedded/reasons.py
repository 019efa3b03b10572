"""Says why: the words of the question that decided, in the question's language."""

import re

import numpy as np

from bot.embedded.features import FUNCTION_WORDS, Floats, is_japanese, visible

_OKURIGANA = "[いえきぎけげしせちてびべみめりれ]"
"""With which a word written in kanji and kana mostly goes on (申し込み, 届き); most particles are others."""
_KANJI = r"[\u3400-\u9fff々〆]"
_WORD = re.compile(
    rf"{_KANJI}+(?:(?<!{_KANJI}{_KANJI})(?:っ{_KANJI}+|{_OKURIGANA}{{1,2}}{_KANJI}*))*|[\u30a0-\u30ffー]+|"
    r"[\u3041-\u309f]+|[^\W_\u3041-\u30ff\u3400-\u9fff]+(?:['’-][^\W_]+)*"
)
_KANA = re.compile(r"[\u3041-\u309f]+")
_SHOWN = 3
_LONGEST_WORD = 40


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch, so that a word written in kanji and kana stays one word."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _is_small(word: str) -> bool:
    """Tell whether a word alone says nothing of the subject: particles, function words."""
    return bool(_KANA.fullmatch(word) and len(word) < 3) or word.casefold() in FUNCTION_WORDS


def deciding_words(question: str, evidence: Floats) -> list[str]:
    """Return up to three words of the question that spoke most for the answer, the strongest first.

    Args:
        question: The question as it was asked.
        evidence: How much each character of `visible(question)` speaks for the answer.
    """
    shown = visible(question)
    found = [match.span() for match in _WORD.finditer(shown)]
    pulls = {span: float(np.sum(evidence[slice(*span)])) for span in found if not _is_small(shown[slice(*span)])}
    # Hiragana alone is mostly grammar: it is named only where nothing else spoke for the answer.
    subjects = {span: pull for span, pull in pulls.items() if pull > 0 and not _KANA.fullmatch(shown[slice(*span)])}
    pulls = subjects or pulls
    most = max(pulls.values(), default=0.0)
    if most <= 0:
        return []
    strong = sorted((span for span in pulls if pulls[span] >= most / 3), key=lambda span: -pulls[span])[:_SHOWN]
    merged = _merged(sorted(strong))
    merged.sort(key=lambda span: -float(np.sum(evidence[slice(*span)])))
    return list(dict.fromkeys(shown[slice(*span)][:_LONGEST_WORD] for span in merged))


def reason_for(question: str, evidence: Floats) -> str:
    """Return one sentence, at most 200 characters, in Japanese if the question is, else in English."""
    words = deciding_words(question, evidence)
    if is_japanese(question):
        quoted = "".join(f"「{word}」" for word in words)
        return f"{quoted}が決め手です" if words else "決め手になる言葉はなく、最も近い分類を選びました"
    if not words:
        return "No word of the question decided; this is only the nearest category"
    return "Decided by " + ", ".join(f'"{word}"' for word in words)
