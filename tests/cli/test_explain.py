import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.config import bundle
from tests.fixtures.council import change, council

POLICIES = Path(__file__).parents[2] / "policies"
MESSAGE = b"""From: officer@council.example
To: bob@plain.example
Subject: =?utf-8?q?Minutes?=
Sensitivity: Normal
X-Classification: controlled
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain

hello
--x
Content-Type: application/pdf
Content-Disposition: attachment; filename="a\x1b[31m.pdf"
Content-Transfer-Encoding: base64

aGVsbG8=
--x--
"""

OLDER = {"recipient", "rule", "action", "route", "floor", "reason", "advice", "likely_route"}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command in a folder with the documented example's configuration."""
    council(tmp_path)
    (tmp_path / "m.eml").write_bytes(MESSAGE.replace(b"\x1b[31m", b""))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sealpost", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        code = caught.value.code
        assert code is None or isinstance(code, int)
        return code or 0, out, err

    return run


BASIC = ("m.eml", "--from", "officer@council.example", "--to", "bob@plain.example")


def answer(run: Run, *arguments: object) -> Any:
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_json_has_the_keys_that_scripts_rely_on(run: Run) -> None:
    found = answer(run, *BASIC, "--to", "dc@police.cjsm.net", "--to", "bob@plain.example")
    recipients = found.pop("recipients")
    assert len(found.pop("policy_hash")) == 64
    more = ("conflict", "found", "visible", "visible_more", "listener", "reference", "owner", "recorded")
    assert [found.pop(key) for key in more] == [False, [], ["bob@plain.example"], 0, "what if", "", "", None]
    assert found == {
        "classification": "controlled",
        "classification_source": "header X-Classification",
        "labels": [
            {"source": "header Sensitivity", "raw": "Normal", "level": None, "result": "no label"},
            {"source": "header X-Classification", "raw": "controlled", "level": "controlled", "result": "level"},
        ],
        "defects": [],
        "intent": "none",
        "intent_source": "",
        "automatic": False,
        "door": None,
        "attachments": [{"name": "a.pdf", "type": "application/pdf", "bytes": 5}],
        "attachment_bytes": 5,
        "message_bytes": len(MESSAGE) - 5 + MESSAGE.count(b"\n"),
        "policy": "policies/council.toml",
    }
    assert [recipient["recipient"] for recipient in recipients] == ["bob@plain.example", "dc@police.cjsm.net"]
    tried = recipients[0].pop("tried")
    # The newer keys are looked at where they hold something.
    recipients[0] = {key: value for key, value in recipients[0].items() if key in OLDER}
    assert recipients[0] == {
        "recipient": "bob@plain.example",
        "rule": "Controlled",
        "action": "route",
        "route": ["tls", "encrypted"],
        "floor": "encrypted",
        "reason": "the level is controlled (header X-Classification)",
        "advice": "Ask Service Desk, 01629 000000 how to send this.",
        "likely_route": "tls",
    }
    assert [(one["rule"], one["result"]) for one in tried][-2:] == [
        ("Restricted, or the Secure button", "no match"),
        ("Controlled", "match"),
    ]
    assert tried[0]["why"] == "the recipient bob@plain.example is not in the organisation"
    assert recipients[1]["route"] == ["cjsm"]


def test_line_ends_make_no_difference(run: Run, tmp_path: Path) -> None:
    text = (tmp_path / "m.eml").read_bytes()
    (tmp_path / "crlf.eml").write_bytes(text.replace(b"\n", b"\r\n"))
    assert answer(run, *BASIC) == answer(run, "crlf.eml", *BASIC[1:])


@pytest.mark.parametrize("pad", [-1, 0, 1])
def test_a_block_may_end_inside_a_line_end(run: Run, tmp_path: Path, pad: int) -> None:
    text = b"A: b\r\n\r\n"
    body = b"x" * (256 * 1024 - len(text) - 1 + pad) + b"\r\nlast\r\n"
    (tmp_path / "long.eml").write_bytes(text + body)
    assert answer(run, "long.eml", *BASIC[1:])["message_bytes"] == len(text + body)


