"""The portal as an attacker sees it: what every answer carries, links that are guessed, forms that are forged."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import cast

import pytest

from gateway.core.sealed import Happening
from gateway.core.sealing import Unlock
from gateway.flow.ports import SealedStore, SealedStoreError
from gateway.portal.application import application
from tests.portal.at_portal import DAYS_28, Browser, Portal, portal, seal
from tests.portal.caller import HOST, Answer
from tests.portal.sealed_mail import NOW

UNKNOWN = "/m/" + "x" * 43


@dataclass
class Watched:
    """The store, and what it was asked for by name."""

    store: SealedStore
    asked: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        self.asked.append(name)
        return getattr(self.store, name)


Close = Callable[[Portal], Awaitable[object]]


async def _disown(there: Portal) -> None:
    await there.store.disown(there.package, 2, NOW, "")


async def _none(there: Portal) -> None:
    there.tokens[2] = "x" * 43


CLOSED: dict[str, Close] = {
    "unknown": _none,
    "expired": lambda there: there.clock.advance(DAYS_28),
    "revoked": lambda there: there.store.revoke(there.package, 2, NOW, "an operator"),
    "not for them": _disown,
    "erased": lambda there: there.store.erase(there.package, NOW, "an operator"),
}
WAYS: dict[str, Callable[[Browser, str], Awaitable[Answer]]] = {
    "look": lambda browser, link: browser.get(link),
    "code": lambda browser, link: browser.form(f"{link}/code", {"proof": "p"}),
    "open": lambda browser, link: browser.form(f"{link}/open", {"proof": "p", "secret": "12345678"}),
    "ask whether not for me": lambda browser, link: browser.get(f"{link}/not-for-me"),
    "not for me": lambda browser, link: browser.form(f"{link}/not-for-me", {"proof": "p"}),
}


async def _answer(folder: Path, close: Close, way: str) -> tuple[Answer, list[str]]:
    async with portal(folder) as there:
        await close(there)
        watched = Watched(there.store)
        there.app = application(there.context(cast(SealedStore, watched)))
        before = await there.happened()
        answer = await WAYS[way](there.browser(), there.link())
        assert await there.happened() == before
        assert await there.store.outgoing(there.clock.now(), 10) == []
        return answer, watched.asked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("closed", CLOSED)
async def test_a_closed_link_answers_as_one_that_never_was(tmp_path: Path, closed: str, way: str) -> None:
    got, asked = await _answer(tmp_path / "a", CLOSED[closed], way)
    expected, as_asked = await _answer(tmp_path / "b", _none, "look")
    assert got == expected
    assert asked == as_asked == ["find"]
    assert got.status == 404


FORGERIES: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://elsewhere.example"},
    "a sandboxed frame": {"Origin": "null"},
    "without TLS": {"Origin": f"http://{HOST}"},
    "another site of ours": {"Sec_Fetch_Site": "same-site"},
    "a site that hides itself": {"Origin": f"https://{HOST}", "Sec_Fetch_Site": "cross-site"},
}


@pytest.mark.parametrize("headers", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("action", ["code", "open", "not-for-me"])
async def test_a_form_of_another_site_does_nothing(tmp_path: Path, action: str, headers: dict[str, str]) -> None:
    async with portal(tmp_path, Unlock.VERIFIED_MAIL) as there:
        page = await there.browser().get(there.link())
        fields = {"proof": page.field("proof"), "secret": there.passphrases[2]}
        answer = await there.browser().form(f"{there.link()}/{action}", fields, **headers)
        assert answer.status == 403
        assert await there.happened() == [Happening.SEALED, Happening.LANDED]
        assert await there.store.outgoing(there.clock.now(), 10) == []


@pytest.mark.parametrize("action", ["code", "open", "not-for-me"])
async def test_a_form_without_the_proof_of_this_link_does_nothing(tmp_path: Path, action: str) -> None:
    async with portal(tmp_path, Unlock.VERIFIED_MAIL) as there:
        others = (await there.browser().get(there.link(5))).field("proof")
        for proof in ("", others, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")):
            fields = {"proof": proof, "secret": there.passphrases[2]}
            answer = await there.browser().form(f"{there.link()}/{action}", fields)
            assert answer.status == 403 and "did not send the form" in answer.text
        assert await there.happened() == [Happening.SEALED, Happening.LANDED]


async def test_a_proof_of_one_session_is_none_of_another(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        jo, kim = await there.open(2), await there.open(5)
        proof = (await jo.get(".")).field("proof")
        assert (await kim.form("not-for-me", {"proof": proof})).status == 403
        assert (await kim.get(".")).status == 200


async def test_two_messages_open_in_one_browser_stay_apart(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = await there.open(2)
        first = browser.home
        answer = await there.try_secret(browser, await there.ask_code(browser, 5), number=5)
        second = browser.home
        assert answer.headers["location"] == second != first
        for home, who in ((first, "jo@firm.example"), (second, "kim@firm.example")):
            assert (await browser.get(home)).status == 200
            assert who in (await browser.get(f"{home}/reply")).text
        proof = (await browser.get(first)).field("proof")
        assert (await browser.form(f"{second}/leave", {"proof": proof})).status == 403
        assert (await browser.form(f"{first}/leave", {"proof": proof})).status == 200
        assert (await browser.get(first)).status == 401
        assert (await browser.get(second)).status == 200


async def test_a_cookie_opens_nothing_under_another_path(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        jo, kim = await there.open(2), await there.open(5)
        kim.cookie = jo.cookie
        assert (await kim.get(".")).status == 401
        assert (await jo.get(".")).status == 200


@pytest.mark.parametrize("host", ["elsewhere.example", f"{HOST}.elsewhere.example", f"{HOST}:8443", "", "127.0.0.1"])
async def test_another_name_than_ours_is_answered_by_nobody(tmp_path: Path, host: str) -> None:
    async with portal(tmp_path) as there:
        answer = await there.browser().get(there.link(), Host=host)
        assert (answer.status, answer.text) == (421, "This is another place.")
        assert await there.happened() == [Happening.SEALED]
        assert (await there.browser().get(there.link(), Host=HOST.upper())).status == 200


async def test_many_guesses_find_nothing_and_are_slowed(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        nothing = (await there.browser("203.0.113.9").get(UNKNOWN)).body
        answers = [await there.browser().get(f"/m/{number:043}") for number in range(1000)]
        found = [answer for answer in answers if answer.status == 404]
        assert {answer.body for answer in found} == {nothing}
        assert len(found) == 120
        slowed = answers[120:]
        assert {answer.status for answer in slowed} == {429}
        assert int(slowed[0].headers["retry-after"]) > 0
        assert (await there.browser("203.0.113.9").get(there.link())).status == 200


async def test_a_link_is_slowed_wherever_it_is_used_from(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        statuses = [(await there.browser(f"203.0.113.{number}").get(there.link())).status for number in range(70)]
        assert statuses == [200] * 60 + [429] * 10
        assert (await there.browser().get(there.link(5))).status == 200
        await there.clock.advance((DAYS_28 / 28) / 24)
        assert (await there.browser().get(there.link())).status == 200


async def test_tries_are_slowed_before_the_secret_is_looked_at(tmp_path: Path) -> None:
    async with portal(tmp_path, Unlock.VERIFIED_MAIL) as there:
        browser = there.browser()
        proof = (await browser.get(there.link())).field("proof")
        for _ in range(10):
            await browser.form(f"{there.link()}/open", {"proof": "none", "secret": "x"})
        fields = {"proof": proof, "secret": there.passphrases[2]}
        assert (await browser.form(f"{there.link()}/open", fields)).status == 429
        assert await there.happened() == [Happening.SEALED, Happening.LANDED]


async def test_a_forged_forwarded_field_does_not_escape_the_limit(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        there.world.page = replace(there.world.page, proxies=(ip_network("10.0.0.0/8"),))
        for number in range(120):
            await there.browser().get(UNKNOWN, X_Forwarded_For=f"203.0.113.{number}")
        assert (await there.browser().get(UNKNOWN, X_Forwarded_For="203.0.113.200")).status == 429
        for number in range(120):
            await there.browser("10.0.0.1").get(f"/m/{number}", X_Forwarded_For=f"{number}.0.0.1, 192.0.2.9")
        assert (await there.browser("10.0.0.1").get("/m/a", X_Forwarded_For="8.8.8.8, 192.0.2.9")).status == 429
        assert (await there.browser("10.0.0.1").get("/m/b", X_Forwarded_For="192.0.2.10")).status == 404


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        browser = there.browser()
        announced = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "99999999"}
        blocks = [b"x" * 1000] * 100
        for url in (f"{there.link()}/open", there.sender_link, "leave", "not-for-me"):
            assert (await browser.send("POST", url, blocks, announced)).status == 413
            assert browser.read == 0
            assert (await browser.send("POST", url, blocks, {**announced, "Content-Length": "0"})).status == 413
            assert browser.read == 17


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 60), 400),
        ("application/x-www-form-urlencoded", b"\xff=\xff", 400),
    ],
)
async def test_a_body_that_is_no_form(tmp_path: Path, kind: str, body: bytes, status: int) -> None:
    async with portal(tmp_path) as there:
        answer = await there.browser().raw(f"{there.link()}/open", body, Content_Type=kind)
        assert answer.status == status
        assert 'lang="en"' in answer.text


async def _every_answer(there: Portal) -> dict[str, Answer]:
    """One of each kind."""
    reading = await there.open()
    browser = there.browser()
    proof = (await reading.get(".")).field("proof")
    answers = {
        "landing": await browser.get(there.link(5)),
        "code": await browser.form(f"{there.link(5)}/code", {"proof": "x"}),
        "wrong": await there.try_secret(browser, "00000000", number=5),
        "disown": await browser.get(f"{there.link(5)}/not-for-me"),
        "sender": await browser.get(there.sender_link),
        "unknown": await browser.get(UNKNOWN),
        "root": await browser.get("/"),
        "no page": await browser.get("/nowhere"),
        "method": await browser.get(there.link(), "DELETE"),
        "host": await browser.get("/", Host="elsewhere.example"),
        "too large": await browser.raw(f"{there.link()}/open", b"x" * 20_000),
        "robots": await browser.get("/robots.txt"),
        "read": await reading.get("."),
        "reply": await reading.get("reply"),
        "ended": await browser.get("."),
        "redirect": await there.try_secret(browser, await there.ask_code(browser, 5), number=5),
        "leave": await reading.form("leave", {"proof": proof}),
    }
    for _ in range(120):
        await browser.get(UNKNOWN)
    answers["too often"] = await browser.get(UNKNOWN)
    there.app = application(there.context(cast(SealedStore, Broken(OSError("the secret")))))
    answers["broken"] = await there.browser("192.0.2.77").get(UNKNOWN)
    return answers


class Broken:
    """A store of which everything fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def find(self, *args: object) -> None:
        raise self._error


