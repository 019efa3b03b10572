"""The command line: one call a verb. The only place that prints.

A verb loads what it needs when it is called: help, and the word on a setting that is wrong, need not wait for it.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.app import logs
from bot.domain.errors import Refused
from bot.domain.faults import Fault, Problem, SettingsError, Unable, problem_of, problems_of
from bot.settings import Settings, forget_proxies, forget_sdks, language, load
from handlers.texts.words import Words, texts

STATE = Path("data/workspace.json")
"""Where the practice workspace is kept from one start to the next."""


LEVELS = {"replay": "WARNING"}
"""From which level on a verb logs, other than INFO: a line a question would tear the progress bar of a replay."""


class WrongCall(Unable):
    """A file or folder that the call names cannot be used."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0 done, 1 it could not be done, 2 the settings or the call are wrong."""
    words = Words(language())
    with spoken(words):
        call = parser(words).parse_args(arguments)
    try:
        settings = load()
        logs.configure(call.log_level, settings.secrets)
        forget_sdks()
        if settings.practice:
            forget_proxies()
        return int(asyncio.run(call.verb(call, settings, words)))
    except Unable as unable:
        code = 2 if isinstance(unable, SettingsError | WrongCall) else 1
        return failed("\n".join(map(words.problem, unable.problems)), code)
    except KeyboardInterrupt:
        return 130


@contextmanager
def spoken(words: Words) -> Iterator[None]:
    """Have argparse speak a language: in texts/, what it says by itself stands under its own English."""
    said = {text: words(key) for key, text in texts("en").items() if key.startswith("cli.argparse.")}
    own = vars(argparse)["_"]  # the one name under which it looks its words up

    def told(text: str | None) -> str | None:
        bare = (text or "").strip()
        return text.replace(bare, said[bare]) if text and bare in said else text

    vars(argparse)["_"] = told
    try:
        yield
    finally:
        vars(argparse)["_"] = own


def parser(words: Words) -> argparse.ArgumentParser:
    """The verbs and their options."""
    made = argparse.ArgumentParser(prog="python -m bot", description=words("cli.verb.none"))
    made.set_defaults(verb=run, log_level="INFO")
    verbs = made.add_subparsers(title=words("cli.verb.title"))

    def add(name: str, verb: Callable[..., Coroutine[Any, Any, int]]) -> argparse.ArgumentParser:
        told = words(f"cli.verb.{name}")
        one = verbs.add_parser(name, help=told, description=told)
        option(one, "--log-level", default=LEVELS.get(name, "INFO"), choices=["DEBUG", "INFO", "WARNING", "ERROR"])
        one.set_defaults(verb=verb)
        return one

    def option(one: argparse.ArgumentParser, name: str, **traits: Any) -> None:
        one.add_argument(name, help=words(f"cli.option.{name.strip('-').replace('-', '_')}"), **traits)

    for name, verb in (("run", run), ("doctor", doctor)):
        add(name, verb)
    option(add("export", export), "folder", nargs="?", type=Path, default=Path())
    option(add("import", import_), "file", type=Path)
    one = add("replay", replay)
    option(one, "file", type=Path)
    option(one, "--every", type=int, default=100, metavar="N")
    option(one, "--agree", type=float, default=0.2, metavar="SHARE")
    option(one, "--test", type=int, metavar="N")
    option(one, "--examples", type=int, default=3, metavar="N")
    option(one, "--other", metavar="CATEGORY")
    option(one, "--seed", type=int, default=7, metavar="N")
    option(one, "--recall", type=int, metavar="K")
    option(one, "--order", default="file", choices=["file", "random", "queue"])
    option(one, "--plot", type=Path, metavar="PNG")
    return made


def failed(text: str, code: int = 1) -> int:
    print(text, file=sys.stderr)
    return code


@contextmanager
def named(file: Path) -> Iterator[None]:
    """What keeps a file that the call names from being read or written is told, with its name."""
    try:
        yield
    except OSError as error:
        raise WrongCall(problem_of(error, error.filename or file)) from None


async def run(_call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Run the bot until it is told to stop (SIGINT, SIGTERM). Told so twice, it ends at once."""
    from bot.app.running import open_bot

    stop, starting, whole = asyncio.Event(), True, asyncio.current_task()

    def end() -> None:
        stop.set()
        if starting and whole:
            whole.cancel()  # nothing was taken in yet

    try:
        with told_to_stop(end):
            async with open_bot(settings, state=STATE, port=settings.bot_http_port) as running:
                starting = False
                told = "practice" if running.practice else "requests" if settings.slack_signing_secret else "slack"
                print(words(f"cli.run.{told}", url=running.url), flush=True)
                await stop.wait()
                print(words("cli.run.stopping"), flush=True)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    return 0


@contextmanager
def told_to_stop(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal; the second one does what the system does with it."""
    loop, names = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def once() -> None:
        for name in names:
            loop.remove_signal_handler(name)
        stop()

    for name in names:
        loop.add_signal_handler(name, once)
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)


