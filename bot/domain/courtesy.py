"""Messages that are only polite, as “Thank you, it works now!” and 「ありがとうございます！」 are."""

import re
import tomllib
import unicodedata
from pathlib import Path

from bot.domain.pointing import NAMES, RUNS

LONGEST_COURTESY = 120
"""Maximum length of a message that is only polite, in characters. A longer one says something of its own."""
_ASKS = re.compile(r"\?|(?:ですか|ますか|でしょうか|ませんか|ください|下さい)[。.!\s]*$")
"""Matches what asks for something, however polite it is."""

_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_GREETINGS = frozenset(_LISTS["english"]["greetings"].split())
_FILLERS = frozenset(_LISTS["english"]["fillers"].split())
_PHRASES = frozenset(_LISTS["japanese"]["greetings"].split())
_JOINTS = frozenset(_LISTS["japanese"]["fillers"].split())


def is_small_talk(text: str) -> bool:
    """Return whether a text only thanks, greets or agrees, so that there is nothing to answer, settle or learn.

    A text that asks is never small talk, and neither is one with a single word that is not polite.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = NAMES.sub(" ", folded)
    if len(folded) > LONGEST_COURTESY or _ASKS.search(plain):
        return False
    runs = RUNS.findall(plain)
    polite = [run for run in runs if run in _GREETINGS or _is_phrases(run)]
    return bool(polite) and all(run in _FILLERS or run in _JOINTS for run in runs if run not in polite)


def _is_phrases(run: str) -> bool:
    """Return whether a stretch of Japanese is made of polite phrases and what joins them, with one phrase at least."""
    # Position → whether a phrase was used on the way there.
    reached: dict[int, bool] = {0: False}
    for at in range(len(run)):
        if at not in reached:
            continue
        for words, polite in ((_PHRASES, True), (_JOINTS, False)):
            for word in words:
                if run.startswith(word, at):
                    end = at + len(word)
                    reached[end] = reached.get(end, False) or reached[at] or polite
    return reached.get(len(run), False)
