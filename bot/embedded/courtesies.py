"""How much each sentence of a long ticket counts: greetings, apologies and signatures must not drown the question."""

from collections.abc import Sequence

import numpy as np

from bot.embedded.features import Floats, TextSpace
from bot.embedded.linear import softmax

# fmt: off
COURTESIES = (
    "Hello everyone,", "Hi there", "Good afternoon", "Dear Sir or Madam", "Thank you very much.",
    "Many thanks in advance", "Best regards, John Smith", "Sincerely", "Sorry to bother you with this.",
    "Please let me know.", "I hope you are well.", "I look forward to your reply.",
    "I don't know who is responsible for this.", "Somebody said I should ask you.",
    "I already searched but could not find the answer.", "This is urgent.", "Take your time, there is no hurry.",
    "You can reach me by phone.", "I will be in meetings all day.", "If you have any questions, please contact me.",
    "Sales department, Tokyo office", "Tel. 03-1234-5678", "Please see the message below.", "On Monday, Anna wrote:",
    "I am forwarding this to you.", "I will tell the others.", "This message is confidential.",
    "It happened before, and I forgot what I did.", "I work in the marketing team.",
    "皆さん、こんにちは。", "お疲れさまです。", "お世話になっております。", "総務部の山田です。",
    "よろしくお願いいたします。", "ありがとうございます。", "お忙しいところ恐れ入ります。", "お手数をおかけしますが",
    "初めてご連絡いたします。", "ご確認のほどお願いいたします。", "ご返信をお待ちしております。",
    "担当の方が分からないのでここで聞きます。", "ここで聞けばよいと言われました。", "調べましたが分かりませんでした。",
    "至急お願いします。", "お時間のあるときで構いません。", "何かあればご連絡ください。",
    "本日は会議で席を外しています。",
    "詳しいことは改めてお伝えします。", "電話番号 03-1234-5678", "株式会社サンプル 営業部 課長",
    "下記のメールをご覧ください。",
    "関係者に共有します。", "以前にも同じことがありましたが忘れました。",
)
# fmt: on
"""Sentences that people write around a question, in two languages; the encoder knows them in others, too."""
_STEEPNESS = 16.0
_KNOWN_SHARE = 0.5  # measured, as the steepness, with other greetings and signatures than these, in two languages


def sentence_weights(space: TextSpace, known: Floats, sentences: Sequence[str]) -> Floats:
    """Return the share of each sentence in the answer; a sentence counts less the more it is like a courtesy.

    Args:
        space: Where the sentences are compared.
        known: The meanings of what the company asks: questions that were trained on, and the prompt's texts.
        sentences: The parts of a ticket, at least one. The whole ticket may be one of them.
    """
    meanings = space.meanings(sentences)
    courtesy = (meanings @ space.lasting_meanings(COURTESIES).T).max(axis=1)
    likeness = (meanings @ known.T).max(axis=1)
    return softmax(np.asarray(_STEEPNESS * (_KNOWN_SHARE * likeness - courtesy), dtype=np.float32))
