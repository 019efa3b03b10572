"""What people ask in this test, and what the right answer is. Each question holds a word that no other one has."""

from random import Random

CATEGORIES = {
    "facilities": ("Facilities", ("desk", "parking lot", "window", "lamp")),
    "people": ("People team", ("vacation", "payslip", "parental leave", "pension")),
    "it": ("Computers", ("laptop", "password", "printer", "mailbox")),
    "rest": ("Rest", ("canteen", "choir", "picnic", "umbrella")),
}
"""Category id → (its name, things that belong to it)."""
_LETTERS = "bcdfghjklmnpqrstvwxz"

SYSTEM = "Sort questions."


def categories_toml() -> str:
    """The same, as the bot's prompt has it."""
    entries = [
        f'[[category]]\nid = "{key}"\nname = "{name}"\nrule = "Anything about {", ".join(things)}"\n'
        + ("other = true\n" if key == "rest" else "")
        for key, (name, things) in CATEGORIES.items()
    ]
    return 'language = "en"\n' + "".join(entries)


def question(rng: Random, number: int) -> str:
    """A question about a thing of a random category."""
    thing = rng.choice(CATEGORIES[rng.choice(list(CATEGORIES))][1])
    return f"Who looks after the {thing} of team {mark(number)}?"


def mark(number: int) -> str:
    """A word for a number: no digits, which might be masked."""
    word = ""
    while number or not word:
        number, digit = divmod(number, len(_LETTERS))
        word = _LETTERS[digit] + word
    return f"yx{word}yx"


def right(text: str) -> str:
    """The id of the category that a text belongs to."""
    return next(key for key, (_, things) in CATEGORIES.items() if any(thing in text for thing in things))