def test_a_lone_cr_at_the_end_is_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cr.eml").write_bytes(b"A: b\r\n\r\nx\r")
    assert answer(run, "cr.eml", *BASIC[1:])["message_bytes"] == 10


@pytest.mark.parametrize(
    ("tls", "likely", "words"),
    [
        ("yes", "tls", "it leaves by tls; if that proves impossible, by encrypted; else it comes back"),
        ("unknown", "tls", "it leaves by tls; if that proves impossible, by encrypted; else it comes back"),
        ("no", "encrypted", "tls cannot reach a recipient without TLS, so it leaves by encrypted; else it comes back"),
    ],
)
def test_the_recipients_tls_tells_where_it_ends(run: Run, tls: str, likely: str, words: str) -> None:
    assert answer(run, *BASIC, "--tls", tls)["recipients"][0]["likely_route"] == likely
    assert words in run(*BASIC, "--tls", tls)[1]


def test_the_text_tells_facts_rules_decision_and_what_comes_next(run: Run) -> None:
    code, out, _ = run(*BASIC)
    assert code == 0
    lines = out.splitlines()
    assert lines[1:7] == [
        "  Level      controlled (header X-Classification)",
        "  Label      header Sensitivity: `Normal` is no label",
        "  Label      header X-Classification: `controlled` is controlled",
        "  Button     none",
        "  Automatic  no",
        "  Files      1, 5 bytes decoded",
    ]
    assert "bob@plain.example: goes by tls, then encrypted" in lines
    assert "  no match   The Encrypted button: no button was pressed" in lines
    assert "  Decision   `Controlled`, because the level is controlled (header X-Classification)" in lines
    assert "  Protection never below encrypted" in lines
    assert "  Route      tls: enforced TLS, tried for 48 h" in lines
    assert lines[-3] == (
        "  Route      encrypted: enforced TLS with a checked certificate, encrypted by the next host, "
        "attached files up to 13 MiB"
    )
    assert lines[-1] == "  Advice     Ask Service Desk, 01629 000000 how to send this."


def test_a_file_name_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "evil.eml").write_bytes(MESSAGE)
    out = run("evil.eml", *BASIC[1:])[1]
    assert "\x1b" not in out
    assert "[31m.pdf" in out


def test_the_null_reverse_path_is_automatic_mail(run: Run) -> None:
    for null in ("", "<>"):
        found = answer(run, "m.eml", "--from", null, "--to", "bob@plain.example")
        assert found["automatic"] is True
        assert found["recipients"][0]["route"] == ["secure"]
    assert "  Automatic  yes (" in run("m.eml", "--from", "", "--to", "bob@plain.example")[1]


def test_the_button_and_a_malformed_header_are_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "b.eml").write_bytes(b"Subject: [SECURE] x\nno colon here\n\nbody\n")
    out = run("b.eml", *BASIC[1:])[1]
    assert "  Level      restricted (garbled: malformed header)" in out
    assert "  Button     secure (" in out
    assert "  Malformed  " in out
    found = answer(run, "b.eml", *BASIC[1:])
    assert found["intent"] == "secure"
    assert found["defects"]


def rules(tmp_path: Path, *edits: tuple[str, str]) -> None:
    change(tmp_path / "policies/council.toml", *edits)


def test_a_refusal_says_so(run: Run, tmp_path: Path) -> None:
    rules(
        tmp_path,
        (
            'when   = { intent = "encrypted" }\nroute  = ["encrypted"]',
            'when = { classification = "controlled" }\nreject = true',
        ),
        (
            'any = [{ classification = "restricted" }, { intent = "secure" }]',
            'any = [{ classification = "restricted" }, { intent = { at_least = "secure" } }]',
        ),
        ('route  = ["secure", "encrypted"]', 'route = ["secure", "encrypted"]\nbelow_floor = "x"'),
    )
    out = run(*BASIC)[1]
    assert "bob@plain.example: comes back to the sender" in out
    assert "  Next       it is given back with the advice below" in out
    assert answer(run, *BASIC)["recipients"][0]["action"] == "reject"


