"""DANE, MTA-STS and pins at work: what each host has to prove, and that no other gets the message."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.core.check import Check
from gateway.core.dane import Tlsa, TlsaFacts, TlsaFound, TlsaUnknown, TlsaUnusable
from gateway.core.grade import DEMANDS, Grade, grade_of_evidence
from gateway.core.outcome import Alarm, Cause, Declined, Deferred, Delivered, Proof
from gateway.core.pin import Pin, Pins
from gateway.core.reply import Status
from gateway.core.sts import StsUnknown
from gateway.core.tls import Channel, MxAuth, Protection, Requirement
from gateway.net.answers import MxRecord, MxRecords
from gateway.net.judge import Fault, Passed, judge
from gateway.transports.network import NetworkOptions
from tests.fakes import certificates
from tests.fakes.certificates import AUTHORITY, Made, make
from tests.fakes.dns import SERVFAIL
from tests.fakes.mail_world import world
from tests.fakes.mx import OLD_TLS, Script
from tests.transports.trusting import (
    DOMAIN,
    MX,
    SECOND,
    alone,
    deliver,
    heard_no_mail,
    key_of,
    policy,
    published,
    record_of,
    waits_for_protection,
)

OURS, OTHER = alone(MX), alone(MX)
NONE, ENCRYPTED, VERIFIED = Protection.NONE, Protection.ENCRYPTED, Protection.VERIFIED
TWO = {"two.test": {"MX": [f"10 {MX}."]}}
BOTH = {"many.test": {"MX": [f"10 {MX}.", f"20 {SECOND}."]}}

# DANE.


@pytest.mark.parametrize("floor", [NONE, ENCRYPTED, VERIFIED])
@pytest.mark.parametrize("records", [(OURS,), (OTHER, OURS)])
async def test_a_certificate_that_the_records_mean_is_enough_for_every_floor(
    records: tuple[Made, ...], floor: Protection, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}) as at:
        at.tlsa.hosts[MX] = published(*records)
        outcome = await deliver(at, floor=floor)
        assert isinstance(outcome, Delivered)
        evidence = outcome.evidence
        assert evidence.channel is Channel.DANE
        assert evidence.how == f"certificate matches the TLSA record {str(record_of(OURS))[:24]}…"
        assert evidence.spki == key_of(OURS)
        assert evidence.demanded_by.endswith(f"; DANE, TLSA records of {MX}")
        # Nothing signed says that this is a host of the domain.
        assert grade_of_evidence(evidence) is Grade.VERIFIED
        assert at.sts.asked == [DOMAIN]


async def test_where_the_name_is_signed_too_nothing_else_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}) as at:

        async def signed(domain: str) -> MxRecords:
            return MxRecords((MxRecord(10, MX),), MxAuth.DNSSEC)

        monkeypatch.setattr(at.network.resolver, "mx", signed)
        at.tlsa.hosts[MX] = published(OURS)
        outcome = await deliver(at, demands=Channel.PKIX, authentic=True)
        assert isinstance(outcome, Delivered)
        assert grade_of_evidence(outcome.evidence) is Grade.DANE
        assert at.sts.asked == []


@pytest.mark.parametrize("floor", [NONE, ENCRYPTED, VERIFIED])
@pytest.mark.parametrize(
    "script",
    [
        lambda: Script(tls=OTHER.context()),
        # It would do for a floor; but the domain says that it is another's.
        lambda: Script(tls=certificates.good(MX)),
        Script,
        lambda: Script(offers=("STARTTLS",), replies={"STARTTLS": "454 not now"}),
        lambda: Script(tls=OURS.context(), answers_hello=OLD_TLS),
        lambda: Script(tls=OURS.context(), after_220=b"250 mx\r\n" * 4 + b"354 go\r\n250 ok\r\n"),
    ],
)
async def test_a_host_that_does_not_do_what_its_domain_says_waits_and_hears_nothing(
    script: Callable[[], Script], floor: Protection, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: script()}) as at:
        at.tlsa.hosts[MX] = published(OURS)
        outcome = await deliver(at, floor=floor, waited=None)
        assert heard_no_mail(at.hosts[MX])
        certificate = at.hosts[MX].script.tls is not None and not at.hosts[MX].script.answers_hello
        if floor is NONE or (certificate and not at.hosts[MX].script.after_220):
            waits_for_protection(outcome)
        else:
            # What fails the floor itself is as certain as ever, or as uncertain.
            assert isinstance(outcome, Declined | Deferred)


async def test_it_never_goes_in_clear_however_long_a_handshake_failed(tmp_path: Path) -> None:
    script = Script(offers=("STARTTLS",), replies={"STARTTLS": "454 not now"})
    async with world(tmp_path, {MX: script}) as at:
        at.tlsa.hosts[MX] = TlsaUnusable(MX)
        for waited in (None, timedelta(days=1)):
            waits_for_protection(await deliver(at, waited=waited))
        assert heard_no_mail(at.hosts[MX])


async def test_a_mismatch_is_told_in_a_sentence_and_the_evidence_says_refused(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OTHER.context())}) as at:
        at.tlsa.hosts[MX] = published(OURS)
        outcome = waits_for_protection(await deliver(at, floor=VERIFIED))
        assert outcome.detail == f"The certificate of {MX} is refused: no TLSA record matches it."
        assert outcome.status == Status(4, 7, 5)
        assert outcome.evidence is not None
        assert outcome.evidence.how == f"refused: {outcome.detail}"
        assert outcome.evidence.channel is Channel.ENCRYPTED
        assert outcome.evidence.spki == key_of(OTHER)
        # The judgement comes before the second EHLO, and one connection is enough.
        (conversation,) = at.hosts[MX].conversations
        assert [line.split()[0] for line in conversation.commands] == ["EHLO", "STARTTLS"]


async def test_an_authority_that_a_record_means_is_followed_and_the_name_has_to_fit(tmp_path: Path) -> None:
    anchor = make("anchor", extensions=AUTHORITY)
    meant = TlsaFound(MX, (Tlsa(2, 1, 1, sha256(anchor.spki).digest()), Tlsa(3, 1, 1, bytes(32))))
    for names, good in (((MX,), True), (("mx.other.example",), False)):
        leaf = make("leaf", anchor, names=names)
        async with world(tmp_path, {MX: Script(tls=leaf.context(anchor))}) as at:
            at.tlsa.hosts[MX] = meant
            outcome = await deliver(at)
            if good:
                assert isinstance(outcome, Delivered)
                assert "TLSA record 2 1 1" in outcome.evidence.how
            else:
                waits_for_protection(outcome)
                assert heard_no_mail(at.hosts[MX])


async def test_a_certificate_is_judged_once_however_many_records_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[Check] = []

    def counting(chain: Sequence[bytes], check: Check, now: datetime) -> Passed | Fault:
        judged.append(check)
        return judge(chain, check, now)

    monkeypatch.setattr("gateway.net.handshake.judge", counting)
    async with world(tmp_path, {MX: Script(tls=OURS.context())}) as at:
        at.tlsa.hosts[MX] = published(OTHER, OURS, *(alone(MX) for _ in range(9)))
        outcome = await deliver(at)
        assert isinstance(outcome, Delivered)
        assert str(record_of(OURS))[:24] in outcome.evidence.how
        assert [len(check.tlsa) for check in judged] == [11]
        at.tlsa.hosts[MX] = published(OTHER, alone(MX))
        waits_for_protection(await deliver(at))
        # What is ours is looked at for itself, and has no records.
        assert [len(check.tlsa) for check in judged] == [11, 2, 0]


@pytest.mark.parametrize("tls", [True, False])
async def test_unusable_records_demand_tls_and_no_more(tls: bool, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OTHER.context() if tls else None)}) as at:
        at.tlsa.hosts[MX] = TlsaUnusable(MX)
        outcome = await deliver(at)
        if tls:
            assert isinstance(outcome, Delivered)
            assert outcome.evidence.how == "certificate not checked"
        else:
            assert waits_for_protection(outcome).status == Status(4, 7, 4)
            assert heard_no_mail(at.hosts[MX])


async def test_a_lookup_that_fails_makes_its_host_wait_and_another_may_take_the_message(tmp_path: Path) -> None:
    hosts = {MX: Script(tls=OURS.context()), SECOND: Script(tls=OTHER.context())}
    async with world(tmp_path, hosts, BOTH) as at:
        at.tlsa.hosts = {MX: TlsaUnknown("the name servers do not answer"), SECOND: published(OTHER)}
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.mx_host == SECOND
        assert at.hosts[MX].conversations == []
        at.tlsa.hosts[SECOND] = published(OURS)
        waits_for_protection(await deliver(at, "many.test", floor=VERIFIED))
        assert at.hosts[MX].conversations == []


async def test_a_host_without_addresses_is_out_whatever_its_records(tmp_path: Path) -> None:
    zones = {"gone.test": {"MX": ["10 none.example."]}, "lost.test": {"MX": ["10 lost.example."]}}
    lost: dict[str, dict[str, list[str] | str]] = {"lost.example": {"A": SERVFAIL, "AAAA": SERVFAIL}}
    async with world(tmp_path, {}, {**zones, **lost}) as at:
        at.tlsa.hosts = dict.fromkeys(("none.example", "lost.example"), TlsaUnknown("no answer"))
        assert (await deliver(at, "gone.test")).status == Status(5, 4, 4)  # pyright: ignore[reportAttributeAccessIssue]
        unknown = await deliver(at, "lost.test")
        assert isinstance(unknown, Deferred)
        assert unknown.cause is Cause.DNS


# MTA-STS.


@pytest.mark.parametrize("floor", [NONE, VERIFIED])
async def test_an_enforced_policy_wants_a_certificate_for_the_host(floor: Protection, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        at.sts.domains[DOMAIN] = policy()
        outcome = await deliver(at, floor=floor)
        assert isinstance(outcome, Delivered)
        assert grade_of_evidence(outcome.evidence) is Grade.MTA_STS
        assert outcome.evidence.how == f"certificate checked for the name {MX}"
        assert f"MTA-STS policy id1 of {DOMAIN}" in outcome.evidence.demanded_by


@pytest.mark.parametrize(
    "script", [lambda: Script(tls=certificates.expired(MX)), lambda: Script(tls=certificates.good("mx.other.example"))]
)
async def test_what_fails_the_policy_waits_and_what_also_fails_the_floor_is_proof(
    script: Callable[[], Script], tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: script()}) as at:
        at.sts.domains[DOMAIN] = policy()
        for floor in (NONE, ENCRYPTED):
            outcome = waits_for_protection(await deliver(at, floor=floor))
            assert outcome.evidence is not None
            assert outcome.evidence.names
            assert outcome.evidence.how == f"refused: {outcome.detail}"
        outcome = await deliver(at, floor=VERIFIED)
        assert isinstance(outcome, Declined)
        assert outcome.proof is Proof.CERTIFICATE
        assert heard_no_mail(at.hosts[MX])


async def test_hosts_that_the_policy_does_not_name_get_nothing(tmp_path: Path) -> None:
    hosts = {MX: Script(tls=certificates.good(MX)), SECOND: Script(tls=certificates.good(SECOND))}
    async with world(tmp_path, hosts, BOTH) as at:
        at.sts.domains["many.test"] = policy(SECOND, domain="many.test")
        outcome = await deliver(at, "many.test")
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.mx_host == SECOND
        at.sts.domains["many.test"] = policy("mx.other.example", domain="many.test")
        nowhere = waits_for_protection(await deliver(at, "many.test", floor=VERIFIED))
        assert nowhere.detail == f"The MTA-STS policy of many.test does not name the host {MX}."
        assert at.hosts[MX].conversations == []
        assert len(at.hosts[SECOND].received) == 1


@pytest.mark.parametrize("floor", [NONE, ENCRYPTED, VERIFIED])
async def test_a_host_with_records_of_its_own_gets_nothing_past_a_policy_either(
    floor: Protection, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}) as at:
        at.tlsa.hosts[MX] = published(OURS)
        at.sts.domains[DOMAIN] = policy("mx.other.example")
        waits_for_protection(await deliver(at, floor=floor))
        assert at.hosts[MX].conversations == []
        at.sts.domains[DOMAIN] = policy(MX)
        outcome = await deliver(at, floor=floor)
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.channel is Channel.DANE


async def test_a_name_that_nothing_vouches_for_is_declined_where_that_is_demanded(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        refused = await deliver(at, demands=Channel.PKIX, authentic=True)
        assert isinstance(refused, Declined)
        assert (refused.proof, refused.status) == (Proof.NOT_AUTHENTIC, Status(5, 7, 5))
        at.sts.domains[DOMAIN] = StsUnknown("the policy could not be fetched")
        waits_for_protection(await deliver(at, demands=Channel.PKIX, authentic=True))
        assert at.hosts[MX].conversations == []
        at.sts.domains[DOMAIN] = policy()
        assert isinstance(await deliver(at, demands=Channel.PKIX, authentic=True), Delivered)


# Two domains at one host.


async def test_two_domains_at_one_host_never_share_a_verdict(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.expired(MX))}, TWO) as at:
        at.sts.domains[DOMAIN] = policy()
        waits_for_protection(await deliver(at))
        assert isinstance(await deliver(at, "two.test"), Delivered)
        # The session of the other domain is still there, and is none for this one.
        waits_for_protection(await deliver(at))
        at.sts.domains["two.test"] = policy("mx.other.example", domain="two.test")
        waits_for_protection(await deliver(at, "two.test"))
        assert [message.rcpts for message in at.hosts[MX].received] == [("RCPT TO:<bob@two.test>",)]


async def test_a_name_that_one_domain_vouches_for_is_not_vouched_for_by_another(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}, TWO) as at:
        at.sts.domains[DOMAIN] = policy()
        first = await deliver(at, demands=Channel.PKIX)
        second = await deliver(at, "two.test", demands=Channel.PKIX)
        assert isinstance(first, Delivered)
        assert isinstance(second, Delivered)
        assert [grade_of_evidence(each.evidence) for each in (first, second)] == [Grade.MTA_STS, Grade.VERIFIED]
        assert len(at.hosts[MX].conversations) == 1
        assert isinstance(await deliver(at, "two.test", demands=Channel.PKIX, authentic=True), Declined)


async def test_the_names_that_a_record_may_be_matched_with_are_the_domains_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchor = make("anchor", extensions=AUTHORITY)
    leaf = make("leaf", anchor, names=(DOMAIN,))
    async with world(tmp_path, {MX: Script(tls=leaf.context(anchor))}, TWO) as at:

        async def signed(domain: str) -> MxRecords:
            return MxRecords((MxRecord(10, MX),), MxAuth.DNSSEC)

        monkeypatch.setattr(at.network.resolver, "mx", signed)
        at.tlsa.hosts[MX] = TlsaFound(MX, (Tlsa(2, 1, 1, sha256(anchor.spki).digest()),))
        assert isinstance(await deliver(at), Delivered)
        waits_for_protection(await deliver(at, "two.test"))
        assert len(at.hosts[MX].received) == 1


# Kept sessions.


async def test_a_session_that_nobody_checked_is_never_used_where_a_certificate_counts(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}, PARTNER, pinned(key_of(OURS))) as at:
        assert isinstance(await deliver(at), Delivered)
        at.tlsa.hosts[MX] = published(OURS)
        dane = await deliver(at)
        assert isinstance(dane, Delivered)
        assert dane.evidence.channel is Channel.DANE
        del at.tlsa.hosts[MX]
        assert isinstance(await deliver(at, demands=Channel.PKIX), Declined)
        assert isinstance(await deliver(at, "partner.test"), Delivered)
        assert len(at.hosts[MX].conversations) > 3
        # What wants nothing takes any of them.
        before = len(at.hosts[MX].conversations)
        assert isinstance(await deliver(at, demands=Channel.ENCRYPTED), Delivered)
        assert len(at.hosts[MX].conversations) == before


@pytest.mark.parametrize("now", [published(OTHER), published(OURS, OTHER)])
async def test_a_session_judged_by_older_records_is_not_used_again(now: TlsaFacts, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}) as at:
        at.tlsa.hosts[MX] = published(OURS)
        for _ in range(2):
            assert isinstance(await deliver(at), Delivered)
        assert len(at.hosts[MX].conversations) == 1
        at.tlsa.hosts[MX] = now
        await deliver(at)
        assert len(at.hosts[MX].conversations) == 2


# Pins.


def pinned(*keys: str, **more: object) -> Callable[[NetworkOptions], NetworkOptions]:
    """A partner at ``partner.test`` with these keys."""

    pin = Pin(
        name="Partner",
        domains=("partner.test",),
        requirement=DEMANDS["pinned" if keys else "authentic"],
        fingerprints=frozenset(keys),
        **more,  # pyright: ignore[reportArgumentType]
    )
    return with_pins(pin)


def with_pins(*pins: Pin) -> Callable[[NetworkOptions], NetworkOptions]:
    """A network with these partners."""
    return lambda options: replace(options, pins=Pins(pins))


PARTNER = {f"{name}.test": {"MX": [f"10 {MX}."]} for name in ("partner", "stranger")}


async def test_a_pinned_key_is_all_that_counts_and_another_is_proof(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}, PARTNER, pinned("00" * 32, key_of(OURS))) as at:
        outcome = await deliver(at, "partner.test", floor=VERIFIED)
        assert isinstance(outcome, Delivered)
        assert outcome.evidence.how == "public key is the pinned one"
        assert grade_of_evidence(outcome.evidence) is Grade.PINNED
        await at.network.pool.aclose()
        at.hosts[MX].script = Script(tls=OTHER.context())
        refused = await deliver(at, "partner.test")
        assert isinstance(refused, Declined)
        assert refused.proof is Proof.CERTIFICATE
        assert refused.detail == f"The certificate of {MX} is refused: its public key is not a pinned one."
        assert isinstance(await deliver(at, "stranger.test"), Delivered)
        assert len(at.hosts[MX].received) == 2


@pytest.mark.parametrize("floor", [NONE, VERIFIED])
async def test_a_pin_holds_beside_the_records_of_the_host(floor: Protection, tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}, PARTNER, pinned(key_of(OTHER))) as at:
        at.tlsa.hosts[MX] = published(OURS)
        refused = await deliver(at, "partner.test", floor=floor)
        assert isinstance(refused, Declined)
        assert isinstance(await deliver(at, "stranger.test", floor=floor), Delivered)


async def test_who_has_to_have_dane_and_shows_another_key_has_proven_it(tmp_path: Path) -> None:
    pin = Pin(name="Partner", domains=("partner.test",), requirement=Requirement(MxAuth.NONE, Channel.DANE))
    change = with_pins(pin)
    async with world(tmp_path, {MX: Script(tls=OTHER.context())}, PARTNER, change) as at:
        at.tlsa.hosts[MX] = published(OURS)
        refused = await deliver(at, "partner.test")
        assert isinstance(refused, Declined)
        assert refused.proof is Proof.CERTIFICATE
        waits_for_protection(await deliver(at, "stranger.test"))
        assert heard_no_mail(at.hosts[MX])


async def test_a_name_that_no_handshake_can_say_is_no_session(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OURS.context())}) as at:
        at.tlsa.hosts[MX] = TlsaFound(".nowhere.example", (record_of(OURS),))
        assert "cannot be said" in waits_for_protection(await deliver(at)).detail
        assert heard_no_mail(at.hosts[MX])


@pytest.mark.parametrize(("name", "kind"), [("mail.partner.example", Delivered), ("mail.other.example", Declined)])
async def test_a_name_that_was_set_stands_for_the_hosts_own(name: str, kind: type, tmp_path: Path) -> None:
    change = pinned(names=("mail.partner.example", "mail2.partner.example"))
    async with world(tmp_path, {MX: Script(tls=certificates.good(name))}, PARTNER, change) as at:
        outcome = await deliver(at, "partner.test")
        assert isinstance(outcome, kind)
        if isinstance(outcome, Delivered):
            words = "certificate checked for the name mail.partner.example or mail2.partner.example"
            assert outcome.evidence.how == words
            assert grade_of_evidence(outcome.evidence) is Grade.PINNED
        else:
            assert heard_no_mail(at.hosts[MX])


async def test_a_chain_is_followed_even_where_the_name_is_another(tmp_path: Path) -> None:
    change = pinned(names=("mail.partner.example",))
    async with world(tmp_path, {MX: Script(tls=alone("mail.partner.example").context())}, PARTNER, change) as at:
        assert isinstance(await deliver(at, "partner.test"), Declined)
        assert heard_no_mail(at.hosts[MX])


async def test_a_partners_authorities_are_believed_for_it_alone(tmp_path: Path) -> None:
    anchor = make("anchor", extensions=AUTHORITY)
    leaf = make("leaf", anchor, names=(MX,))
    path = tmp_path / "partner.pem"
    path.write_bytes(anchor.certificate.public_bytes(certificates.serialization.Encoding.PEM))
    change = pinned(authorities=str(path), names=(MX,))
    async with world(tmp_path, {MX: Script(tls=leaf.context())}, PARTNER, change) as at:
        assert isinstance(await deliver(at, "partner.test"), Delivered)
        assert isinstance(await deliver(at, "stranger.test", demands=Channel.PKIX), Declined)
        at.hosts[MX].script = Script(tls=certificates.good(MX))
        await at.network.pool.aclose()
        assert isinstance(await deliver(at, "partner.test"), Declined)


async def test_our_certificate_is_shown_to_its_partner_and_its_session_is_nobody_elses(tmp_path: Path) -> None:
    ours = certificates.write_client(tmp_path, "gateway.council.example")
    change = pinned(names=(MX,), certificate=str(ours))
    async with world(tmp_path, {MX: Script(tls=certificates.asks_for_ours(MX))}, PARTNER, change) as at:
        assert isinstance(await deliver(at, "partner.test"), Delivered)
        assert len(at.network.pool) == 1
        stranger = await deliver(at, "stranger.test", demands=Channel.ENCRYPTED)
        assert isinstance(stranger, Deferred)
        assert len(at.hosts[MX].received) == 1


# TLS-Required: no.


async def test_a_message_for_which_tls_does_not_matter_asks_nobody_and_keeps_its_floor(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=OTHER.context())}) as at:
        at.tlsa.hosts[MX] = published(OURS)
        at.sts.domains[DOMAIN] = policy("mx.other.example")
        assert isinstance(await deliver(at, tls_optional=True), Delivered)
        assert (at.tlsa.asked, at.sts.asked) == ([], [])
        assert isinstance(await deliver(at, tls_optional=True, floor=VERIFIED), Declined)
        at.hosts[MX].script = Script()
        await at.network.pool.aclose()
        assert not isinstance(await deliver(at, tls_optional=True, floor=ENCRYPTED), Delivered)


async def test_what_our_own_route_demands_is_looked_up_all_the_same(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        at.sts.domains[DOMAIN] = policy()
        outcome = await deliver(at, demands=Channel.PKIX, authentic=True, tls_optional=True)
        assert isinstance(outcome, Delivered)
        assert grade_of_evidence(outcome.evidence) is Grade.MTA_STS


# The memory of success.


@pytest.mark.parametrize(
    ("script", "alarm"),
    [
        (Script(), Alarm.TLS_LOST),
        (Script(offers=("XXXXXXXA",)), Alarm.STRIPPED),
        (Script(tls=certificates.good(MX), answers_hello=OLD_TLS), Alarm.TLS_LOST),
    ],
)
async def test_tls_that_is_gone_is_an_alarm_and_no_proof_for_any_worker(
    script: Script, alarm: Alarm, tmp_path: Path
) -> None:
    async with world(tmp_path, {MX: Script(tls=certificates.good(MX))}) as at:
        assert isinstance(await deliver(at), Delivered)
        await at.network.dialler.memory.write()
    async with world(tmp_path, {MX: script}) as later:
        await later.state.put_many(await at.state.items("tls/", 10), later.clock.now().replace(year=2100))
        outcome = await deliver(later, floor=ENCRYPTED)
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.alarm) == (Cause.PROTECTION, alarm)
        assert heard_no_mail(later.hosts[MX])
        if alarm is Alarm.STRIPPED:
            assert "XXXXXXXA in place of STARTTLS" in outcome.detail


async def test_a_mangled_offer_is_stripping_though_the_host_was_never_met_before(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script(offers=("XXXXXXXA",))}) as at:
        outcome = await deliver(at, floor=ENCRYPTED)
        assert isinstance(outcome, Deferred)
        assert outcome.alarm is Alarm.STRIPPED
        assert isinstance(await deliver(at), Delivered)


async def test_a_memory_that_cannot_be_read_proves_nothing_and_alarms_nobody(tmp_path: Path) -> None:
    async with world(tmp_path, {MX: Script()}) as at:
        at.state.failing = True
        outcome = await deliver(at, floor=ENCRYPTED)
        assert isinstance(outcome, Deferred)
        assert (outcome.cause, outcome.alarm) == (Cause.PROTECTION, None)
        at.state.failing = False
        assert isinstance(await deliver(at, floor=ENCRYPTED), Declined)
