"""`sealpost sandbox` and `sandbox send` say in one sentence what is wrong, and tell everything as it came."""

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli import sandbox
from gateway.cli.errors import Usage
from gateway.core.record import EventKind, QueueId, RecipientRow, State
from gateway.flow.ports import SpoolError
from gateway.sandbox.gateway_process import GatewayDied
from gateway.sandbox.household import Household, Ports
from gateway.sandbox.letter import Letter, Said, Submission
from gateway.sandbox.runner import SandboxOptions
from gateway.sandbox.sockets import LOOPBACK, PortTaken
from gateway.spool.lock import Locked
from tests.sandbox.samples import QUEUE_ID, ROUTED, FakeRecords, delivered, event, row

PORTS = Ports(smtp=2525, admin=9125, inbox=8025, dns=8053, mx=2526)
ACCEPTED = Submission(said=(Said("DATA", 250, f"2.0.0 queued as {QUEUE_ID}"),), queue_id=QUEUE_ID)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output; a Usage error comes out as it is."""
    app = typer.Typer()
    sandbox.register(app)
    app.command("other")(lambda: None)
    result = CliRunner().invoke(app, ["sandbox", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def data(tmp_path: Path) -> str:
    """The folder of a sandbox that was started once."""
    house = Household(tmp_path)
    house.create()
    house.ports.write_text(PORTS.to_json())
    return str(tmp_path)


class Gateway:
    """Plays the gateway that letters are submitted to, and its records; remembers the letters."""

    def __init__(self, submission: Submission, records: FakeRecords) -> None:
        self.submission = submission
        self.records = records
        self.letters: list[Letter] = []

    def submit(self, letter: Letter, content: bytes, port: int, ca: Path) -> Submission:
        assert (port, ca.name) == (PORTS.smtp, "ca.pem")
        assert content
        self.letters.append(letter)
        return self.submission


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """Accepts a message and delivers it at once."""
    decided = event(EventKind.DECIDED, decision=ROUTED)
    attempt = event(EventKind.ATTEMPT, outcome=delivered(), route="tls")
    ended = event(EventKind.ENDED, state=State.DELIVERED)
    played = Gateway(ACCEPTED, FakeRecords(((), (decided, attempt, ended))))
    monkeypatch.setattr(sandbox, "submit", played.submit)
    monkeypatch.setattr(sandbox, "SpoolRecords", lambda _: played.records)
    return played


def test_send_tells_the_session_the_decision_the_evidence_and_the_end(data: str, gateway: Gateway) -> None:
    code, output = run("send", "--data", data, "--to", "alice@tls.example")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == f"DATA → 250 2.0.0 queued as {QUEUE_ID}"
    assert lines[1] == "alice@tls.example: rule “Controlled”: goes by tls, then encrypted; at least encrypted"
    assert lines[2].startswith("alice@tls.example: tls: delivered to mx.tls.example, TLSv1.3 ")
    assert lines[3] == "alice@tls.example: delivered"
    assert lines[4] == "What arrived can be read at http://127.0.0.1:8025"


def test_every_option_reaches_the_letter(data: str, gateway: Gateway) -> None:
    arguments = (
        *("--from", "clerk@council.example", "--to", "a@tls.example", "--to", "b@plain.example", "--subject", "S"),
        *(
            "--classification",
            "restricted",
            "--intent",
            "secure",
            "--text",
            "T",
            "--attach",
            "2MiB",
            "--attach",
            "1KiB",
        ),
        *("--header", "X-One: 1: a", "--header", "X-Two:2"),
    )
    run("send", "--data", data, *arguments)
    assert gateway.letters == [
        Letter(
            sender="clerk@council.example",
            recipients=("a@tls.example", "b@plain.example"),
            classification="restricted",
            intent="secure",
            subject="S",
            text="T",
            attachments=(2 * 1024 * 1024, 1024),
            headers=(("X-One", "1: a"), ("X-Two", "2")),
        )
    ]


def test_without_options_a_letter_is_from_the_officer_and_has_no_label(data: str, gateway: Gateway) -> None:
    run("send", "--data", data, "--to", "a@tls.example")
    assert gateway.letters == [Letter(sender="officer@council.example", recipients=("a@tls.example",))]


def test_json_is_one_object_and_nothing_else(data: str, gateway: Gateway) -> None:
    code, output = run("send", "--data", data, "--to", "alice@tls.example", "--json")
    told = json.loads(output)
    assert code == 0
    assert told["queue_id"] == QUEUE_ID
    assert [(one["recipient"], one["end"]) for one in told["recipients"]] == [("alice@tls.example", "delivered")]


def test_a_refusal_is_shown_as_it_came_and_is_a_finding(data: str, gateway: Gateway) -> None:
    refused = Said("RCPT TO:<a@tls.example>", 550, "5.7.1 ask the Service Desk")
    gateway.submission = Submission(said=(refused,), queue_id=None)
    code, output = run("send", "--data", data, "--to", "a@tls.example")
    assert (code, output) == (1, "RCPT TO:<a@tls.example> → 550 5.7.1 ask the Service Desk\n")


def test_a_far_attempt_is_told_and_not_waited_for(data: str, gateway: Gateway) -> None:
    far = row(
        "bob@down.example", due_in=datetime.now(UTC) - datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC) + timedelta(hours=1)
    )
    gateway.records.steps = [((far,), ())]
    code, output = run("send", "--data", data, "--to", "bob@down.example")
    assert code == 0
    assert "bob@down.example: queued, next attempt at " in output
    assert "not waiting for it" in output


def test_ctrl_c_stops_watching_and_nothing_else(data: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_queue_id: QueueId) -> tuple[RecipientRow, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(gateway.records, "waiting", interrupted)
    code, output = run("send", "--data", data, "--to", "a@tls.example")
    assert code == 0
    assert "No longer watching; the gateway goes on." in output


def test_a_spool_that_cannot_be_read_is_one_sentence(
    data: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_queue_id: QueueId) -> tuple[RecipientRow, ...]:
        raise SpoolError("no such table")

    monkeypatch.setattr(gateway.records, "waiting", broken)
    with pytest.raises(Usage, match="the sandbox's spool cannot be read: no such table"):
        run("send", "--data", data, "--to", "a@tls.example")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "nobody"), "`nobody` is not an address"),
        (("--to", "a@b.example", "--from", "x@"), "`x@` is not an address"),
        (("--to", "a@b.example", "--attach", "13MB"), "--attach 13MB: sizes are in KiB, MiB or GiB: write 13MiB"),
        (("--to", "a@b.example", "--header", "X-None"), "--header X-None: a header field is a name, a colon"),
        (("--to", "a@b.example", "--header", "Subject: two"), "the message cannot be made: .*Subject"),
    ],
)
def test_what_cannot_be_sent_is_named(data: str, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(Usage, match=sentence):
        run("send", "--data", data, *arguments)


def test_send_without_a_sandbox_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(Usage, match=r"no sandbox has been started in .*; start one with `sealpost sandbox`"):
        run("send", "--data", str(tmp_path), "--to", "a@b.example")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nothing listens on, and that nobody else gets."""
    with socket.socket() as bound:
        bound.bind((LOOPBACK, 0))
        yield bound.getsockname()[1]