@pytest.mark.parametrize(
    ("sender", "author", "door"),
    [
        ("a@council.example", "a@nowhere.example", None),
        ("jo@nowhere.example", "a@council.example", "MAIL is refused: 550 5.7.1 mail of this sender's domain is not"),
        ("", "Officer@Council.Example", None),
        ("", "a@nowhere.example", "the message is refused: 550 5.7.1 mail with a null reverse-path needs a From"),
        ("", "a@council.example, b@nowhere.example", "the message is refused: 550 5.7.1 mail with a null"),
    ],
)
def test_what_the_door_refuses_is_told(run: Run, tmp_path: Path, sender: str, author: str, door: str | None) -> None:
    (tmp_path / "d.eml").write_text(f"From: {author}\nX-Classification: controlled\n\nx\n")
    question = ("d.eml", "--from", sender, "--to", "bob@plain.example")
    told, out = answer(run, *question)["door"], run(*question)[1]
    assert told == door or (door and told.startswith(door))
    assert (f"  Door       {told}" in out.splitlines()) is bool(door)
    assert ("  Next       nothing, because it is refused at the door" in out) is bool(door)
    assert ("it leaves by" in out) is not bool(door)


UNTOLD = "ends without a report, because automatic mail is never answered"


@pytest.mark.parametrize(
    ("sender", "header", "untold"),
    [
        ("officer@council.example", "", False),
        ("officer@council.example", "Auto-Submitted: auto-generated\n", True),
        ("Mailer-Daemon@council.example", "", True),
        ("", "", True),
    ],
)
def test_who_gets_no_report_is_promised_none(run: Run, tmp_path: Path, sender: str, header: str, untold: bool) -> None:
    (tmp_path / "a.eml").write_text(f"From: o@council.example\nX-Classification: controlled\n{header}\nx\n")
    question = ("a.eml", "--from", sender, "--to", "bob@plain.example")
    sent = run(*question)[1]
    assert (f"; else it {UNTOLD}" in sent) is untold
    assert ("; else it comes back with the advice below" in sent) is not untold
    reject = '[[rules]]\nname = "No"\nwhen = { recipient = "plain.example" }\nreject = true\nadvice = "Ask."\n\n'
    rules(tmp_path, ('[[rules]]\nname  = "Automatic', f'{reject}[[rules]]\nname  = "Automatic'))
    refused = run(*question)[1]
    assert (f"  Next       it {UNTOLD}" in refused) is untold
    assert ("bob@plain.example: is refused" in refused) is untold
    assert ("bob@plain.example: comes back to the sender" in refused) is not untold


def test_a_held_message_says_what_its_release_does(run: Run, tmp_path: Path) -> None:
    hold = '[[rules]]\nname = "Look first"\nwhen = { recipient = "plain.example" }\nhold = true\n\n'
    rules(tmp_path, ('[[rules]]\nname  = "Controlled"', f'{hold}[[rules]]\nname  = "Controlled"'))
    found = answer(run, *BASIC)["recipients"][0]
    assert (found["action"], found["route"], found["rule"]) == ("hold", ["tls", "encrypted"], "Look first")
    out = run(*BASIC)[1]
    assert "bob@plain.example: waits for a person" in out
    assert "  Next       once released, it leaves by tls; if that proves impossible, by encrypted" in out


def test_an_open_decision_says_what_is_missing(run: Run, tmp_path: Path) -> None:
    reads = (
        '[[rules]]\nname = "No TLS"\nwhen = { tls = "no" }\nroute = ["encrypted"]\n\n[[rules]]\nname  = "Controlled"'
    )
    rules(tmp_path, ('[[rules]]\nname  = "Controlled"', reads))
    out = run(*BASIC)[1]
    assert "bob@plain.example: cannot be decided yet" in out
    assert "  Next       it is accepted, and decided once this is known: starttls of plain.example" in out
    assert answer(run, *BASIC)["recipients"][0]["action"] == "open"
    assert answer(run, *BASIC, "--tls", "no")["recipients"][0]["rule"] == "No TLS"
    assert answer(run, *BASIC, "--tls", "yes")["recipients"][0]["rule"] == "Controlled"


