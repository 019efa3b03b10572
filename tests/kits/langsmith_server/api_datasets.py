"""Handlers for datasets and examples, by method and path without the API version's prefix."""

import json
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.kits.langsmith_server.datasets import SPLIT, Dataset, Invalid, Missing, training_line
from tests.kits.langsmith_server.state import State
from tests.kits.langsmith_server.wire import ID, Got, Routes

ROUTES = Routes()
route = ROUTES.route


@route(r"GET /info")
def info(server: State, _got: Got) -> Response:
    return JSONResponse(server.info)


# --- datasets ---------------------------------------------------------------------------------------------------------


def dataset_json(dataset: Dataset) -> dict[str, Any]:
    about = {key: value for key, value in dataset.about.items() if key != "extra"}
    changed = (dataset.versions or [dataset.created_at])[-1]
    moments = {"created_at": dataset.created_at.isoformat(), "modified_at": changed.isoformat()}
    extra = dataset.about.get("extra") or {}
    counts = {"example_count": len(dataset.at(None)), "session_count": 0}
    return about | moments | counts | {"id": dataset.id, "metadata": extra.get("metadata")}


@route(r"POST /datasets")
def create_dataset(server: State, got: Got) -> Response:
    return JSONResponse(dataset_json(server.datasets.create(got.json)))


@route(r"GET /datasets")
def list_datasets(server: State, got: Got) -> Response:
    name = got.one("name")
    found = [one for one in server.datasets.by_id.values() if name is None or one.about["name"] == name]
    return JSONResponse([dataset_json(one) for one in got.page(found)])


@route(rf"GET /datasets/{ID}")
def read_dataset(server: State, _got: Got, dataset_id: str) -> Response:
    return JSONResponse(dataset_json(server.datasets.get(dataset_id)))


@route(rf"DELETE /datasets/{ID}")
def delete_dataset(server: State, _got: Got, dataset_id: str) -> Response:
    server.datasets.get(dataset_id)
    del server.datasets.by_id[dataset_id]
    return JSONResponse({})


@route(rf"PUT /datasets/{ID}/tags")
def tag(server: State, got: Got, dataset_id: str) -> Response:
    """Move a tag to a version, which must exist exactly."""
    dataset = server.datasets.get(dataset_id)
    moment = dataset.moment(got.json["as_of"])
    if moment not in dataset.versions:
        raise Missing("no such version")
    dataset.tags[got.json["tag"]] = moment
    return JSONResponse(dataset.version(got.json["tag"]))


@route(rf"GET /datasets/{ID}/versions")
def versions(server: State, got: Got, dataset_id: str) -> Response:
    dataset = server.datasets.get(dataset_id)
    return JSONResponse(got.page([dataset.version(at.isoformat()) for at in reversed(dataset.versions)]))


@route(rf"GET /datasets/{ID}/version")
def version(server: State, got: Got, dataset_id: str) -> Response:
    return JSONResponse(server.datasets.get(dataset_id).version(got.one("tag") or got.one("as_of")))


@route(rf"GET /datasets/{ID}/versions/diff")
def diff(server: State, got: Got, dataset_id: str) -> Response:
    older, newer = got.one("from_version"), got.one("to_version")
    if not older or not newer:
        raise Invalid("from_version and to_version are required")
    return JSONResponse(server.datasets.diff(server.datasets.get(dataset_id), older, newer))


@route(rf"GET /datasets/{ID}/splits")
def splits(server: State, got: Got, dataset_id: str) -> Response:
    examples = server.datasets.get(dataset_id).at(got.one("as_of"))
    return JSONResponse(sorted({split for one in examples for split in one["metadata"][SPLIT]}))


@route(rf"PUT /datasets/{ID}/splits")
def update_splits(server: State, got: Got, dataset_id: str) -> Response:
    asked = got.json
    dataset = server.datasets.get(dataset_id)
    server.datasets.split(dataset, asked["examples"], asked["split_name"], remove=asked["remove"])
    return JSONResponse([asked["split_name"]])


@route(rf"PATCH /platform/datasets/{ID}/examples/metadata")
def update_metadata(server: State, got: Got, dataset_id: str) -> Response:
    dataset = server.datasets.get(dataset_id)
    for asked in got.json["operations"]:
        if asked["key"] != SPLIT:
            raise Invalid("the stand-in supports only splits")
        for name in asked["values"]:
            remove = asked["operation"] == "array_remove"
            server.datasets.split(dataset, got.json["example_ids"], name, remove=remove)
    return JSONResponse({"count": len(got.json["example_ids"])})


