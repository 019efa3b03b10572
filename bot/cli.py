"""The command line: one function per command. Nothing else prints.

Each command imports its modules when it runs, so help and complaints about settings appear at once.
"""

import argparse
import asyncio
import gc
import io
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, aclosing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from bot.app import logs
from bot.domain.audit import OPERATOR
from bot.domain.dataset import PRIVATE
from bot.domain.disk import is_disk_full, make_private_folder
from bot.domain.errors import Refused
from bot.domain.faults import Fault, Problem, SettingsError, Unable, problem_of, problems_of
from bot.settings import VERSION, Settings, forget_proxies, forget_sdks, language, load, use_one_blas_thread
from handlers.texts.escape import visible
from handlers.texts.words import Words, texts

FORGET_PATIENCE = timedelta(seconds=30)
"""How long `forget --without-slack` waits for a service that has not erased its copies."""
STATE = Path("data/workspace.json")
"""File that keeps the practice workspace between two starts."""
DEFAULT_LEVELS = {"replay": "WARNING"}
"""Default log level of a command, if not INFO: a line per question would break the progress bar of a replay."""


def number(text: str) -> float:
    """Return a number that was typed as an option. Raises ArgumentTypeError with a text for people."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(Words(language())("cli.fault.not_a_number")) from None


def whole_number(text: str) -> int:
    """Return a whole number that was typed as an option. Raises ArgumentTypeError with a text for people."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(Words(language())("cli.fault.not_a_whole_number")) from None


def day(text: str) -> datetime:
    """Return the midnight (UTC) at which a typed day begins. Raises ArgumentTypeError with a text for people."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(Words(language())("cli.forget.not_a_day")) from None


def person(text: str) -> str:
    """Return a typed user id of Slack. Raises ArgumentTypeError with a text for people."""
    if not re.fullmatch(r"[UW][A-Z0-9]{6,}", text):
        raise argparse.ArgumentTypeError(Words(language())("cli.forget.not_a_person"))
    return text


READING_OPTIONS: dict[str, dict[str, Any]] = {
    "file": {"type": Path},
    "--text": {"default": "", "metavar": "COLUMN[,COLUMN]"},
    "--category": {"default": "", "metavar": "COLUMN"},
    "--encoding": {"default": "", "metavar": "NAME"},
}
FILE_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "import": {
        **READING_OPTIONS,
        "--map": {"action": "append", "default": [], "metavar": "OLD=NEW"},
        "--dry-run": {"action": "store_true"},
    },
    "replay": {
        **READING_OPTIONS,
        "--every": {"type": whole_number, "default": 100, "metavar": "N"},
        "--agree": {"type": number, "default": 0.2, "metavar": "SHARE"},
        "--test": {"type": whole_number, "metavar": "N"},
        "--examples": {"type": whole_number, "default": 3, "metavar": "N"},
        "--other": {"metavar": "CATEGORY"},
        "--seed": {"type": whole_number, "default": 7, "metavar": "N"},
        "--seeds": {"type": whole_number, "default": 1, "metavar": "N"},
        "--recall": {"type": whole_number, "metavar": "K"},
        "--order": {"default": "file", "choices": ["file", "random", "queue"]},
        "--plot": {"type": Path, "metavar": "PNG"},
    },
}
"""Options of the commands that read a file of questions, with what argparse has to know of each."""


class WrongCall(Unable):
    """A call with unusable values, or with a file or folder that cannot be used."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 for success, 1 for a failure, 2 for wrong settings or calls."""
    show_anything()
    words = Words(language())
    with translated_argparse(words):
        call = parser(words, sys.argv[1:] if arguments is None else arguments).parse_args(arguments)
    received: list[int] = [signal.SIGINT]
    try:
        settings = load()
        logs.configure(call.log_level, settings.secrets)
        forget_sdks()
        use_one_blas_thread()
        if settings.practice:
            forget_proxies()
        work = call.verb(call, settings, words)
        # `run` has its own way to end. `forget` waits for a person in `input`, and what it does may be killed.
        return int(asyncio.run(work if call.verb in {run, forget} else ended_by_signals(work, received)))
    except Unable as unable:
        code = 2 if isinstance(unable, SettingsError | WrongCall) else 1
        return fail("\n".join(map(words.problem, unable.problems)), code)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 128 + received[-1]
    except Exception as error:
        if not is_disk_full(error):
            raise
        return fail(words.problem(Problem(what=Fault.DISK_FULL)))


