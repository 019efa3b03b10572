"""Handlers for sessions, runs, feedback and queues, by method and path without the API version's prefix."""

from typing import Any

from starlette.responses import JSONResponse, Response

from tests.kits.langsmith_server.datasets import Invalid, Missing
from tests.kits.langsmith_server.state import State
from tests.kits.langsmith_server.wire import ID, Got, Routes

ROUTES = Routes()
route = ROUTES.route


# --- sessions and runs ------------------------------------------------------------------------------------------------


@route(r"POST /sessions")
def create_session(server: State, got: Got) -> Response:
    reference = got.json.get("reference_dataset_id")
    if reference:
        server.datasets.get(reference)
    return JSONResponse(server.traces.open(got.json, upsert=(got.one("upsert") or "").lower() == "true"))


@route(r"GET /sessions")
def list_sessions(server: State, got: Got) -> Response:
    name, reference = got.one("name"), got.one("reference_dataset")
    found = [
        one
        for one in server.traces.sessions.values()
        if name in {None, one["name"]} and reference in {None, one["reference_dataset_id"]}
    ]
    return JSONResponse(got.page(found))


@route(rf"GET /sessions/{ID}")
def read_session(server: State, _got: Got, session_id: str) -> Response:
    return JSONResponse(server.traces.get_session(session_id))


@route(rf"PATCH /sessions/{ID}")
def update_session(server: State, got: Got, session_id: str) -> Response:
    session = server.traces.get_session(session_id)
    session.update({key: value for key, value in got.json.items() if value is not None})
    return JSONResponse(session)


@route(r"POST /runs")
def create_run(server: State, got: Got) -> Response:
    server.traces.ingest({got.json["id"]: got.json}, {})
    return JSONResponse({"message": "Run created"}, 202)


@route(rf"PATCH /runs/{ID}")
def update_run(server: State, got: Got, run_id: str) -> Response:
    server.traces.ingest({}, {run_id: got.json})
    return JSONResponse({"message": "Run updated"}, 202)


@route(r"POST /runs/batch")
def ingest_batch(server: State, got: Got) -> Response:
    sent = got.json
    server.traces.ingest(*({run["id"]: run for run in sent.get(key) or []} for key in ("post", "patch")))
    return JSONResponse({"message": "Runs batch ingested"}, 202)


@route(r"POST /runs/multipart")
def ingest_multipart(server: State, got: Got) -> Response:
    sent: dict[str, dict[str, dict[str, Any]]] = {"post": {}, "patch": {}, "feedback": {}}
    for name, value in got.parts.items():
        kind, run_id, *what = name.split(".")
        sent[kind].setdefault(run_id, {}).update({what[0]: value} if what else value)
    server.traces.ingest(sent["post"], sent["patch"])
    for feedback in sent["feedback"].values():
        server.traces.say(feedback, early=True)
    return JSONResponse({"message": "Runs batch ingested"}, 202)


@route(r"POST /runs/query")
def query_runs(server: State, got: Got) -> Response:
    """Return runs by their ids or by the example that they answer."""
    ids, examples = got.json.get("id") or [], got.json.get("reference_example") or []
    if not ids and not examples:
        raise Invalid("at least one of 'session', 'id', 'parent_run', 'trace' or 'reference_example' is required")
    found = [
        run
        for run_id, run in server.traces.runs.items()
        if run_id in ids or run.get("reference_example_id") in examples
    ]
    return JSONResponse({"runs": found[: got.json.get("limit") or 100], "cursors": {"next": None}})


@route(r"POST /runs/delete")
def delete_runs(server: State, got: Got) -> Response:
    """Delete traces of one session, with their feedback. The real server does it on the next weekend."""
    server.traces.get_session(got.json["session_id"])
    if not server.traces.busy:
        server.traces.delete(got.json["session_id"], got.json["trace_ids"])
    return JSONResponse({"message": "Deletion is scheduled"}, 202)


# --- feedback ---------------------------------------------------------------------------------------------------------


