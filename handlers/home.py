"""The listeners for App Home: a person's home is published when they open it, and when their language changes."""

from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from handlers.context import Context
from handlers.texts.escape import mention
from handlers.views.home import home as home_view


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners for `app_home_opened` and `user_change`."""
    guard, people = context.guard, context.people

    @app.event("app_home_opened")
    async def publish_home(event: dict[str, Any], client: AsyncWebClient) -> None:
        if event.get("tab") == "home":
            await publish(event["user"], client)

    @app.event("user_change")
    async def follow_person(event: dict[str, Any], client: AsyncWebClient) -> None:
        user = event["user"]["id"]
        if await people.refresh(user):
            await publish(user, client)

    async def publish(user: str, client: AsyncWebClient) -> None:
        view = home_view(
            await context.acts.prompting.current(),
            await people.words(user),
            bot=mention(people.home.bot_user_id) or "",
            staff=guard.staff_mentions() if await guard.is_staff(user) else None,
            admin=await guard.is_admin(user),
        )
        await client.views_publish(user_id=user, view=view)
