"""The buttons of the Monday summary: off with one press, and on again from the same message. They are for admins."""

from datetime import datetime

from handlers import home
from handlers.command import Call, Story
from handlers.views.digest import digest_message
from handlers.views.ids import DIGEST_RESUME, DIGEST_STOP


async def stop_summary(call: Call) -> None:
    """Send no more Monday summaries."""
    await call.context.slack.digesting.stop(call.spot.user)
    await show_summary(call)


async def resume_summary(call: Call) -> None:
    """Send the Monday summaries again."""
    await call.context.slack.digesting.resume()
    await show_summary(call)


async def show_summary(call: Call) -> None:
    """Show the pressed summary with the other button, in the language of its readers."""
    digesting = call.context.slack.digesting
    digest, prompt = await digesting.digest(datetime.fromisoformat(call.argument)), await call.acts.prompting.current()
    waiting = digest.waiting
    link = await home.link_of(call.context, waiting.channel, waiting.ts) if waiting else None
    words = call.words if (call.spot.channel or "").startswith("D") else call.context.people.default_words
    message = digest_message(digest, prompt, words, link=link, stopped_by=await digesting.stopped_by())
    await call.say(message, in_channel=True, replace=True)


DIGEST_STORY = Story(verbs={}, presses={DIGEST_STOP: stop_summary, DIGEST_RESUME: resume_summary})
