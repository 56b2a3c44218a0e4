"""The sandbox as a newcomer uses it: start it, try the line, write to every host, look at the inbox, press Ctrl-C."""

import quopri
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.sandbox.cast import NETWORK, WORTH_TRYING, default_cast
from tests.e2e.running_sandbox import ROOT, Sandbox, alive, command, sandbox, until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sandbox]:
    """One sandbox for the tests that only write and look; each looks for mail to its own addresses."""
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def attempts(of: dict[str, Any]) -> list[tuple[str, str]]:
    """Route and result of each attempt."""
    return [(attempt["route"], attempt["result"]) for attempt in of["attempts"]]


def test_it_says_where_everything_is_and_all_of_it_is_there(here: Sandbox) -> None:
    ports = here.ports
    for line in (
        f"SMTP    127.0.0.1:{ports.smtp}",
        f"inbox   http://127.0.0.1:{ports.inbox} ",
        f"admin   http://127.0.0.1:{ports.admin} ",
        f"DNS     127.0.0.1:{ports.dns}, MX hosts on 127.0.25.x:{ports.mx}",
        f"files   {here.data} ",
    ):
        assert line in here.welcome
    for domain, what in WORTH_TRYING:
        assert re.search(rf"^  {re.escape(domain)} +{re.escape(what)}$", here.welcome, re.MULTILINE)
    for port in (ports.smtp, ports.admin, ports.inbox, ports.dns):
        socket.create_connection(("127.0.0.1", port), 5).close()
    for name in ("policy.toml", "sealpost.toml", "gateway.log"):
        assert (here.data / name).is_file()


