"""A Slack stand-in on loopback: Web API, Socket Mode or HTTP mode, and a page on which sample people talk.

The package knows Slack's protocols and nothing about the bot that connects to it.
The app's manifest decides what the app may do.
"""

from bot.practice.delivery import Timing
from bot.practice.person import Person, RefusedError
from bot.practice.sample import STAFF_GROUP_ID, TEAM_GROUP_IDS
from bot.practice.server import Server, serve
from bot.practice.workspace import Workspace

__all__ = ["STAFF_GROUP_ID", "TEAM_GROUP_IDS", "Person", "RefusedError", "Server", "Timing", "Workspace", "serve"]
