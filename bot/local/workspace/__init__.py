"""A Slack stand-in on loopback: Web API, Socket Mode or HTTP mode, and a page on which sample people talk.

It knows Slack's protocols and nothing of the bot that connects to it:
whatever the app may do is read from its manifest.
"""

from bot.local.workspace.delivery import Timing
from bot.local.workspace.person import Person, RefusedError
from bot.local.workspace.server import Server, serve
from bot.local.workspace.workspace import Workspace

__all__ = ["Person", "RefusedError", "Server", "Timing", "Workspace", "serve"]
