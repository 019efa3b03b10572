"""Web API: views.open, views.push, views.update and views.publish."""

from bot.practice.api import Method
from bot.practice.blocks import check_view
from bot.practice.interactions import show_view
from bot.practice.wire import Args, Json, SlackError
from bot.practice.workspace import Workspace


def _definition(args: Args, kind: str) -> Json:
    return check_view(args.data("view", "invalid_arguments"), kind)


def _open(ws: Workspace, args: Args) -> Json:
    definition = _definition(args, "modal")
    user_id = ws.hooks.exchange(args.required("trigger_id")).user_id
    view = ws.views.open(user_id, definition)
    show_view(ws, user_id, view)
    return {"view": view}


def _push(ws: Workspace, args: Args) -> Json:
    definition = _definition(args, "modal")
    user_id = ws.hooks.exchange(args.required("trigger_id")).user_id
    view = ws.views.push(user_id, definition)
    show_view(ws, user_id, view)
    return {"view": view}


def _update(ws: Workspace, args: Args) -> Json:
    if "view_id" not in args and "external_id" not in args:
        raise SlackError("invalid_arguments", "missing required field: view_id")
    user_id, old = ws.views.get(args.text("view_id"), args.text("external_id"))
    view = ws.views.update(old, _definition(args, old["type"]), args.text("hash"))
    show_view(ws, user_id, view)
    return {"view": view}


def _publish(ws: Workspace, args: Args) -> Json:
    definition = _definition(args, "home")
    user_id = ws.member(args.required("user_id")).id
    view = ws.views.publish(user_id, definition, args.text("hash"))
    show_view(ws, user_id, view)
    return {"view": view}


VIEW_METHODS = {
    "views.open": Method(_open),
    "views.push": Method(_push),
    "views.update": Method(_update),
    "views.publish": Method(_publish),
}
