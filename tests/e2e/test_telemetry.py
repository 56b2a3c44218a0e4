"""What an operator sees: a log without a word of any message, metrics that begin at 0 and count right, health."""

import json
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.outcome import Cause, Proof
from gateway.core.record import QueueId, State
from gateway.sandbox.behaviour import Behaviour, Fault
from gateway.sandbox.behaviour import Stage as At
from tests.e2e.processes import kill, worker
from tests.e2e.stage import EVERYBODY, OFFICER, POLICIES, Setting, Stage, letter, scenario_cast, stage

PLANTED = "kumquat"
"""Stands in every place of a message that no log may quote."""

POLICY = tomllib.loads((POLICIES / "derbyshire.toml").read_text())
LEVELS = POLICY["classification"]["levels"]
ROUTES = ("internal", "opportunistic", "tls", "secure", "cjsm", "encrypted")
Labels = frozenset[tuple[str, str]]


def page(on: Stage, path: str) -> tuple[int, str]:
    """Status and text of a page of the admin port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{on.admin_port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Samples:
    """All samples of `/metrics` at one moment."""

    def __init__(self, on: Stage) -> None:
        self._values: dict[tuple[str, Labels], float] = {}
        for family in text_string_to_metric_families(page(on, "/metrics")[1]):
            for sample in family.samples:
                self._values[sample.name, frozenset(sample.labels.items())] = sample.value

    def get(self, name: str, /, **labels: str) -> float | None:
        """The value of exactly that sample, None if it is not there."""
        return self._values.get((f"sealpost_{name}", frozenset(labels.items())))

    def counted(self, name: str) -> Mapping[str, float]:
        """The samples of a name that are not 0, by their label values in the order of the labels' names."""
        return {
            " ".join(value for _, value in sorted(labels) if value): number
            for (found, labels), number in self._values.items()
            if found == f"sealpost_{name}" and number
        }


def expected() -> Iterator[tuple[str, dict[str, str]]]:
    """Every counter and gauge with labels that the shipped policy and the stage's configuration name."""
    deciding = [rule for rule in POLICY["rules"] if {"route", "reject", "hold"} & rule.keys()]
    for rule, level in product(deciding, LEVELS):
        action = next(each for each in ("route", "reject", "hold") if each in rule)
        for route in rule.get("route", [""]):
            yield "decisions_total", {"rule": rule["name"], "action": action, "route": route, "level": level}
    for rule in POLICY["rules"]:
        for earlier, later in pairwise(rule.get("route", [])):
            yield "moved_total", {"from_route": earlier, "to_route": later}
    results = [("delivered", ""), ("failed", "")]
    results += [("deferred", cause.value) for cause in Cause] + [("declined", proof.value) for proof in Proof]
    for route, (result, cause) in product(ROUTES, results):
        yield "outcomes_total", {"route": route, "result": result, "cause": cause}
    for state in State:
        yield ("queue_recipients" if state.waits else "ended_total"), {"state": state.value}
    for kind in ("report", "notice"):
        yield "own_mail_total", {"kind": kind}
    for result in ("yes", "no", "unknown"):
        yield "probes_total", {"result": result}
    for version, grade in product(("TLSv1.2", "TLSv1.3"), ("encrypted", "verified")):
        yield "delivered_tls_total", {"version": version, "grade": grade}
    yield "delivered_tls_total", {"version": "none", "grade": "plain"}
    for name in ("lease-lost", "policy-missing", "route-missing", "route-too-weak", "set-aside"):
        yield "alerts_total", {"name": name}
    for result in ("applied", "invalid", "needs restart", "worker refused"):
        yield "reloads_total", {"result": result}
    for name in ("unprotected_total", "log_lines_lost_total", "queue_oldest_age_seconds", "delivery_seconds_count"):
        yield name, {}


