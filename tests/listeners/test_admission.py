"""Who may relay, as a table over entries, addresses and certificates."""

from ipaddress import ip_address, ip_network

import pytest

from gateway.core.envelope import Admission
from gateway.flow.profile import HeaderProof
from gateway.listeners.admission import Admitted, Peer, TurnedAway, judge, peer_address
from gateway.listeners.options import Allow

OFFICE = Allow(networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
RELAY = Allow(client_name="Relay.Example")
OFFICE_RELAY = Allow(networks=(ip_network("10.0.0.0/8"),), client_name="relay.example")
TENANT = Allow(client_name="cloud.example", require_header={"X-Org": (b"a", b"b"), "X-Key": (b"k",)})
SCANNER = Allow(networks=(ip_network("10.9.0.0/16"),), require_header={"X-Scanner": (b"s",)})


def peer(address: str, *names: str) -> Peer:
    return Peer(address=peer_address(address), names=frozenset(names))


@pytest.mark.parametrize(
    ("allow", "who", "expected"),
    [
        ((), peer("10.1.2.3", "relay.example"), TurnedAway.NOT_ALLOWED),
        ((OFFICE,), peer("10.1.2.3"), Admitted(identity="10.1.2.3", how=Admission.NETWORK)),
        ((OFFICE,), peer("::ffff:10.1.2.3"), Admitted(identity="10.1.2.3", how=Admission.NETWORK)),
        ((OFFICE,), peer("2001:db8::1"), Admitted(identity="2001:db8::1", how=Admission.NETWORK)),
        ((OFFICE,), peer("11.1.2.3", "relay.example"), TurnedAway.NOT_ALLOWED),
        ((OFFICE,), peer("2001:db9::1"), TurnedAway.NOT_ALLOWED),
        ((RELAY,), peer("192.0.2.1", "relay.example"), Admitted(identity="Relay.Example", how=Admission.CERTIFICATE)),
        ((RELAY,), peer("192.0.2.1", "*.example"), TurnedAway.NOT_ALLOWED),
        ((RELAY,), peer("192.0.2.1", "a.relay.example"), TurnedAway.NOT_ALLOWED),
        ((RELAY,), peer("192.0.2.1"), TurnedAway.NOT_ALLOWED),
        ((OFFICE_RELAY,), peer("10.0.0.1"), TurnedAway.NOT_ALLOWED),
        ((OFFICE_RELAY,), peer("192.0.2.1", "relay.example"), TurnedAway.NOT_ALLOWED),
        (
            (OFFICE_RELAY,),
            peer("10.0.0.1", "x", "relay.example"),
            Admitted(identity="relay.example", how=Admission.CERTIFICATE),
        ),
        # An entry that asks for no header wins over one that does, wherever it stands.
        ((SCANNER, OFFICE), peer("10.9.0.1"), Admitted(identity="10.9.0.1", how=Admission.NETWORK)),
    ],
)
def test_entry_admits_if_every_part_of_it_holds(allow: tuple[Allow, ...], who: Peer, expected: object) -> None:
    assert judge(who, allow, may_show_certificate=False) == expected


def test_required_headers_are_alternatives_of_the_entries_that_hold() -> None:
    verdict = judge(peer("10.9.0.1", "cloud.example"), (RELAY, TENANT, SCANNER), may_show_certificate=False)
    assert verdict == Admitted(
        identity="cloud.example",
        how=Admission.HEADER,
        proofs=(
            (HeaderProof("X-Org", (b"a", b"b")), HeaderProof("X-Key", (b"k",))),
            (HeaderProof("X-Scanner", (b"s",)),),
        ),
    )
    alone = judge(peer("10.9.0.1"), (RELAY, TENANT, SCANNER), may_show_certificate=True)
    assert isinstance(alone, Admitted)
    assert alone.proofs == ((HeaderProof("X-Scanner", (b"s",)),),)


@pytest.mark.parametrize(
    ("allow", "address", "may_show", "expected"),
    [
        ((OFFICE, RELAY), "192.0.2.1", True, TurnedAway.NEEDS_CERTIFICATE),
        ((OFFICE, RELAY), "192.0.2.1", False, TurnedAway.NOT_ALLOWED),
        ((OFFICE,), "192.0.2.1", True, TurnedAway.NOT_ALLOWED),
        ((OFFICE_RELAY,), "192.0.2.1", True, TurnedAway.NOT_ALLOWED),
        ((OFFICE_RELAY,), "10.0.0.1", True, TurnedAway.NEEDS_CERTIFICATE),
    ],
)
def test_certificate_is_asked_for_only_where_it_could_help(
    allow: tuple[Allow, ...], address: str, may_show: bool, expected: TurnedAway
) -> None:
    assert judge(peer(address), allow, may_show_certificate=may_show) is expected


def test_entry_that_asks_for_nothing_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="admit everybody"):
        Allow()


def test_scope_of_a_link_local_address_is_no_part_of_it() -> None:
    assert peer_address("fe80::1%eth0") == ip_address("fe80::1")
