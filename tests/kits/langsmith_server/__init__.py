"""A stand-in for LangSmith on loopback: its API as the SDK speaks it, with a memory, faults, and people at its page."""

from tests.kits.langsmith_server.server import Fault, LangSmithServer
from tests.kits.langsmith_server.wire import Got

__all__ = ["Fault", "Got", "LangSmithServer"]
