"""Fixtures of the page's tests: one browser per module, a scripted server per test."""

from tests.browser import chromium, visit
from tests.local.workspace.page.page_stub import stub

__all__ = ["chromium", "stub", "visit"]