async def test_every_label_set_is_there_at_0_before_any_mail(tmp_path: Path) -> None:
    async with stage(tmp_path, Setting(cast=scenario_cast(), workers=2, partners=EVERYBODY)) as on:
        # The queue is measured a moment after the start.
        await on.until(lambda: Samples(on).get("queue_recipients", state="held") is not None)
        samples = Samples(on)
        wrong = [(name, labels, samples.get(name, **labels)) for name, labels in expected()]
        assert [each for each in wrong if each[2] != 0] == []
        listener = f"127.0.0.1:{on.smtp_port}"
        for name in ("received_total", "received_bytes_total"):
            assert samples.get(name, listener=listener) == 0
        for code in ("421", "451", "452", "454", "503", "530", "550", "552", "554"):
            assert samples.get("refused_total", listener=listener, code=code) == 0
        assert [samples.get("worker_up", slot=slot) for slot in "01"] == [1, 1]
        assert samples.get("shards") == 2
        assert samples.get("reload_last_successful") == 1


async def test_the_pages_say_how_it_is(tmp_path: Path) -> None:
    async with stage(tmp_path, Setting(cast=scenario_cast())) as on:
        assert page(on, "/readyz") == (200, "ready\n")
        assert page(on, "/healthz") == (200, "alive\n")
        assert page(on, "/nothing")[0] == 404
        answers: list[tuple[int, str]] = []

        def is_down() -> bool:
            answers.append(page(on, "/readyz"))
            return answers[-1][0] == 503

        kill(worker(on))
        await on.until(is_down)
        assert answers[-1][1] == "worker 0 is being replaced\n"
        assert page(on, "/healthz") == (200, "alive\n")
        await on.until(lambda: page(on, "/readyz") == (200, "ready\n"))


async def submit_all(on: Stage) -> list[tuple[QueueId, int]]:
    """A message for each end there is, each with the planted word wherever a message has room for words."""
    sent: list[tuple[QueueId, int]] = []
    plans = [
        ("", ("gp@tls.example", "r@selfsigned.example")),
        ("public", ("parish@plain.example",)),
        ("restricted", ("x@plain.example", "y@refuses.example")),
        (PLANTED, ("gp@tls.example",)),
        ("controlled", ("x@nullmx.example", "boss@derbyshire.gov.uk")),
        ("controlled", ("dc@police.cjsm.net",)),
    ]
    for classification, recipients in plans:
        message = letter(classification=classification, subject=f"About the {PLANTED}")
        message.replace_header("From", f"{PLANTED} <{OFFICER}>")
        message["Comments"] = PLANTED
        message["Bcc"] = f"{PLANTED}@elsewhere.example"
        message.add_attachment(
            PLANTED.encode(), maintype="application", subtype=f"x-{PLANTED}", filename=f"{PLANTED}.pdf"
        )
        sent.append((await on.submit(message, *recipients), len(recipients)))
    return sent


async def refuse_some(on: Stage) -> None:
    """Messages that the door does not take, with the word in them: 554, 550 at MAIL, 550 at the end."""
    boundaries = [f"{PLANTED}{number}." for number in range(30)]
    nested = "".join(f'Content-Type: multipart/mixed; boundary="{each}"\r\n\r\n--{each}\r\n' for each in boundaries)
    with pytest.raises(AssertionError, match=r"554, b'5\.6\.0"):
        await on.submit(f"Subject: {PLANTED}\r\n{nested}".encode(), "x@tls.example")
    with pytest.raises(AssertionError, match=r"550, b.5\.7\.1 mail of this sender"):
        await on.submit(letter(subject=PLANTED), "x@tls.example", sender="someone@elsewhere.example")
    foreign = f"From: someone@elsewhere.example\r\nSubject: {PLANTED}\r\n\r\n{PLANTED}\r\n".encode()
    with pytest.raises(AssertionError, match=r"550, b.5\.7\.1 mail with a null"):
        await on.submit(foreign, "x@tls.example", sender="")


