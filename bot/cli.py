"""The command line: one call a verb. The only place that prints."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from bot.domain.errors import Refused
from bot.running import open_bot
from bot.settings import Settings, SettingsError, forget_proxies, load
from bot.wiring import open_house, read_prompt
from handlers.connection import SlackRefused
from handlers.words import Words
from storage.database import DatabaseUnreachable

STATE = Path("data/workspace.json")
"""Where the practice workspace is kept from one start to the next."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0 done, 1 it could not be done, 2 the settings or the call are wrong."""
    call = parser().parse_args(arguments)
    logging.basicConfig(
        level=call.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for chatty in ("apscheduler", "slack_bolt"):
        logging.getLogger(chatty).setLevel(max(logging.ERROR, logging.getLevelNamesMapping()[call.log_level]))
    try:
        settings = load()
        if settings.practice:
            forget_proxies()
        return int(asyncio.run(call.verb(call, settings, words_for(settings))))
    except SettingsError as error:
        return failed(str(error), code=2)
    except (DatabaseUnreachable, SlackRefused) as error:
        return failed(str(error))
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    made = argparse.ArgumentParser(prog="python -m bot", description="Madoguchi: a desk for a company's questions")
    made.set_defaults(verb=run, log_level="WARNING")
    verbs = made.add_subparsers(title="verbs")

    def add(name: str, verb: Callable[..., Coroutine[Any, Any, int]], words: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=words, description=words)
        one.add_argument("--log-level", default="WARNING", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
        one.set_defaults(verb=verb)
        return one

    add(
        "run",
        run,
        "run the bot (also without a verb): on Slack where its tokens are set, else in the practice workspace",
    )
    one = add("export", export, "write the training file (JSONL) and its manifest")
    one.add_argument("folder", nargs="?", type=Path, default=Path(), help="where to; default here")
    one = add("import", import_, "take over labelled questions: CSV or JSON Lines with `text` and `category`")
    one.add_argument("file", type=Path)
    one = add("replay", replay, "play a labelled file through the loop and measure what is learnt")
    one.add_argument("file", type=Path)
    one.add_argument("--every", type=int, default=100, metavar="N", help="fine-tune after N corrections (default 100)")
    one.add_argument(
        "--agree", type=float, default=0.2, metavar="SHARE", help="of right answers agreed to (default 0.2)"
    )
    one.add_argument(
        "--test", type=int, metavar="N", help="measure on the last N questions (default a third, at most 500)"
    )
    one.add_argument(
        "--examples", type=int, default=3, metavar="N", help="a category, where a prompt is made (default 3)"
    )
    one.add_argument("--other", metavar="CATEGORY", help="the catch-all, where a prompt is made")
    one.add_argument("--seed", type=int, default=7, metavar="N", help="of whom staff agree with (default 7)")
    one.add_argument(
        "--recall", type=int, metavar="K", help="never fine-tune: serve with K settled questions shown as examples"
    )
    one.add_argument(
        "--order",
        default="file",
        choices=["file", "random", "queue"],
        help="what staff settle next (default: as asked); `queue` plays `random` first and tells what the queue saves",
    )
    one.add_argument("--plot", type=Path, metavar="PNG", help="default the file's name with .png, here")
    return made


def words_for(settings: Settings) -> Words:
    """The language of the command line: BOT_LANGUAGE, else the machine's."""
    return Words(settings.bot_language or settings.lang)


def failed(text: str, code: int = 1) -> int:
    print(text, file=sys.stderr)
    return code


async def run(_call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Run the bot until it is told to stop (SIGINT, SIGTERM)."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_bot(settings, state=STATE, page_port=settings.bot_http_port) as running:
        if running.practice:
            print(words("cli.run.practice", url=running.practice.url), flush=True)
        else:
            print(words("cli.run.slack"), flush=True)
        await stop.wait()
        print(words("cli.run.stopping"), flush=True)
    return 0


async def export(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    async with open_house(settings) as house:
        try:
            frozen = await house.tuning.export()
        except Refused as refused:
            return failed(words(f"refused.{refused.reason.value}", **refused.facts))
    stem = call.folder / f"madoguchi-{frozen.manifest.id[:12]}"
    call.folder.mkdir(parents=True, exist_ok=True)
    data, manifest = stem.with_suffix(".jsonl"), stem.with_suffix(".manifest.json")
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
    try:
        data = call.file.read_bytes()
    except OSError as error:
        return failed(words("cli.unreadable", file=call.file, error=error.strerror), code=2)
    async with open_house(settings) as house:
        report = await house.importing.load(data, call.file.name)
    for bad in report.bad:
        why = words(f"cli.import.flaw.{bad.why.value}", **bad.facts)
        print(words("cli.import.bad", line=bad.line, why=why), file=sys.stderr)
    print(words("cli.import.done", added=report.added, changed=report.changed, same=report.same, bad=len(report.bad)))
    return 1 if report.bad else 0


async def replay(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    from bot import replaying

    plan = replaying.Plan(**{name: getattr(call, name) for name in replaying.Plan.model_fields})
    try:
        script = replaying.script(call.file.read_bytes(), plan, read_prompt(settings.prompt_folder))
        other = plan.model_copy(update={"order": "random"})
        before = await played(script, other, settings, words) if plan.order == "queue" else []
        points = await played(script, plan, settings, words)
    except OSError as error:
        return failed(words("cli.unreadable", file=call.file, error=error.strerror), code=2)
    except replaying.UnusableFile as error:
        return failed(str(error))
    picture = call.plot or Path(f"{call.file.stem}.png")
    replaying.plot(points, call.file.name, picture)
    print(words("cli.replay.done", file=picture))
    saved = replaying.saved(points, before) if before else None
    if saved:
        goal, with_queue, without = saved
        print(
            words("cli.replay.saved", percent=f"{goal:.1%}", queue=with_queue, random=without, n=without - with_queue)
        )
    return 0


async def played(script: Any, plan: Any, settings: Settings, words: Words) -> list[Any]:
    """The points of one replay, each printed when it is there."""
    from tqdm import tqdm

    from bot import replaying

    points = []
    with tqdm(total=len(script.stream), unit="q", disable=None) as bar:
        async for point in replaying.replay(script, plan, settings, bar.update):
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
