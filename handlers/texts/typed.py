"""Reading of what people type after a command, in any width, with marks, quotes and invisible characters.

The words of a command are names and keywords. Only the sentence after `because` is prose, so it stays as it was typed.
"""

import html
import re
import unicodedata

BECAUSE = "because"
"""The word before a sentence that explains an override."""
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Matches characters without width, which chats and editors put into copied text."""
NOT_IN_A_VERB = re.compile(r"^[\W_]+|[\W_]+$")
COMMAND_NAME = "finetune"
"""The command's own name, which people paste before the subcommand."""
MARKS = "*~`\"'“”„‟‘’‚‛«»‹›〝〞〟❝❞"
"""Markup and quotes. At the ends of a word they are no part of a name."""
BRACKETS = {
    "(": ")",
    "[": "]",
    "{": "}",
    "「": "」",
    "『": "』",
    "【": "】",
    "〈": "〉",
    "《": "》",
    "〔": "〕",
    "〖": "〗",
    "〘": "〙",
    "⟨": "⟩",
    "<": ">",
    "_": "_",
}


MENTION = re.compile(r"<[@#!][^<>]*>|<https?:[^<>]*>")
"""Matches what Slack itself writes between angle brackets."""
GLUED = re.compile(r"(\W*[a-z]+)([「『【〈《〔〖〘⟨(\[{<“‘\"'`〝].*)", re.IGNORECASE)
"""Matches a word with an opening quote or bracket right after it, as is usual in Japanese: `switch「local/base」`."""


def read_command(text: str) -> tuple[str, str]:
    """Return the subcommand, which is empty if none is typed, and the words after it with one space between them.

    Args:
        text: The text of a slash command as Slack sends it.
    """
    words = INVISIBLE.sub("", html.unescape(text)).split()
    if len(words) > 1 and words[0].startswith("_"):  # the whole command may be in italics
        words[-1] = words[-1].removesuffix("_")
    verb = ""
    while words and verb in {"", COMMAND_NAME}:
        word = _folded(words.pop(0))
        glued = GLUED.fullmatch(word)
        if glued:
            word, quoted = glued.groups()
            words.insert(0, quoted)
        verb = NOT_IN_A_VERB.sub("", word).casefold()
    if verb == COMMAND_NAME:
        verb = ""
    plain: list[str] = []
    while words:
        word = _bare(_folded(words.pop(0)))
        if plain and word.casefold() == BECAUSE:
            return verb, " ".join([*plain, BECAUSE, *words])
        plain += [word] if word else []
    return verb, " ".join(plain)


def find_command(text: str) -> str | None:
    """Return the slash command that a message consists of, as it should be typed; None if the message is none.

    Args:
        text: The text of a message in Slack's format.
    """
    plain = _folded(INVISIBLE.sub("", html.unescape(MENTION.sub(" ", text, count=1)))).strip().lstrip(MARKS)
    name, _, rest = plain.removeprefix("/").strip().replace("\n", " ").partition(" ")
    if not plain.startswith("/") or name.strip(MARKS).casefold() != COMMAND_NAME:
        return None
    verb, words = read_command(rest)
    return " ".join(filter(None, (f"/{COMMAND_NAME}", verb, words)))


def read_share(text: str) -> float | None:
    """Return a share that is typed as `0.62`, `0,62` or `62%`; None for anything else."""
    number, percent = text.replace(",", ".").removesuffix("%").strip(), text.endswith("%")
    try:
        share = float(number)
    except ValueError:
        return None
    return share / 100 if percent else share


def _folded(word: str) -> str:
    """Return the word in its compatibility form, in which full-width letters and signs are plain ones."""
    return unicodedata.normalize("NFKC", word)


def _bare(word: str) -> str:
    """Return the word without marks and quotes at its ends, and without a bracket that has no partner in the word."""
    before = None
    while word != before:
        before, word = word, word.strip(MARKS)
        word = word if MENTION.fullmatch(word) else _unbracketed(word)
    return word


def _unbracketed(word: str) -> str:
    """Return the word without the brackets around it, or without one bracket at an end whose partner is missing."""
    for opening, closing in BRACKETS.items():
        if len(word) > 1 and word.startswith(opening) and word.endswith(closing):
            return word[1:-1]
        if opening != closing and word.startswith(opening) and closing not in word:
            return word[1:]
        if opening != closing and word.endswith(closing) and opening not in word:
            return word[:-1]
    return word
