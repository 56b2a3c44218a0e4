"""When a message is sealed each recipient gets a letter of their own, and its sender one that says how it is opened."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.core.address import parse_address
from gateway.core.conditions.message import Finds
from gateway.core.detect.subject import SubjectMarked
from gateway.core.envelope import Envelope, Notify
from gateway.core.outcome import Cause, Outcome
from gateway.core.policy import Rule, Send
from gateway.core.record import Kind, Origin, State
from gateway.core.sealed import Access
from gateway.core.template import Template
from gateway.core.tls import Protection
from gateway.flow.accept import Profile
from gateway.flow.options import PortalOptions, Refusals
from gateway.flow.passwords import UNTOLD
from gateway.flow.ports import Delivery, SpoolFull, Target
from tests.fakes.carrying import NO_STARTTLS, deferred
from tests.fakes.clock import START, settle
from tests.flow.gate import CLIENT, MESSAGE, SENDER, Gate, recipient, with_fields, with_rules
from tests.flow.sealing import POLICY, PORTAL, Packages, letters, sealing_gate, store_of, text

ANN, BOB = "ann@one.example", "bob@two.example"
LINK = "https://secure.council.example/m/token-package-1-"
SPOKEN = replace(PORTAL, codes_for=frozenset[str]())


async def sent(gate: Gate, *recipients: str, message: bytes = MESSAGE, sender: str = "officer@council.example") -> None:
    """Hands the message over and lets everything happen."""
    async with gate.running():
        reply = await gate.hand_over(*recipients, message=message, sender=parse_address(sender))
        assert reply.is_positive
        await settle()


async def test_each_recipient_gets_a_letter_of_their_own_that_names_nobody_else() -> None:
    gate = sealing_gate()
    await sent(gate, ANN, BOB)
    ann, bob = letters(gate)
    assert (ann["To"], bob["To"]) == (ANN, BOB)
    for mail, number, other in ((ann, 0, "bob"), (bob, 1, "ann")):
        assert f"{LINK}{number}\n" in text(mail) and other not in str(mail)
        assert mail["From"] == "An Officer via Council <secure-mail@council.example>"
        assert mail["Reply-To"] == "officer@council.example"
        assert "planted" not in str(mail) and "The body" not in str(mail)
    origins = [message.origin for message, _ in gate.heard.accepted_rows if message.kind is Kind.NOTIFICATION]
    first = gate.heard.accepted_rows[0][0].queue_id
    assert origins == [Origin(first, 0, Kind.NOTIFICATION), Origin(first, 1, Kind.NOTIFICATION)]
    assert await gate.ends() == {ANN: State.SEALED, BOB: State.SEALED}


async def test_the_sender_gets_one_confirmation_with_the_link_to_look_after_it() -> None:
    gate = sealing_gate()
    await sent(gate, ANN, BOB)
    (mail,) = letters(gate, "internal")
    assert mail["To"] == "officer@council.example"
    assert mail["Subject"].startswith("Sealed: your message of")
    assert f"\n{ANN}, {BOB}\nOpened with: a code that is sent" in text(mail)
    assert text(mail).count("https://secure.council.example/sent/package-1/") == 1
    assert "token-" not in str(mail) and "Passphrase" not in str(mail)


async def test_the_confirmation_has_each_passphrase_and_the_notifications_have_none() -> None:
    gate = sealing_gate(Packages(portal=SPOKEN))
    await sent(gate, ANN, BOB)
    (mail,) = letters(gate, "internal")
    assert "Passphrase: words for 0\n" in text(mail) and "Passphrase: words for 1\n" in text(mail)
    assert all("words for" not in str(each) for each in letters(gate))
    assert gate.transports["internal"].deliveries[0][1].floor is Protection.VERIFIED
    assert all(delivery.floor is Protection.NONE for _, delivery in gate.transports["opportunistic"].deliveries)


@pytest.mark.parametrize(
    ("levels", "level", "subject"),
    [
        (frozenset({"controlled"}), b"controlled", "the planted subject"),
        (frozenset({"public"}), b"controlled", "A protected message for you from Council"),
    ],
)
async def test_the_subject_is_repeated_for_some_levels_only(levels: frozenset[str], level: bytes, subject: str) -> None:
    gate = sealing_gate(Packages(portal=replace(PORTAL, subject_for=levels)))
    await sent(gate, ANN, message=with_fields(b"X-Classification: " + level))
    (mail,) = letters(gate)
    assert mail["Subject"] == subject


async def test_the_subject_is_the_one_that_the_message_is_sent_with() -> None:
    gate = sealing_gate(Packages(portal=replace(PORTAL, subject_for=frozenset({"controlled"}))))
    await sent(gate, ANN, message=MESSAGE.replace(b"the planted", b"[secure] the planted"))
    (mail,) = letters(gate)
    assert mail["Subject"] == "the planted subject"


async def test_a_subject_where_a_detector_found_something_is_not_repeated() -> None:
    mark = Finds(SubjectMarked(("planted",)))
    rule = Rule(name="Found", when=mark, action=Send(("encrypted",)), advice=Template(""))
    store = Packages(portal=replace(PORTAL, subject_for=frozenset({"controlled"})))
    gate = sealing_gate(store, with_rules(rule, *POLICY.rules))
    await sent(gate, ANN)
    (mail,) = letters(gate)
    assert mail["Subject"] == "A protected message for you from Council"


async def test_a_later_route_is_explained_in_the_confirmation_and_needs_no_notice() -> None:
    gate = sealing_gate()
    gate.transports["tls"].script = lambda delivery, target, now: NO_STARTTLS
    await sent(gate, "ann@later.example", BOB)
    told = {text(mail) for mail in letters(gate, "internal")}
    (later,) = [each for each in told if "ann@later.example" in each]
    assert "Why this way: " in later and "No host of it offers STARTTLS." in later
    assert all("Sent another way" not in str(mail) for mail in letters(gate, "internal"))
    assert all("Why this way" not in each for each in told - {later})


async def test_recipients_who_come_later_have_a_package_and_a_confirmation_of_their_own() -> None:
    gate = sealing_gate()
    gate.transports["tls"].script = lambda delivery, target, now: (
        NO_STARTTLS if target.recipient.address.local == "ann" or now > START else deferred(Cause.PROTECTION)
    )
    async with gate.running():
        await gate.hand_over("ann@later.example", "bob@later.example")
        await gate.clock.advance(timedelta(hours=3))
    assert set((await gate.ends()).values()) == {State.SEALED}
    assert len(store_of(gate).packages) == 2
    first, second = [text(mail) for mail in letters(gate, "internal") if mail["Subject"].startswith("Sealed")]
    assert "bob@later.example" not in first and "ann@later.example" not in second


async def test_more_recipients_than_a_package_takes_are_told_of_in_one_confirmation_with_a_link_for_each() -> None:
    gate = sealing_gate()
    await sent(gate, *(f"r{number}@one.example" for number in range(150)))
    assert [mail["To"] for mail in letters(gate)] == [f"r{number}@one.example" for number in range(150)]
    (mail,) = letters(gate, "internal")
    assert "r8@one.example, r9@one.example and 90 more:\nhttps://secure.council.example/sent/package-1/" in text(mail)
    assert "r109@one.example and 40 more:\nhttps://secure.council.example/sent/package-2/" in text(mail)
    assert set((await gate.ends()).values()) == {State.SEALED}


@pytest.mark.parametrize(
    ("sender", "fields"),
    [("officer@council.example", (b"Auto-Submitted: auto-generated",)), ("mailer-daemon@council.example", ())],
)
async def test_a_sender_who_is_never_answered_gets_no_confirmation(sender: str, fields: tuple[bytes, ...]) -> None:
    gate = sealing_gate()
    await sent(gate, ANN, message=with_fields(*fields), sender=sender)
    assert len(letters(gate)) == 1 and letters(gate, "internal") == []
    assert await gate.ends() == {ANN: State.SEALED}


async def test_a_passphrase_is_told_to_an_automatic_sender_too_because_nobody_else_could_pass_it_on() -> None:
    gate = sealing_gate(Packages(portal=SPOKEN))
    await sent(gate, ANN, message=with_fields(b"Auto-Submitted: auto-generated"))
    (mail,) = letters(gate, "internal")
    assert "Passphrase: words for 0\n" in text(mail)


async def test_a_passphrase_that_nobody_reads_is_an_operators_affair() -> None:
    gate = sealing_gate(Packages(portal=SPOKEN))
    await sent(gate, ANN, sender="mailer-daemon@council.example")
    assert letters(gate, "internal") == [] and len(letters(gate)) == 1
    assert [name for name, _, _ in gate.heard.alerts] == [UNTOLD]


@pytest.mark.parametrize(("portal", "told"), [(PORTAL, [BOB]), (SPOKEN, [ANN, BOB])])
async def test_who_wishes_to_hear_nothing_hears_of_passphrases_alone(portal: PortalOptions, told: list[str]) -> None:
    gate = sealing_gate(Packages(portal=portal))
    async with gate.running():
        await gate.hand_over(recipient(ANN, Notify.NEVER), recipient(BOB, Notify.FAILURE))
        await settle()
    assert [mail["To"] for mail in letters(gate)] == [ANN, BOB]
    (mail,) = letters(gate, "internal")
    assert [each for each in (ANN, BOB) if each in text(mail)] == told


async def test_an_agreed_passphrase_is_no_reason_to_write_to_who_wishes_to_hear_nothing() -> None:
    gate = sealing_gate(Packages(portal=SPOKEN, agreed=True))
    async with gate.running():
        await gate.hand_over(recipient(ANN, Notify.NEVER))
        await settle()
    assert len(letters(gate)) == 1 and letters(gate, "internal") == []


async def test_a_text_that_is_handed_over_travels_at_its_floor_with_its_subject() -> None:
    gate = sealing_gate(Packages(hand_off=True))
    await sent(gate, ANN)
    (mail,) = letters(gate)
    assert mail["Subject"] == "the planted subject"
    assert "The message: the planted subject\nThe body.\n" in text(mail) and f"{LINK}0\n" in text(mail)
    ((_, delivery),) = gate.transports["opportunistic"].deliveries
    assert delivery.floor is Protection.ENCRYPTED


@pytest.mark.parametrize("message", [with_fields(b"Sensitivity: x"), MESSAGE.replace(b"The body.\r\n", b"")])
async def test_no_text_is_handed_over_that_only_sealing_protects_or_that_is_not_there(message: bytes) -> None:
    sealed = message.startswith(b"Sensitivity")
    floors = {"public": Protection.NONE, "controlled": Protection.SEALED if sealed else Protection.ENCRYPTED}
    gate = sealing_gate(Packages(hand_off=True), replace(POLICY, floors=floors))
    await sent(gate, ANN, message=message)
    (mail,) = letters(gate)
    assert mail["Subject"] == "A protected message for you from Council"
    assert "The body" not in str(mail)
    assert gate.transports["opportunistic"].deliveries[0][1].floor is Protection.NONE


async def test_no_text_is_handed_over_that_is_to_travel_with_requiretls() -> None:
    gate = sealing_gate(Packages(hand_off=True))
    async with gate.running():
        envelope = Envelope(
            client=CLIENT, listener="smtp", reverse_path=SENDER, recipients=(recipient(ANN),), require_tls=True
        )
        submission = gate.accept.begin(envelope, Profile("smtp", Refusals.REPORT))
        submission.write(MESSAGE)
        assert (await submission.finish()).is_positive
        await settle()
    (mail,) = letters(gate)
    assert "The body" not in str(mail)


async def test_without_the_store_nobody_is_told_and_it_is_sealed_again_to_the_same_link() -> None:
    gate = sealing_gate()
    store = store_of(gate)
    store.down = True
    async with gate.running():
        await gate.hand_over(ANN, BOB)
        await settle()
        assert letters(gate) == [] and {where for where, _, _ in gate.heard.faults} == {"report"}
        store.down = False
        await gate.clock.advance(timedelta(hours=2))
    assert await gate.ends() == {ANN: State.SEALED, BOB: State.SEALED}
    assert len(letters(gate)) == 2 and len(letters(gate, "internal")) == 1
    assert len(store.packages) == 1


async def test_without_a_portal_nobody_is_told() -> None:
    gate = sealing_gate()
    gate.shared = replace(gate.shared, portal=None)
    gate.restart()
    await sent(gate, ANN)
    assert letters(gate) == [] and [where for where, _, _ in gate.heard.faults] == ["report"]
    assert await gate.ends() == {}


async def test_of_a_package_that_is_gone_nobody_is_told() -> None:
    gate = sealing_gate()
    store = store_of(gate)

    def erased(delivery: Delivery, target: Target, now: datetime) -> Outcome:
        outcome = store.outcome(delivery, target, now)
        for readers in store.packages.values():
            readers.update({number: replace(reader, access=Access.ERASED) for number, reader in readers.items()})
        return outcome

    gate.transports["encrypted"].script = erased
    await sent(gate, ANN)
    assert letters(gate) == [] and [where for where, _, _ in gate.heard.faults] == ["report"]
    assert await gate.ends() == {}


async def test_letters_that_cannot_be_kept_are_kept_later() -> None:
    gate = sealing_gate()
    async with gate.running():
        gate.transports["encrypted"].gate = asyncio.Event()
        await gate.hand_over(ANN)
        await settle()
        gate.spool.bodies.refuse = SpoolFull("no room")
        gate.transports["encrypted"].gate.set()
        await settle()
        assert letters(gate) == []
        gate.spool.bodies.refuse = None
        await gate.clock.advance(timedelta(hours=1))
    assert await gate.ends() == {ANN: State.SEALED}
    assert len(letters(gate)) == len(letters(gate, "internal")) == 1
