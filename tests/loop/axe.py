"""The faults that axe finds on a screen of the practice page."""

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no hints
from playwright.async_api import Page

AXE = Axe()


async def faults(page: Page, *rules: str) -> list[str]:
    """Return the moderate and worse faults of the screen as it is now, each with the elements that have it.

    Args:
        page: The browser's page.
        rules: The rules that are checked; without any, all are.
    """
    answer = (await AXE.run(page, options={"runOnly": list(rules)} if rules else None)).response
    return [
        f"{one['impact']} {one['id']} {[node['html'][:160] for node in one['nodes']]}"
        for one in answer["violations"]
        if one["impact"] != "minor"
    ]