def test_send_to_a_sandbox_that_has_stopped_says_so(tmp_path: Path, closed_port: int) -> None:
    house = Household(tmp_path)
    house.create()
    house.ports.write_text(Ports(smtp=closed_port, admin=1, inbox=2, dns=3, mx=4).to_json())
    with pytest.raises(Usage, match=rf"nothing listens on 127\.0\.0\.1:{closed_port}; start the sandbox"):
        run("send", "--data", str(tmp_path), "--to", "a@b.example")


def test_send_to_something_else_than_a_gateway_says_so(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(*_: object) -> Submission:
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr(sandbox, "submit", breaks_off)
    with pytest.raises(Usage, match="did not take part in a dialogue: reset by peer"):
        run("send", "--data", data, "--to", "a@b.example")


class Runs:
    """Plays `run_sandbox`: tells the ports, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.options: list[SandboxOptions] = []

    async def __call__(self, options: SandboxOptions, started: "object") -> None:
        self.options.append(options)
        if self.error is not None:
            raise self.error
        assert callable(started)
        started(options.ports)


def test_the_sandbox_says_where_everything_is_and_one_line_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    monkeypatch.setattr(sandbox, "run_sandbox", runs)
    code, output = run("--data", str(tmp_path), "--smtp-port", "0", "--mx-port", "77")
    assert code == 0
    assert runs.options[0].ports == Ports(smtp=0, admin=9125, inbox=8025, dns=8053, mx=77, portal=8026)
    assert "http://127.0.0.1:8025" in output
    assert "127.0.25.x:77" in output
    assert f".venv/bin/sealpost sandbox send --data {tmp_path} --classification restricted" in output
    assert "servfail.example" in output
    assert output.endswith("The sandbox has stopped.\n")


def test_the_line_to_try_is_short_where_nothing_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "run_sandbox", Runs())
    assert (
        "  .venv/bin/sealpost sandbox send --classification restricted --to alice@tls.example "
        "--to bob@plain.example --attach 2MiB\n" in run()[1]
    )


@pytest.mark.parametrize(
    ("what", "option"),
    [
        ("SMTP", "--smtp-port"),
        ("the admin page", "--admin-port"),
        ("the inbox page", "--inbox-port"),
        ("DNS", "--dns-port"),
        ("the MX hosts", "--mx-port"),
    ],
)
def test_a_port_that_is_taken_is_named_with_the_option_that_changes_it(
    what: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "run_sandbox", Runs(PortTaken(what, LOOPBACK, 2525)))
    with pytest.raises(Usage, match=rf"port 2525 .* {what}, .*give another port with {option} \(0 takes a free one\)"):
        run()


def test_a_gateway_that_dies_is_exit_code_1_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "run_sandbox", Runs(GatewayDied("the gateway ended with status 3; log ends with:\nx")))
    code, output = run()
    assert (code, output) == (1, "sealpost: the gateway ended with status 3; log ends with:\nx\n")


def test_a_folder_that_another_sandbox_uses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "run_sandbox", Runs(Locked("sandbox-data is in use by process 77")))
    with pytest.raises(Usage, match="in use by process 77: stop that sandbox, or give this one another folder"):
        run()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Usage, match=r"the sandbox cannot start in .*file"):
        run("--data", str(tmp_path / "file"))
