"""The listeners for user groups: a change of a group holds from the next press on."""

from slack_bolt.async_app import AsyncApp

from handlers.context import Context


def register(app: AsyncApp, context: Context) -> None:
    """Register the listeners for `subteam_members_changed` and `subteam_updated`."""

    async def forget_groups() -> None:
        context.guard.forget()

    app.event("subteam_members_changed")(forget_groups)
    app.event("subteam_updated")(forget_groups)
