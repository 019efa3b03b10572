"""Token counts of texts. This model has no tokens, so they are estimated as for a language model."""

_ASCII_PER_TOKEN = 3
"""ASCII characters of a token; English has about four. Any other character counts as one token."""


def count(text: str) -> int:
    """Return about how many tokens a language model would make of the text, rather too many.

    A real tokenizer took 45 MB and, at the first question, the event loop for half a second.
    """
    ascii_characters = len(text.encode("ascii", "ignore"))
    return -(-ascii_characters // _ASCII_PER_TOKEN) + len(text) - ascii_characters


def count_messages(texts: list[str]) -> int:
    """Return the number of tokens in a chat.

    Besides its text, each message costs three tokens for its frame and one for its role. Priming the answer costs
    three tokens.
    """
    return 3 + sum(3 + 1 + count(text) for text in texts)
