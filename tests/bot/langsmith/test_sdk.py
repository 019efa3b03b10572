"""The SDK methods in use remain after January 2027, and a server of that time suffices."""

import ast
import inspect
from pathlib import Path

import langsmith.client

import bot.langsmith
from bot.langsmith import LangSmithTracker
from tests.bot.langsmith.things import copy, experiment, experiment_row, feedback, trace
from tests.kits.langsmith_server import LangSmithServer


def deprecated_methods() -> set[str]:
    """Return the methods that the SDK itself marks as deprecated."""
    tree = ast.parse(inspect.getsource(langsmith.client))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [mark.func for mark in node.decorator_list if isinstance(mark, ast.Call)]
            found |= {node.name for mark in marks if isinstance(mark, ast.Name) and mark.id == "_deprecated"}
    return found


def used_attributes() -> set[str]:
    """Return every attribute name in the code of `bot.langsmith`."""
    files = Path(bot.langsmith.__file__).parent.glob("*.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_no_deprecated_sdk_method_is_used() -> None:
    assert {"read_run", "list_runs", "share_run", "get_experiment_results"} <= deprecated_methods()
    assert {"create_examples", "create_feedback", "multipart_ingest"} <= used_attributes()
    assert not used_attributes() & deprecated_methods()


async def test_server_without_deprecated_endpoints_is_enough(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    """With these flags the SDK raises an error where it would otherwise only warn."""
    langsmith.info["instance_flags"] |= {"ch_query_enabled": False, "sdb_query_enabled": True}
    one, dataset = trace("q1"), await tracker.dataset()
    await tracker.trace([one])
    await tracker.say(feedback(one))
    await tracker.put_rows(dataset, [copy("a")])
    await tracker.freeze(dataset, "held-out-1", ["a"])
    await tracker.experiment(experiment(dataset), [experiment_row("a")])
    await tracker.conclude(experiment(dataset), {"accuracy": 1.0})
    assert (await tracker.edits(dataset, None)).edits == ()
    assert await tracker.annotations(None) == []
    assert {one["key"] for one in langsmith.traces.feedback.values()} == {"category", "correct", "accuracy"}
