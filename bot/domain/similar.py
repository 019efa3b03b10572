"""The similarity of texts, and the settled questions that are similar to a new one.

Two texts are near-duplicates if they have the same *content words*, in any order. Content words are what remains of a
text without case, width, punctuation, English endings and function words. The measure
looks at two texts only, so other rows never change their similarity. Measurements: docs/decisions/.
"""

import re
import unicodedata
from collections.abc import Callable

from bot.domain.dataset import normalised
from bot.domain.thing import Thing

NEAR = 0.9
"""Minimum `share` of near-duplicates: one word of ten may differ, or one word of five may be added."""
FAR = 0.89
"""Maximum `similarity` of texts that are not near-duplicates."""
NUMBER_WEIGHT = 10
"""Weight, in words, of a number that only one text has: another number means another question."""


class Neighbour(Thing):
    """A settled row and its similarity to a text: 0..1, and 1 for equal normalised texts.

    From `NEAR` up the texts are near-duplicates, and `similarity` compares their letters. Up to `FAR` they are not, and
    `similarity` compares their content words.
    """

    row_id: str
    text: str
    group: str
    category: str
    similarity: float


class SameQuestion(Thing):
    """The settled rows that ask the same as a text, and the groups whose rows must agree for an answer."""

    texts: dict[str, str]
    """Id of each row that asks the same → its text."""
    groups: tuple[str, ...]
    """The groups of all near-duplicates of the text, and of their clusters (`conflict.Clusters`)."""


class Example(Thing):
    """A settled question that a model is shown with its answer."""

    text: str
    category: str
    """Id of a category."""


ContentWords = tuple[str, ...]

# fmt: off
_ENGLISH_FUNCTION_WORDS = frozenset({
    "a", "about", "am", "an", "and", "any", "anyone", "are", "as", "at", "be", "been", "being", "but", "by", "can",
    "could", "did", "do", "does", "doing", "for", "from", "get", "give", "go", "going", "gonna", "got", "had", "has",
    "have", "having", "hello", "help", "hey", "hi", "how", "i", "id", "if", "ill", "im", "in", "into", "is", "it",
    "its", "ive", "just", "kindly", "know", "let", "like", "may", "me", "might", "mine", "must", "my", "need", "needs",
    "of", "on", "or", "our", "please", "possible", "shall", "should", "so", "some", "tell", "than", "thank", "thanks",
    "that", "thats", "the", "their", "them", "then", "there", "these", "this", "those", "to", "us", "wanna", "want",
    "wants", "was", "we", "were", "what", "whats", "will", "wish", "with", "would", "you",
})
# fmt: on
"""English function words. Words that change the meaning are not listed: when, where, who, why, your, not, no, off."""

_JAPANESE_FUNCTION_WORDS = re.compile(
    "すみません|すいません|お疲れ様です|お疲れさまです|お世話になっております|はじめまして|こんにちは"
    "|お教え|教え|おしえ|知りたい|お願い|願い|致し|いたし|下さい|くださ|頂|いただ|もら|宜し|よろし|出来|可能|欲し|ほし"
    "|場合|方法|やり方|どうやって|どのように|どうすれば|どうしたら|どうする|どんな|どう|とは|という|について|として"
    "|でしょう|でした|です|ました|ません|ます|まし|だった|だろう|んだ|けど|ので|から|まで|より|など|とき|こと|もの|ため"
    "|したい|している|していま|して|した|する|すれば|しない|され|させ|でき|良い|よい|いい|ある|あり|いる|なる|なり|なっ|なく"
    "|なに|なん|られ|れば|れる|れて|れた|すぎ|しまい|しまっ|たら|たり|たい|ない|なら|って|っけ|には|では|とか|だけ|くらい|ぐらい"
    "|それ|これ|この|その|あの|私|僕|自分"
)
"""Japanese function words: polite forms, auxiliary verbs, and particles of two or more kana.

Each begins with a letter, so that the search skips quickly to where one may begin.
"""
_KANA_QUESTION_WORDS = re.compile("いつ|どこ|だれ|いくら|いくつ|なぜ|どちら|どれ")
"""Question words in kana, which change the meaning. 何 alone does not, so it is left out."""
_PARTICLES = re.compile("[はがをにでとのもへやかねよ]")

_ENGLISH_NEGATION = re.compile(r"(?<=[a-z])n['\u2019]t\b|(?<=can)not\b")
_HYPHEN_OR_APOSTROPHE = re.compile(r"(?<=\w)['\u2019\-\u2010\u2011](?=\w)")
_WORD = re.compile(r"[a-z]+|\d+|[\u3041-\u309f]+|[\u30a1-\u30ff]+|[^\W\da-z\u3041-\u30ff]+")
_WORD_ENDING = re.compile(r"(?<=[a-z]{3})(ing|ed|es|s|ly|e)$|(?<=[\u30a1-\u30fe]{2})\u30fc$")
_LAST_OF_ENDINGS = frozenset("gdsyeー")
_KANA = re.compile(r"[\u3041-\u309f]+")

