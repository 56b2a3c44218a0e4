"""The portal as people outside meet it: from the letter to the reply, in a real Chromium without JavaScript.

One gateway for all tests; each sends a letter of its own.
"""

import base64
import contextlib
import io
import os
import re
import sqlite3
import zipfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.core.record import QueueId
from gateway.sealed.schema import micros
from tests.e2e.portal_world import NARROW, OFFICER, PHONE, WIDE, PortalWorld, Sent, Visitor, browsing, portal_world
from tests.e2e.pseudo_locale import CLOSE, LANGUAGE, OPEN

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.peer("chromium")]

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PLAN = bytes(range(256)) * 4000
TRACKER = "http://tracker.example/seen.gif"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[PortalWorld]:
    async with portal_world(tmp_path_factory.mktemp("portal")) as built, browsing(built):
        yield built


def rich_letter() -> EmailMessage:
    """Text and HTML with a picture of its own, a picture from elsewhere and a script, and two files."""
    message = EmailMessage()
    message.set_content("The plain words.\n")
    message.add_alternative(
        '<p id="x" style="color:#060">The rich words.</p><img src="cid:crest@council.example" alt="Crest">'
        f'<img src="{TRACKER}" alt=""><script>document.title = "run"</script>',
        subtype="html",
    )
    html = message.get_payload()[1]  # type: ignore[index]
    assert isinstance(html, EmailMessage)
    html.add_related(PNG, "image", "png", cid="<crest@council.example>")
    message.add_attachment(PLAN, maintype="application", subtype="octet-stream", filename="Care plan Ü.bin")
    message.add_attachment("a,b\r\n", subtype="csv", filename="costs.csv")
    return message


async def test_link_scanners_burn_nothing(world: PortalWorld) -> None:
    sent = await world.send()
    [carol] = sent.recipients
    link = await world.link(carol)
    async with world.visitor() as scanner:
        for _ in range(2):
            assert (await scanner.context.request.get(link)).status == 200
            assert (await scanner.context.request.head(link)).status == 200
        for below in ("code", "open"):
            assert (await scanner.context.request.get(f"{link}/{below}")).status == 405
        assert (await scanner.context.request.get(f"{link}/not-for-me")).status == 200
    async with world.visitor() as visitor:
        await visitor.read(carol, who="Carol")
        assert await visitor.heading() == sent.subject
        assert "Plain words of the letter." in await visitor.tab.inner_text("pre")
    assert len(world.matching(carol, "Your code")) == 1
    receipt = await world.mail_to(sent.sender, "Opened")
    assert 'gave the name "Carol"' in receipt.as_string()


async def test_letters_name_nobody_else_and_hold_neither_words_nor_secrets(world: PortalWorld) -> None:
    sent = await world.send("carol", "dave", level="restricted")
    for one, other in (sent.recipients, sent.recipients[::-1]):
        link = await world.link(one)
        [letter] = world.mails(one)
        whole = "".join(str(part.get_content()) for part in letter.walk() if not part.is_multipart())
        for hidden in (other, "Plain words", sent.subject):
            assert hidden not in whole and hidden not in str(letter.items())
        assert f"Sam Worker ({sent.sender})" in whole and "01632 960001" in whole
        assert link.startswith(world.url)
    for phrase in await passphrases(world, sent):
        assert phrase not in "".join(str(mail) for one in sent.recipients for mail in world.mails(one))


async def passphrases(world: PortalWorld, sent: Sent) -> list[str]:
    """What the sender is shown, in the order of the recipients."""
    confirmation = await world.mail_to(sent.sender, "Sealed")
    body = confirmation.get_body(("plain",))
    assert body is not None
    found = re.findall(r"^Passphrase: (.*)$", " \n".join(body.get_content().splitlines()), re.MULTILINE)
    assert len(found) == len(sent.recipients)
    return [phrase.strip() for phrase in found]


async def test_above_the_level_of_any_mail_a_passphrase_opens_and_no_code_leaves(world: PortalWorld) -> None:
    sent = await world.send(level="restricted")
    [carol] = sent.recipients
    [phrase] = await passphrases(world, sent)
    async with world.visitor() as visitor:
        await visitor.land(carol)
        await visitor.tab.get_by_role("button", name="Send me a code").click()
        await visitor.tab.get_by_text("If your mailbox can be reached safely").wait_for()
        await visitor.type_secret(phrase.replace("-", " ").title())
        await visitor.tab.wait_for_url("**/read/*")
    assert world.matching(carol, "Your code") == []


