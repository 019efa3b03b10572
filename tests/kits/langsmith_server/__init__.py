"""A stand-in for LangSmith on loopback: the API that the SDK uses, with state, faults, and people who edit."""

from tests.kits.langsmith_server.server import LangSmithServer, ServerFault
from tests.kits.langsmith_server.wire import Got

__all__ = ["Got", "LangSmithServer", "ServerFault"]
