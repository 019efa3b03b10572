"""The import of a file of labelled questions and the export of its rows, beside a plain loop over a cursor.

Each runs as a program of its own, so that its processor time and its largest memory are the kernel's figures.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bot.domain.dataset import group_of
from tests.bench.neighbours import make_questions
from tests.bench.stored import CATEGORIES
from tests.bench.workplace import Figures, create_database, print_figures, print_line
from tests.loop.program import ROOT

PLAIN_LOOP = """
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
with open(sys.argv[2], encoding="utf-8") as exported:
    prompt = json.loads(next(exported))["messages"][0]["content"]
found = database.execute("SELECT text, category, reason FROM rows WHERE split = 'train' ORDER BY id")
with open(sys.argv[3], "w", encoding="utf-8") as file:
    for text, category, reason in found:
        answer = json.dumps({"reason": reason or "", "category": category}, ensure_ascii=False)
        said = (("system", prompt), ("user", text), ("assistant", answer))
        messages = [{"role": role, "content": content} for role, content in said]
        file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\\n")
"""
"""The shortest export that gives nearly the same lines, with the whole prompt: no conflicts, no near-copies, no proof.

It is given a database, a file that the bot exported, and the name of the file to write.
"""

MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
"""Runs a program as the child of a small one: a process inherits the largest memory of what it was forked from."""


class Cost(NamedTuple):
    """The cost of a program."""

    processor: float
    """Seconds of all its threads."""
    megabytes: float
    """Its largest resident memory, in units of 1,000,000 bytes."""


def cost_of(command: Sequence[str], env: Mapping[str, str], folder: str) -> Cost:
    """Run a program to its end and return what it took.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    measured = (sys.executable, "-S", "-E", "-c", MEASURED, *command)
    ended = subprocess.run(measured, cwd=folder, env=env, stdout=subprocess.PIPE, check=True)
    processor, kilobytes = ended.stdout.split()
    return Cost(float(processor), float(kilobytes) * 1024 / 1e6)


def write_questions(file: Path, count: int) -> None:
    """Write labelled questions as CSV."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("text", "category"))
        for text in make_questions(count):
            # Texts that are equal once normalised and masked get the same category, so that none contradicts another.
            wording = re.sub(r"\d+", "", text)
            writer.writerow((text, CATEGORIES[int(group_of(wording)[:8], 16) % len(CATEGORIES)]))


def measure(lines: int, kind: str) -> Figures:
    """Import a file twice, export twice, and return what each took."""
    with tempfile.TemporaryDirectory() as folder:
        url = create_database(kind, folder)
        env = {
            "PATH": os.environ["PATH"],  # noqa: TID251 - a program needs one
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": url,
            "BOT_LANGUAGE": "en",
        }
        file, bot = Path(folder, "questions.csv"), (sys.executable, "-m", "bot")
        write_questions(file, lines)
        parts: dict[str, Sequence[str]] = {
            "import": (*bot, "import", str(file)),
            "import again": (*bot, "import", str(file)),
        }
        parts |= {"export": (*bot, "export", folder), "export again": (*bot, "export", folder)}
        costs = {name: cost_of(command, env, folder) for name, command in parts.items()}
        if kind == "sqlite":
            (exported,) = Path(folder).glob("madoguchi-*.jsonl")
            files = (url.removeprefix("sqlite:///"), str(exported), str(Path(folder, "plain.jsonl")))
            costs["plain loop"] = cost_of((sys.executable, "-c", PLAIN_LOOP, *files), env, folder)
    figures = {f"{name}, processor s": cost.processor for name, cost in costs.items()}
    figures |= {f"{name}, MB": cost.megabytes for name, cost in costs.items()}
    if loop := costs.get("plain loop"):
        figures["export, in plain loops"] = costs["export"].processor / loop.processor
    return figures


def main(counts: Sequence[int], databases: Sequence[str], runs: int) -> None:
    """Print a table for each number of lines."""
    for count in counts:
        print_line(f"{count:,} lines; {runs} runs of each in turns: the median, and the range")
        found: dict[str, list[Figures]] = {}
        for _ in range(runs):
            for kind in databases:
                found.setdefault(kind, []).append(measure(count, kind))
        print_figures(found)
        print_line()