async def test_five_wrong_codes_lock_one_recipient_and_not_the_other(world: PortalWorld) -> None:
    sent = await world.send("carol", "dave")
    carol, dave = sent.recipients
    async with world.visitor() as visitor:
        await visitor.land(carol)
        code = await visitor.ask_code(carol)
        for left in (4, 3, 2, 1):
            await visitor.type_secret("12345678" if code != "12345678" else "87654321")
            assert f"{left} {'try is' if left == 1 else 'tries are'} left" in await visitor.tab.inner_text(
                "[role=alert]"
            )
        await visitor.type_secret("12345678" if code != "12345678" else "87654321")
        assert await visitor.heading() == "This message is locked"
        await visitor.land(carol)
        assert await visitor.heading() == "This message is locked"
        await visitor.read(dave)
        assert await visitor.heading() == sent.subject
    assert carol in (await world.mail_to(sent.sender, "Locked")).as_string()


async def test_a_message_is_shown_with_its_pictures_and_nothing_is_fetched_from_elsewhere(world: PortalWorld) -> None:
    sent = await world.send(message=rich_letter())
    async with world.visitor(scripts=True) as visitor:
        await visitor.read(sent.recipients[0])
        frame = visitor.tab.frame_locator("iframe")
        text = frame.get_by_text("The rich words.")
        assert await text.evaluate("text => getComputedStyle(text).color") == "rgb(0, 102, 0)"
        assert await frame.get_by_alt_text("Crest").evaluate("picture => picture.naturalWidth") == 1
        assert "1 picture is not shown" in await frame.locator("body").inner_text()
        assert sent.subject in await visitor.tab.title()
        assert {url.partition("/read")[0] for url in visitor.asked if "/m/" not in url} == {world.url}
        assert not [url for url in visitor.asked if "tracker" in url]


