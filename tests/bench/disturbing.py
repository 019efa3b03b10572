"""Ways in which people disturb a question without changing what it asks: mistypings, other scripts, long tickets."""

import itertools
import random
import re
import unicodedata

from bot.embedded.features import is_japanese

LONGEST = 6_000
"""Length of the longest ticket, in characters."""
_WORD = re.compile(r"[A-Za-z]{3,}")
_HALF_WIDTH = {
    unicodedata.normalize("NFKC", chr(code) + mark): chr(code) + mark
    for code in range(0xFF65, 0xFF9E)
    for mark in ("", "\uff9e", "\uff9f")
    if len(unicodedata.normalize("NFKC", chr(code) + mark)) == 1
}
_TO_KATAKANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}
# fmt: off
_OTHER_LANGUAGE = {
    "en": {
        "account": "口座", "bank": "銀行", "bill": "請求書", "book": "予約", "calendar": "カレンダー", "card": "カード",
        "change": "変更", "insurance": "保険", "language": "言語", "meeting": "会議", "money": "お金", "music": "音楽",
        "order": "注文", "password": "パスワード", "pay": "支払い", "phone": "電話", "reminder": "リマインダー",
        "schedule": "予定", "tomorrow": "明日", "travel": "出張", "vacation": "休暇", "weather": "天気",
    },
    "ja": {
        "アラーム": "alarm", "カレンダー": "calendar", "スケジュール": "schedule", "タクシー": "taxi",
        "チケット": "ticket",
        "ニュース": "news", "パスワード": "password", "プレイリスト": "playlist", "ミーティング": "meeting",
        "メール": "mail",
        "リスト": "list", "レシピ": "recipe", "会議": "meeting", "休暇": "vacation", "天気": "weather", "音楽": "music",
        "音量": "volume", "予定": "schedule", "明日": "tomorrow", "電車": "train", "申請": "request", "経費": "expense",
    },
}
_FRAMES = {
    "en": ("お疲れ様です。", " よろしくお願いします。"),
    "ja": ("Hi all, sorry to bother you. ", " Thanks in advance!"),
}
_GREETINGS = {
    "en": ("Hi team,", "Hello,", "Dear all,", "Good morning everyone,"),
    "ja": ("お疲れ様です。営業二課の佐藤です。", "いつもお世話になっております。開発部の田中です。",
           "各位\nお疲れ様です。"),
}
_FILLER = {
    "en": (
        "I hope this message finds you well.", "Sorry for writing at such a late hour.",
        "I was not sure whom to ask, so I am trying here first.", "A colleague told me that this is the right place.",
        "I looked for it myself for a while but found nothing that helped.", "It is not extremely urgent.",
        "I am back at my desk in the afternoon if something is unclear.", "Let me know if you need more details.",
        "Any pointer is appreciated.", "I had the same thing last year, but I don't remember how it went.",
    ),
    "ja": (
        "突然のご連絡で失礼いたします。", "遅い時間に申し訳ありません。",
        "どなたに伺えばよいか分からず、こちらに書いています。",
        "同僚からこちらが窓口だと聞きました。", "自分でもしばらく調べたのですが、見つかりませんでした。",
        "急ぎではありません。",
        "午後は席におりますので、ご不明な点があればお声がけください。", "必要な情報があればお知らせください。",
        "ご教示いただけますと幸いです。", "去年も同じことがあったのですが、どうしたか覚えていません。",
    ),
}
_ENDS = {
    "en": "Best regards,\nTaylor Reed\nSales Operations, Building 4\nExt. 2231",
    "ja": "以上、よろしくお願いいたします。\n――――――――――\n営業本部 営業二課\n佐藤 花子（内線 2231）\n――――――――――",
}
_QUOTES = {
    "en": (
        "On Tue, Sam Hill wrote:", "> Thanks for getting back to me so quickly.", "> I will pass it on to the others.",
        "> Please write to the desk about it and put me in copy.", "> I am out of the office until Thursday.",
        "> Talk to you soon.",
    ),
    "ja": (
        "2026/04/07 鈴木 一郎 のメール:", "> 早速のお返事ありがとうございます。", "> 関係者には私から伝えておきます。",
        "> 窓口に書いて、私もCCに入れてください。",
        "> 木曜日まで不在にしております。", "> 引き続きよろしくお願いいたします。",
    ),
}
_STORY = {
    "en": (
        ("On Monday morning", "After the lunch break", "Two weeks ago", "Before the long weekend",
         "Late in the afternoon", "During the move to the third floor", "While it was raining outside",
         "Shortly before the deadline"),
        ("I spoke to the person next to me", "somebody from the other building called me",
         "the two of us sat together again", "my predecessor came by once more",
         "the people across the hall were loud"),
        ("and nobody had any idea", "and we went through it step by step", "and they said it was fine",
         "and it took much longer than we thought", "and we agreed to wait a little",
         "and nothing came of it in the end", "and everybody had a different opinion"),
    ),
    "ja": (
        ("月曜の朝、", "昼休みのあと、", "二週間ほど前、", "連休に入る前、", "夕方遅く、", "三階への引っ越しの最中、",
         "外で雨が降っていたころ、", "締め切りの少し前、"),
        ("隣の席の人と話したところ、", "別の建物の方から声をかけられ、", "二人でもう一度集まり、",
         "前任の方が立ち寄ってくれて、", "向かいの部署がにぎやかで、"),
        ("誰も見当がつかない様子でした", "順を追って一つずつ見ていきました", "大丈夫だろうと言われました",
         "思っていたよりずっと長くかかりました", "少し様子を見ることになりました", "結局何も進みませんでした",
         "人によって意見が違いました"),
    ),
}
# fmt: on