async def ended_by_signals(work: Coroutine[Any, Any, int], received: list[int]) -> int:
    """Run a command, which SIGTERM and SIGHUP (its terminal was closed) cancel, as Ctrl+C does.

    Without this, they would end the program with no chance to delete half-written files.

    Args:
        work: The command.
        received: Gets the number of the signal.
    """
    task = asyncio.current_task()

    def cancel(number: int) -> None:
        received.append(number)
        if task:
            task.cancel()

    main_thread = threading.current_thread() is threading.main_thread()  # no other one is told of signals
    # `nohup` ignores SIGHUP.
    ours = [one for one in (signal.SIGTERM, signal.SIGHUP) if main_thread and signal.getsignal(one) is signal.SIG_DFL]
    with stop_signals(cancel, ours):
        return await work


def show_anything() -> None:
    """Make a terminal or log that has no Japanese show escapes instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def translated_argparse(words: Words) -> Iterator[None]:
    """Translate argparse's own texts until the block ends; handlers/texts/ has them under `cli.argparse.`."""
    translations = {text: words(key) for key, text in texts("en").items() if key.startswith("cli.argparse.")}
    original = vars(argparse)["_"]  # argparse looks up all its texts under this name

    def translate(text: str | None) -> str | None:
        bare = (text or "").strip()
        return text.replace(bare, translations[bare]) if text and bare in translations else text

    vars(argparse)["_"] = translate
    try:
        yield
    finally:
        vars(argparse)["_"] = original