async def test_files_are_downloaded_whole_in_part_and_together(world: PortalWorld, tmp_path: Path) -> None:
    sent = await world.send(message=rich_letter())
    async with world.visitor() as visitor:
        await visitor.read(sent.recipients[0])
        names = {"Care plan Ü.bin": "Care plan", "files.zip": "Download all as ZIP", "message.eml": "original message"}
        for name, words in names.items():
            async with visitor.tab.expect_download() as download:
                await visitor.tab.get_by_role("link", name=words).click()
            file = await download.value
            assert file.suggested_filename == name
            await file.save_as(tmp_path / name)
        part = await visitor.tab.get_by_role("link", name="Care plan").get_attribute("href")
        rest = await visitor.context.request.get(f"{world.url}{part}", headers={"Range": "bytes=1000000-"})
        assert (rest.status, await rest.body()) == (206, PLAN[1_000_000:])
    assert (tmp_path / "Care plan Ü.bin").read_bytes() == PLAN
    with zipfile.ZipFile(io.BytesIO((tmp_path / "files.zip").read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.read("Care plan Ü.bin") == PLAN
        assert archive.read("costs.csv") == b"a,b\r\n"
    original = (tmp_path / "message.eml").read_bytes()
    assert original.count(b"\r\nReceived: ") == 0 and original.startswith(b"Received: ")
    assert without(original, b"Received") == without(sent.content, b"X-Sealpost-Intent")


def without(content: bytes, *names: bytes) -> bytes:
    """The message without some fields, each of which it has once."""
    for name in names:
        content, count = re.subn(rb"(?m)^%b: .*\r\n([ \t].*\r\n)*" % name, b"", content)
        assert count == 1, name
    return content


async def test_a_reply_with_a_file_comes_to_the_sender_and_says_where_it_is_from(world: PortalWorld) -> None:
    sent = await world.send()
    [carol] = sent.recipients
    async with world.visitor() as visitor:
        await visitor.read(carol, who="Carol")
        await visitor.tab.get_by_role("link", name="Reply securely").click()
        await visitor.tab.get_by_label("Your reply").fill("Thank you.\nCarol")
        file = {"name": "signed ä.pdf", "mimeType": "application/pdf", "buffer": PLAN}
        await visitor.tab.get_by_label("Files").set_input_files([file])  # type: ignore[list-item]
        await visitor.tab.get_by_role("button", name="Send the reply").click()
        await visitor.tab.wait_for_url("**/reply/sent")
    reply = await world.mail_to(sent.sender, f"Re: {sent.subject}")
    assert {one.mx for one in world.here.world.inbox.to(sent.sender)} == {"mail.council.example"}
    assert reply["From"].addresses[0].addr_spec == "secure-mail@council.example"
    assert reply["Reply-To"].addresses[0].addr_spec == carol
    assert reply["X-Sealpost-External"] == "reply from the portal"
    assert reply["In-Reply-To"] == f"<{sent.word}@council.example>"
    [attached] = reply.iter_attachments()
    assert (attached.get_filename(), attached.get_payload(decode=True)) == ("signed ä.pdf", PLAN)


async def test_this_is_not_for_me_locks_it_and_tells_sender_and_officer(world: PortalWorld) -> None:
    sent = await world.send("carol", "dave")
    carol, dave = sent.recipients
    async with world.visitor() as visitor:
        await visitor.read(carol)
        async with world.visitor() as other:
            await other.land(carol)
            await other.tab.get_by_role("link", name="This is not for me").click()
            await other.tab.get_by_role("button", name="It is not for me").click()
            assert await other.heading() == "Thank you"
        await visitor.tab.reload()
        assert await visitor.heading() == "Open your link again"
        await visitor.land(carol)
        assert await visitor.heading() == "There is nothing here to open"
        await visitor.land(dave)
        assert await visitor.heading() == "A protected message for you"
    told = await world.mail_to(sent.sender, "Not for them")
    assert carol in told.as_string() and dave not in told.as_string()
    await world.here.world.inbox.wait(
        lambda inbox: any(carol.encode() in one.content for one in inbox.to(OFFICER)), timedelta(seconds=20)
    )


async def test_links_that_open_nothing_look_alike(world: PortalWorld) -> None:
    links: dict[str, str] = {"unknown": f"{world.url}/m/{'A' * 43}"}
    for what in ("revoked", "erased", "expired", "disowned"):
        sent = await world.send()
        links[what] = await world.link(sent.recipients[0])
        async with world.visitor() as visitor:
            match what:
                case "revoked":
                    await visitor.tab.goto(await world.sender_link(sent))
                    await visitor.tab.get_by_role("button", name="Close it for all").click()
                case "erased":
                    await visitor.tab.goto(await world.sender_link(sent))
                    await visitor.tab.get_by_label("I am sure").check()
                    await visitor.tab.get_by_role("button", name="Erase").click()
                    await visitor.tab.get_by_text("erased", exact=True).first.wait_for()
                case "expired":
                    expire(world, sent.queue_id)
                case _:
                    await visitor.tab.goto(f"{links[what]}/not-for-me")
                    await visitor.tab.get_by_role("button", name="It is not for me").click()
    seen: dict[str, tuple[int, str, str]] = {}
    async with world.visitor() as visitor:
        for what, link in links.items():
            answer = await visitor.context.request.get(link)
            headers = "\n".join(
                f"{one['name']}: {one['value']}" for one in answer.headers_array if one["name"] != "date"
            )
            seen[what] = answer.status, headers, await answer.text()
    assert seen["unknown"][0] == 404
    assert set(seen.values()) == {seen["unknown"]}


def expire(world: PortalWorld, queue_id: QueueId) -> None:
    """Lets the time of a message run out."""
    with contextlib.closing(sqlite3.connect(world.store / "sealed.db", timeout=20)) as db, db:
        past = micros(datetime.now(UTC) - timedelta(seconds=1))
        assert db.execute("UPDATE packages SET expires_at = ? WHERE queue_id = ?", (past, queue_id)).rowcount == 1


async def test_the_sender_closes_a_message_and_opens_it_again(world: PortalWorld) -> None:
    sent = await world.send("carol", "dave")
    carol, dave = sent.recipients
    async with world.visitor() as reading, world.visitor() as sender:
        await reading.read(carol)
        await sender.tab.goto(await world.sender_link(sent))
        assert "once, on" in await sender.tab.inner_text("main")
        assert "Plain words" not in await sender.tab.content() and sent.subject not in await sender.tab.content()
        await sender.tab.get_by_role("button", name=f"Close it for {carol}").click()
        await sender.tab.get_by_text("closed by you").wait_for()
        await reading.tab.reload()
        assert await reading.heading() == "Open your link again"
        await reading.land(carol)
        assert await reading.heading() == "There is nothing here to open"
        await reading.land(dave)
        assert await reading.heading() == "A protected message for you"
        await sender.tab.get_by_role("button", name=f"Open it again for {carol}").click()
        await reading.land(carol)
        await reading.type_secret(await reading.ask_code(carol))
        await reading.tab.wait_for_url("**/read/*")


async def test_leaving_signs_out(world: PortalWorld) -> None:
    sent = await world.send()
    async with world.visitor() as visitor:
        await visitor.read(sent.recipients[0])
        home = visitor.tab.url
        await visitor.tab.get_by_role("button", name="Leave").click()
        assert await visitor.heading() == "The message is closed"
        assert await visitor.context.cookies() == []
        await visitor.tab.goto(home)
        assert await visitor.heading() == "Open your link again"


async def test_every_sentence_is_translated(world: PortalWorld) -> None:
    sent = await world.send(message=rich_letter())
    [carol] = sent.recipients
    async with world.visitor(locale=LANGUAGE.replace("_", "-")) as visitor:
        pages: dict[str, str] = {}

        async def look(name: str) -> None:
            assert await visitor.tab.locator("html").get_attribute("lang") == "en-xa"
            pages[name] = f"{await visitor.tab.title()}\n{await visitor.tab.inner_text('body')}"

        await visitor.land(carol)
        await look("landing")
        await visitor.tab.get_by_role("button", name="Send me a code").click()
        await look("code sent")
        code = await world.code(carol)
        await visitor.tab.get_by_role("link", name="This is not for me").click()
        await look("not for me")
        await visitor.land(carol)
        await visitor.tab.locator("#secret").fill("nothing")
        await visitor.tab.locator("form[action$=open] button").click()
        await look("wrong")
        await visitor.tab.locator("#secret").fill(code)
        await visitor.tab.locator("form[action$=open] button").click()
        await visitor.tab.wait_for_url("**/read/*")
        await look("reading")
        await visitor.tab.goto(f"{visitor.tab.url}/reply")
        await look("reply")
        await visitor.tab.goto(await world.sender_link(sent))
        await look("sender")
        await visitor.tab.goto(f"{world.url}/nothing")
        await look("nothing")
    data = (
        *sent.recipients,
        *("Council of the Sandbox", sent.subject, sent.sender, "Sam Worker", sent.queue_id),
        *("Care plan Ü.bin", "costs.csv", "application/octet-stream", "text/csv", "image/png"),
    )
    for name, text in pages.items():
        assert not re.search("[A-Za-z]{2}", untranslated(text, data)), (name, untranslated(text, data))


def untranslated(text: str, data: tuple[str, ...]) -> str:
    """What stands outside all brackets and is no datum, nor a size, nor a time."""
    one = re.compile(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}")
    while one.search(text):
        text = one.sub("", text)
    for datum in sorted(data, key=len, reverse=True):
        text = text.replace(datum, "")
    text = re.sub(r"\w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000|\w+-\d\.\w+", "", text)
    return re.sub(r"[\d.,]+ (bytes?|kB|KiB|MB|MiB)", "", text).strip()


async def test_a_telephone_shows_every_page_without_scrolling_sideways(world: PortalWorld) -> None:
    message = rich_letter()
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename=f"{'very-long-name' * 12}.pdf")
    sent = await world.send("a-person-with-a-rather-long-name", message=message)
    [carol] = sent.recipients
    async with world.visitor(width=NARROW) as visitor:
        await visitor.land(carol)
        assert not await visitor.is_too_wide()
        code = await visitor.ask_code(carol)
        assert not await visitor.is_too_wide()
        await visitor.type_secret("wrong")
        assert not await visitor.is_too_wide()
        await visitor.type_secret(code)
        await visitor.tab.wait_for_url("**/read/*")
        assert not await visitor.is_too_wide()
        for url in (f"{visitor.tab.url}/reply", f"{world.url}/nothing", await world.sender_link(sent)):
            await visitor.tab.goto(url)
            assert not await visitor.is_too_wide()


async def test_the_keyboard_is_enough(world: PortalWorld) -> None:
    sent = await world.send()
    [carol] = sent.recipients
    async with world.visitor() as visitor:
        await visitor.land(carol)
        await tab_to(visitor, "Send me a code")
        await visitor.tab.keyboard.press("Enter")
        await visitor.tab.get_by_text("A code is on its way").wait_for()
        code = await world.code(carol)
        await tab_to(visitor, "secret")
        await visitor.tab.keyboard.type(code)
        await visitor.tab.keyboard.press("Enter")
        await visitor.tab.wait_for_url("**/read/*")
        await tab_to(visitor, "Reply securely")
        await visitor.tab.keyboard.press("Enter")
        await visitor.tab.wait_for_url("**/reply")
        await tab_to(visitor, "reply-text")
        await visitor.tab.keyboard.type("Thank you.")
        await tab_to(visitor, "Send the reply")
        await visitor.tab.keyboard.press("Enter")
        await visitor.tab.wait_for_url("**/reply/sent")


async def tab_to(visitor: Visitor, wanted: str) -> None:
    """Presses Tab until what has the focus is called so; it must be seen to have it."""
    for _ in range(20):
        await visitor.tab.keyboard.press("Tab")
        focused = visitor.tab.locator(":focus")
        if wanted in (await focused.get_attribute("id"), (await focused.inner_text()).strip()):
            outline = await focused.evaluate("one => getComputedStyle(one).outlineStyle")
            assert outline == "solid"
            return
    raise AssertionError(f"no Tab leads to {wanted}")


async def test_printed_are_the_words_and_not_the_buttons(world: PortalWorld) -> None:
    sent = await world.send()
    async with world.visitor() as visitor:
        await visitor.read(sent.recipients[0])
        await visitor.tab.emulate_media(media="print")
        assert await visitor.tab.locator("h1").is_visible()
        assert await visitor.tab.locator("pre").is_visible()
        for gone in ("header", "footer", "form", "a.button"):
            for one in await visitor.tab.locator(f"body > {gone}, main {gone}").all():
                assert not await one.is_visible(), gone


IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 150_000
KEEP_PICTURES = "SEALPOST_TESTS_KEEP_PICTURES"
"""Set it to write the pictures of the README anew."""


async def test_pictures_of_the_pages(world: PortalWorld, tmp_path: Path) -> None:
    folder = IMAGES if os.environ.get(KEEP_PICTURES) else tmp_path
    letter = EmailMessage()
    letter.set_content(
        "Dear Carol,\n\nthe review of the care plan is on Thursday at 10 o'clock, in room 2 of the town hall. The plan"
        " as we agreed it in October is attached. Please tell us by Tuesday what should be changed.\n\nSam Worker\n"
    )
    letter.add_attachment(PLAN[:180_000], maintype="application", subtype="pdf", filename="Care plan.pdf")
    letter.add_attachment(PLAN[:40_000], maintype="application", subtype="zip", filename="Costs.zip")
    sent = await world.send(message=letter, word="sam.worker", subject="The review of the care plan")
    [carol] = sent.recipients
    for width in (WIDE, PHONE):
        async with world.visitor(width=width) as visitor:

            async def take(name: str, visitor: Visitor = visitor, width: int = width) -> None:
                file = folder / f"portal-{name}-{width}.png"
                await visitor.tab.screenshot(path=file, full_page=True)
                assert 1000 < file.stat().st_size < LARGEST

            await visitor.land(carol)
            await take("landing")
            code = await visitor.ask_code(carol)
            await take("code")
            await visitor.type_secret(code, "Carol")
            await visitor.tab.wait_for_url("**/read/*")
            await take("reading")
            await visitor.tab.get_by_role("link", name="Reply securely").click()
            await visitor.tab.get_by_label("Your reply").fill("Dear Sam,\n\nThursday at 10 suits me.\n\nCarol")
            await take("reply")
            await visitor.tab.goto(await world.sender_link(sent))
            await take("sender")
