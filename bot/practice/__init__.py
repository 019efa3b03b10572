"""A Slack stand-in on loopback: Web API, Socket Mode or HTTP mode, and a page on which sample people talk.

It knows Slack's protocols and nothing of the bot that connects to it:
whatever the app may do is read from its manifest.
"""

from bot.practice.delivery import Timing
from bot.practice.person import Person, RefusedError
from bot.practice.server import Server, serve
from bot.practice.workspace import Workspace

__all__ = ["Person", "RefusedError", "Server", "Timing", "Workspace", "serve"]
