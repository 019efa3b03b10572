"""Web API: files.*, uploads to an upload URL, and downloads."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bot.practice import chat
from bot.practice.api import Method
from bot.practice.blocks import check_message
from bot.practice.people import Channel
from bot.practice.wire import Args, Json, SlackError
from bot.practice.workspace import Workspace


def _get_upload_url(ws: Workspace, args: Args) -> Json:
    length = args.text("length")
    if not length.isdigit() or length == "0":
        raise SlackError("invalid_arguments", "must be more than 0 [json-pointer:/length]")
    name, alt = args.required("filename"), args.text("alt_txt")
    file_id, path = ws.files.announce(name, int(length), ws.app.bot_user, ws.url, alt)
    return {"upload_url": f"{ws.url}{path}", "file_id": file_id}


def _complete(ws: Workspace, args: Args) -> Json:
    wanted = args.data("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted:
        raise SlackError("invalid_arguments", "missing required field: files")
    files = []
    for entry in wanted:
        file = ws.files.get(str(entry.get("id")))
        file["title"] = entry.get("title") or file["name"]
        files.append(file)
    names = args.text("channel_id") or args.text("channels")
    for channel_id in filter(None, names.split(",")):
        _share(ws, ws.board.channel(channel_id), files, args)
    ws.save_soon()
    return {"files": files}


def _share(ws: Workspace, channel: Channel, files: list[Json], args: Args) -> None:
    if ws.app.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    blocks = args.data("blocks", "invalid_blocks_format")
    message = chat.bot_message(ws, args.text("initial_comment"), check_message(blocks) if blocks else None)
    message |= {"subtype": "file_share", "files": files, "upload": False}
    key = {"channel": "channels", "group": "groups", "im": "ims"}[channel.kind]
    for file in files:
        file[key] = [*file[key], channel.id]
    chat.publish(ws, channel, message, args.text("thread_ts"))


def _info(ws: Workspace, args: Args) -> Json:
    return {"file": ws.files.get(args.required("file")), "comments": [], "response_metadata": {"next_cursor": ""}}


def _delete(ws: Workspace, args: Args) -> Json:
    file_id = args.required("file")
    ws.files.delete(file_id, ws.app.bot_user)
    chat.bury_file(ws, file_id)
    return {}


async def upload(ws: Workspace, request: Request) -> Response:
    """Accept the bytes for an upload URL, as a raw body or as the file of a form."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form() as form:
            parts = [part for part in form.values() if not isinstance(part, str)]
            content = await parts[0].read() if parts else b""
    else:
        content = await request.body()
    try:
        return PlainTextResponse(f"OK - {ws.files.receive(request.path_params['ticket'], content)}")
    except SlackError as refusal:
        return PlainTextResponse(refusal.error, 400)


async def download(ws: Workspace, request: Request) -> Response:
    """Return a file to a caller with the bot token, if the app has `files:read`.

    Other callers are redirected to the front page, as Slack redirects them to its sign-in page.
    """
    file_id = request.path_params["file"].partition("-")[2]
    if request.headers.get("authorization") != f"Bearer {ws.bot_token}" or "files:read" not in ws.app.scopes:
        return RedirectResponse(ws.url, 302)
    try:
        return Response(ws.files.content(file_id), media_type=ws.files.get(file_id)["mimetype"])
    except SlackError:
        return PlainTextResponse("Not Found", 404)


FILE_METHODS = {
    "files.getUploadURLExternal": Method(_get_upload_url, "files:write"),
    "files.completeUploadExternal": Method(_complete, "files:write"),
    "files.delete": Method(_delete, "files:write"),
    "files.info": Method(_info, "files:read"),
}
