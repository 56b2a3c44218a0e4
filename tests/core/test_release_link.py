"""A link and a form's proof are what our key made, for that message, role, person and time, and nothing else is."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.record import QueueId
from gateway.core.release_link import Link, read_link
from tests.core.queued import NOW

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
LINK = Link(QueueId("000-abc_d-e"), "information governance", NOW + timedelta(days=3))


def token(link: Link, key: bytes = KEY) -> str:
    """The last part of the path."""
    start, held, queue_id, token = link.path(key).split("/")
    assert (start, held, queue_id) == ("", "held", link.queue_id)
    return token


@given(role=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_what_was_made_is_read_again(role: str) -> None:
    link = replace(LINK, role=role)
    assert read_link(link.queue_id, token(link), KEY, NOW) == link


def test_it_runs_out_at_its_time() -> None:
    assert read_link(LINK.queue_id, token(LINK), KEY, LINK.until - timedelta(seconds=1)) == LINK
    assert read_link(LINK.queue_id, token(LINK), KEY, LINK.until) is None


@given(at=st.integers(0, len(token(LINK)) - 1), sign=st.sampled_from("aA0_-.="))
def test_no_sign_of_it_can_be_changed(at: int, sign: str) -> None:
    made = token(LINK)
    changed = made[:at] + sign + made[at + 1 :]
    # The last sign of 43 holds four bits, but what is compared is the text.
    assert (read_link(LINK.queue_id, changed, KEY, NOW) is not None) is (changed == made)


def test_it_is_good_for_no_other_message_role_time_or_key() -> None:
    made = token(LINK)
    assert read_link("000-abd", made, KEY, NOW) is None
    assert read_link(LINK.queue_id, token(LINK, OTHER_KEY), KEY, NOW) is None
    for other in (replace(LINK, role="dpo"), replace(LINK, until=LINK.until + timedelta(days=1))):
        content, _, seal = token(other).partition(".")
        assert seal != made.partition(".")[2]
        assert read_link(LINK.queue_id, f"{content}.{made.partition('.')[2]}", KEY, NOW) is None
    for nonsense in ("", ".", "a.b", made + "a", f"{made}.{made}", "é" * 50):
        assert read_link(LINK.queue_id, nonsense, KEY, NOW) is None


def test_a_proof_is_one_persons_for_one_link() -> None:
    proof = LINK.form_token("ann@council.example", KEY)
    assert LINK.came_from_us(proof, "ann@council.example", KEY)
    assert not LINK.came_from_us(proof, "rita@council.example", KEY)
    assert not LINK.came_from_us(proof, "ann@council.example", OTHER_KEY)
    assert not replace(LINK, queue_id=QueueId("000-x")).came_from_us(proof, "ann@council.example", KEY)
    for nonsense in ("", "é", proof[:-1], token(LINK).partition(".")[2]):
        assert not LINK.came_from_us(nonsense, "ann@council.example", KEY)