@route(r"POST /feedback")
def create_feedback(server: State, got: Got) -> Response:
    return JSONResponse(server.traces.say(got.json))


@route(rf"PATCH /feedback/{ID}")
def update_feedback(server: State, got: Got, feedback_id: str) -> Response:
    kept = server.traces.get_feedback(feedback_id)
    kept.update(got.json, modified_at=server.now().isoformat())
    return JSONResponse(kept)


@route(rf"DELETE /feedback/{ID}")
def delete_feedback(server: State, _got: Got, feedback_id: str) -> Response:
    server.traces.get_feedback(feedback_id)
    del server.traces.feedback[feedback_id]
    return JSONResponse({})


@route(rf"GET /feedback/{ID}")
def read_feedback(server: State, _got: Got, feedback_id: str) -> Response:
    return JSONResponse(server.traces.get_feedback(feedback_id))


@route(r"GET /feedback")
def list_feedback(server: State, got: Got) -> Response:
    """Return feedback, the newest first. People's names are included only on request."""
    lists = {"run": "run_id", "key": "key", "session": "session_id"}
    since, until = got.one("min_created_at") or "", got.one("max_created_at") or "9"
    found = []
    for one in reversed(server.traces.feedback.values()):
        source = one["feedback_source"]
        matches = all(not got.ids(name) or one[key] in got.ids(name) for name, key in lists.items())
        if (
            matches
            and since <= one["created_at"] <= until
            and (not got.ids("source") or source["type"] in got.ids("source"))
        ):
            with_names = (got.one("include_user_names") or "").lower() == "true"
            shown = source if with_names else {**source, "user_name": None}
            found.append({**one, "feedback_source": shown})
    return JSONResponse(got.page(found))


# --- annotation queues ------------------------------------------------------------------------------------------------


@route(r"POST /annotation-queues")
def create_queue(server: State, got: Got) -> Response:
    return JSONResponse(server.traces.create_queue(got.json))


@route(r"GET /annotation-queues")
def list_queues(server: State, got: Got) -> Response:
    found = [one for one in server.traces.queues.values() if got.one("name") in {None, one["name"]}]
    return JSONResponse(got.page(found))


@route(rf"GET /annotation-queues/{ID}")
def read_queue(server: State, _got: Got, queue_id: str) -> Response:
    return JSONResponse(server.traces.get_queue(queue_id))


@route(rf"POST /platform/annotation-queues/{ID}/items")
def enqueue(server: State, got: Got, queue_id: str) -> Response:
    return JSONResponse({"items": server.traces.enqueue(queue_id, got.json["items"])}, 201)


@route(rf"GET /platform/annotation-queues/{ID}/items")
def list_items(server: State, got: Got, queue_id: str) -> Response:
    """Return items of one status, in pages with an opaque cursor."""
    server.traces.get_queue(queue_id)
    status, size, start = got.one("status"), int(got.one("page_size") or 20), int(got.one("cursor") or 0)
    if status not in {"needs_my_review", "needs_others_review", "archived"}:
        raise Invalid("status: one of needs_my_review, needs_others_review, archived")
    found = [one for one in server.traces.items.values() if (one["queue_id"], one["status"]) == (queue_id, status)]
    more = str(start + size) if len(found) > start + size else None
    return JSONResponse({"items": found[start : start + size], "next_cursor": more})


@route(rf"POST /platform/annotation-queues/items/{ID}/status")
def review_item(server: State, got: Got, item_id: str) -> Response:
    if item_id not in server.traces.items:
        raise Missing("Item not found")
    done = got.json.get("status") == "completed"
    server.traces.items[item_id]["status"] = "archived" if done else "needs_my_review"
    server.traces.items[item_id]["last_reviewed_time"] = server.now().isoformat()
    return JSONResponse(server.traces.items[item_id])


@route(rf"POST /annotation-queues/{ID}/runs/by-key")
def enqueue_runs(server: State, got: Got, queue_id: str) -> Response:
    items = [{"item_type": "RUN", **run} for run in got.json]
    return JSONResponse(server.traces.enqueue(queue_id, items))
