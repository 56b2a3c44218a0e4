"""The inbox page and its JSON say what the receiving side saw and what the gateway's audit says, and which is which."""

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gateway.core.grade import Grade
from gateway.core.outcome import Cause, Deferred
from gateway.core.record import Event, EventKind, QueueId
from gateway.core.reply import Status
from gateway.core.tls import Channel, MxAuth
from gateway.flow.ports import SpoolError
from gateway.sandbox.alongside import alongside
from gateway.sandbox.evidence import GatewayEvidence, delivery_to
from gateway.sandbox.inbox import Inbox
from gateway.sandbox.pages import Pages
from gateway.sandbox.sockets import LOOPBACK, Place, bind, port_of
from gateway.web.serving import serve
from tests.sandbox.samples import NOW, FakeRecords, arrival, content, delivered, event, evidence


class Site:
    """A served inbox, and how to ask it."""

    def __init__(self, port: int, inbox: Inbox, records: FakeRecords) -> None:
        self.port = port
        self.inbox = inbox
        self.records = records

    async def get(self, path: str, host: str = LOOPBACK) -> tuple[int, http.client.HTTPMessage, bytes]:
        def ask() -> tuple[int, http.client.HTTPMessage, bytes]:
            connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, answer.headers, body

        return await asyncio.to_thread(ask)


@asynccontextmanager
async def serving() -> AsyncGenerator[Site, None]:
    inbox, records = Inbox(), FakeRecords()
    with bind("the inbox", Place(socket.SOCK_STREAM, LOOPBACK), 0) as sock:
        application = Pages(inbox, GatewayEvidence(records)).application()
        async with alongside(serve(application, sock, at_once=64, grace=1)):
            yield Site(port_of(sock), inbox, records)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as served:
        yield served


