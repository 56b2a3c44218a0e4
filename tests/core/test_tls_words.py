"""Staff are told what missing protection means, and of everything else nothing."""

import pytest

from gateway.core.outcome import Alarm, Cause, Declined, Deferred, Failed, Outcome, Proof, Remote
from gateway.core.reply import Status, reply
from gateway.core.tls_words import meaning
from tests.core.queued import DELIVERED, FAILED

JARGON = ("STARTTLS", "DANE", "TLSA", "MTA-STS", "PKIX", "MX", "DNS", "handshake", "secure")
NO_PROMISE = "asked that every mail system on the way keeps this message encrypted (REQUIRETLS). The recipient's mail"


BROKEN = Status(5, 7, 5)
BROKEN_NOW = Status(4, 7, 5)


def declined(proof: Proof, status: Status = BROKEN) -> Declined:
    return Declined(proof=proof, status=status, detail="a.")


def deferred(cause: Cause, status: Status = BROKEN_NOW, alarm: Alarm | None = None) -> Deferred:
    return Deferred(cause=cause, status=status, detail="a.", alarm=alarm)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (declined(Proof.NO_STARTTLS), "does not encrypt"),
        (declined(Proof.NO_STARTTLS, Status(5, 7, 10)), f"{NO_PROMISE} system does not encrypt."),
        (declined(Proof.NO_REQUIRETLS), f"{NO_PROMISE} system does not promise to do that."),
        (declined(Proof.NO_REQUIRETLS, Status(5, 7, 30)), f"{NO_PROMISE} system does not promise to do that."),
        (
            declined(Proof.NOT_AUTHENTIC),
            "Nobody vouches that mail for this recipient would reach the right mail system",
        ),
        (declined(Proof.TLS_VERSION), "too old"),
        (declined(Proof.CERTIFICATE), "its certificate is not good"),
        (deferred(Cause.PROTECTION), "could not prove that it is the right one"),
        (deferred(Cause.PROTECTION, Status(4, 7, 10)), f"{NO_PROMISE} system does not encrypt."),
        (deferred(Cause.PROTECTION, Status(4, 7, 30)), f"{NO_PROMISE} system does not promise to do that."),
        (deferred(Cause.PROTECTION, alarm=Alarm.TLS_LOST), "has encrypted mail before and does not now"),
        (deferred(Cause.PROTECTION, Status(4, 7, 30), Alarm.STRIPPED), "takes its encryption away"),
        (deferred(Cause.UNREACHABLE, alarm=Alarm.STRIPPED), "those who run our mail have been told"),
    ],
)
def test_missing_protection_is_put_into_plain_words(outcome: Outcome, words: str) -> None:
    said = meaning(outcome)
    assert words in said
    assert said.endswith(".") and not [word for word in JARGON if word in said]


@pytest.mark.parametrize("proof", list(Proof))
def test_only_what_its_own_sentence_says_already_has_no_words(proof: Proof) -> None:
    assert bool(meaning(declined(proof))) is (proof not in (Proof.SIZE, Proof.NO_KEY))


REMOTE = Remote(host="mx.x.example", reply=reply(550, "5.7.30", "REQUIRETLS support required"))


@pytest.mark.parametrize(
    "outcome",
    [
        DELIVERED,
        FAILED,
        Failed(status=Status(5, 7, 30), detail="a.", remote=REMOTE),
        *(deferred(cause, Status(4, 7, 30)) for cause in Cause if cause is not Cause.PROTECTION),
    ],
)
def test_what_is_not_about_protection_means_nothing_here(outcome: Outcome) -> None:
    assert meaning(outcome) == ""
