from gateway.config.trial.at_mta import at_mta
from gateway.core.decision import Decision, Held, Open, Refused
from gateway.core.route import Route
from gateway.core.tls import Channel, Protection
from gateway.flow.custody import Custody

ROUTES = {"plain": Route(name="plain", transport="mx", demands=Channel.PLAIN)}


def gate(decision: Decision) -> str:
    return at_mta(decision, Custody.GATE, ROUTES, inside=False)


def test_a_gate_says_what_becomes_of_each_decision() -> None:
    none = Protection.NONE
    assert gate(Refused(rule="R", floor=none, reason="", advice="")) == "the message is refused as a whole"
    assert gate(Open(rule="R", missing=(), floor=none, reason="", advice="")) == "the message is put off"
    held = Held(rule="R", chain=("plain",), floor=none, reason="", advice="")
    assert gate(held) == "the MTA's quarantine, if all are held"
    assert at_mta(held, Custody.RELAY, ROUTES, inside=False) == ""
