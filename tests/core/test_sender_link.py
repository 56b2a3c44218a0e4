"""A sender's link is what our key made, for that package and time, and nothing else is."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sealed import PackageId
from gateway.core.sender_link import SenderLink, read_sender_link
from tests.core.queued import NOW

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
LINK = SenderLink(PackageId("abcDEF_-0123456789wxyz"), NOW + timedelta(days=3))


def token(link: SenderLink, key: bytes = KEY) -> str:
    """The last part of the path."""
    start, sent, package, token = link.path(key).split("/")
    assert (start, sent, package) == ("", "sent", link.package)
    return token


@given(days=st.integers(1, 400), package=st.text("abcXYZ019_-", min_size=1, max_size=64))
def test_what_was_made_is_read_again(days: int, package: str) -> None:
    link = SenderLink(PackageId(package), NOW + timedelta(days=days))
    assert read_sender_link(package, token(link), KEY, NOW) == link


def test_it_runs_out_at_its_time() -> None:
    assert read_sender_link(LINK.package, token(LINK), KEY, LINK.until - timedelta(seconds=1)) == LINK
    assert read_sender_link(LINK.package, token(LINK), KEY, LINK.until) is None


@given(at=st.integers(0, len(token(LINK)) - 1), sign=st.sampled_from("aA0_-.="))
def test_no_sign_of_it_can_be_changed(at: int, sign: str) -> None:
    made = token(LINK)
    changed = made[:at] + sign + made[at + 1 :]
    assert (read_sender_link(LINK.package, changed, KEY, NOW) is not None) is (changed == made)


def test_it_is_good_for_no_other_package_time_or_key() -> None:
    seconds, _, seal = token(LINK).partition("-")
    assert read_sender_link("other", token(LINK), KEY, NOW) is None
    assert read_sender_link(LINK.package, token(LINK, OTHER_KEY), KEY, NOW) is None
    assert read_sender_link(LINK.package, f"{int(seconds) + 1}-{seal}", KEY, NOW) is None
    later = token(replace(LINK, until=LINK.until + timedelta(days=1)))
    assert later.partition("-")[2] != seal


@pytest.mark.parametrize("nonsense", ["", "-", "1-b", "é" * 50, f"{token(LINK)}a", f"0{token(LINK)}"])
def test_nonsense_is_none_of_ours(nonsense: str) -> None:
    assert read_sender_link(LINK.package, nonsense, KEY, NOW) is None


@pytest.mark.parametrize("package", ["", "é", "a/b", "a\nb", "x" * 65])
def test_a_package_that_cannot_be_is_none(package: str) -> None:
    made = SenderLink(PackageId(package), LINK.until).path(KEY)
    assert read_sender_link(package, made.rpartition("/")[2], KEY, NOW) is None
