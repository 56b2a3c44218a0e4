"""What a domain publishes about its mail hosts: the grammar of record and policy, and which hosts a policy means."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sts import (
    MAX_AGE,
    MAX_LINE,
    MAX_PATTERNS,
    MAX_POLICY,
    BadPolicy,
    BadRecord,
    NoSts,
    StsMode,
    StsPolicy,
    read_policy,
    read_record,
)

DAY = timedelta(days=1)
POLICY = b"version: STSv1\nmode: enforce\nmx: mail.trust.example\nmx: *.trust.example\nmax_age: 86400\n"
READ = StsPolicy(mode=StsMode.ENFORCE, max_age=DAY, mx=("mail.trust.example", "*.trust.example"))


@pytest.mark.parametrize(
    ("record", "identity"),
    [
        (b"v=STSv1; id=20260301T090000Z;", "20260301T090000Z"),
        (b"v=STSv1;id=a", "a"),
        (b"v=STSv1 \t; \tid=a \t;\t", "a"),
        (b"v=STSv1; next=x-1.2/~!:<>; id=a;", "a"),
        (b"v=STSv1; id=first; id=second", "first"),
        (b"v=STSv1; id=" + b"Z9" * 16, "Z9" * 16),
    ],
)
def test_a_record_gives_its_id(record: bytes, identity: str) -> None:
    assert read_record([record]) == identity
    assert read_record([b"v=spf1 -all", record, b"v=STSv2; id=b", b"v=STSv1"]) == identity


@pytest.mark.parametrize(
    "record", [b"v=STSv1", b" v=STSv1; id=a", b"V=STSv1; id=a", b"v=STSv10; id=a", b"v=stsv1;id=a"]
)
def test_what_does_not_begin_as_a_record_is_none(record: bytes) -> None:
    assert read_record([record]) is NoSts.NONE
    assert read_record([]) is NoSts.NONE


@pytest.mark.parametrize(
    "record",
    [
        b"v=STSv1;",
        b"v=STSv1; ;",
        b"v=STSv1; id=",
        b"v=STSv1; id=a-b",
        b"v=STSv1; id=" + b"a" * 33,
        b"v=STSv1; id=\xc3\xa9",
        b"v=STSv1; ID=a",
        b"v=STSv1; next=x",
        b"v=STSv1; id=a;; next=x",
        b"v=STSv1; id=a; next=x y",
        b"v=STSv1; id=a; next=x=y",
        b"v=STSv1; id=a; -next=x",
        b"v=STSv1; id=a; " + b"n" * 33 + b"=x",
        b"v=STSv1; id = a",
        b"v=STSv1; id=a\n",
        b"v=STSv1; id=-; id=a",
    ],
)
def test_a_malformed_record_is_told(record: bytes) -> None:
    assert isinstance(read_record([record]), BadRecord)


def test_two_records_are_one_too_many() -> None:
    record = b"v=STSv1; id=a;"
    assert isinstance(read_record([record, record]), BadRecord)


@pytest.mark.parametrize(
    "body",
    [
        POLICY,
        POLICY.replace(b"\n", b"\r\n"),
        POLICY.removesuffix(b"\n"),
        POLICY.replace(b"\n", b" \t\n"),
        POLICY.replace(b": ", b":"),
        POLICY.replace(b": ", b":\t "),
        POLICY + b"\n\r\n",
        POLICY + b"mode: none\nversion: STSv2\nmax_age: x\n",
        POLICY + b"mx: mail.trust.example\n",
        POLICY + "x-note_1.0: for the päper; a=b".encode(),
        b"Mode: none\n" + POLICY,
        POLICY.replace(b"mx: mail", b"mx: MAIL"),
    ],
)
def test_a_policy_is_read(body: bytes) -> None:
    assert read_policy(body) == READ


def test_what_a_report_shows_of_a_policy_is_the_policy() -> None:
    assert read_policy("\n".join(READ.lines).encode()) == READ


@pytest.mark.parametrize(
    ("seconds", "kept"),
    [
        (b"0", timedelta()),
        (b"007", timedelta(seconds=7)),
        (b"31557599", MAX_AGE - timedelta(seconds=1)),
        (b"31557600", MAX_AGE),
        (b"31557601", MAX_AGE),
        (b"9999999999", MAX_AGE),
    ],
)
def test_a_policy_is_kept_for_a_year_at_most(seconds: bytes, kept: timedelta) -> None:
    read = read_policy(POLICY.replace(b"86400", seconds))
    assert isinstance(read, StsPolicy)
    assert read.max_age == kept


@pytest.mark.parametrize("mode", list(StsMode))
def test_only_the_mode_none_names_no_host(mode: StsMode) -> None:
    body = f"version: STSv1\nmode: {mode}\nmax_age: 86400\n"
    if mode is StsMode.NONE:
        assert read_policy(body.encode()) == StsPolicy(mode=mode, max_age=DAY, mx=())
    else:
        assert read_policy(body.encode()) == BadPolicy("it names no mail host")
    assert read_policy(f"{body}mx: a.test".encode()) == StsPolicy(mode=mode, max_age=DAY, mx=("a.test",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"version: STSv1\n", b""),
        (b"STSv1", b"STSv2"),
        (b"STSv1", b"stsv1"),
        (b"version", b"Version"),
        (b"version", b"\xef\xbb\xbfversion"),
        (b"mode: enforce\n", b""),
        (b"enforce", b"Enforce"),
        (b"enforce", b"report"),
        (b"enforce", b""),
        (b"max_age: 86400", b""),
        (b"86400", b"-1"),
        (b"86400", b"1.5"),
        (b"86400", b"1 day"),
        (b"86400", b"12345678901"),
        (b"86400", "٣".encode()),
        (b"mail.trust.example", b"mail.trust.example."),
        (b"mail.trust.example", b"mail.trust.example, b.test"),
        (b"mail.trust.example", b"*"),
        (b"mail.trust.example", b"*."),
        (b"mail.trust.example", b"*mail.trust.example"),
        (b"mail.trust.example", b"*.*.trust.example"),
        (b"mail.trust.example", b"mail.*.example"),
        (b"mail.trust.example", b".trust.example"),
        (b"mail.trust.example", b"[192.0.2.1]"),
        (b"mail.trust.example", "ümail.trust.example".encode()),
        (b"mail.trust.example", b"a" * 64 + b".example"),
        (b"mode:", b"mode"),
        (b"mode:", b"mode :"),
        (b"mode:", b" mode:"),
        (b"mode:", b": x\nmode:"),
        (b"mode:", b"x:\nmode:"),
        (b"mode:", b"_x: y\nmode:"),
        (b"mode:", b"x" * 33 + b": y\nmode:"),
        (b"mode:", b"x: a\0b\nmode:"),
        (b"mode:", b"x: a\rmode:"),
        (b"mode:", b"<html>\nmode:"),
        (b"mode:", b"x: " + b"y" * MAX_LINE + b"\nmode:"),
        (b"mode:", b"x: \xff\nmode:"),
    ],
)
def test_what_is_no_policy_is_refused_whole(old: bytes, new: bytes) -> None:
    body = POLICY.replace(old, new, 1)
    assert body != POLICY
    assert isinstance(read_policy(body), BadPolicy)


def test_sizes_have_limits() -> None:
    line = b"x: " + b"y" * (MAX_LINE - 3) + b"\n"
    body = POLICY + line * ((MAX_POLICY - len(POLICY)) // len(line))
    assert read_policy(body.ljust(MAX_POLICY, b"\n")) == READ
    assert read_policy(body.ljust(MAX_POLICY + 1, b"\n")) == BadPolicy("it is too long")
    more = "".join(f"mx: h{number}.test\n" for number in range(MAX_PATTERNS - 2)).encode()
    full = read_policy(POLICY + more)
    assert isinstance(full, StsPolicy)
    assert len(full.mx) == MAX_PATTERNS
    assert read_policy(POLICY + more + b"mx: another.test\n") == BadPolicy("it has too many patterns")


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("mail.trust.example", True),
        ("b.trust.example", True),
        ("a.b.trust.example", False),
        ("trust.example", False),
        ("other.example", False),
        ("mail.trust.example.evil.test", False),
        ("example", False),
    ],
)
def test_a_star_is_one_whole_label(host: str, meant: bool) -> None:
    assert READ.matches(host) is meant


@given(st.binary(max_size=300), st.integers(0, len(POLICY)))
def test_reading_never_fails(noise: bytes, at: int) -> None:
    assert isinstance(read_policy(POLICY[:at] + noise + POLICY[at:]), StsPolicy | BadPolicy)
    assert isinstance(read_record([b"v=STSv1;" + noise]), str | BadRecord)


_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_NAME = st.builds(".".join, st.lists(_LABEL, min_size=1, max_size=4))
_PATTERN = st.builds(str.__add__, st.sampled_from(["", "*."]), _NAME)


@given(
    st.builds(
        StsPolicy,
        mode=st.sampled_from(StsMode),
        max_age=st.integers(0, 31_557_600).map(lambda seconds: timedelta(seconds=seconds)),
        mx=st.lists(_PATTERN, min_size=1, max_size=9, unique=True).map(tuple),
    )
)
def test_what_is_written_is_read_again(policy: StsPolicy) -> None:
    assert read_policy("\r\n".join(policy.lines).encode()) == policy
