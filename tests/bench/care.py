"""How well cries for help are told from ordinary messages: `python -m tests.bench.care`.

care.csv holds labelled texts of our own: cries for help of five kinds, and ordinary messages, many of which look like
cries. A third of the texts, chosen by a hash, is only measured on. With the other texts and those of the sample
histories, `--fit` makes bot/care/vectors.npz. FILE adds ordinary questions (CSV or JSON Lines) to the measure.
"""

import argparse
import asyncio
import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bot.care.caring import Caring, pieces_of
from bot.care.meaning import ENCODER, FILE
from bot.dataset.reading import read
from bot.domain.labelled import Labelled
from bot.embedded.encoders import Vectors, load
from bot.settings import ROOT
from tests.bench.out_of_scope import print_line

ORDINARY = "ordinary"
WIDTH, COST = 2.0, 3.0
"""The kernel's gamma and the machine's C: the best of nine pairs in a ten-fold cross-validation on the texts to fit."""


class CareText(NamedTuple):
    """A labelled text."""

    text: str
    cry: bool

    @property
    def measured(self) -> bool:
        """Whether the text is kept out of the fit."""
        return hashlib.sha256(self.text.encode()).digest()[0] % 3 == 0


class PackagedVectors:
    """The port `TextEncoder` over the encoder of the package."""

    async def vectors(self, texts: Sequence[str]) -> Vectors | None:
        return encode(texts)


def encode(texts: Sequence[str]) -> Vectors:
    encoder = load(ENCODER)
    assert encoder is not None
    return encoder.encode(texts)


def care_texts() -> list[CareText]:
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return [CareText(row["text"], row["kind"] != ORDINARY) for row in csv.DictReader(file)]


def history_texts(language: str) -> list[CareText]:
    return ordinary(ROOT / "prompts" / language / "history.csv")


def ordinary(file: Path) -> list[CareText]:
    return [CareText(one.text, cry=False) for one in read(file.read_bytes()) if isinstance(one, Labelled)]


def fit() -> None:
    """Fit the machine to the texts that are not measured, and write its file."""
    from sklearn.svm import SVC

    texts = [one for one in [*care_texts(), *history_texts("en"), *history_texts("ja")] if not one.measured]
    # Each sentence of an ordinary message is ordinary, but not each sentence of a cry for help is one.
    labels = {piece: False for one in texts if not one.cry for piece in pieces_of(one.text)}
    labels |= {one.text: True for one in texts if one.cry}
    machine = SVC(C=COST, gamma=WIDTH, class_weight="balanced").fit(encode([*labels]), [*labels.values()])
    scale = float(np.abs(machine.support_vectors_).max())
    np.savez_compressed(
        FILE,
        vectors=np.round(machine.support_vectors_ / scale * 127).astype(np.int8),
        weights=machine.dual_coef_[0].astype(np.float32),
        numbers=np.array([machine.intercept_[0], WIDTH, scale]),
    )


async def share(texts: Sequence[CareText], caring: Caring) -> float:
    """Return the share of these texts that are taken for cries for help."""
    encode([piece for one in texts for piece in pieces_of(one.text)])  # at once, which is faster than one by one
    return sum([await caring.needs_help(one.text) for one in texts]) / len(texts)


async def measure(files: Sequence[Path]) -> None:
    """Print the shares that are taken for cries for help: with the encoder, and by phrases alone."""
    texts = [one for one in care_texts() if one.measured]
    histories = {language: history_texts(language) for language in ("en", "ja")}
    groups = {
        "cries for help, en": [one for one in texts if one.cry and one.text.isascii()],
        "cries for help, ja": [one for one in texts if one.cry and not one.text.isascii()],
        "ordinary, like cries": [one for one in texts if not one.cry],
        **{f"history {language}": found for language, found in histories.items()},
        **{
            f"history {language}, not fitted": [one for one in found if one.measured]
            for language, found in histories.items()
        },
        **{file.name: ordinary(file) for file in files},
    }
    print_line(f"{'':28}{'texts':>6}{'with encoder':>14}{'phrases':>10}")
    for name, group in groups.items():
        both, phrases = await share(group, Caring(PackagedVectors())), await share(group, Caring())
        print_line(f"{name:28}{len(group):6}{both:14.3f}{phrases:10.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.care", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="ordinary questions to measure on too")
    parser.add_argument("--fit", action="store_true", help="make bot/care/vectors.npz first")
    call = parser.parse_args()
    if call.fit:
        fit()
    asyncio.run(measure(call.files))
