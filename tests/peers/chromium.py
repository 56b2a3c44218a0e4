"""What axe-core finds in pages of ours, shown by a real headless Chromium without a network: WCAG 2.2 A and AA.

One tab of one browser shows all pages one after the other; Playwright drives it through a pipe and ends it. Besides
axe-core's rules, a page must fit a width of 320 pixels (WCAG 1.4.10, which axe-core leaves out). Left out on purpose:
what no machine can judge, such as the order of reading and whether a sentence is understood.
"""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize, async_playwright

_NAMES: Final = ("chromium-headless-shell", "chromium")
_OPTIONS: Final = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations", "incomplete"],
}
_DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
_TELEPHONE: Final[ViewportSize] = {"width": 320, "height": 900}
_OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_EACH: Final = 10_000
"""Milliseconds for a page to appear."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a page breaks, or that axe-core could not decide, and the element that does."""

    rule: str
    element: str


def program() -> str | None:
    """The browser, if it is installed."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def examine(pages: Mapping[str, str], within: float = 50.0) -> dict[str, tuple[Finding, ...]]:
    """The findings of every page by its name. Raises TimeoutError after ``within`` seconds."""
    return asyncio.run(asyncio.wait_for(_examine_all(pages), within))


async def _examine_all(pages: Mapping[str, str]) -> dict[str, tuple[Finding, ...]]:
    async with async_playwright() as playwright:
        # Chromium's own sandbox is not there for root; the pages are ours, and nothing is fetched.
        browser = await playwright.chromium.launch(executable_path=program(), chromium_sandbox=False)
        try:
            tab = await (await browser.new_context(offline=True)).new_page()
            tab.set_default_timeout(_EACH)
            return {name: await _examine(tab, content) for name, content in pages.items()}
        finally:
            await browser.close()


async def _examine(tab: Page, content: str) -> tuple[Finding, ...]:
    await tab.set_viewport_size(_DESKTOP)
    await tab.set_content(content)
    found = await _axe(tab)
    await tab.set_viewport_size(_TELEPHONE)
    return (*found, *await _reflow(tab))


async def _axe(tab: Page) -> list[Finding]:
    found = (await Axe().run(tab, options=_OPTIONS)).response
    rules = [*found["violations"], *found["incomplete"]]
    return [Finding(rule["id"], node["html"]) for rule in rules for node in rule["nodes"]]


async def _reflow(tab: Page) -> list[Finding]:
    beyond = int(await tab.evaluate(_OVERFLOW))
    return [Finding("reflow", f"{beyond} pixels too wide")] if beyond > 0 else []