def language_of(text: str) -> str:
    return "ja" if is_japanese(text) else "en"


def half_width(text: str, _rng: random.Random) -> str:
    """Write all katakana in half width; other characters stay."""
    return "".join(_HALF_WIDTH.get(char, char) for char in text)


def all_half_width(text: str, rng: random.Random) -> str:
    """Write hiragana and katakana as half-width katakana, as old systems do."""
    return half_width(text.translate(_TO_KATAKANA), rng)


def full_width(text: str, _rng: random.Random) -> str:
    """Write letters, digits and punctuation in full width."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def upper_case(text: str, _rng: random.Random) -> str:
    return text.upper()


def mixed_languages(text: str, _rng: random.Random) -> str:
    """Put polite words of the other language around the question, and everyday words of it inside."""
    language = language_of(text)
    for word, other in _OTHER_LANGUAGE[language].items():
        text = (
            re.sub(rf"\b{word}\b", other, text, flags=re.IGNORECASE) if language == "en" else text.replace(word, other)
        )
    before, after = _FRAMES[language]
    return f"{before}{text}{after}"


def mistyped_words(text: str, rng: random.Random) -> str:
    """Mistype one in ten words of three letters or more, at least one; a text without such words stays."""
    words = list(_WORD.finditer(text))
    for match in sorted(
        rng.sample(words, min(len(words), max(1, round(len(text.split()) / 10)))), reverse=True, key=_start
    ):
        text = text[: match.start()] + _mistyped(match.group(), rng) + text[match.end() :]
    return text


def mistyped_characters(text: str, rng: random.Random) -> str:
    """Mistype one in ten characters, at least one: drop, double or swap it with the next."""
    for at in sorted(rng.sample(range(len(text)), max(1, len(text) // 10)), reverse=True):
        text = text[:at] + _mistyped(text[at : at + 2], rng) + text[at + 2 :]
    return text


def _start(match: re.Match[str]) -> int:
    return match.start()


def _mistyped(piece: str, rng: random.Random) -> str:
    """Drop, double or swap a letter of the piece, but not its first letter if there are three or more."""
    at = rng.randrange(1, len(piece) - 1) if len(piece) > 2 else 0
    one, two = piece[at : at + 1], piece[at + 1 : at + 2]
    changed = rng.choice(("", one + one, two + one) if len(piece) > 2 else ("", one + one))
    if changed == two + one:
        return piece[:at] + changed + piece[at + 2 :]
    return piece[:at] + changed + piece[at + 1 :]


def ticket(text: str, rng: random.Random, length: int) -> str:
    """Build a mail around the question: greeting, filler, question, filler, signature and quoted mails.

    Args:
        text: The question.
        rng: The source of chance.
        length: The length of the ticket in characters; the quoted mails are cut there.
    """
    language = language_of(text)
    filler = rng.sample(_FILLER[language], 6)
    before = rng.randint(0, 3)
    glue, stop = (" ", ".") if language == "en" else ("", "。")
    question = text if text.endswith(("?", "？", "。", ".")) else text + stop
    lines = [
        rng.choice(_GREETINGS[language]),
        "",
        glue.join(
            [
                *filler[:before],
                question,
            ]
        ),
        glue.join(filler[before:]),
        "",
        _ENDS[language],
    ]
    while sum(map(len, lines)) < length:
        quotes = _QUOTES[language]
        lines += ["", quotes[0], *(rng.choice(quotes[1:]) for _ in range(8))]
    return "\n".join(lines)[:length]


def short_ticket(text: str, rng: random.Random) -> str:
    return ticket(text, rng, 800)


def long_ticket(text: str, rng: random.Random) -> str:
    return ticket(text, rng, LONGEST)


def story(text: str, rng: random.Random, sentences: int) -> str:
    """Put the question, without its mark, anywhere among so many sentences that all differ and tell of other things."""
    language = language_of(text)
    glue, stop = (" ", ".") if language == "en" else ("", "。")
    told = [glue.join(parts) + stop for parts in itertools.product(*_STORY[language])]
    chosen, at = rng.sample(told, sentences), rng.randint(0, sentences)
    return glue.join([*chosen[:at], text.rstrip("?？。. ") + stop, *chosen[at:]])


def story_of_forty(text: str, rng: random.Random) -> str:
    return story(text, rng, 40)


def story_of_ninety(text: str, rng: random.Random) -> str:
    return story(text, rng, 90)