@route(rf"GET /datasets/{ID}/openai_ft")
def openai_finetuning(server: State, got: Got, dataset_id: str) -> Response:
    examples = server.datasets.get(dataset_id).at(got.one("as_of"))
    return PlainTextResponse("".join(training_line(one) + "\n" for one in examples))


@route(r"POST /datasets/comparative")
def compare(server: State, got: Got) -> Response:
    asked = got.json
    server.datasets.get(asked["reference_dataset_id"])
    for session_id in asked["experiment_ids"]:
        server.traces.get_session(session_id)
    at = server.now().isoformat()
    kept = asked | {"tenant_id": next(iter(server.traces.sessions.values()))["tenant_id"], "modified_at": at}
    server.traces.comparisons.append(kept)
    return JSONResponse(kept)


# --- examples ---------------------------------------------------------------------------------------------------------


def multipart_examples(got: Got) -> dict[str, dict[str, Any]]:
    """Return the examples of a multipart body by id; inputs and outputs are parts named `<id>.<field>`."""
    examples: dict[str, dict[str, Any]] = {}
    for name, value in got.parts.items():
        example_id, _, what = name.partition(".")
        examples.setdefault(example_id, {}).update({what: value} if what else value)
    return examples


@route(rf"POST /platform/datasets/{ID}/examples")
def create_examples(server: State, got: Got, dataset_id: str) -> Response:
    examples = multipart_examples(got)
    at = server.datasets.add(server.datasets.get(dataset_id), examples)
    return JSONResponse({"count": len(examples), "example_ids": list(examples), "as_of": at}, 201)


@route(rf"PATCH /platform/datasets/{ID}/examples")
def update_examples(server: State, got: Got, dataset_id: str) -> Response:
    examples = multipart_examples(got)
    at = server.datasets.change(server.datasets.get(dataset_id), examples)
    return JSONResponse({"count": len(examples), "example_ids": list(examples), "as_of": at})


@route(r"POST /platform/datasets/examples/delete")
def erase_examples(server: State, got: Got) -> Response:
    server.datasets.erase(got.json["example_ids"])
    return JSONResponse({"count": len(got.json["example_ids"]), "example_ids": got.json["example_ids"]})


@route(r"POST /examples/bulk")
def create_examples_in_bulk(server: State, got: Got) -> Response:
    for example in got.json:
        server.datasets.add(server.datasets.get(example["dataset_id"]), {example["id"]: example})
    return JSONResponse([{"id": example["id"]} for example in got.json])


@route(r"PATCH /examples/bulk")
def update_examples_in_bulk(server: State, got: Got) -> Response:
    for example in got.json:
        dataset, _ = server.datasets.find(example["id"])
        server.datasets.change(dataset, {example["id"]: example})
    return JSONResponse({"message": f"{len(got.json)} examples updated"})


@route(r"GET /examples")
def list_examples(server: State, got: Got) -> Response:
    wanted = json.loads(got.one("metadata") or "{}")
    if got.one("filter"):
        raise Invalid("filter: the stand-in does not support it")
    dataset_id = got.one("dataset")
    datasets = [server.datasets.get(dataset_id)] if dataset_id else list(server.datasets.by_id.values())
    examples = [one for dataset in datasets for one in dataset.at(got.one("as_of"), got.ids("id"))]
    found = [
        one
        for one in examples
        if (not got.ids("splits") or set(got.ids("splits")) & set((one["metadata"] or {}).get(SPLIT, [])))
        and (one["metadata"] or {}).items() >= wanted.items()
    ]
    shown = {"id", *got.ids("select")} if got.one("exclude_default_fields") else None
    page = [one if shown is None else {key: one[key] for key in shown if key in one} for one in got.page(found)]
    return JSONResponse(page)


@route(rf"GET /examples/{ID}")
def read_example(server: State, got: Got, example_id: str) -> Response:
    dataset, _ = server.datasets.find(example_id)
    return JSONResponse(next(one for one in dataset.at(got.one("as_of")) if one["id"] == example_id))


@route(r"DELETE /examples")
def delete_examples(server: State, got: Got) -> Response:
    if not got.ids("example_ids"):
        raise Invalid("query.example_ids: Field required")
    server.datasets.remove(got.ids("example_ids"))
    return JSONResponse({})


@route(rf"DELETE /examples/{ID}")
def delete_example(server: State, _got: Got, example_id: str) -> Response:
    server.datasets.remove([example_id])
    return JSONResponse({})
