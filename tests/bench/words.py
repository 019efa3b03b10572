"""The dictionary against which typos are told, made anew: `python -m tests.bench.words FILE...`.

The files are those of Debian's packages wamerican and wbritish (/usr/share/dict/american-english and british-english),
and the tables of mecab-ipadic (Noun*.csv), whose first column is a word. Words too short for a slip are left out.
"""

import lzma
import re
import sys
from pathlib import Path

from bot.domain.similar import content
from bot.similarity.packed import LONGEST_SLIP, SHORTEST_SLIP
from bot.similarity.typos import DICTIONARY
from tests.bench.out_of_scope import print_line

_WORD = re.compile(r"[A-Za-z]+|[ァ-ヶー]+")


def main(files: list[Path]) -> None:
    """Write the dictionary."""
    found = set[str]()
    for file in files:
        lines = file.read_text("euc_jp" if file.suffix == ".csv" else "utf-8", errors="replace").splitlines()
        words = (line.partition(",")[0] for line in lines)
        found.update(*(content(word) for word in words if _WORD.fullmatch(word)))
    kept = sorted(word for word in found if SHORTEST_SLIP <= len(word) <= LONGEST_SLIP)
    text = "".join(f"{word}\n" for word in kept)
    DICTIONARY.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print_line(f"{len(kept)} words, {DICTIONARY.stat().st_size} bytes")


if __name__ == "__main__":
    main([*map(Path, sys.argv[1:])])