def test_a_lowered_floor_and_an_exhausted_chain_are_told(run: Run, tmp_path: Path) -> None:
    rules(tmp_path, ('route  = ["secure", "encrypted"]', 'route = ["tls"]\nbelow_floor = "agreed with the DPO"'))
    (tmp_path / "r.eml").write_bytes(b"X-Classification: restricted\n\nx\n")
    out = run("r.eml", *BASIC[1:], "--tls", "no")[1]
    assert "  Protection never below encrypted (lowered from verified: agreed with the DPO)" in out
    assert "  Next       no route can carry it to a recipient without TLS: it comes back with the advice below" in out
    assert answer(run, "r.eml", *BASIC[1:], "--tls", "no")["recipients"][0]["likely_route"] is None
    policy = tmp_path / "policies/council.toml"
    held = '[[rules]]\nname = "Hold"\nhold = true\nwhen = { classification = "restricted" }\nadvice = "Wait."\n\n'
    policy.write_text(policy.read_text().replace("[[rules]]", f"{held}[[rules]]", 1))
    out = run("r.eml", *BASIC[1:], "--tls", "no")[1]
    assert "waits for a person" in out
    assert "  Protection never below encrypted (lowered from verified: agreed with the DPO)" in out


def test_every_kind_of_route_is_described(run: Run, tmp_path: Path) -> None:
    change(
        tmp_path / "sealpost.toml",
        (
            'transport = "mx"\ntls       = "may"',
            'transport = "mx"\ntls = "may"\nmax_message = "2MiB"\ngive_up_after = "30m"',
        ),
    )
    (tmp_path / "p.eml").write_bytes(b"X-Classification: public\n\nx\n")
    out = run("p.eml", *BASIC[1:], "--to", "a@council.example")[1]
    assert "  Route      opportunistic: TLS where it is offered, messages up to 2 MiB, tried for 30 min" in out
    assert "  Route      internal: enforced TLS, inside the organisation" in out


def test_a_route_to_authentic_hosts_is_told_from_one_that_only_checks_certificates(run: Run, tmp_path: Path) -> None:
    authentic = 'transport = "mx"\ntls       = "authentic"'
    change(tmp_path / "sealpost.toml", ('transport = "mx"\ntls       = "may"', authentic))
    (tmp_path / "p.eml").write_bytes(b"X-Classification: public\n\nx\n")
    lines = run("p.eml", *BASIC[1:])[1].splitlines()
    assert [line for line in lines if line.startswith("  Route ")] == [
        "  Route      opportunistic: enforced TLS with a checked certificate, to a host that its domain's MTA-STS"
        " policy, signed DNS or a pin names"
    ]


def test_another_policy_can_be_tried_with_our_routes(run: Run) -> None:
    found = answer(run, *BASIC, "--policy", POLICIES / "derbyshire.toml")
    assert found["policy"].endswith("derbyshire.toml")
    assert "Cryptshare" in found["recipients"][0]["advice"]