def parser(words: Words, arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of all commands and options. Its errors name the nearest word for a misspelt one."""
    known = {"--help", "--version"}

    class Helpful(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            typed = [one.partition("=")[0] for at, one in enumerate(arguments) if not at or one.startswith("--")]
            near = [found for one in typed if one not in known for found in get_close_matches(one, known, n=1)]
            hints = [words("cli.nearest", name=name) for name in near]
            verb = next(iter(arguments), "")
            if verb not in known and f"finetune.help.{verb}" in texts("en"):
                hints = [words("cli.in_slack", verb=verb)]
            super().error("\n".join([message, *hints]))

    program = Helpful(prog="python -m bot", description=words("cli.verb.none"))
    program.set_defaults(verb=run, log_level="INFO")
    program.add_argument(
        "--version", action="version", version=f"Madoguchi {VERSION}", help=words("cli.option.version")
    )
    verbs = program.add_subparsers(title=words("cli.verb.title"))

    def add(name: str, verb: Callable[..., Coroutine[Any, Any, int]]) -> argparse.ArgumentParser:
        known.add(name)
        help_text = words(f"cli.verb.{name}")
        command = verbs.add_parser(name, help=help_text, description=help_text)
        option(
            command,
            "--log-level",
            default=DEFAULT_LEVELS.get(name, "INFO"),
            choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        )
        command.set_defaults(verb=verb)
        return command

    def option(command: argparse.ArgumentParser, name: str, **options: Any) -> None:
        known.add(name)
        command.add_argument(name, help=words(f"cli.option.{name.strip('-').replace('-', '_')}"), **options)

    for name, verb in (("run", run), ("doctor", doctor)):
        add(name, verb)
    option(add("export", export), "folder", nargs="?", type=Path, default=Path())
    command = add("audit", audit)
    option(command, "audit_what", nargs="?", choices=["verify", "export"], default="verify")
    option(command, "folder", nargs="?", type=Path, default=Path())
    add_forget(add("forget", forget), option)
    for name, act in (("import", import_), ("replay", replay)):
        command = add(name, act)
        for argument, details in FILE_OPTIONS[name].items():
            option(command, argument, **details)
    return program


def add_forget(command: argparse.ArgumentParser, option: Callable[..., None]) -> None:
    """Add what `forget` takes: one thing to forget, and how."""
    what: Any = command.add_mutually_exclusive_group(required=True)
    option(what, "--person", type=person, metavar="U…")
    option(what, "--before", type=day, metavar="YYYY-MM-DD")
    option(what, "--everything", action="store_true")
    option(command, "--without-slack", action="store_true")
    option(command, "--yes", action="store_true")


def fail(text: str, code: int = 1) -> int:
    print(text, file=sys.stderr)
    return code


@contextmanager
def file_errors(file: Path) -> Iterator[None]:
    """Turn an error on a file that the call names into a WrongCall.

    Raises:
        WrongCall: The file cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise WrongCall(problem_of(error, error.filename or file)) from None


async def run(_call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Run the bot until SIGINT or SIGTERM. A second signal ends it at once."""
    gc.disable()  # a start makes objects to keep, and the collector would go through them again and again
    from bot.app.running import open_bot

    stop, starting, task = asyncio.Event(), True, asyncio.current_task()

    def end(_number: int) -> None:
        stop.set()
        if starting and task:
            task.cancel()  # nothing has been accepted yet

    try:
        with stop_signals(end):
            async with open_bot(settings, state=STATE, port=settings.bot_http_port) as running:
                starting = False
                gc.freeze()  # a later collection then takes milliseconds instead of a tenth of a second
                gc.enable()
                key = "practice" if running.practice else "requests" if settings.slack_signing_secret else "slack"
                print(words(f"cli.run.{key}", url=running.url), flush=True)
                with browser(running.url, wanted=bool(running.practice) and settings.bot_open_browser):
                    await stop.wait()
                print(words("cli.run.stopping"), flush=True)
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        gc.enable()
    return 0


@contextmanager
def browser(url: str, *, wanted: bool) -> Iterator[None]:
    """Open a page beside the block if it is wanted and somebody sits at a terminal."""
    opening = asyncio.create_task(open_page(url)) if wanted and sys.stdout.isatty() else None
    try:
        yield
    finally:
        if opening:
            opening.cancel()


async def open_page(url: str) -> None:
    """Open a page in the person's browser, if there is one.

    A process of its own keeps a browser's messages off the terminal, and a browser that hangs from delaying a stop.
    """
    with suppress(OSError):
        opener = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "webbrowser", url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await opener.wait()
        finally:
            if opener.returncode is None:
                opener.kill()
                await opener.wait()


@contextmanager
def stop_signals(
    stop: Callable[[int], None], names: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
) -> Iterator[None]:
    """Call `stop` with the first of these signals; a second one has the system's default effect."""
    loop = asyncio.get_running_loop()

    def once(number: int) -> None:
        for name in names:
            loop.remove_signal_handler(name)
        stop(number)

    for name in names:
        loop.add_signal_handler(name, once, name)
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)


async def doctor(_call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Print a line for each part. The settings are valid, or this command would not run."""
    from bot.app.doctor import examine, well

    findings = [well("settings", "cli.doctor.settings"), *await examine(settings)]
    for finding in findings:
        print(finding.line(words))
    return 0 if all(finding.well for finding in findings) else 1


@contextmanager
def progress(unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal until the block ends. Yields a function that takes how much is done, of how much.

    Without an end, it shows what is done and how fast. A second stretch of work begins where less is done than before;
    its rate is its own.
    """
    from tqdm import tqdm

    with tqdm(unit=unit, disable=None, leave=False) as bar:

        def show(done: int, total: int) -> None:
            if done < bar.n:
                bar.reset(total or None)
            bar.total, bar.n = total or None, done
            bar.refresh()

        yield show


async def export(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    from bot.app.wiring import open_core
    from bot.dataset.training_files import DiskFile
    from bot.embedded.leftovers import delete_leftovers, held_file

    async with open_core(settings) as core:
        exporting = core.acts.exporting
        with file_errors(call.folder), ExitStack() as stack:
            make_private_folder(call.folder)
            delete_leftovers(call.folder, "madoguchi-*.partial")
            file = DiskFile(stack.enter_context(held_file(call.folder, "madoguchi-", ".partial")))
            stack.callback(file.discard)
            try:
                with progress("row") as done:
                    written = await exporting.write(file, done)
                await core.acts.auditing.exported(OPERATOR, written)
            except Refused as refused:
                return fail(words(f"refused.{refused.reason.value}", **refused.facts))
            name = exporting.named(written)
            data, manifest = call.folder / f"{name}.jsonl", call.folder / f"{name}.manifest.json"
            # The entry in the audit log comes before the file: a kill in between leaves an entry of a file that is not
            # there, which is better than a file that no entry tells of.
            write_private(manifest, [f"{written.model_dump_json(indent=2)}\n".encode()])
            file.name(data)
    print(
        words(
            "cli.export.done",
            rows=written.rows,
            held_out=written.held_out,
            file=data,
            manifest=manifest,
        )
    )
    if left_out := written.left_out.get(PRIVATE):
        print(words("finetune.left_out.private", n=left_out))
    return 0


async def audit(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Check the audit log, or write it to a file. The exit code is 1 if it was changed."""
    from bot.app.wiring import open_core

    async with open_core(settings) as core:
        entries = await core.acts.auditing.entries()
        check = await core.acts.auditing.checked(entries)
    if call.audit_what == "export":
        file = call.folder / "madoguchi-audit.jsonl"
        with file_errors(call.folder):
            make_private_folder(call.folder)
            write_private(file, (f"{entry.model_dump_json()}\n".encode() for entry in entries))
        print(words("cli.audit.done", entries=check.entries, file=file))
    if check.broken is not None:
        return fail(words("cli.audit.broken", seq=check.broken))
    print(words("cli.audit.well", entries=check.entries, head=check.head or "-"))
    return 0


async def forget(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Have things forgotten: by the bot that runs, or here if its app was removed from Slack."""
    from bot.app.wiring import open_core
    from bot.domain.forgetting import Scope
    from bot.forgetting.finishing import Finishing
    from bot.forgetting.reaching import Reaching
    from bot.ports import NoSlack

    async with open_core(settings) as core:
        ports, forgetting = core.ports, core.acts.forgetting
        scope = Scope.person(call.person) if call.person else Scope.before(call.before or ports.clock.now())
        copies = ports.trainer, ports.clock, ports.tracker, ports.embedded
        reaching = Reaching(ports.store, NoSlack(), *copies, batcher=ports.batcher)
        finishing = Finishing(ports.store, ports.clock, reaching, FORGET_PATIENCE)
        if call.without_slack and await finishing.find_running():
            return fail(words("cli.forget.running"))
        counts = await forgetting.plan(scope)
        if counts:
            if not call.yes and not agreed(forget_question(call, counts, words)):
                return fail(words("cli.forget.kept"))
            await forgetting.forget(scope, OPERATOR, words.language)
        elif not call.without_slack or not await finishing.find_open():
            print(words("forget.nothing"))
            return 0
        if not call.without_slack:
            print(words("cli.forget.taken"))
            return 0
        print(words("cli.forget.begins"), flush=True)
        return forget_report(await finishing.finish(), words)


def forget_question(call: argparse.Namespace, counts: Mapping[str, int], words: Words) -> str:
    """Return what is asked on the terminal before anything is forgotten."""
    kind = "person" if call.person else "before" if call.before else "everything"
    what = call.person or (f"{call.before:%Y-%m-%d}" if call.before else "")
    text = words("cli.forget.ask" if kind == "everything" else f"forget.ask.{kind}", what=what)
    return "\n".join([text, *counted(counts, words), words("cli.forget.final"), words("cli.forget.type_yes")])


def counted(counts: Mapping[str, int], words: Words) -> list[str]:
    """Return a line for each store."""
    return [f"  {words(f'forget.store.{name}', n=n)}" for name, n in counts.items() if n]


def agreed(question: str) -> bool:
    """Return whether the person at the terminal types `yes`. Without a terminal nobody agrees."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's would wait for the answer
    try:
        return input(f"{question} ").strip().casefold() == "yes"
    except EOFError:
        return False
    finally:
        signal.signal(signal.SIGINT, usual)


def forget_report(requests: Sequence[Any], words: Words) -> int:
    """Print what was forgotten and what could not be. Returns the exit code: 1 if something waits."""
    from bot.domain.forgetting import ForgetState, added
    from handlers.views.forget import left_lines

    left = added(*(one.left for one in requests))
    slack = left.pop("forget_card", 0)
    for line in counted(added(*(one.counts for one in requests)), words):
        print(line)
    if slack:
        print(words("cli.forget.left_in_slack", n=slack))
    for line in left_lines(left, words):
        print(line)
    waiting = sum(one.state is not ForgetState.DONE for one in requests)
    if waiting:
        return fail(words("cli.forget.waits"))
    print(words("cli.forget.done"))
    return 0


def write_private(path: Path, content: Iterable[bytes]) -> None:
    """Write a file that only the user who runs the program may read; it holds people's questions."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            file.writelines(content)
        except BaseException:
            path.unlink()  # a part of it would look like the whole
            raise


async def import_(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    """Import a file. The exit code is 1 if a line was bad, although all good lines are stored."""
    with file_errors(call.file):
        data = call.file.read_bytes()  # first, so that a wrong name is told at once
    from bot.app.import_lines import lost_lines, preview_lines, problem_lines, skipped_lines
    from bot.app.wiring import open_core
    from bot.dataset.importing import ImportPreview, UnknownMapping

    options = import_options(call)
    async with open_core(settings) as core:
        importing = core.acts.importing
        try:
            with progress("row") as written:
                report = await (
                    importing.preview(data, options)
                    if call.dry_run
                    else importing.load(data, call.file.name, options, written)
                )
            await core.keep_index()
        except UnknownMapping as unknown:
            raise WrongCall(*unknown.problems) from None
    for line in problem_lines(report, call.file.name, words):
        print(visible(line), file=sys.stderr)  # a terminal obeys hidden characters
    lost = lost_lines(report)
    if isinstance(report, ImportPreview):
        for line in (*preview_lines(report, words), *skipped_lines(report, words)):
            print(visible(line))
        print(words("cli.import.dry_run", rows=sum(report.by_category.values()), same=report.same, bad=lost))
    else:
        for line in skipped_lines(report, words):
            print(line)
        print(words("cli.import.done", added=report.added, changed=report.changed, same=report.same, bad=lost))
    return 1 if report.bad else 0


def import_options(call: argparse.Namespace) -> Any:
    """Return what a call says about the file to import.

    Raises:
        WrongCall: An option has an unusable value.
    """
    from bot.dataset.importing import ImportOptions

    pairs = [pair.rpartition("=") for pair in call.map]
    if not all(old.strip() and new.strip() for old, _, new in pairs):
        raise WrongCall(Problem(what=Fault.NOT_A_MAPPING, where="--map"))
    return ImportOptions(**dict(reading_options(call)), mapping={old: new for old, _, new in pairs})


def reading_options(call: argparse.Namespace) -> Any:
    """Return what a call says about the file to read.

    Raises:
        WrongCall: The encoding is unknown.
    """
    from bot.dataset.reading.encodings import ENCODINGS, known_encoding
    from bot.domain.labelled import ReadingOptions

    if call.encoding and not known_encoding(call.encoding):
        facts = {"names": ", ".join(ENCODINGS)}
        raise WrongCall(Problem(what=Fault.UNKNOWN_ENCODING, where="--encoding", facts=facts))
    text = tuple(filter(None, (name.strip() for name in call.text.split(","))))
    return ReadingOptions(text=text, category=call.category, encoding=call.encoding)


async def replay(call: argparse.Namespace, settings: Settings, words: Words) -> int:
    from bot.app.replay.plot import plot, saved_by_queue
    from bot.app.replay.script import script as script_of
    from bot.app.wiring import read_prompt

    plan, options = plan_of(call), reading_options(call)
    picture, without_picture = picture_of(call)
    with file_errors(call.file):
        data = call.file.read_bytes()
    script = script_of(data, plan, read_prompt(settings.prompt_folder), options)
    print(words("cli.replay.measured", n=len(script.test), near=script.near), flush=True)
    if plan.order == "queue" and plan.seeds > 1:
        return await compare_orders(script, plan, settings, words)
    other = plan.model_copy(update={"order": "random"})
    before = await run_replay(script, other, settings, words) if plan.order == "queue" else []
    points = await run_replay(script, plan, settings, words)
    if without_picture:
        print(words.problem(without_picture))
    else:
        with file_errors(picture):
            plot(points, call.file.name, picture, words)
        print(words("cli.replay.done", file=picture))
    saved = saved_by_queue(points, before) if before else None
    if saved:
        goal, with_queue, without = saved
        print(
            words("cli.replay.saved", percent=f"{goal:.1%}", queue=with_queue, random=without, n=without - with_queue)
        )
    return 0


async def compare_orders(script: Any, plan: Any, settings: Settings, words: Words) -> int:
    """Measure the order of the review queue in several runs, and print what it saves."""
    from bot.app.replay import orders

    async def run(script: Any, plan: Any, goal: float) -> list[Any]:
        print(words(f"cli.replay.order.{plan.order}", seed=plan.seed), flush=True)
        return await run_replay(script, plan, settings, words, goal)

    found = await orders.compare_orders(script, plan, run)
    low, high = found.interval
    print(
        words(
            "cli.replay.compared",
            goal=f"{found.goal:.1%}",
            full=f"{found.full:.1%}",
            queue=", ".join(f"{one:.0f}" for one in found.queue),
            random=", ".join(f"{one:.0f}" for one in found.at_random),
            share=f"{found.share:.0%}",
            low=f"{low:.0%}",
            high=f"{high:.0%}",
        )
    )
    return 0


def picture_of(call: argparse.Namespace) -> tuple[Path, Problem | None]:
    """Return the file for the picture of a replay, and why there will be none, if pictures are not installed.

    Raises:
        WrongCall: The call asks for a picture that cannot be made. It fails now, not after hours.
    """
    picture = call.plot or Path(f"{call.file.stem}.png")
    missing = Problem(what=Fault.NOT_INSTALLED, where=str(picture), facts={"package": "matplotlib"})
    if find_spec("matplotlib") is None:
        if call.plot:
            raise WrongCall(missing)
        return picture, missing
    if not picture.parent.is_dir():
        raise WrongCall(Problem(what=Fault.NO_FILE, where=str(picture.parent)))
    return picture, None


def plan_of(call: argparse.Namespace) -> Any:
    """Return the plan of a replay call.

    Raises:
        WrongCall: An option has an unusable value.
    """
    from bot.app.replay.script import Plan

    try:
        return Plan(**{name: getattr(call, name) for name in Plan.model_fields})
    except ValidationError as error:
        problems = problems_of(error)
        raise WrongCall(*(p.model_copy(update={"where": f"--{p.where}"}) for p in problems)) from None


async def run_replay(script: Any, plan: Any, settings: Settings, words: Words, goal: float = 2.0) -> list[Any]:
    """Run one replay until a point reaches this accuracy, print each point as it arrives, and return all points."""
    from tqdm import tqdm

    from bot.app.replay.show import replay as points_of

    points = []
    with tqdm(total=len(script.stream), unit="q", disable=None) as bar:
        async with aclosing(points_of(script, plan, settings, bar.update)) as measured:
            async for point in measured:
                points.append(point)
                bar.write(point_line(point, words))
                if point.refused:
                    bar.write(" " * 7 + words("cli.replay.not_trained", said=point.refused))
                if point.unsure:
                    bar.write(f"{'':7}{unsure_line(point.unsure, words)}")
                if point.accuracy >= goal:
                    break
    return points


def point_line(point: Any, words: Words) -> str:
    """Return a measurement as one line."""
    low, high = point.interval
    return words(
        "cli.replay.point" if point.switched else "cli.replay.kept",
        corrections=point.corrections,
        asked=point.asked,
        percent=f"{point.accuracy:6.1%}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
        version=point.version,
        off="–" if point.ece is None else f"{point.ece:.1%}",
    )


def unsure_line(unsure: Any, words: Words) -> str:
    """Return the effect of a measurement's threshold as one line."""

    def percent(share: float | None) -> str:
        return "–" if share is None else f"{share:.0%}"

    facts = {"rows": unsure.scope.rows, "caught": percent(unsure.scope.share_caught)}
    if unsure.threshold is None:
        return words("cli.replay.no_threshold", **facts)
    return words(
        "cli.replay.threshold",
        threshold=unsure.threshold,
        answered=percent(unsure.answered),
        wrong=f"{unsure.wrong:.1%}",
        before=percent(unsure.without_threshold.share_caught),
        **facts,
    )