async def test_every_answer_limits_what_a_browser_does_with_it(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        answers = await _every_answer(there)
    assert {answer.status for answer in answers.values()} >= {200, 303, 401, 403, 404, 405, 413, 421, 422, 429, 503}
    for name, answer in answers.items():
        headers, policy = answer.headers, answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), name
        for directive in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert directive in policy, name
        assert "unsafe" not in policy and "script-src" not in policy, name
        assert headers["strict-transport-security"] == "max-age=63072000", name
        assert headers["x-content-type-options"] == "nosniff", name
        assert headers["referrer-policy"] == "same-origin", name
        assert headers["cross-origin-opener-policy"] == "same-origin", name
        assert headers["cross-origin-resource-policy"] == "same-origin", name
        assert headers["cache-control"] == "no-store", name
        assert "noindex" in headers["x-robots-tag"], name
        assert "server" not in headers, name


async def test_no_page_runs_a_script_or_asks_another_server_for_anything(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        there.world.page = replace(there.world.page, logo=_logo(tmp_path))
        answers = await _every_answer(there)
    for name, answer in answers.items():
        text = answer.text
        assert re.search(r"<script|javascript:|\son\w+=|\sstyle=", text) is None, name
        # All addresses are below our own root, or the logo's bytes.
        for address in re.findall(r'(?:src|href|action|formaction)="([^"]*)"', text):
            assert re.match(r"/(?!/)|data:image/png;base64,", address), (name, address)
        for style in re.findall(r"<style>(.*?)</style>", text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in answer.headers["content-security-policy"], name
            assert "url(" not in style and "@import" not in style, name


def _logo(folder: Path) -> Path:
    path = folder / "logo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    return path


async def test_without_tls_nothing_promises_it(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        there.world.page = replace(there.world.page, url=f"http://{HOST}")
        page = await there.browser().get(there.link())
        assert "strict-transport-security" not in page.headers


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (SealedStoreError("the disk is gone"), ["the disk is gone"]),
        (ZeroDivisionError("a secret"), ["ZeroDivisionError", "test_application.py"]),
    ],
)
async def test_trouble_is_a_page_and_one_line_without_content(
    tmp_path: Path, error: Exception, facts: list[str]
) -> None:
    async with portal(tmp_path) as there:
        there.app = application(there.context(cast(SealedStore, Broken(error))))
        page = await there.browser().get(UNKNOWN)
        assert (page.status, page.headers["retry-after"]) == (503, "30")
        assert "cannot be done now" in page.text and str(error) not in page.text
        [(_, told)] = there.world.events
        line = " ".join(told.values())
        assert all(fact in line for fact in facts) and "a secret" not in line


@pytest.mark.parametrize("home", ["a b", "a;b", "0123456789ABCDEF", "0123456789abcde", "0123456789abcdef0", "ü"])
async def test_a_path_that_is_no_home_is_nobodys(tmp_path: Path, home: str) -> None:
    async with portal(tmp_path) as there:
        for page in ("/leave", "/not-for-me"):
            assert (await there.browser().form(f"/read/{home}{page}", {})).status == 404
        for page in ("", "/reply"):
            assert (await there.browser().get(f"/read/{home}{page}")).status == 404
        assert there.world.events == []


async def test_what_is_logged_names_no_person_no_token_and_no_secret(tmp_path: Path) -> None:
    async with portal(tmp_path, Unlock.VERIFIED_MAIL) as there:
        await there.open(who="Jo Miller")
        await there.try_secret(there.browser(), there.passphrases[5], number=5)
        logged = repr(there.world.events)
        assert there.package in logged
        hidden = (*there.tokens.values(), *there.passphrases.values(), await there.code(), "Miller", "firm.example")
        assert [text for text in hidden if text in logged] == []


async def test_two_messages_for_one_person_are_apart(tmp_path: Path) -> None:
    async with portal(tmp_path) as there:
        first = there.link()
        code = await there.ask_code(there.browser())
        await seal(there, "d-2", Unlock.MAIL)
        assert there.link() != first
        assert (await there.try_secret(there.browser(), code)).status == 422
