"""`sealpost simulate --from`: message traces as several tools write them."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.forecast_view import forecast_json, forecast_lines
from gateway.config.trial.forecast import Forecast
from gateway.config.trial.message_trace import read_trace
from tests.cli.conftest import Call
from tests.config.certified import certified

PLAIN = """Received,SenderAddress,RecipientAddress,Subject,Size
2026-11-20T10:00:00Z,officer@council.example,bob@x.example,hello,20000
2026-11-20T10:05:00Z,officer@council.example,team@council.example,hello,20000
2026-11-20T10:06:00Z,officer@council.example,dc@police.cjsm.net,hello,20000
2026-11-20T10:07:00Z,<>,bob@x.example,out of office,2000
2026-11-20T10:08:00Z,bob@x.example,officer@council.example,inbound,2000
"""
STATUS = (
    '#TYPE Trace\r\n"origin_timestamp_utc";"sender_address";"recipient_status";"total_bytes"\r\n'
    '"2026-11-20T10:00:00.0000000Z";"officer@council.example";"bob@x.example##Receive, Send;eve@y.example##Fail";'
    '"20,000"\r\n'
    '"11/20/2026 1:00 PM";"officer@council.example";"bob@x.example##Receive, Send;broken##Fail";""\r\n'
    '"2026-11-20T10:00:00Z";"nobody";"bob@x.example";"1"\r\n'
)

Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> Ask:
    certified(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(data: str | bytes, *arguments: object) -> Any:
        (tmp_path / "trace.csv").write_bytes(data.encode() if isinstance(data, str) else data)
        code, out, err = call("simulate", "--from", "trace.csv", "--json", *arguments)
        assert (code, err) == (0, "")
        return json.loads(out)

    return run


def counts(told: list[dict[str, Any]]) -> dict[str, int]:
    return {each["name"]: each["count"] for each in told}


def test_each_recipient_of_ours_is_decided_and_the_others_are_counted(ask: Ask) -> None:
    told = ask(PLAIN)
    assert (told["messages"], told["recipients"], told["not_ours"], told["unreadable"]) == (5, 4, 1, 0)
    assert counts(told["by_route"]) == {"tls, then encrypted": 1, "internal": 1, "cjsm": 1, "secure": 1}
    assert counts(told["by_rule"])["Automatic mail never waits in a portal"] == 1


def test_what_a_trace_does_not_know_is_counted_where_it_would_matter(ask: Ask) -> None:
    # The label, and the button, matter to bob alone; no rule of this policy looks at content or TLS.
    unknown = counts(ask(PLAIN)["unknown"])
    assert unknown["label"] >= 1
    assert "the recipient's TLS" not in unknown
    large = PLAIN.replace("hello,20000", "hello,20000000")
    assert counts(ask(large)["unknown"])["attached files"] == 1


def test_domains_whose_tls_decides_are_named_with_the_other_way(ask: Ask) -> None:
    domains = ask(PLAIN + "2026-11-20T10:00:00Z,officer@council.example,amy@x.example,hello,1\n")["domains"]
    assert domains[0] == {"domain": "x.example", "way": "tls, then encrypted", "without_tls": "encrypted", "count": 2}
    assert domains[1] == {"domain": "x.example", "way": "secure", "without_tls": "comes back", "count": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_other_names_forms_and_encodings_are_read(ask: Ask, encoding: str) -> None:
    told = ask(STATUS.encode(encoding))
    assert (told["messages"], told["recipients"]) == (3, 3)
    assert (told["unreadable"], told["without_time"], told["without_size"]) == (2, 1, 1)
    assert counts(told["by_route"]) == {"tls, then encrypted": 3}


def test_people_get_lines_and_a_policy_is_enough(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    certified(tmp_path)
    (tmp_path / "sealpost.toml").unlink()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(PLAIN)
    code, out, err = call("simulate", "--from", "t.csv", "--policy", "policies/council.toml", "--limit", "1")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[0] == "policies/council.toml: 5 messages of the trace, 4 recipients of ours"
    assert "1  from senders that are not ours" in lines
    assert "1  x.example: tls, then encrypted; without TLS encrypted" in lines
    assert "Domains that must offer TLS (1 of 2)" in lines


TRACKING = """#Software: Microsoft Exchange Server
#Version: 15.02.1544.004
#Log-type: Message Tracking Log
#Date: 2026-11-20T00:00:00.000Z
#Fields: date-time,event-id,recipient-address,recipient-status,total-bytes,message-subject,sender-address
2026-11-20T10:00:00.123Z,RECEIVE,bob@x.example;team@council.example,250 OK;250 OK,20000,one,officer@council.example
#Date: 2026-11-21T00:00:00.000Z
2026-11-21T10:00:00.123Z,RECEIVE,dc@police.cjsm.net,,20000,two,officer@council.example
"""
SPACED = """Timestamp,Sender,Recipients,RecipientStatus,TotalBytes
31/10/2026 08:12:00,officer@council.example,bob@x.example amy@x.example,{250 OK},20000
1/11/2026 18:30,officer@council.example,dc@police.cjsm.net; team@council.example,{250 OK},20000
10/31/2026 8:12:00 AM,officer@council.example,bob@x.example,,20000
"""


def test_the_tracking_log_of_a_server_is_read(ask: Ask) -> None:
    told = ask(TRACKING)
    assert (told["messages"], told["recipients"], told["unreadable"]) == (2, 3, 0)
    assert (told["without_time"], told["without_size"]) == (0, 0)
    assert counts(told["by_route"]) == {"tls, then encrypted": 1, "internal": 1, "cjsm": 1}


def test_recipients_between_spaces_and_the_day_first_are_read(ask: Ask) -> None:
    told = ask(SPACED)
    assert (told["messages"], told["recipients"], told["unreadable"], told["without_time"]) == (3, 5, 0, 1)


def test_the_day_is_the_first_number(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(SPACED)
    times = [line.at for line in read_trace(tmp_path / "t.csv") if line is not None]
    assert times == [datetime(2026, 10, 31, 8, 12, tzinfo=UTC), datetime(2026, 11, 1, 18, 30, tzinfo=UTC), None]


@pytest.mark.parametrize(
    "text",
    [
        "Sender,Recipients\nofficer@council.example,System.String[]\n",
        "Sender,Recipients\nbob@x.example,officer@council.example\n",
        "Sender,Recipients\n",
    ],
)
def test_a_trace_of_which_nothing_can_be_decided_fails(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    certified(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(text)
    code, out, err = call("simulate", "--from", "t.csv", "--json")
    assert (code, json.loads(out)["recipients"]) == (1, 0)
    assert err == "sealpost: t.csv: no recipient of a sender of ours could be read\n"


def test_equal_counts_stand_by_name() -> None:
    for names in (["label", "button", "what is in the message"], ["what is in the message", "button", "label"]):
        found = Forecast(unknown=Counter([*names, "the recipient's TLS", "the recipient's TLS"]))
        ordered = ["the recipient's TLS", "button", "label", "what is in the message"]
        assert [each["name"] for each in forecast_json("p", found, 9)["unknown"]] == ordered
        assert [line.split("  ")[-1] for line in forecast_lines("p", found, 9)][-4:] == ordered


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "there is no column of sender, such as senderaddress"),
        ("Sender,x\n", "there is no column of recipients"),
        ("", "there is no column of sender"),
    ],
)
def test_what_is_no_trace_is_said(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    certified(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(text)
    code, out, err = call("simulate", "--from", "t.csv")
    assert (code, out) == (2, "")
    assert words in err
    assert call("simulate", "--from", "none.csv")[2] == "sealpost: none.csv cannot be read: No such file or directory\n"