def test_the_very_line_that_it_proposes_works(here: Sandbox) -> None:
    done = subprocess.run(here.lines_to_try()[0], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "MAIL FROM:<officer@council.example> → 250 2.1.0 OK"
    alice = [line for line in lines if line.startswith("alice@tls.example: ")]
    assert "rule “Restricted, or the Secure button”: goes by secure, then encrypted; at least verified" in alice[0]
    assert "secure: delivered to mx.tls.example, TLSv1.3" in alice[1]
    assert "verified: certificate checked for the name mx.tls.example" in alice[1]
    assert alice[2:] == ["alice@tls.example: delivered"]
    bob = [line for line in lines if line.startswith("bob@plain.example: ")]
    assert "secure: cannot carry this (no STARTTLS, 5.7.4)" in bob[1]
    assert bob[2] == "bob@plain.example: moved from secure to encrypted"
    assert "encrypted: sealed, code by verified mail: AES-256-GCM in the portal" in bob[3]
    # The way of its notification is a message of its own.
    assert bob[4:] == ["bob@plain.example: sealed"]
    assert lines[-1] == f"What arrived can be read at {here.ports.inbox_url}"
    (arrived,) = here.messages("alice@tls.example")
    assert arrived["size"] > 2 * 1024 * 1024
    (notification,) = here.messages("bob@plain.example")
    assert notification["size"] < 16 * 1024


def test_the_line_for_the_portal_works_too(here: Sandbox) -> None:
    done = subprocess.run(here.lines_to_try()[1], capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "carol@plain.example: encrypted: sealed, code by mail" in done.stdout
    (notification,) = here.messages("carol@plain.example")
    with urllib.request.urlopen(f"{here.ports.inbox_url}/messages/{notification['id']}.eml", timeout=10) as mail:
        text = quopri.decodestring(mail.read()).decode()
    [link] = set(re.findall(rf"{re.escape(here.ports.portal_url)}/m/[\w-]+", text))
    with urllib.request.urlopen(link, timeout=10) as page:
        assert "A protected message for you" in page.read().decode()


BY_THE_SECOND = [("secure", "declined"), ("encrypted", "sealed")]
RESTRICTED = {
    "tls.example": [("secure", "delivered")],
    "plain.example": BY_THE_SECOND,
    "selfsigned.example": BY_THE_SECOND,
    "expired.example": BY_THE_SECOND,
    "wronghost.example": BY_THE_SECOND,
    "tls10.example": BY_THE_SECOND,
    "flaky.example": [("secure", "deferred"), ("secure", "deferred"), ("secure", "delivered")],
    "refuses.example": [("secure", "failed")],
    "nullmx.example": [("secure", "failed")],
    "cjsm.net": [("cjsm", "delivered")],
    "council.example": [("internal", "delivered")],
}
UNREACHABLE = {"down.example": "unreachable, 4.4.1", "servfail.example": "dns, 4.4.3"}


def test_every_domain_that_it_names_is_tried_here() -> None:
    assert {domain for domain, _ in WORTH_TRYING} == {*RESTRICTED, *UNREACHABLE}


def test_restricted_mail_to_every_host_has_the_right_outcome(here: Sandbox) -> None:
    to = [word for domain in RESTRICTED for word in ("--to", f"all@{domain}")]
    told = here.send("--classification", "restricted", *to)
    assert {address.partition("@")[2]: attempts(one) for address, one in told.items()} == RESTRICTED
    reported = {"all@refuses.example", "all@nullmx.example"}
    assert {address for address, one in told.items() if one["end"] == "reported"} == reported
    sealed = {f"all@{domain}" for domain, way in RESTRICTED.items() if way is BY_THE_SECOND}
    # The host that speaks TLS 1.0 alone takes a notification in the clear, but not on the first attempt.
    assert {one["end"] for address, one in told.items() if address in sealed} == {"sealed", None}
    assert told["all@tls10.example"]["end"] is None
    assert {one["end"] for address, one in told.items() if address not in reported | sealed} == {"delivered"}
    last = {address: one["attempts"][-1] for address, one in told.items()}
    unchecked = {"all@council.example", "all@nullmx.example", *sealed}
    assert {address for address, one in last.items() if not (one["tls"] and one["tls"]["verified"])} == unchecked
    assert "550 5.1.1 no such person here" in last["all@refuses.example"]["text"]
    assert "takes no mail" in last["all@nullmx.example"]["text"]
    # The reports that it caused come home to the sender, as mail.
    until(lambda: any(one["mail_from"] == "" for one in here.messages("officer@council.example")))
    assert here.messages("all@refuses.example") == []


def test_less_protected_mail_goes_where_restricted_mail_may_not(here: Sandbox) -> None:
    ordinary = here.send("--to", "some@selfsigned.example", "--to", "some@plain.example", "--to", "some@tls10.example")
    assert attempts(ordinary["some@selfsigned.example"]) == [("tls", "delivered")]
    assert ordinary["some@selfsigned.example"]["attempts"][0]["tls"]["verified"] is False
    assert attempts(ordinary["some@plain.example"]) == [("tls", "declined"), ("encrypted", "sealed")]
    assert attempts(ordinary["some@tls10.example"]) == [("tls", "declined"), ("encrypted", "sealed")]
    public = here.send("--classification", "public", "--to", "public@plain.example")
    assert attempts(public["public@plain.example"]) == [("opportunistic", "delivered")]
    assert public["public@plain.example"]["attempts"][0]["tls"] is None


def test_a_host_that_cannot_be_reached_is_told(here: Sandbox) -> None:
    to = [word for domain in UNREACHABLE for word in ("--to", f"x@{domain}")]
    line = command("sandbox", "send", "--data", str(here.data), "--classification", "restricted", *to)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        missing = {f"x@{domain}: secure: deferred ({cause})" for domain, cause in UNREACHABLE.items()}
        while missing:
            said = process.stdout.readline()
            assert said
            missing = {start for start in missing if not said.startswith(start)}
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=40)
    assert (process.returncode, err) == (0, "")


def test_ctrl_c_stops_watching(tmp_path: Path) -> None:
    with sandbox(tmp_path / "data") as running:
        settings = running.data / "sealpost.toml"
        text = settings.read_text()
        assert 'retry_max    = "30s"' in text
        # The next attempt is always two seconds away, so that watching never ends by itself.
        settings.write_text(text.replace('retry_max    = "30s"', 'retry_max    = "2s"'))
        subprocess.run(command("reload", "--config", str(settings)), check=True, capture_output=True, timeout=40)
        line = command("sandbox", "send", "--data", str(running.data), "--classification", "restricted")
        with subprocess.Popen([*line, "--to", "x@down.example"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while not (said := process.stdout.readline()).startswith("x@down.example: secure: deferred"):
                assert said
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=40)
    assert process.returncode == 0
    assert "No longer watching; the gateway goes on." in out


def test_messages_json_has_the_keys_that_scripts_rely_on(here: Sandbox) -> None:
    here.send("--classification", "restricted", "--to", "json@tls.example")
    here.send("--to", "json@selfsigned.example")
    here.send("--classification", "public", "--to", "json@plain.example")
    here.past_the_gateway(f"{NETWORK}10", "json-past@tls.example", b"From: <x@elsewhere.example>\r\n\r\n.\r\nhi\r\n")
    listed = here.messages()
    for one in listed:
        assert set(one) >= {"id", "time", "mx", "mail_from", "rcpt_to", "tls", "size"}
        kinds = (one["id"], one["mx"], one["mail_from"], *one["rcpt_to"])
        assert all(isinstance(value, str) for value in kinds)
        assert isinstance(one["size"], int)
        assert datetime.fromisoformat(one["time"]).utcoffset() == timedelta(0)
        assert one["tls"] is None or {"version", "cipher", "verified"} <= set(one["tls"])
        assert len(here.get(f"/messages/{one['id']}.eml")) == one["size"]
    times = [one["time"] for one in listed]
    assert times == sorted(times, reverse=True)
    assert len({one["id"] for one in listed}) == len(listed)

    verified = {
        address: one["tls"] and one["tls"]["verified"]
        for one in listed
        for address in one["rcpt_to"]
        if "json" in address
    }
    assert verified == {
        "json@tls.example": True,
        "json@selfsigned.example": False,
        "json@plain.example": None,
        "json-past@tls.example": None,
    }
    (clear,) = here.messages("json@plain.example")
    (past,) = here.messages("json-past@tls.example")
    assert clear["tls"] is None
    assert past["tls"]["version"] == "TLSv1.3"
    assert past["mx"] == "mx.tls.example"
    assert here.get(f"/messages/{past['id']}.eml") == b"From: <x@elsewhere.example>\r\n\r\n.\r\nhi\r\n"


def test_the_page_lists_and_says_which_side_says_what(here: Sandbox) -> None:
    here.send("--classification", "restricted", "--to", "page@tls.example", "--subject", "<b>Bold</b> & so")
    here.send("--to", "page@selfsigned.example")
    here.send("--classification", "public", "--to", "page@plain.example")
    here.past_the_gateway(f"{NETWORK}10", "page-past@tls.example", b"Subject: past\r\n\r\nhi\r\n")
    page = here.get("/").decode()
    rows = {address: row for row in page.split("<tr>") for address in re.findall(r"<td>(page\S*?@\S+?)</td>", row)}
    expected = {
        "page@tls.example": ("TLSv1.3, TLS_AES_256_GCM_SHA384", "certificate verified"),
        "page@selfsigned.example": ("TLSv1.3, TLS_AES_256_GCM_SHA384", "certificate not verified"),
        "page@plain.example": ("in the clear", "–"),
        "page-past@tls.example": ("TLSv1.3, TLS_AES_256_GCM_SHA384", "nothing yet"),
    }
    for address, (host, gateway) in expected.items():
        cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td>(.*?)</td>", rows[address])]
        assert cells[5:7] == [host, gateway]
    assert "Seen by the host" in page
    assert "Said by the gateway" in page
    assert "&lt;b&gt;Bold&lt;/b&gt; &amp; so" in page

    (one,) = here.messages("page@tls.example")
    message = here.get(f"/messages/{one['id']}").decode()
    assert re.search(r"Seen by the receiving host</th><td>TLSv1.3, TLS_AES_256_GCM_SHA384", message)
    assert re.search(r"Said by the gateway's audit</th><td>the host's certificate was checked and is good", message)
    assert "This is a message from the sandbox." in message


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_of_it_and_whoever_watches_is_told(tmp_path: Path, how: signal.Signals) -> None:
    with sandbox(tmp_path / "data") as running:
        ports, family = running.ports, running.family()
        assert len(family) >= 3
        line = command("sandbox", "send", "--data", str(running.data), "--to", "x@down.example")
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watcher:
            assert watcher.stdout is not None
            while ": tls: deferred" not in watcher.stdout.readline():
                assert watcher.poll() is None
            assert running.stop(how).endswith("The sandbox has stopped.\n")
            said, _ = watcher.communicate(timeout=40)
        assert "x@down.example: queued, next attempt at " in said
        assert "the sandbox has stopped" in said
        assert watcher.returncode == 0
        assert running.process.returncode == 0
    assert not [pid for pid in family if alive(pid)]
    places = [("127.0.0.1", port) for port in (ports.smtp, ports.admin, ports.inbox, ports.dns)]
    for place in (*places, *((spec.address, ports.mx) for spec in default_cast())):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place)
            sock.listen()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", ports.dns))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            (),
            r"sealpost: \S+ is in use by process \d+: stop that sandbox, or give this one another folder with --data\n",
        ),
        (
            ("--data", "other", "--smtp-port", "{smtp}"),
            r"sealpost: port \d+ on 127\.0\.0\.1, wanted for SMTP, is already in use: .* with --smtp-port .*\n",
        ),
    ],
    ids=["same folder", "same port"],
)
def test_a_second_sandbox_is_refused_in_one_sentence(
    here: Sandbox, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    words = [option.format(smtp=here.ports.smtp) for option in options] or ["--data", str(here.data)]
    free = [word for name in ("admin", "inbox", "dns", "mx") for word in (f"--{name}-port", "0")]
    line = command("sandbox", *free, *words)
    done = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(sentence, done.stderr)
    assert here.messages("nobody@here.example") == []
