"""The questions of the test and their correct categories. Each question contains a word that no other one contains."""

from random import Random

CATEGORIES = {
    "facilities": ("Facilities", ("desk", "parking lot", "window", "lamp")),
    "people": ("People team", ("vacation", "payslip", "parental leave", "pension")),
    "it": ("Computers", ("laptop", "password", "printer", "mailbox")),
    "rest": ("Rest", ("canteen", "choir", "picnic", "umbrella")),
}
"""Category id → its name and the things that belong to it."""
_LETTERS = "bcdfghjklmnpqrstvwxz"

SYSTEM = "Sort questions."


def categories_toml() -> str:
    """Return CATEGORIES in the format of the bot's `categories.toml`."""
    entries = [
        f'[[category]]\nid = "{key}"\nname = "{name}"\nrule = "Anything about {", ".join(things)}"\n'
        + ("other = true\n" if key == "rest" else "")
        for key, (name, things) in CATEGORIES.items()
    ]
    return 'language = "en"\n' + "".join(entries)


def question(rng: Random, number: int) -> str:
    """Return a question about a thing of a random category, with the unique word of `number`."""
    thing = rng.choice(CATEGORIES[rng.choice(list(CATEGORIES))][1])
    return f"Who looks after the {thing} of team {unique_word(number)}?"


def unique_word(number: int) -> str:
    """Return a word for a number, without digits because the bot might mask them."""
    word = ""
    while number or not word:
        number, digit = divmod(number, len(_LETTERS))
        word = _LETTERS[digit] + word
    return f"yx{word}yx"


def correct_category(text: str) -> str:
    """Return the id of the category that a text belongs to."""
    return next(key for key, (_, things) in CATEGORIES.items() if any(thing in text for thing in things))