async def test_an_empty_inbox_says_what_to_try(site: Site) -> None:
    status, headers, body = await site.get("/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"sealpost sandbox send" in body


async def test_json_has_the_promised_keys_and_the_newest_first(site: Site) -> None:
    site.inbox.add(arrival("000001", to="bob@plain.example", tls=None))
    site.inbox.add(arrival("000002"))
    site.records.all = [event(EventKind.ATTEMPT, outcome=delivered(verified=True))]
    _, headers, body = await site.get("/messages.json")
    assert headers["Content-Type"] == "application/json"
    newest, oldest = json.loads(body)
    assert newest == {
        "id": "000002",
        "time": "2026-05-04T03:02:01+00:00",
        "mx": "mx.tls.example",
        "mail_from": "officer@council.example",
        "rcpt_to": ["alice@tls.example"],
        "tls": {"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "verified": True, "grade": "verified"},
        "size": len(content()),
    }
    assert (oldest["id"], oldest["tls"]) == ("000001", None)


async def test_verified_is_null_until_the_gateway_has_said_something(site: Site) -> None:
    async def verified() -> object:
        return json.loads((await site.get("/messages.json"))[2])[0]["tls"]["verified"]

    site.inbox.add(arrival())
    assert await verified() is None
    deferred = Deferred(cause=Cause.REPLY_4XX, status=Status(4, 3, 0), detail="later")
    site.records.all = [event(EventKind.ATTEMPT, outcome=deferred)]
    assert await verified() is None
    site.records.all = [event(EventKind.ATTEMPT, outcome=delivered(verified=False))]
    assert await verified() is False
    asked = len(site.records.asked)
    site.records.all = [event(EventKind.ATTEMPT, outcome=delivered(verified=True))]
    assert await verified() is False
    assert len(site.records.asked) == asked


async def test_raw_bytes_are_those_that_were_received(site: Site) -> None:
    raw = content() + b"\xff\x00.\r\n"
    site.inbox.add(arrival("000001", data=raw))
    status, headers, body = await site.get("/messages/000001.eml")
    assert (status, body) == (200, raw)
    assert headers["Content-Type"] == "message/rfc822"
    assert headers["Content-Disposition"] == 'attachment; filename="000001.eml"'


async def test_a_page_shows_the_message_and_both_accounts_of_its_way(site: Site) -> None:
    site.inbox.add(arrival())
    site.records.all = [event(EventKind.ATTEMPT, outcome=delivered())]
    page = (await site.get("/messages/000001"))[2].decode()
    for said in (
        "Seen by the receiving host",
        "TLSv1.3, TLS_AES_256_GCM_SHA384",
        "Said by the gateway's audit",
        "the host's certificate was checked and is good",
        '<th scope="row">Grade</th><td>verified: encrypted, certificate checked; the host&#39;s name came from DNS',
        '<th scope="row">How it was checked</th><td>certificate checked</td>',
        '<th scope="row">What demanded it</th><td>route tls</td>',
        "000-abc_DEF-1",
        "Text.",
        "gateway.council.example",
    ):
        assert said in page
    assert '<th scope="row">Certificate</th>' not in page
    listed = (await site.get("/"))[2].decode()
    assert "certificate verified" in listed and "<td>verified</td>" in listed
    assert 'href="/messages/000001"' in listed


async def test_pages_show_grade_and_certificate_and_explain_every_grade(site: Site) -> None:
    site.inbox.add(arrival())
    seen = replace(
        evidence(), channel=Channel.DANE, mx=MxAuth.DNSSEC, subject="CN=<mx>", issuer="CN=A", not_after=NOW, spki="ab"
    )
    site.records.all = [event(EventKind.ATTEMPT, outcome=replace(delivered(), evidence=seen))]
    page = (await site.get("/messages/000001"))[2].decode()
    assert "<td>dane: encrypted, certificate and host named by signed DNS</td>" in page
    ends = "2026-05-04T03:02:01+00:00"
    assert f"<td>CN=&lt;mx&gt;, issued by CN=A, ends {ends}, key sha256:ab</td>" in page
    listed = (await site.get("/"))[2].decode()
    assert "<td>dane</td>" in listed and "<h2>What the grades mean</h2>" in listed
    assert all(f"<dt>{grade.value}</dt>" in listed for grade in Grade)


async def test_an_unchecked_certificate_is_called_encrypted_and_nothing_better(site: Site) -> None:
    site.inbox.add(arrival())
    assert "<td>nothing yet</td>\n<td>nothing yet</td>" in (await site.get("/"))[2].decode()
    assert "Grade" not in (await site.get("/messages/000001"))[2].decode()
    site.records.all = [event(EventKind.ATTEMPT, outcome=delivered(verified=False))]
    assert "<td>certificate not verified</td>\n<td>encrypted</td>" in (await site.get("/"))[2].decode()
    page = (await site.get("/messages/000001"))[2].decode()
    assert "<td>encrypted: encrypted, certificate not checked: " in page and "secure" not in page
    assert json.loads((await site.get("/messages.json"))[2])[0]["tls"]["grade"] == "encrypted"


async def test_a_message_in_the_clear_is_marked_so_and_a_report_is_named(site: Site) -> None:
    site.inbox.add(replace(arrival(tls=None), mail_from=""))
    for path in ("/", "/messages/000001"):
        page = (await site.get(path))[2].decode()
        assert '<span class="clear">in the clear</span>' in page
        assert "not verified" not in page
        assert "was not checked" not in page
        assert "&lt;&gt; (" in page or "<> (" in page


async def test_nothing_in_a_message_becomes_markup(site: Site) -> None:
    evil = "<script>alert(1)</script>"
    site.inbox.add(arrival(to=f"{evil}@x", data=content(subject=evil).replace(b"Text.", evil.encode())))
    for path in ("/", "/messages/000001"):
        _, headers, body = await site.get(path)
        assert b"<script" not in body
        assert body.count(b"&lt;script&gt;") >= 2
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_unknown_messages_and_strange_hosts_are_refused(site: Site) -> None:
    assert (await site.get("/messages/000009"))[0] == 404
    assert (await site.get("/messages/000009.eml"))[0] == 404
    assert (await site.get("/", host="rebound.example"))[0] == 400
    assert (await site.get("/", host="localhost:8025"))[0] == 200


async def test_the_site_ends_although_a_client_keeps_its_connection() -> None:
    async with serving() as served:
        reader, writer = await asyncio.open_connection(LOOPBACK, served.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, served.port)
    writer.close()


async def test_the_body_fails_as_itself_and_a_failing_server_ends_the_body() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(KeyError, match="body"):
        async with alongside(waits()):
            await asyncio.sleep(0)
            raise KeyError("body")
    assert ended.is_set()

    async def fails() -> None:
        raise OSError("server")

    with pytest.raises(ExceptionGroup) as caught:
        async with alongside(fails()):
            await asyncio.Event().wait()
    assert str(caught.value.exceptions[0]) == "server"


async def test_our_own_mail_is_found_by_its_message_id() -> None:
    records = FakeRecords()
    own = event(EventKind.ATTEMPT, outcome=delivered(), message_id="<r@gateway.council.example>")
    records.all = [own, event(EventKind.ATTEMPT, outcome=delivered(verified=False))]
    report = arrival(data=b"Message-ID: <r@gateway.council.example>\r\nSubject: not sent\r\n\r\n")
    nameless = arrival("000002", data=b"Subject: nameless\r\n\r\n")
    assert await GatewayEvidence(records).of([report, nameless]) == {"000001": evidence(), "000002": None}


async def test_a_spool_that_cannot_be_read_leaves_the_question_open() -> None:
    class Broken(FakeRecords):
        def events(self, queue_id: QueueId, after: int) -> Iterable[tuple[int, Event]]:
            raise SpoolError("cannot read it")

    assert await GatewayEvidence(Broken()).of([arrival()]) == {"000001": None}


def test_evidence_is_that_of_the_recipients_who_got_it_here() -> None:
    other = event(EventKind.ATTEMPT, "bob@plain.example", outcome=delivered(verified=True))
    own = event(EventKind.ATTEMPT, outcome=delivered(verified=False))
    assert delivery_to(arrival(), [other, own]) == evidence(verified=False)
    assert delivery_to(arrival(), [other]) is None
