"""The masking of personal data and secrets, before a text is stored or sent (docs/masking.md)."""


def masked(text: str) -> str:
    """Replace personal data and secrets with a word in brackets that names their kind; keep everything else.

    Characters that cannot be stored are replaced too. The time is linear in the length of the text.
    """
    from bot.domain.masking.masks import replaced  # compiles hundreds of patterns, which a start does not wait for

    return replaced(text)
