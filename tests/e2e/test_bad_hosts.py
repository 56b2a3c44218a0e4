"""No byte of a protected message on an unprotected connection, whatever the host is; and the outcome is the right one.

Every message carries a token in its sender, recipient, header and text; the hosts tape every byte and how it came.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from gateway.core.record import Event, EventKind, QueueId, State
from gateway.sandbox.behaviour import EXTENSIONS, Act, Behaviour, Fault, Starttls
from gateway.sandbox.behaviour import Stage as At
from gateway.sandbox.mx_host import HostSpec
from gateway.sandbox.zone import Trouble
from tests.e2e.shared_stage import Token, add_names, attempted, ends, module_stage, never_in_clear, told, trouble
from tests.e2e.stage import EVERYBODY, Setting, Stage, scenario_cast
from tests.fakes.mx import FakeMx, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

NETWORK = "127.0.25."
PLAIN = Behaviour(starttls=Starttls.NONE)
REFUSED = Behaviour(starttls=Starttls.REFUSED)


def at(stage: At, answer: str | Act, *, times: int | None = None, recipient: str | None = None) -> Behaviour:
    return Behaviour(faults=(Fault(stage=stage, answer=answer, times=times, recipient=recipient),))


HOSTS = {
    "refused": REFUSED,
    "mangled": Behaviour(starttls=Starttls.NONE, extensions=(*EXTENSIONS, "XXXXXXXA")),
    "injected": at(At.STARTTLS, "220 2.0.0 go ahead\r\n250 2.1.0 injected"),
    "closes-at-starttls": at(At.STARTTLS, Act.CLOSE),
    "busy": at(At.GREETING, "421 4.7.0 come back later"),
    "unfriendly": at(At.GREETING, "554 5.7.1 not you"),
    "hangs-up": at(At.EHLO, Act.CLOSE),
    "full": at(At.MAIL, "452 4.3.1 no room"),
    "refuses-mail": at(At.MAIL, "550 5.7.1 no mail from you"),
    "refuses-data": at(At.DATA, "554 5.6.0 not this"),
    "refuses-dot": at(At.DOT, "550 5.7.1 reads like spam"),
    "strips": Behaviour(),
    "strips-public": Behaviour(),
    "drops": Behaviour(),
    "swallows": at(At.DOT, Act.CLOSE, times=1),
    "keeps": at(At.DOT, Act.ACCEPT_AND_CLOSE, times=1),
    "picky": Behaviour(),
}
NAMES = {
    "mixed": ("MX 10 mx.plain.example.", "MX 20 mx.refused.example."),
    "twice-plain": ("MX 10 mx.plain.example.", "MX 20 mx.plain2.example."),
    "better-second": ("MX 10 mx.plain.example.", "MX 20 mx.tls.example."),
    "half-down": ("MX 10 mx.down.example.", "MX 20 mx.plain.example."),
    "ours": ("MX 10 gateway.derbyshire.gov.uk.",),
    "private": ("MX 10 mx.private.example.",),
    "mx_private": ("A 10.1.2.3",),
    "lost": ("MX 10 mx.lost.example.",),
    "garbled": ("MX 10 mx.garbled.example.",),
    "mx_garbled": (f"A {NETWORK}90",),
    "only-helo": ("MX 10 mx.only-helo.example.",),
    "mx_only-helo": (f"A {NETWORK}91",),
    "dumb": ("MX 10 mx.dumb.example.",),
    "mx_dumb": (f"A {NETWORK}92",),
    "recants": ("MX 10 mx.recants.example.",),
    "mx_recants": (f"A {NETWORK}93",),
}


def cast() -> tuple[HostSpec, ...]:
    own = [
        HostSpec(name=f"mx.{name}.example", address=f"{NETWORK}{number}", domains=(f"{name}.example",), behaviour=how)
        for number, (name, how) in enumerate(HOSTS.items(), start=40)
    ]
    second = HostSpec(name="mx.plain2.example", address=f"{NETWORK}39", behaviour=PLAIN)
    return (*scenario_cast(), *own, second)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    async with module_stage(tmp_path_factory, "bad-hosts", Setting(cast=cast(), partners=EVERYBODY)) as built:
        add_names(built, **NAMES)
        for name, kind in (("mute", Trouble.SILENCE), ("mx.lost", Trouble.SERVFAIL)):
            trouble(built, f"{name}.example", kind)
        yield built


@dataclass(frozen=True)
class Sent:
    token: Token
    queue_id: QueueId


async def send(on: Stage, domain: str, asked: str, attach: tuple[int, ...] = ()) -> Sent:
    """A message; ``asked`` is its classification, or ``secure`` for a public one with the button."""
    token = Token()
    classification, intent = ("public", "secure") if asked == "secure" else (asked, "")
    content = token.letter(domain, classification=classification, intent=intent, attach=attach)
    return Sent(token, await on.submit(content, token.at(domain), sender=token.sender))


async def first(on: Stage, sent: Sent) -> Event:
    return (await attempted(on, sent.queue_id))[0]


async def ended(on: Stage, sent: Sent) -> Event:
    (end,) = (await on.ended(sent.queue_id)).values()
    return end


def never_clear(on: Stage, *sent: Sent) -> None:
    """Nothing of these messages came to any host outside TLS, and the gateway agrees."""
    never_in_clear(on, *(one.token for one in sent))


async def one_of_each(on: Stage, domain: str) -> list[Sent]:
    return [await send(on, domain, asked) for asked in ("controlled", "restricted", "secure")]


DECLINED = [
    ("plain", "declined 5.7.4 no STARTTLS"),
    ("tls10", "declined 5.7.5 TLS version"),
    ("twice-plain", "declined 5.7.4 no STARTTLS"),
]


@pytest.mark.parametrize(("host", "outcome"), DECLINED)
async def test_a_host_that_proves_it_has_no_tls_loses_the_message_to_the_next_route(
    on: Stage, host: str, outcome: str
) -> None:
    sent = await one_of_each(on, f"{host}.example")
    for one in sent:
        assert told((await first(on, one)).outcome) == outcome
        end = await ended(on, one)
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")
        (arrival,) = on.world.inbox.to(one.token.at(f"{host}.example"))
        assert (arrival.mx, arrival.tls is None) == ("connector.encrypted.example", False)
    never_clear(on, *sent)


@pytest.mark.parametrize("host", ["selfsigned", "expired", "wronghost"])
async def test_a_bad_certificate_encrypts_but_never_carries_what_must_be_verified(on: Stage, host: str) -> None:
    controlled, *verified = sent = await one_of_each(on, f"{host}.example")
    end = await ended(on, controlled)
    assert (end.state, end.route) == (State.DELIVERED, "tls")
    assert told((await first(on, controlled)).outcome) == "delivered by TLS"
    for one in verified:
        assert told((await first(on, one)).outcome) == "declined 5.7.5 certificate"
        end = await ended(on, one)
        assert (end.state, end.route) == (State.DELIVERED, "encrypted")
        (arrival,) = on.world.inbox.to(one.token.at(f"{host}.example"))
        assert arrival.mx == "connector.encrypted.example"
    never_clear(on, *sent)


DEFERRED = [
    ("refused", "deferred 4.7.5 protection"),
    ("mangled", "deferred 4.7.4 protection"),
    ("injected", "deferred 4.7.5 protection"),
    ("closes-at-starttls", "deferred 4.7.5 protection"),
    ("mixed", "deferred 4.7.5 protection"),
    ("half-down", "deferred 4.7.4 protection"),
    ("busy", "deferred 4.7.0 reply 4xx"),
    ("unfriendly", "deferred 4.7.1 unreachable"),
    ("hangs-up", "deferred 4.4.2 unreachable"),
    ("full", "deferred 4.3.1 reply 4xx"),
    ("down", "deferred 4.4.1 unreachable"),
    ("servfail", "deferred 4.4.3 dns"),
    ("lost", "deferred 4.4.3 dns"),
    ("mute", "deferred 4.4.3 dns"),
]


@pytest.mark.parametrize(("host", "outcome"), DEFERRED)
async def test_what_proves_nothing_defers_and_takes_no_other_route(on: Stage, host: str, outcome: str) -> None:
    sent = await one_of_each(on, f"{host}.example")
    for one in sent:
        assert told((await first(on, one)).outcome) == outcome
    # Again, so that it is no slip of the first attempt.
    for one in sent[:2] if host != "mute" else ():
        assert told((await attempted(on, one.queue_id, 2))[1].outcome) == outcome
    for one in sent:
        assert on.events(one.queue_id, EventKind.MOVED, EventKind.ENDED) == []
        assert on.world.inbox.to(one.token.at(f"{host}.example")) == ()
    never_clear(on, *sent)


FAILED = [
    ("nullmx.example", "5.1.10"),
    ("nowhere.example", "5.1.2"),
    ("ours.example", "5.4.6"),
    ("private.example", "5.4.4"),
    ("refuses.example", "5.1.1"),
    ("refuses-mail.example", "5.7.1"),
    ("refuses-data.example", "5.6.0"),
    ("refuses-dot.example", "5.7.1"),
]


@pytest.mark.parametrize(("domain", "status"), FAILED)
async def test_a_certain_no_is_reported_at_once_with_its_status(on: Stage, domain: str, status: str) -> None:
    for one in [await send(on, domain, asked) for asked in ("controlled", "restricted")]:
        end = await ended(on, one)
        assert end.state is State.REPORTED
        assert told((await first(on, one)).outcome) == f"failed {status}"
        assert len(on.events(one.queue_id, EventKind.ATTEMPT)) == 1
        await on.until(lambda one=one: bool(on.world.inbox.to(one.token.sender)))
        (report,) = on.world.inbox.to(one.token.sender)
        assert f"\r\nStatus: {status}\r\n".encode() in report.content
        assert report.mail_from == ""
        never_clear(on, one)


async def test_the_second_host_gets_what_the_first_cannot_have(on: Stage) -> None:
    sent = await one_of_each(on, "better-second.example")
    for one, how in zip(sent, ("by TLS", "verified", "verified"), strict=True):
        end = await ended(on, one)
        assert end.state is State.DELIVERED
        assert told((await first(on, one)).outcome) == f"delivered {how}"
        (arrival,) = on.world.inbox.to(one.token.at("better-second.example"))
        assert arrival.mx == "mx.tls.example"
    never_clear(on, *sent)


async def test_public_mail_goes_in_the_clear_only_where_nothing_else_is_offered(on: Stage) -> None:
    plain, refused = await send(on, "plain.example", "public"), await send(on, "refused.example", "public")
    assert (await ended(on, plain)).state is State.DELIVERED
    assert plain.token.word.encode() in on.clear_bytes()
    # STARTTLS that is offered and fails is not met in the clear before five minutes have passed.
    assert [told(event.outcome) for event in await attempted(on, refused.queue_id, 2)][:2] == [
        "deferred 4.7.5 protection"
    ] * 2
    never_clear(on, refused)


async def test_starttls_stripped_on_the_second_connection_defers_and_proves_nothing(on: Stage) -> None:
    before = await send(on, "strips.example", "controlled")
    assert told((await first(on, before)).outcome) == "delivered by TLS"
    on.world.hosts["mx.strips.example"].behave(PLAIN)
    # The kept session is not verified, so these two need new connections.
    stripped = [await send(on, "strips.example", asked) for asked in ("restricted", "secure")]
    for one in stripped:
        assert told((await first(on, one)).outcome) == "deferred 4.7.4 protection"
        assert ends(on, one.queue_id) == []
    never_clear(on, before, *stripped)
    on.world.hosts["mx.strips.example"].behave(Behaviour())
    for one in stripped:
        assert ((await ended(on, one)).state, (await ended(on, one)).route) == (State.DELIVERED, "secure")
    never_clear(on, before, *stripped)


async def test_a_session_that_is_kept_in_the_clear_is_not_used_for_protected_mail(on: Stage) -> None:
    on.world.hosts["mx.strips-public.example"].behave(PLAIN)
    public = await send(on, "strips-public.example", "public")
    assert told((await first(on, public)).outcome) == "delivered in the clear"
    on.world.hosts["mx.strips-public.example"].behave(Behaviour())
    protected = await one_of_each(on, "strips-public.example")
    for one in protected:
        assert (await ended(on, one)).state is State.DELIVERED
    never_clear(on, *protected)


SCRIPTS = {
    "garbled": (90, Script(offers=("STARTTLS",), answers_hello=b"no TLS at all\r\n"), "deferred 4.7.5 protection"),
    "only-helo": (91, Script(replies={"EHLO": "502 5.5.1 what?"}), "deferred 4.7.4 protection"),
    "dumb": (92, Script(offers=("STARTTLS",), closes_at="handshake"), "deferred 4.7.5 protection"),
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_host_that_speaks_no_proper_tls_hears_no_mail(on: Stage, name: str) -> None:
    number, script, outcome = SCRIPTS[name]
    async with FakeMx(script, host=f"{NETWORK}{number}", port=on.world.mx_port) as host:
        sent = await one_of_each(on, f"{name}.example")
        for one in sent:
            assert told((await first(on, one)).outcome) == outcome
        assert b"MAIL" not in host.said()
    never_clear(on, *sent)


async def test_a_host_that_recants_inside_tls_hears_no_mail(on: Stage) -> None:
    context = on.world.credentials.server_context("mx.recants.example", Behaviour())
    script = Script(tls=context, replies={"EHLO in TLS": "421 4.3.2 not now"})
    async with FakeMx(script, host=f"{NETWORK}93", port=on.world.mx_port) as host:
        sent = await one_of_each(on, "recants.example")
        for one in sent:
            assert told((await first(on, one)).outcome).startswith("deferred 4.")
        assert b"EHLO" in host.said(tls=True)
        assert b"MAIL" not in host.said()


@pytest.mark.parametrize(
    ("number", "step", "outcome"),
    [
        (95, "connect", "deferred 4.4.2 unreachable"),
        (96, "EHLO", "deferred 4.4.2 unreachable"),
        (97, "STARTTLS", "deferred 4.7.5 protection"),
        (98, "handshake", "deferred 4.7.5 protection"),
    ],
)
async def test_a_silent_host_delays_nobody_else_and_hears_no_mail(
    on: Stage, number: int, step: str, outcome: str
) -> None:
    name = f"silent-{step.lower()}"
    add_names(on, **{name: (f"MX 10 mx.{name}.example.",), f"mx_{name}": (f"A {NETWORK}{number}",)})
    async with FakeMx(
        Script(offers=("STARTTLS",), silent_at=step), host=f"{NETWORK}{number}", port=on.world.mx_port
    ) as host:
        silent = await send(on, f"{name}.example", "restricted")
        await host.called.wait()
        other = await send(on, "tls.example", "restricted")
        assert (await ended(on, other)).state is State.DELIVERED
        assert on.events(silent.queue_id, EventKind.ATTEMPT) == []
        assert b"MAIL" not in host.said()
    assert told((await first(on, silent)).outcome) == outcome
    never_clear(on, silent, other)


BIG = (6 * 1024 * 1024,)


class Talk:
    """A host with a good certificate that answers in single bytes, one client at a time; ``then`` follows the 354."""

    def __init__(self, on: Stage, name: str, number: int, then: Callable[["Talk"], Awaitable[None]]) -> None:
        add_names(on, **{name: (f"MX 10 mx.{name}.example.",), f"mx_{name}": (f"A {NETWORK}{number}",)})
        self.then = then
        self._place = (f"{NETWORK}{number}", on.world.mx_port)
        self._context = on.world.credentials.server_context(f"mx.{name}.example", Behaviour())

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncGenerator[None]:
        server = await asyncio.start_server(self._converse, *self._place, limit=1 << 24)
        async with server:
            yield

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self.say("220 ready")
            while line := await reader.readline():
                await self._answer(line[:4].upper())
        writer.transport.abort()

    async def _answer(self, verb: bytes) -> None:
        match verb:
            case b"EHLO":
                await self.say("250-me\r\n250 " + ("SIZE" if self.writer.get_extra_info("ssl_object") else "STARTTLS"))
            case b"STAR":
                await self.say("220 go")
                await self.writer.start_tls(self._context)
            case b"DATA":
                await self.say("354 go on")
                await self.then(self)
            case _:
                await self.say("250 ok")

    async def say(self, text: str) -> None:
        for byte in f"{text}\r\n".encode():
            self.writer.write(bytes((byte,)))
            await self.writer.drain()


async def test_421_in_mid_data_is_retried_and_arrives_once(on: Stage) -> None:
    kept: list[bytes] = []

    async def once(talk: Talk) -> None:
        await talk.reader.read(1000)
        await talk.say("421 4.3.2 shutting down")
        talk.then = keep
        # It goes on reading, because a reset could overtake the reply.
        while await talk.reader.read(65536):
            pass

    async def keep(talk: Talk) -> None:
        kept.append(await talk.reader.readuntil(b"\r\n.\r\n"))
        await talk.say("250 taken")

    talk = Talk(on, "breaks", 38, once)
    async with talk.serve():
        sent = await send(on, "breaks.example", "restricted", attach=BIG)
        assert (await ended(on, sent)).state is State.DELIVERED
    assert [told(event.outcome) for event in on.events(sent.queue_id, EventKind.ATTEMPT)] == [
        "deferred 4.3.2 reply 4xx",
        "delivered verified",
    ]
    assert [sent.token.word.encode() in content for content in kept] == [True]


async def test_a_close_in_mid_data_is_retried_and_arrives_once(on: Stage) -> None:
    host = on.world.hosts["mx.drops.example"]
    host.behave(at(At.CONTENT, Act.CLOSE, times=1))
    sent = await send(on, "drops.example", "controlled", attach=BIG)
    assert (await ended(on, sent)).state is State.DELIVERED
    attempt, *others = on.events(sent.queue_id, EventKind.ATTEMPT)
    assert told(attempt.outcome) in ("deferred 4.4.2 unreachable", "deferred 4.4.2 maybe")
    assert [told(event.outcome) for event in others] == ["delivered by TLS"]
    assert len(on.world.inbox.to(sent.token.at("drops.example"))) == 1


@pytest.mark.parametrize(("host", "arrivals"), [("swallows", 1), ("keeps", 2)])
async def test_no_reply_to_the_dot_means_maybe_and_nothing_is_lost(on: Stage, host: str, arrivals: int) -> None:
    sent = await send(on, f"{host}.example", "restricted")
    assert (await ended(on, sent)).state is State.DELIVERED
    assert [told(event.outcome) for event in on.events(sent.queue_id, EventKind.ATTEMPT)] == [
        "deferred 4.4.2 maybe",
        "delivered verified",
    ]
    copies = on.world.inbox.to(sent.token.at(f"{host}.example"))
    assert len(copies) == arrivals
    assert len({copy.message_id for copy in copies}) == 1
    never_clear(on, sent)


async def test_recipients_of_one_message_have_their_own_fates(on: Stage) -> None:
    token = Token()
    good, late, never = (f"{name}.{token.at('picky.example')}" for name in ("good", "late", "never"))
    faults = (
        Fault(stage=At.RCPT, answer="452 4.2.2 mailbox full", times=1, recipient=late),
        Fault(stage=At.RCPT, answer="550 5.1.1 unknown", recipient=never),
    )
    on.world.hosts["mx.picky.example"].behave(Behaviour(faults=faults))
    content = token.letter("picky.example", classification="restricted")
    found = await on.ended(await on.submit(content, good, late, never, sender=token.sender), 3)
    assert {address: end.state for address, end in found.items()} == {
        good: State.DELIVERED,
        late: State.DELIVERED,
        never: State.REPORTED,
    }
    assert [len(on.world.inbox.to(address)) for address in (good, late, never)] == [1, 1, 0]
    await on.until(lambda: bool(on.world.inbox.to(token.sender)))
    (report,) = on.world.inbox.to(token.sender)
    assert never.encode() in report.content
    assert good.encode() not in report.content


async def test_a_slow_host_gets_its_message_while_others_get_theirs(on: Stage) -> None:
    asked, passed = asyncio.Event(), asyncio.Event()

    async def wait(talk: Talk) -> None:
        asked.set()
        await passed.wait()
        await talk.reader.readuntil(b"\r\n.\r\n")
        await talk.say("250 taken")

    async with Talk(on, "slow", 94, wait).serve():
        slow = await send(on, "slow.example", "restricted", attach=BIG)
        await asked.wait()
        other = await send(on, "tls.example", "restricted")
        assert (await ended(on, other)).state is State.DELIVERED
        assert ends(on, slow.queue_id) == []
        passed.set()
        assert (await ended(on, slow)).state is State.DELIVERED
        assert told((await first(on, slow)).outcome) == "delivered verified"
