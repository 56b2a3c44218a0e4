from dataclasses import replace

from gateway.cli.portal_password import readers
from gateway.core.record import Event, EventKind
from gateway.core.sealing import Method, Sealing
from tests.sandbox.samples import delivered, event

ALICE = event(EventKind.DECIDED)
BOB = replace(event(EventKind.DECIDED, "bob@tls.example"), recipient=1)


def got(address: str, package: str) -> Event:
    sealing = Sealing(method=Method.ARCHIVE, detail="a ZIP", package=package)
    return event(EventKind.ATTEMPT, address, outcome=replace(delivered(), sealing=sealing))


def test_a_password_is_shown_with_everybody_who_had_the_archive() -> None:
    attempts = [got("alice@tls.example", "archive/000-1/0"), got("bob@tls.example", "archive/000-1/0")]
    story = [ALICE, BOB, *attempts, got("carol@else.example", "archive/000-1/2")]
    assert readers(story, "archive/000-1/0") == "alice@tls.example, bob@tls.example"


def test_before_it_has_left_it_is_the_recipient_of_that_number() -> None:
    failed = event(EventKind.ATTEMPT, "alice@tls.example", outcome=delivered())
    assert readers([ALICE, BOB, failed], "archive/000-1/1") == "bob@tls.example"


def test_what_the_audit_no_longer_knows_has_its_number() -> None:
    assert readers([], "archive/000-1/7") == "recipient 7"