async def doctor(_call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """A line for each part. The settings can be used, or this would not run."""
    from bot.app.doctor import examine, well

    findings = [well("settings", "cli.doctor.settings"), *await examine(settings)]
    for finding in findings:
        print(finding.line(words))
    return 0 if all(finding.well for finding in findings) else 1


async def export(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    from bot.app.wiring import open_core

    async with open_core(settings) as core:
        try:
            frozen = await core.acts.exporting.export()
        except Refused as refused:
            return failed(words(f"refused.{refused.reason.value}", **refused.facts))
    stem = call.folder / f"madoguchi-{frozen.manifest.id[:12]}"
    data, manifest = stem.with_suffix(".jsonl"), stem.with_suffix(".manifest.json")
    with named(call.folder):
        call.folder.mkdir(parents=True, exist_ok=True)
        data.write_bytes(frozen.data)
        manifest.write_text(frozen.manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print(
        words(
            "cli.export.done",
            rows=frozen.manifest.rows,
            held_out=frozen.manifest.held_out,
            file=data,
            manifest=manifest,
        )
    )
    return 0


async def import_(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Import a file. The exit code is 1 where a line was bad, though all good ones are kept."""
    from bot.app.wiring import open_core

    with named(call.file):
        data = call.file.read_bytes()
    async with open_core(settings) as core:
        report = await core.acts.importing.load(data, call.file.name)
    for bad in report.bad:
        why = words(f"cli.import.flaw.{bad.why.value}", **bad.facts)
        print(words("cli.import.bad", line=bad.line, why=why), file=sys.stderr)
    print(words("cli.import.done", added=report.added, changed=report.changed, same=report.same, bad=len(report.bad)))
    return 1 if report.bad else 0


async def replay(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    from bot.app.replay.plot import plot, saved_by_queue
    from bot.app.replay.script import script as script_of
    from bot.app.wiring import read_prompt

    plan = planned(call)
    picture = call.plot or Path(f"{call.file.stem}.png")
    if not picture.parent.is_dir():  # told now, and not after hours
        raise WrongCall(Problem(what=Fault.NO_FILE, where=str(picture.parent)))
    with named(call.file):
        data = call.file.read_bytes()
    script = script_of(data, plan, read_prompt(settings.prompt_folder))
    print(words("cli.replay.measured", n=len(script.test), near=script.near), flush=True)
    other = plan.model_copy(update={"order": "random"})
    before = await played(script, other, settings, words) if plan.order == "queue" else []
    points = await played(script, plan, settings, words)
    with named(picture):
        plot(points, call.file.name, picture, words)
    print(words("cli.replay.done", file=picture))
    saved = saved_by_queue(points, before) if before else None
    if saved:
        goal, with_queue, without = saved
        print(
            words("cli.replay.saved", percent=f"{goal:.1%}", queue=with_queue, random=without, n=without - with_queue)
        )
    return 0


def planned(call: argparse.Namespace) -> Any:
    """How a call wants a file to be replayed. Raises WrongCall."""
    from bot.app.replay.script import Plan

    try:
        return Plan(**{name: getattr(call, name) for name in Plan.model_fields})
    except ValidationError as error:
        problems = problems_of(error)
        raise WrongCall(*(p.model_copy(update={"where": f"--{p.where}"}) for p in problems)) from None


async def played(script: Any, plan: Any, settings: Settings, words: Words) -> list[Any]:
    """The points of one replay, each printed when it is there."""
    from tqdm import tqdm

    from bot.app.replay.show import replay as points_of

    points = []
    with tqdm(total=len(script.stream), unit="q", disable=None) as bar:
        async for point in points_of(script, plan, settings, bar.update):
            points.append(point)
            bar.write(line_of(point, words))
            if point.doubt:
                bar.write(f"{'':7}{doubt_of(point.doubt, words)}")
    return points


def line_of(point: Any, words: Words) -> str:
    """One measurement as a line."""
    low, high = point.interval
    return words(
        "cli.replay.point" if point.switched else "cli.replay.kept",
        corrections=point.corrections,
        asked=point.asked,
        percent=f"{point.accuracy:6.1%}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
        model=point.model,
        ece="–" if point.ece is None else f"{point.ece:.3f}",
    )


def doubt_of(doubt: Any, words: Words) -> str:
    """What the threshold of a measurement comes to, as a line."""

    def percent(share: float | None) -> str:
        return "–" if share is None else f"{share:.0%}"

    facts = {"rows": doubt.scope.rows, "caught": percent(doubt.scope.share_caught)}
    if doubt.threshold is None:
        return words("cli.replay.no_threshold", **facts)
    return words(
        "cli.replay.threshold",
        threshold=doubt.threshold,
        answered=percent(doubt.answered),
        wrong=f"{doubt.wrong:.1%}",
        before=percent(doubt.unasked.share_caught),
        recall=percent(doubt.scope.recall),
        precision=percent(doubt.scope.precision),
        **facts,
    )
