"""A reader's link: what fetching it leaves as it was, codes, passphrases, the lock, and "this is not for me"."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.core.record import Kind
from gateway.core.sealed import Access, Happening
from gateway.core.sealing import Unlock
from gateway.portal.home import MOST_OPEN
from tests.portal.at_portal import JO, KIM, OFFICER, WORKER, portal
from tests.portal.caller import cookie_of
from tests.portal.sealed_mail import NOW

MINUTE = timedelta(minutes=1)


async def test_fetching_a_link_says_who_wrote_and_changes_nothing_but_the_history(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        assert (await there.browser().get(there.link(), "HEAD")).status == 200
        assert await there.happened() == [Happening.SEALED]
        await there.browser().get(there.link())
        page = await there.browser().get(there.link())
        assert str(WORKER) in page.text and str(JO) in page.text and str(KIM) not in page.text
        assert "20 December 2026, 15:41 UTC" in page.text
        assert "01632 960000" in page.text
        assert "Plain words" not in page.text and "Café" not in page.text
        assert await there.happened() == [Happening.SEALED, Happening.LANDED]
        assert await there.store.outgoing(there.clock.now(), 10) == []


async def test_landing_is_noted_once_an_hour_for_each_reader(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        for wait in (0, 59, 2):
            await there.clock.advance(wait * MINUTE)
            for number in (2, 5):
                await there.browser().get(there.link(number))
        landed = [one for one in await there.store.history(there.package) if one.what is Happening.LANDED]
        assert [one.number for one in landed] == [2, 5, 2, 5]


async def test_a_code_by_mail_opens_the_message_once(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = there.browser()
        code = await there.ask_code(browser)
        [mail] = await there.mails(Kind.CODE)
        assert (mail.to, mail.protected, mail.until) == (JO, False, NOW + 15 * MINUTE)
        assert (mail.package, mail.number) == (there.package, 2)
        asked = await browser.get(f"{there.link()}?code=sent")
        assert "A code is on its way" in asked.text and "Send another code" in asked.text
        answer = await there.try_secret(browser, code, who="Jo Miller")
        cookie = answer.headers["set-cookie"].lower()
        assert cookie.startswith(f"{cookie_of(browser.home).lower()}=")
        assert {part.strip() for part in cookie.split(";")[1:]} == {"httponly", "path=/", "samesite=lax", "secure"}
        assert (await browser.get(".")).status == 200
        assert (await there.try_secret(there.browser(), code)).status == 422


async def test_a_form_that_comes_twice_at_once_opens_the_message(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        code = await there.ask_code(there.browser())
        answers = await asyncio.gather(*(there.try_secret(there.browser(), code) for _ in range(2)))
        assert [answer.status for answer in answers] == [303, 303]
        assert len({answer.headers["location"] for answer in answers}) == 1
        assert sum("set-cookie" in answer.headers for answer in answers) == 1


async def test_a_name_that_was_typed_is_still_there_after_a_wrong_code(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        for secret in ("", "00000000"):
            page = await there.try_secret(there.browser(), secret, who='Jo "x" Miller')
            assert page.status == 422 and 'value="Jo &#34;x&#34; Miller"' in page.text
        assert 'value=""' in (await there.browser().get(there.link())).text


async def test_each_opening_is_a_session_of_its_own_and_the_first_is_told(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        first = await there.open(who="Jo Miller")
        second = await there.open(who="Jim Miller")
        assert first.cookie and second.cookie and first.cookie != second.cookie
        [receipt] = await there.mails(Kind.NOTICE)
        assert receipt.to == WORKER
        assert b"Jo Miller" in receipt.text and b"/sent/" in receipt.text
        opened = [one.who for one in await there.store.history(there.package) if one.what is Happening.OPENED]
        assert opened == ["Jo Miller", "Jim Miller"]


async def test_no_receipt_where_none_are_sent(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        there.world.portal = replace(there.world.portal, receipts=False)
        await there.open()
        assert await there.mails(Kind.NOTICE) == []


async def test_codes_above_the_level_of_any_mail_want_a_safe_way(tmp_path: Path) -> None:
    async with portal(tmp_path, Unlock.VERIFIED_MAIL) as there:
        browser = there.browser()
        await there.ask_code(browser)
        [mail] = await there.mails(Kind.CODE)
        assert mail.protected
        page = await browser.get(f"{there.link()}?code=sent")
        assert "If your mailbox can be reached safely" in page.text and "The code, or the passphrase" in page.text
        assert (await there.try_secret(browser, there.passphrases[2])).status == 303


async def test_where_only_a_passphrase_opens_no_code_is_sent(tmp_path: Path) -> None:
    async with portal(tmp_path, Unlock.PASSPHRASE) as there:
        browser = there.browser()
        page = await browser.get(there.link())
        assert "Send me a code" not in page.text
        answer = await browser.form(f"{there.link()}/code", {"proof": page.field("proof")})
        assert (answer.status, await there.store.outgoing(there.clock.now(), 10)) == (429, [])
        assert (await there.try_secret(browser, there.passphrases[5])).status == 422
        assert (await there.try_secret(browser, there.passphrases[2].upper())).status == 303


async def test_too_many_codes(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        statuses: list[int] = []
        for _ in range(8):
            browser = there.browser()
            page = await browser.get(there.link())
            statuses.append((await browser.form(f"{there.link()}/code", {"proof": page.field("proof")})).status)
            await there.clock.advance(3 * MINUTE)
        sent = statuses.count(303)
        assert statuses == [303] * sent + [429] * (8 - sent)
        assert 0 < sent < 8
        assert len(await there.mails(Kind.CODE)) == sent


async def test_wrong_codes_lock_that_reader_alone_and_the_sender_hears_of_it_once(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        for left in ("4 tries are left", "3 tries", "2 tries", "1 try is left"):
            page = await there.try_secret(there.browser(), "00000000")
            assert page.status == 422 and left in page.text
            assert 'aria-describedby="problem"' in page.text
        locked = await there.try_secret(there.browser(), "00000000")
        assert locked.status == 403 and "This message is locked" in locked.text
        [notice] = await there.mails(Kind.NOTICE)
        assert notice.to == WORKER and b"locked" in notice.text
        assert (await there.try_secret(there.browser(), "00000000")).status == 403
        assert (await there.browser().get(there.link())).status == 403
        assert len(await there.mails(Kind.NOTICE)) == 1
        await there.open(number=5)
        await there.store.restore(there.package, 2, there.clock.now(), "the sender")
        await there.open(number=2)


async def test_tries_at_the_same_time_are_five_and_one_letter(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        tries = await asyncio.gather(*(there.try_secret(there.browser(), f"{number:08}") for number in range(9)))
        assert sorted(answer.status for answer in tries) == [403] * 5 + [422] * 4
        assert (await there.happened()).count(Happening.WRONG) == 5
        assert len(await there.mails(Kind.NOTICE)) == 1


async def test_nothing_typed_is_no_try(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page = await there.try_secret(there.browser(), "   ")
        assert page.status == 422 and "Nothing was typed" in page.text
        assert Happening.WRONG not in await there.happened()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Jo\r\nBcc: all@council.example", "Jo  Bcc: all@council.example"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}Jo\x00", "Jo"),
        ("J" * 500, "J" * 80),
        ("<b>Jo</b>", "<b>Jo</b>"),
    ],
)
async def test_a_name_is_one_short_line_and_no_field(tmp_path: Path, given: str, kept: str) -> None:
    async with portal(tmp_path) as there:
        browser = await there.open(who=given)
        visit = await there.store.session(browser.cookie, there.clock.now())
        assert visit is not None and visit[1] == kept
        [receipt] = await there.mails(Kind.NOTICE)
        assert b"\r\nBcc:" not in receipt.text and b"<b>Jo" not in receipt.text.partition(b"text/html")[2]


async def test_not_for_me_without_opening_it(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = there.browser()
        page = await browser.get(f"{there.link()}/not-for-me")
        assert (page.status, await there.happened()) == (200, [Happening.SEALED])
        done = await browser.form(f"{there.link()}/not-for-me", {"proof": page.field("proof")})
        assert done.status == 200 and str(WORKER) in done.text
        assert [mail.to for mail in await there.mails(Kind.NOTICE)] == [WORKER, OFFICER]
        assert [reader.access for reader in await there.store.readers(there.package, NOW)] == [
            Access.DISOWNED,
            Access.OPEN,
        ]
        assert (await browser.get(there.link())).status == 404


async def test_the_officer_gets_no_link_that_opens_it_again(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        page = await there.browser().get(f"{there.link()}/not-for-me")
        await there.browser().form(f"{there.link()}/not-for-me", {"proof": page.field("proof")})
        to_sender, to_officer = await there.mails(Kind.NOTICE)
        assert b"/sent/" in to_sender.text
        assert b"/sent/" not in to_officer.text


async def test_not_for_me_after_opening_it_ends_the_session(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = await there.open(who="Jo Miller")
        page = await browser.get(".")
        assert (await browser.form("not-for-me", {"proof": "other"})).status == 403
        assert (await browser.get(".")).status == 200
        done = await browser.form("not-for-me", {"proof": page.field("proof")})
        assert done.status == 200 and "Thank you" in done.text
        assert (await browser.get(".")).status == 401
        assert (await browser.form("not-for-me", {"proof": page.field("proof")})).status == 401
        assert b"Jo Miller" in (await there.mails(Kind.NOTICE))[-1].text


async def test_leaving_ends_the_session(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = await there.open()
        cookie, page = browser.cookie, await browser.get(".")
        assert (await browser.form("leave", {"proof": "other"})).status == 403
        assert (await browser.form("leave", {"proof": page.field("proof")})).status == 200
        assert browser.cookie == ""
        browser.cookie = cookie
        assert (await browser.get(".")).status == 401
        assert (await there.browser().form("leave", {})).status == 200


async def test_a_session_ends_with_its_time(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = await there.open()
        await there.clock.advance(31 * MINUTE)
        assert (await browser.get(".")).status == 401


async def test_the_oldest_of_many_messages_is_opened_again(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = await there.open()
        browser.jar = {browser.home: browser.cookie, **{f"/read/{number:016x}": "x" for number in range(1, MOST_OPEN)}}
        await there.clock.advance(31 * MINUTE)
        answer = await there.try_secret(browser, await there.ask_code(browser))
        assert answer.status == 303 and "Max-Age=0" not in answer.headers["set-cookie"]
        assert (await browser.get(".")).status == 200


async def test_this_is_not_for_me_pressed_often_is_told_once_and_so_is_an_opening(tmp_path: Path) -> None:
    async with portal(tmp_path, Unlock.PASSPHRASE) as there:
        await asyncio.gather(*(there.open() for _ in range(3)))
        assert len(await there.mails(Kind.NOTICE)) == 1
        page = await there.browser().get(f"{there.link()}/not-for-me")
        proof = {"proof": page.field("proof")}
        await asyncio.gather(*(there.browser().form(f"{there.link()}/not-for-me", proof) for _ in range(3)))
        assert len(await there.mails(Kind.NOTICE)) == 3, "the opening, and one each for the sender and the officer"
