"""Docstrings drawn at random, to be read aloud: `python -m tests.house.sample --seed 7 --count 10`.

The same seed draws the same docstrings from the same commit.
"""

import argparse
import ast
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bot", "handlers", "storage")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@cache
def docstrings() -> tuple[str, ...]:
    """Return every docstring under the path of its file and its name, in the order of the paths and lines."""
    files = sorted(file.relative_to(ROOT).as_posix() for room in ROOMS for file in (ROOT / room).rglob("*.py"))
    found: list[str] = []
    for file in files:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        found += [f"{file}  {name}\n{text}" for name, text in documented(tree, "")]
    return tuple(found)


def documented(node: Documented, name: str) -> Iterator[tuple[str, str]]:
    """Yield the name and docstring of a node, and those of its attributes, classes and functions."""
    if text := ast.get_docstring(node):
        yield name or "(module)", text
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        match statement, following:
            case ((ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef()), _):
                yield from documented(statement, f"{name}.{statement.name}".lstrip("."))
            case (
                ast.Assign(targets=[ast.Name(id=attribute)]) | ast.AnnAssign(target=ast.Name(id=attribute)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield f"{name}.{attribute}".lstrip("."), "\n".join(line.strip() for line in text.splitlines())
            case _:
                pass


def sample(seed: int, count: int) -> list[str]:
    """Return so many docstrings at random, without repetition."""
    everything = docstrings()
    return random.Random(seed).sample(everything, min(count, len(everything)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.house.sample", description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="number that decides what is drawn")
    parser.add_argument("--count", type=int, default=10, help="number of docstrings; default: 10")
    call = parser.parse_args()
    sys.stdout.write("\n\n".join(sample(call.seed, call.count)) + "\n")
