"""An opened message in a real Chromium: its pictures are seen, nothing runs, nothing is fetched, files are kept."""

import asyncio
import base64
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, async_playwright

from gateway.portal.home import cookie_name, name_of, path_of
from gateway.web.serving import serve
from tests.peers.chromium import program
from tests.portal.opened_pages import World
from tests.portal.sealed_mail import COOKIE, READER, Sealed, letter

HOME = path_of(name_of(READER))

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def message(url: str) -> bytes:
    whole = letter()
    whole.set_content("Plain words.\n")
    whole.add_alternative(
        '<p id="x" style="color:#060">Rich</p><img src="cid:logo@council.example" alt="Logo">'
        '<img src="http://127.0.0.1:9/tracker.gif" onerror="document.title=1"><script>document.title=1</script>'
        f'<a href="{url}/robots.txt">elsewhere</a>',
        subtype="html",
    )
    html = whole.get_payload()[1]  # type: ignore[index]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<logo@council.example>")
    whole.add_attachment(b"<script>1</script>", maintype="text", subtype="html", filename="page.html")
    return whole.as_bytes()


@asynccontextmanager
async def browsing() -> AsyncGenerator[tuple[World, BrowserContext]]:
    """A browser whose reader has unlocked the message."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://localhost:{listening.getsockname()[1]}"
        there = World(Sealed(message(url)))
        there.page = replace(there.page, url=url)
        serving = asyncio.create_task(serve(there.caller.app, listening, at_once=20, grace=1))
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=program(), chromium_sandbox=False)
                try:
                    context = await browser.new_context()
                    context.set_default_timeout(10_000)
                    await context.add_cookies(
                        [
                            {
                                "name": cookie_name(there.page, name_of(READER)),
                                "value": COOKIE,
                                "url": url,
                                "sameSite": "Lax",
                            }
                        ]
                    )
                    yield there, context
                finally:
                    await browser.close()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.peer("chromium")
async def test_a_message_in_a_browser(tmp_path: Path) -> None:
    async with browsing() as (there, context):
        tab = await context.new_page()
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        await tab.goto(f"{there.page.url}{HOME}")
        frame = tab.frame_locator("iframe")
        assert await frame.locator("p").nth(1).inner_text() == "Rich"
        assert await frame.locator("img").first.evaluate("picture => picture.naturalWidth") == 1
        assert await frame.locator("p").nth(1).evaluate("text => getComputedStyle(text).color") == "rgb(0, 102, 0)"
        assert await tab.title() != "1"
        assert asked == [f"{there.page.url}{HOME}", f"{there.page.url}{HOME}/frame/1"]

        async with context.expect_page() as opening:
            await frame.locator("a").click()
        elsewhere = await opening.value
        await elsewhere.wait_for_load_state()
        assert elsewhere.url.endswith("/robots.txt")
        assert await elsewhere.evaluate("[self.origin, document.referrer, window.opener]") == [there.page.url, "", None]

        async with context.expect_page() as opening:
            await tab.get_by_text("Open it in a page of its own").click()
        alone = await opening.value
        await alone.wait_for_load_state()
        assert await alone.locator("h1").inner_text() == "Case 12: Café"

        for words, name in (("page.html", "page.html"), ("Download all as ZIP", "files.zip")):
            async with tab.expect_download() as download:
                await tab.get_by_text(words).click()
            file = await download.value
            assert file.suggested_filename == name
            await file.save_as(tmp_path / name)
        assert (tmp_path / "page.html").read_bytes() == b"<script>1</script>"


@pytest.mark.peer("chromium")
async def test_a_reply_in_a_browser() -> None:
    async with browsing() as (there, context):
        tab = await context.new_page()
        await tab.goto(f"{there.page.url}{HOME}/reply")
        await tab.get_by_label("Your reply").fill("Thank you.")
        await tab.get_by_label("Files").set_input_files(
            [{"name": "ä.txt", "mimeType": "text/plain", "buffer": b"words"}]
        )
        await tab.get_by_role("button", name="Send the reply").click()
        await tab.wait_for_url("**/reply/sent")
        [mail] = there.store.mails
        assert b"X-Sealpost-External: reply from the portal" in mail.text
        assert base64.b64encode(b"words") in mail.text


@pytest.mark.peer("chromium")
async def test_somebody_with_too_large_a_file_sees_why() -> None:
    async with browsing() as (there, context):
        there.portal = replace(there.portal, max_reply=200_000)
        tab = await context.new_page()
        await tab.goto(f"{there.page.url}{HOME}/reply")
        await tab.get_by_label("Files").set_input_files(
            [{"name": "large.bin", "mimeType": "x/y", "buffer": bytes(250_000)}]
        )
        await tab.get_by_role("button", name="Send the reply").click()
        assert "text and files together can have" in await tab.locator("#notice").inner_text()
        assert there.store.mails == []