def test_a_policy_alone_is_enough(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sealpost.toml").unlink()
    monkeypatch.setattr(bundle, "PLACES", (tmp_path / "sealpost.toml", tmp_path / "etc.toml"))
    found = answer(run, *BASIC, "--policy", POLICIES / "starter.toml")
    assert found["recipients"][0]["route"] == ["tls", "encrypted"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("m.eml", "--from", "officer", "--to", "b@x.example"), 2, "sealpost: --from `officer` is not an address: "),
        (("m.eml", "--from", "a@x.example", "--to", "b"), 2, "sealpost: --to `b` is not an address: "),
        (("none.eml", *BASIC[1:]), 2, "sealpost: none.eml cannot be read: No such file or directory"),
        ((".", *BASIC[1:]), 2, "sealpost: . cannot be read: Is a directory"),
        ((*BASIC, "--config", "none.toml"), 1, "none.toml: the file cannot be read: No such file or directory"),
        ((*BASIC, "--policy", "none.toml"), 1, "sealpost.toml: policy: the file `none.toml` cannot be read: "),
        (("deep.eml", *BASIC[1:]), 1, "sealpost: deep.eml would be refused at the door with 554 5.6.0: "),
        (
            ("crowd.eml", *BASIC[1:]),
            1,
            "sealpost: crowd.eml would be refused at the door with 554 5.6.0: To and Cc of ",
        ),
        ((*BASIC, "--tls", "maybe"), 2, "Usage: "),
        (("m.eml",), 2, "sealpost: name a MESSAGE with --from and --to, or a --queue-id"),
        ((*BASIC, "--at", "soon"), 2, "sealpost: --at `soon` is not a time such as "),
        ((*BASIC, "--queue-id", "000-x"), 2, "sealpost: --queue-id names the message, "),
        (("--queue-id", "x"), 2, "sealpost: `x` is not a queue id; "),
        (("--queue-id", "000-ABCDEFGHIJKLMNOP"), 1, "sealpost: there is no message 000-ABCDEFGHIJKLMNOP in the queue "),
    ],
)
def test_an_error_is_one_sentence_and_no_traceback(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    (tmp_path / "deep.eml").write_bytes(b"X: y\n" * 5000 + b"\nx\n")
    (tmp_path / "crowd.eml").write_bytes(b"To: " + b"a@b.example, " * 5400 + b"\n\nx\n")
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert err.startswith(words)
    assert "Traceback" not in err


def test_a_door_that_is_not_there_is_usage(run: Run, tmp_path: Path) -> None:
    assert run(*BASIC, "--client", "300.1.1.1") == (2, "", "sealpost: --client `300.1.1.1` is not an IP address\n")
    assert answer(run, *BASIC, "--client", "2001:DB8::1")["listener"] == "what if"
    listen = "[[listen.smtp]]\naddress     ="
    change(tmp_path / "sealpost.toml", (listen, listen.replace("address", 'name = "outlook"\naddress')))
    expected = "sealpost: --listener: unknown listener `outlok`, did you mean `outlook`?\n"
    assert run(*BASIC, "--listener", "outlok") == (2, "", expected)
    assert answer(run, *BASIC, "--listener", "outlook")["listener"] == "outlook"


@pytest.mark.parametrize(
    ("mode", "public", "button"),
    [
        ("takeover", "stays with the MTA if nobody else of the message needs us", "the message is taken over"),
        (
            "gate",
            "passes with a field",
            "the message is refused as a whole, because the MTA cannot send it by the route encrypted",
        ),
        ("tag", "passes with a field, whatever was decided", "passes with a field, whatever was decided"),
    ],
)
def test_what_an_mta_in_front_would_hear_is_said(run: Run, tmp_path: Path, mode: str, public: str, button: str) -> None:
    door = f'[[listen.milter]]\naddress = "127.0.0.1:8891"\nname = "mta"\nmode = "{mode}"\n\n[secrets]'
    change(tmp_path / "sealpost.toml", ("[secrets]", door))
    assert answer(run, *BASIC)["recipients"][0]["at_mta"] is None
    message = tmp_path / "m.eml"
    for field, expected in ((b"X-Classification: public", public), (b"X-Sealpost-Intent: encrypted", button)):
        message.write_bytes(MESSAGE.replace(b"\x1b[31m", b"").replace(b"X-Classification: controlled", field))
        assert answer(run, *BASIC, "--listener", "mta")["recipients"][0]["at_mta"] == expected
        assert f"  At the MTA {expected}\n" in run(*BASIC, "--listener", "mta")[1]


def test_without_a_configuration_any_listener_can_be_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sealpost.toml").rename(tmp_path / "other.toml")
    monkeypatch.setattr("gateway.cli.explain.PLACES", ())
    policy = ("--policy", "policies/council.toml")
    assert answer(run, *BASIC, *policy, "--listener", "scans")["listener"] == "scans"
    assert run(*BASIC, *policy, "--config", "other.toml", "--listener", "scans")[0] == 2
