"""The envelope's words are the wire's, and its records do not change."""

from dataclasses import FrozenInstanceError

import pytest

from gateway.core.address import Address, NullPath
from gateway.core.envelope import Admission, BodyType, Client, Envelope, Notify, Recipient, Ret

CLIENT = Client(identity="10.0.0.1", how=Admission.NETWORK, address="10.0.0.1", helo="pc", tls=None)


def test_words_are_those_of_the_wire() -> None:
    assert [str(word) for word in Notify] == ["NEVER", "SUCCESS", "FAILURE", "DELAY"]
    assert [str(word) for word in Ret] == ["FULL", "HDRS"]
    assert [str(word) for word in BodyType] == ["7BIT", "8BITMIME"]


def test_envelope_of_a_plain_client_asks_for_nothing() -> None:
    recipient = Recipient(address=Address("b", "x.example"))
    envelope = Envelope(client=CLIENT, listener="office", reverse_path=NullPath.NULL, recipients=(recipient,))
    assert (recipient.notify, recipient.orcpt) == (frozenset(), None)
    assert (envelope.ret, envelope.envid, envelope.body, envelope.smtputf8) == (None, None, BodyType.SEVEN_BIT, False)
    assert CLIENT.esmtp


def test_records_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        CLIENT.helo = "other"  # pyright: ignore[reportAttributeAccessIssue] - that is the point.
