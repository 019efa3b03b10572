"""Texts that are nearly the same, and settled questions that are like a new one.

Two texts are nearly the same where they ask with the same *content words*: what is left of a text without case, width,
punctuation, the endings of English words, and the words that only hold a sentence together. Their order does not
matter. The measure knows nothing of other texts: what is near today is near tomorrow. Figures: docs/decisions/.
"""

import re
import unicodedata
from collections.abc import Callable

from bot.domain.thing import Thing

NEAR = 0.9
"""The least `share` of nearly same texts: of ten words one may be another, or one of five be added."""
FAR = 0.89
"""The most that the `similarity` of other texts can be."""
NUMBER_WEIGHT = 10
"""How many words a number weighs that only one text has: another number is another question."""


class Neighbour(Thing):
    """A settled row, as near to a text as `similarity` says: 0..1, 1 for the same text once normalised.

    From `NEAR` on the texts are nearly the same, and it says how alike their letters are; up to `FAR` they are not, and
    it says how much their content words have in common.
    """

    row_id: str
    text: str
    group: str
    category: str
    similarity: float


class Example(Thing):
    """A settled question that is shown to the model with its answer."""

    text: str
    category: str
    """A category's id."""


ContentWords = tuple[str, ...]

# fmt: off
_ENGLISH = frozenset({
    "a", "about", "am", "an", "and", "any", "anyone", "are", "as", "at", "be", "been", "being", "but", "by", "can",
    "could", "did", "do", "does", "doing", "for", "from", "get", "give", "go", "going", "gonna", "got", "had", "has",
    "have", "having", "hello", "help", "hey", "hi", "how", "i", "id", "if", "ill", "im", "in", "into", "is", "it",
    "its", "ive", "just", "kindly", "know", "let", "like", "may", "me", "might", "mine", "must", "my", "need", "needs",
    "of", "on", "or", "our", "please", "possible", "shall", "should", "so", "some", "tell", "than", "thank", "thanks",
    "that", "thats", "the", "their", "them", "then", "there", "these", "this", "those", "to", "us", "wanna", "want",
    "wants", "was", "we", "were", "what", "whats", "will", "wish", "with", "would", "you",
})
# fmt: on
"""Not among them: when, where, who, why, your, and what turns a meaning round (not, no, off)."""

_JAPANESE = re.compile(
    "すみません|すいません|お疲れ(様|さま)です|お世話になっております|はじめまして|こんにちは"
    "|お?教え|おしえ|知りたい|お?願い|致し|いたし|下さい|くださ|頂|いただ|もら|宜し|よろし|出来|可能|欲し|ほし"
    "|場合|方法|やり方|どうやって|どのように|どうすれば|どうしたら|どうする|どんな|どう|とは|という|について|として"
    "|でしょう|でした|です|ました|ません|ます|まし|だった|だろう|んだ|けど|ので|から|まで|より|など|とき|こと|もの|ため"
    "|したい|している|していま|して|した|する|すれば|しない|され|させ|でき|良い|よい|いい|ある|あり|いる|なる|なり|なっ|なく"
    "|なに|なん|られ|れば|れる|れて|れた|すぎ|しまい|しまっ|たら|たり|たい|ない|なら|って|っけ|には|では|とか|だけ|くらい|ぐらい"
    "|それ|これ|この|その|あの|私|僕|自分"
)
"""What holds a Japanese question together: polite forms, auxiliary verbs, and particles of two or more kana."""
_ASKING = re.compile("いつ|どこ|だれ|いくら|いくつ|なぜ|どちら|どれ")
"""Question words in kana that ask for something else; 何 alone says nothing."""
_PARTICLES = re.compile("[はがをにでとのもへやかねよ]")

_NOT = re.compile(r"(?<=[a-z])n['\u2019]t\b|(?<=can)not\b")
_JOINT = re.compile(r"(?<=\w)['\u2019\-\u2010\u2011](?=\w)")
_WORD = re.compile(r"[a-z]+|\d+|[\u3041-\u309f]+|[\u30a1-\u30ff]+|[^\W\da-z\u3041-\u30ff]+")
_ENDING = re.compile(r"(?<=[a-z]{3})(ing|ed|es|s|ly|e)$|(?<=[\u30a1-\u30fe]{2})\u30fc$")
_KANA = re.compile(r"[\u3041-\u309f]+")


def content(text: str) -> ContentWords:
    """The content words of a text, in their order; all of its words where none of them is one."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = _JOINT.sub("", _NOT.sub(" not", folded))
    told = _KANA.sub(_kept, _JAPANESE.sub(" ", _ASKING.sub(r" \g<0> ", folded)))
    words = tuple(_ENDING.sub("", word) for word in _WORD.findall(told) if word not in _ENGLISH and word != "何")
    return words or tuple(_WORD.findall(folded)) or (folded.strip(),)


def _kept(run: re.Match[str]) -> str:
    """What is left of a run of kana: no particle, and no single kana, which is the ending of a verb."""
    if _ASKING.fullmatch(run.group()):
        return run.group()
    return " ".join(piece for piece in _PARTICLES.split(run.group()) if len(piece) > 1)


def share(one: ContentWords, other: ContentWords, same: Callable[[str, str], bool]) -> float:
    """The share of content words that two texts have in common, 0..1 (Dice's coefficient; Dice, 1945).

    Args:
        one: content words.
        other: content words.
        same: whether two words that differ are the same but for a slip of the pen.
    """
    one, other = sorted((one, other))  # so that it is the same both ways, whichever twin of two is taken
    if "".join(one) == "".join(other):  # 経費の精算 and 経費精算, pay slip and payslip
        return 1.0
    left, right = [], list(other)
    for word in one:
        if word in right:
            right.remove(word)
        else:
            left.append(word)
    for word in tuple(left):
        twin = next((w for w in right if same(word, w)), None)
        if twin is not None:
            left.remove(word)
            right.remove(twin)
    common = len(one) - len(left)
    apart = sum(NUMBER_WEIGHT if word.isdecimal() else 1 for word in left + right)
    return 2 * common / (2 * common + apart)