async def test_the_log_tells_every_step_and_not_a_word_of_the_mail(tmp_path: Path) -> None:
    quoting = Behaviour(faults=(Fault(stage=At.RCPT, answer=f"550 5.1.1 no {PLANTED} here"),))
    async with stage(tmp_path, Setting(cast=scenario_cast(), workers=2, partners=EVERYBODY), start=False) as on:
        on.config.write_text(on.config.read_text() + '\n[log]\nlevel = "debug"\n')
        on.world.hosts["mx.refuses.example"].behave(quoting)
        await on.start()
        sent = await submit_all(on)
        await refuse_some(on)
        for queue_id, recipients in sent:
            await on.ended(queue_id, recipients)
        # The reports have gone out too, and the word is where it belongs.
        await on.until(lambda: len(on.world.inbox.to(OFFICER)) >= 3)
        assert any(PLANTED.encode() in arrival.content for arrival in on.world.inbox.newest())
        kill(worker(on, 1))
        await on.until(lambda: on.metric("sealpost_worker_restarts_total") == 1)
        await on.process.stop()

        lines = [json.loads(line) for line in on.log().splitlines()]
        assert [line for line in lines if PLANTED in json.dumps(line).lower()] == []
        assert [line for line in lines if not {"time", "level", "event"} <= line.keys()] == []
        assert {line["event"] for line in lines} >= {
            "accepted",
            "decided",
            "attempt",
            "moved",
            "ended",
            "refused",
            "worker ready",
            "worker died",
            "stopping",
            "stopped",
        }
        of_mail = [line for line in lines if line["event"] in ("accepted", "decided", "attempt", "moved", "ended")]
        assert [line for line in of_mail if not line.get("queue_id")] == []
        for queue_id, recipients in sent:
            mine = [line for line in of_mail if line["queue_id"] == queue_id]
            counts = {event: sum(line["event"] == event for line in mine) for event in ("accepted", "decided", "ended")}
            assert counts == {"accepted": 1, "decided": recipients, "ended": recipients}


async def test_the_counters_are_right_after_a_scenario(tmp_path: Path) -> None:
    async with stage(tmp_path, Setting(cast=scenario_cast(), workers=2, partners=EVERYBODY)) as on:
        await refuse_some(on)
        for queue_id, recipients in await submit_all(on):
            await on.ended(queue_id, recipients)
        own = 3 + 1  # A report for each of three messages, and the notice that one went another way.
        await on.until(lambda: on.metric("sealpost_ended_total") == 9 + own)
        samples, listener = Samples(on), f"127.0.0.1:{on.smtp_port}"
        assert samples.counted("received_total") == {listener: 6}
        assert samples.counted("own_mail_total") == {"report": 3, "notice": 1}
        assert samples.counted("refused_total") == {f"550 {listener}": 2, f"554 {listener}": 1}
        assert samples.counted("decisions_total") == {
            "route controlled tls Controlled": 3,
            "route restricted secure Restricted, or the Secure email button": 3,
            "route public opportunistic Public": 1,
            "route controlled internal Inside the council": 1,
            "reject controlled CJSM needs an account": 1,
        }
        assert samples.counted("outcomes_total") == {
            "delivered tls": 2,
            "delivered opportunistic": 1,
            "no STARTTLS declined secure": 1,
            "delivered encrypted": 1,
            "failed secure": 1,
            "delivered secure": 1,
            "failed tls": 1,
            "delivered internal": 1 + own,
        }
        assert samples.counted("moved_total") == {"secure encrypted": 1}
        assert samples.counted("ended_total") == {"delivered": 6 + own, "reported": 3}
        tls = samples.counted("delivered_tls_total")
        assert (tls["plain none"], sum(tls.values())) == (1, 6 + own)
        assert samples.get("delivery_seconds_count") == 6 + own
        assert samples.get("unprotected_total") == 0
        assert samples.counted("alerts_total") == samples.counted("broken_total") == {}
        await on.until(lambda: Samples(on).counted("queue_recipients") == {})