# fmt: off
_POINTERS = frozenset(_WORD_ENDING.sub("", word) for word in (
    "when", "where", "who", "whose", "which", "why", "not", "no", "off", "on", "new", "more", "else", "again", "now",
    "today", "いつ", "どこ", "だれ", "いくら", "いくつ", "なぜ", "どちら", "どれ",
))
# fmt: on
"""Content words that need another one to say what a question is about."""
_NO_NEGATIONS = re.compile(
    "すみません|すいません|申し訳(ござい|あり)?ません|かもしれ(ない|ません)|(分|わ)か(らない|りません|らん|らへん|りかね)|知(らない|りません)"
    "|(いただけ|頂け|もらえ|貰え|くれ|くださら|下さら)(ない|ません)"
    "|(なけれ|なきゃ|ないと|なくては|なくちゃ)ば?(なら|いけ|だめ|ダメ)?(ない|ません)?"
    "|(ない|ません)(でしょう|です)?か(?![らぁ-んァ-ヶ一-龠])"
)
"""Japanese phrases that look negated and are not: apologies, polite requests, duties, and questions in ～ませんか."""
_NEGATION = re.compile(
    "ない|なく|なかっ|無い|無く|ません|せず|れず|できず|出来ず|(?<!必)ずに|かね(る|ます|まし)"
    "|(?<=[かがさたばまらわえけげせてねべめれきしちみり])へん(?![こかし])"
    "|(?<=[かがばまらわえけげてねべめれ])[んぬ](?=$|[\\s。．、!?]|です|ねん|けど|やけど|ので|のです)"
    "|(?<=[うくぐすつぬぶむる])な(?=$|[\\s。．!])"
)
"""Standard Japanese, the dialects' ～へん and ～ん, ～かねる, and the prohibition ～するな."""
_MAY = re.compile(
    r"\b(?:in|of|until|till|by|since|from|during|last|next|every|early|late)[ -]may\b(?! (?:i|we|you|be)\b)|\bmay \d"
    r"|\d(?:st|nd|rd|th)? (?:of )?may\b",
    re.IGNORECASE,
)
"""The month; elsewhere the word is a function word."""
_FIRST_PERSON = re.compile("私|僕|自分")
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
_ACRONYM = re.compile(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])")


def content(text: str) -> ContentWords:
    """Return the content words of a text, in order; if there are none, all of its words."""
    folded = _folded(text)
    return _content(folded) or tuple(_WORD.findall(folded)) or (folded.strip(),)


def tells(text: str) -> bool:
    """Return whether the words of a text alone say what it is about; “Where is this?” does not."""
    return not _POINTERS.issuperset(_content(_folded(text)))


def is_same_question(one: str, other: str, same: Callable[[str, str], bool]) -> bool:
    """Return whether two near-duplicates ask the same, so that the answer to one may be given to the other.

    This is stricter than near-duplication. No content word may be missing, and none may be added. Some other words
    must agree, too: negation, an explicit first person in Japanese, the month of May, and acronyms such as IT and US
    that read like function words.

    Args:
        one: A text.
        other: Another text.
        same: Returns whether two different words differ by a typo only.
    """
    if normalised(one) == normalised(other):
        return True
    if not tells(one) or _deciding(one) != _deciding(other):
        return False
    return share(content(one), content(other), same) == 1.0


def bare_kana(word: str) -> str:
    """Return a word without the marks of kana: dots and long vowels are left out, and small letters become large."""
    letters = (ch for ch in unicodedata.normalize("NFD", word) if ch not in "\u3099\u309aー")
    # In Unicode each large letter follows its small one.
    return "".join(chr(ord(ch) + (ch in _SMALL_KANA)) for ch in letters)


def _deciding(text: str) -> tuple[bool, bool, bool, frozenset[str]]:
    """Return what decides beside the content words: negation, first person, the month of May, and acronyms."""
    plain = unicodedata.normalize("NFKC", text)
    shouted = plain.isascii() and plain.isupper() and " " in plain.strip()
    acronyms = () if shouted else _ACRONYM.findall(plain)
    like_function_words = frozenset(word for word in acronyms if word.lower() in _ENGLISH_FUNCTION_WORDS)
    negated = bool(_NEGATION.search(_NO_NEGATIONS.sub("", plain)))
    return negated, bool(_FIRST_PERSON.search(plain)), bool(_MAY.search(plain)), like_function_words


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if folded.isascii() and "'" not in folded and "-" not in folded and "cannot" not in folded:
        return folded  # both searches would take longer
    return _HYPHEN_OR_APOSTROPHE.sub("", _ENGLISH_NEGATION.sub(" not", folded))


def _content(folded: str) -> ContentWords:
    if not folded.isascii():
        spaced = _JAPANESE_FUNCTION_WORDS.sub(" ", _KANA_QUESTION_WORDS.sub(r" \g<0> ", folded))
        folded = _KANA.sub(_without_particles, spaced)
    return tuple(
        [
            _WORD_ENDING.sub("", word) if word[-1] in _LAST_OF_ENDINGS else word
            for word in _WORD.findall(folded)
            if word not in _ENGLISH_FUNCTION_WORDS and word != "何"
        ]
    )


def _without_particles(run: re.Match[str]) -> str:
    """Return a run of kana without particles and without single kana, which are verb endings."""
    if run.end() - run.start() == 1:
        return ""
    if _KANA_QUESTION_WORDS.fullmatch(run.group()):
        return run.group()
    return " ".join(piece for piece in _PARTICLES.split(run.group()) if len(piece) > 1)


def share(one: ContentWords, other: ContentWords, same: Callable[[str, str], bool]) -> float:
    """Return the share of content words that two texts have in common, 0..1 (Dice's coefficient; Dice, 1945).

    Args:
        one: Content words of one text.
        other: Content words of the other text.
        same: Returns whether two different words differ by a typo only.
    """
    one, other = sorted((one, other))  # a fixed order keeps the result symmetric if a word has two possible twins
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
