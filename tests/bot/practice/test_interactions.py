"""Presses, modals, commands, shortcuts, the App Home, response_urls and trigger_ids, with a real slack-bolt app."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.practice import Person, Server
from bot.practice.person import RefusedError, loopback
from bot.practice.wire import Json
from tests.bot.practice.desk import PersonFactory, PracticeClock, PracticeDesk, button


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def options(*values: str) -> list[Json]:
    return [{"text": plain(value.title()), "value": value} for value in values]


def form(title: str = "Correct", **more: Any) -> Json:
    select = {"type": "static_select", "action_id": "category", "options": options("labor", "hr")}
    reason = {"type": "plain_text_input", "action_id": "reason", "initial_value": "because"}
    blocks = [
        {"type": "input", "block_id": "category", "label": plain("Category"), "element": select},
        {"type": "input", "block_id": "reason", "label": plain("Why"), "element": reason, "optional": True},
    ]
    view = {"type": "modal", "callback_id": "correct", "title": plain(title), "submit": plain("Save"), "blocks": blocks}
    return view | more


HR = {"category": {"category": {"type": "static_select", "selected_option": options("hr")[0]}}}


async def error_of(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


class FormApp:
    """An app that opens `form` for `/desk` and acks each submission with `answer`."""

    def __init__(self, desk: PracticeDesk) -> None:
        self.submitted: list[Json] = []
        self.commands: list[Json] = []
        self.answer: Json = {}
        self.form = form()
        desk.app.command("/desk")(self._command)
        desk.app.view("correct")(self._submit)
        desk.app.view_closed("correct")(self._closed)

    async def _command(self, ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await ack()
        self.commands.append(body)
        if self.form:
            await client.views_open(trigger_id=body["trigger_id"], view=self.form)

    async def _submit(self, ack: AsyncAck, body: Json) -> None:
        self.submitted.append(body)
        await ack(**self.answer)

    async def _closed(self, ack: AsyncAck, body: Json) -> None:
        await ack()
        self.submitted.append(body)


@pytest.fixture
async def form_app(desk: PracticeDesk) -> FormApp:
    app = FormApp(desk)
    await desk.connect()
    return app


@pytest.fixture
async def kenji(server: Server, people: PersonFactory) -> Person:
    return await people(server.people.staff[0])


async def test_form_is_opened_filled_and_submitted(form_app: FormApp, kenji: Person) -> None:
    await kenji.command("/desk fix")
    view = await kenji.view()
    assert await kenji.submit(view) == {"category": "この項目は必須です。"}
    assert not form_app.submitted
    assert await kenji.submit(view, HR) == {}
    closed = await kenji.wait_for(lambda one: one["type"] == "view_closed")
    assert closed["view_id"] == view["id"]
    body = form_app.submitted[0]
    assert body["user"]["id"] == kenji.user_id
    assert body["view"]["hash"] == view["hash"]
    values = body["view"]["state"]["values"]
    assert values["category"]["category"]["selected_option"]["value"] == "hr"
    assert values["reason"]["reason"] == {"type": "plain_text_input", "value": "because"}


async def test_each_response_action_of_a_submission_is_applied(form_app: FormApp, kenji: Person) -> None:
    await kenji.command("/desk fix")
    view = await kenji.view()
    form_app.answer = {"response_action": "errors", "errors": {"reason": "Too short"}}
    assert await kenji.submit(view, HR) == {"reason": "Too short"}
    form_app.answer = {"response_action": "update", "view": form("Again")}
    await kenji.submit(view, HR)
    updated = await kenji.view()
    assert (updated["id"], updated["title"]["text"]) == (view["id"], "Again")
    assert updated["hash"] != view["hash"]
    form_app.answer = {"response_action": "push", "view": form("Above")}
    await kenji.submit(updated, HR)
    pushed = await kenji.view()
    assert (pushed["previous_view_id"], pushed["root_view_id"]) == (view["id"], view["id"])
    form_app.answer = {"response_action": "clear"}
    await kenji.submit(pushed, HR)
    assert (await kenji.wait_for(lambda one: one["type"] == "view_closed"))["cleared"] is True
    with pytest.raises(RefusedError, match="not_found"):
        await kenji.submit(view, HR)


async def test_closing_is_reported_with_notify_on_close(form_app: FormApp, kenji: Person) -> None:
    form_app.form = form(notify_on_close=True, clear_on_close=True, private_metadata="q1")
    await kenji.command("/desk fix")
    await kenji.close(await kenji.view())
    body = form_app.submitted[0]
    assert (body["type"], body["is_cleared"], body["view"]["private_metadata"]) == ("view_closed", True, "q1")


async def test_form_of_another_person_cannot_be_submitted(
    form_app: FormApp, kenji: Person, server: Server, people: PersonFactory
) -> None:
    await kenji.command("/desk fix")
    view = await kenji.view()
    emily = await people(server.people.employees[1])
    with pytest.raises(RefusedError, match="not_found"):
        await emily.submit(view, HR)
    assert not form_app.submitted


async def test_trigger_id_is_valid_once_for_three_seconds(
    form_app: FormApp, kenji: Person, client: AsyncWebClient, clock: PracticeClock
) -> None:
    await kenji.command("/desk fix")
    await kenji.view()
    used = form_app.commands[0]["trigger_id"]
    assert await error_of(client.views_open(trigger_id=used, view=form())) == "exchanged_trigger_id"
    assert await error_of(client.views_open(trigger_id="1.2.3", view=form())) == "invalid_trigger_id"
    assert await error_of(client.views_open(trigger_id=used, view=form(title="x" * 25))) == "invalid_arguments"
    form_app.form = {}
    await kenji.command("/desk again")
    fresh = form_app.commands[1]["trigger_id"]
    clock.now += 3
    assert await error_of(client.views_open(trigger_id=fresh, view=form())) == "expired_trigger_id"


async def test_fourth_view_and_stale_hash_are_refused(
    form_app: FormApp, desk: PracticeDesk, kenji: Person, client: AsyncWebClient
) -> None:
    pushes: list[str] = []

    @desk.app.action("more")
    async def more(ack: AsyncAck, body: Json) -> None:
        await ack()
        try:
            await client.views_push(trigger_id=body["trigger_id"], view=form_app.form)
        except SlackApiError as refusal:
            pushes.append(str(refusal.response["error"]))

    form_app.form = {"type": "modal", "title": plain("Deep"), "blocks": [button("more", "More")], "external_id": ""}
    await kenji.command("/desk fix")
    view = await kenji.view()
    for _ in range(2):
        await kenji.press(view, "more")
        view = await kenji.view()
    await kenji.press(view, "more")
    changed = (await client.views_update(view_id=view["id"], view=form_app.form, hash=view["hash"]))["view"]
    assert pushes == ["push_limit_reached"]
    stale = client.views_update(view_id=view["id"], view=form_app.form, hash=view["hash"])
    assert await error_of(stale) == "hash_conflict"
    assert changed["previous_view_id"] == view["previous_view_id"]


async def test_app_home_is_published_and_pressed(desk: PracticeDesk, kenji: Person, client: AsyncWebClient) -> None:
    opened_events: list[Json] = []

    @desk.app.event("app_home_opened")
    async def home(event: Json) -> None:
        opened_events.append(event)
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [button("go", "Go")]})

    presses: list[Json] = []

    @desk.app.action("go")
    async def go(ack: AsyncAck, body: Json) -> None:
        await ack()
        presses.append(body)

    await desk.connect()
    await kenji.open_home()
    view = (await kenji.wait_for(lambda one: one["type"] == "home"))["view"]
    assert (opened_events[0]["tab"], opened_events[0]["channel"][0]) == ("home", "D")
    await kenji.press(view, "go")
    assert presses[0]["container"] == {"type": "view", "view_id": view["id"]}
    again = client.views_publish(user_id=kenji.user_id, view={"type": "home", "blocks": []}, hash="0.old")
    assert await error_of(again) == "hash_conflict"


async def test_command_answer_in_the_ack_is_posted(server: Server, desk: PracticeDesk, kenji: Person) -> None:
    bodies: list[Json] = []

    @desk.app.command("/desk")
    async def command(ack: AsyncAck, body: Json) -> None:
        bodies.append(body)
        await ack(text="Here", response_type="in_channel" if "loud" in body["text"] else "ephemeral")

    await desk.connect()
    await kenji.command("/desk　quiet @emily.carter #general")
    quiet = await kenji.message(lambda one: one["text"] == "Here")
    assert quiet["ephemeral"] is True
    await kenji.command("/desk loud")
    assert "ephemeral" not in await kenji.message(lambda one: one["text"] == "Here")
    assert bodies[0]["text"] == "quiet <@U0EMILY0001|emily.carter> <#C0GENERAL01|general>"
    assert (bodies[0]["is_enterprise_install"], bodies[0]["channel_name"]) == ("false", "help-desk")
    with pytest.raises(RefusedError, match="invalid_command"):
        await kenji.command("/nobody")
    async with Person(server.url, server.people.employees[0].id) as misaki:
        assert [one["text"] for one in await misaki.history(quiet["channel"])] == ["Here"]
    assert [one["text"] for one in await kenji.history(quiet["channel"])] == ["Here", "Here"]


async def test_response_url_works_five_times_for_thirty_minutes(
    form_app: FormApp, kenji: Person, clock: PracticeClock
) -> None:
    await kenji.command("/desk fix")
    await kenji.command("/desk fix")
    used, late = (body["response_url"] for body in form_app.commands)
    async with loopback() as http:
        assert [(await http.post(used, json={"text": str(n)})).status_code for n in range(6)] == [200] * 5 + [404]
        assert (await http.post(used, json={"text": "7"})).json() == {"ok": False, "error": "used_url"}
        assert (await http.post(late, json={"blocks": [{"type": "no"}]})).json()["error"] == "invalid_blocks"
        assert (await http.post(late, json={})).status_code == 400
        clock.now += 1800
        answer = await http.post(late, json={"text": "late"})
    assert (answer.status_code, answer.json()["error"]) == (404, "expired_url")


async def test_press_is_answered_by_response_url(
    server: Server, desk: PracticeDesk, kenji: Person, client: AsyncWebClient
) -> None:
    responses: list[Json] = []
    bodies: list[Json] = []

    @desk.app.action("go")
    async def go(ack: AsyncAck, respond: AsyncRespond, body: Json) -> None:
        await ack()
        bodies.append(body)
        await respond(**responses.pop(0))

    await desk.connect()
    place = server.channels.help_desk.id
    root = await kenji.say(place, "q")
    await client.chat_postMessage(channel=place, thread_ts=root, text="card", blocks=[button("go", "Go")])
    card = await kenji.answer(root)
    responses += [{"text": "for you", "replace_original": False}, {"text": "for all", "response_type": "in_channel"}]
    await kenji.press(card, "go")
    own = await kenji.message(lambda one: one["text"] == "for you")
    assert (own["ephemeral"], own["thread_ts"]) == (True, root)
    await kenji.press(card, "go")
    assert (await kenji.message(lambda one: one["text"] == "for all"))["thread_ts"] == root
    responses.append({"delete_original": True})
    await kenji.press(card, "go")
    assert (await kenji.wait_for(lambda one: one["type"] == "message_deleted"))["ts"] == card["ts"]


async def test_ephemeral_message_can_be_pressed_and_replaced(
    server: Server, desk: PracticeDesk, kenji: Person, client: AsyncWebClient, people: PersonFactory
) -> None:
    bodies: list[Json] = []

    @desk.app.action("go")
    async def go(ack: AsyncAck, respond: AsyncRespond, body: Json) -> None:
        await ack()
        bodies.append(body)
        await respond(text="settled", replace_original=True)

    await desk.connect()
    place = server.channels.help_desk.id
    await client.chat_postEphemeral(channel=place, user=kenji.user_id, text="sure?", blocks=[button("go", "Go")])
    original = await kenji.message(lambda one: one["text"] == "sure?")
    priya = await people(server.people.staff[1])
    with pytest.raises(RefusedError, match="message_not_found"):
        await priya.press(original, "go")
    await kenji.press(original, "go")
    replaced = await kenji.message(lambda one: one["text"] == "settled")
    assert (replaced["ts"], replaced["ephemeral"]) == (original["ts"], True)
    assert bodies[0]["container"]["is_ephemeral"] is True
    assert "message" not in bodies[0]


async def test_small_buttons_send_what_was_pressed(
    server: Server, desk: PracticeDesk, kenji: Person, client: AsyncWebClient
) -> None:
    actions: list[Json] = []

    @desk.app.action("rate")
    @desk.app.action("bin")
    async def small(ack: AsyncAck, action: Json) -> None:
        await ack()
        actions.append({key: action.get(key) for key in ("type", "text", "value")})

    await desk.connect()
    sides = {f"{side}_button": {"text": plain(side), "value": side} for side in ("positive", "negative")}
    elements: list[Json] = [
        {"type": "feedback_buttons", "action_id": "rate", **sides},
        {"type": "icon_button", "action_id": "bin", "icon": "trash", "text": plain("Delete"), "value": "q1"},
        {
            "type": "icon_button",
            "action_id": "hidden",
            "icon": "trash",
            "text": plain("X"),
            "visible_to_user_ids": ["U"],
        },
    ]
    place = server.channels.help_desk.id
    blocks = [{"type": "context_actions", "block_id": "small", "elements": elements}]
    await client.chat_postMessage(channel=place, text="card", blocks=blocks)
    card = await kenji.message(lambda one: one["text"] == "card")
    await kenji.rate(card, "rate", good=False)
    await kenji.press(card, "bin")
    with pytest.raises(RefusedError, match="stale_action"):
        await kenji.press(card, "hidden")
    assert [(one["type"], one["text"]["text"], one["value"]) for one in actions] == [
        ("feedback_buttons", "negative", "negative"),
        ("icon_button", "Delete", "q1"),
    ]


async def test_recently_replaced_element_still_works_then_is_stale(
    server: Server, desk: PracticeDesk, kenji: Person, client: AsyncWebClient
) -> None:
    bodies: list[Json] = []

    @desk.app.action("pick")
    async def pick(ack: AsyncAck, body: Json) -> None:
        await ack()
        bodies.append(body)

    await desk.connect()
    place = server.channels.help_desk.id
    select = {"type": "static_select", "action_id": "pick", "options": options("labor", "hr")}
    blocks = [{"type": "actions", "block_id": "b1", "elements": [select]}]
    sent = await client.chat_postMessage(channel=place, text="card", blocks=blocks)
    card = await kenji.message(lambda one: one["text"] == "card")
    await kenji.choose(card, "pick", "hr")
    assert bodies[0]["actions"][0]["selected_option"]["value"] == "hr"
    assert bodies[0]["state"]["values"]["b1"]["pick"]["selected_option"]["value"] == "hr"
    # A press just before an update still counts; an element from before the last two updates is stale.
    await client.chat_update(channel=place, ts=str(sent["ts"]), text="done", blocks=[button("undo", "Undo")])
    await kenji.choose(card, "pick", "labor")
    assert len(bodies) == 2
    await client.chat_update(channel=place, ts=str(sent["ts"]), text="over", blocks=[])
    with pytest.raises(RefusedError, match="stale_action"):
        await kenji.choose(card, "pick", "labor")


async def test_message_and_global_shortcuts_are_sent(
    server: Server, desk: PracticeDesk, kenji: Person, people: PersonFactory
) -> None:
    bodies: list[Json] = []

    @desk.app.shortcut("look")
    @desk.app.shortcut("new")
    async def look(ack: AsyncAck, body: Json) -> None:
        await ack()
        bodies.append(body)

    await desk.connect()
    misaki = await people(server.people.employees[0])
    ts = await misaki.say(server.channels.random.id, "look at this")
    message = await kenji.message(lambda one: one["ts"] == ts)
    await kenji.shortcut("look", message)
    await kenji.shortcut("new")
    assert (bodies[0]["type"], bodies[0]["message"]["text"]) == ("message_action", "look at this")
    assert (bodies[0]["message_ts"], bodies[0]["channel"]["id"]) == (ts, server.channels.random.id)
    assert bodies[0]["response_url"].startswith(server.url)
    assert (bodies[1]["type"], bodies[1]["callback_id"]) == ("shortcut", "new")
    with pytest.raises(RefusedError, match="invalid_shortcut"):
        await kenji.shortcut("none")
