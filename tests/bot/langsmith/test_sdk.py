"""What of the SDK is used stays after January 2027, and a server of that time is enough."""

import ast
import inspect
from pathlib import Path

import langsmith.client

import bot.langsmith
from bot.langsmith import LangSmithTracker
from tests.bot.langsmith.things import copy, experiment, feedback, trace, tried
from tests.kits.langsmith_server import LangSmithServer


def going() -> set[str]:
    """The methods that the SDK itself marks as deprecated."""
    tree = ast.parse(inspect.getsource(langsmith.client))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [mark.func for mark in node.decorator_list if isinstance(mark, ast.Call)]
            found |= {node.name for mark in marks if isinstance(mark, ast.Name) and mark.id == "_deprecated"}
    return found


def named() -> set[str]:
    """Every attribute that the room names."""
    files = Path(bot.langsmith.__file__).parent.glob("*.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_nothing_is_used_that_the_sdk_says_will_go() -> None:
    assert {"read_run", "list_runs", "share_run", "get_experiment_results"} <= going()
    assert {"create_examples", "create_feedback", "multipart_ingest"} <= named()
    assert not named() & going()


async def test_a_server_that_only_has_what_stays_takes_everything(
    langsmith: LangSmithServer, tracker: LangSmithTracker
) -> None:
    """There the SDK raises what it only warns of elsewhere."""
    langsmith.info["instance_flags"] |= {"ch_query_enabled": False, "sdb_query_enabled": True}
    one, dataset = trace("q1"), await tracker.dataset()
    await tracker.trace([one])
    await tracker.say(feedback(one))
    await tracker.put_rows(dataset, [copy("a")])
    await tracker.freeze(dataset, "held-out-1", ["a"])
    await tracker.experiment(experiment(dataset), [tried("a")])
    await tracker.conclude(experiment(dataset), {"accuracy": 1.0})
    assert (await tracker.edits(dataset, None)).edits == ()
    assert await tracker.annotations(None) == []
    assert {one["key"] for one in langsmith.traces.feedback.values()} == {"category", "correct", "accuracy"}
