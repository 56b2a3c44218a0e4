"""What is wrong with a surveyed domain, what to do, and what changed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.grade import Grade
from gateway.core.survey import DaneSeen, DaneState, DomainReport, HostReport, StsSeen, StsState, rank
from gateway.core.survey_findings import Change, alarms, drift, problems, settled
from gateway.core.tls import Starttls
from tests.core.survey_samples import AT, KEY, a_certificate, a_host, a_report, down

OTHER_KEY = f"sha256:{'cd' * 32}"
RECORDS = DaneSeen(state=DaneState.FOUND, records=("3 1 1 ab",))
ANCHORED = DaneSeen(state=DaneState.FOUND, records=("3 1 1 ab", "2 0 1 cd"))
GONE = DaneSeen(state=DaneState.ABSENT, reason="the zone holds none")


def test_a_host_that_gives_what_is_demanded_is_no_problem() -> None:
    report = a_report(a_host(), a_host("b", Grade.DANE))
    assert problems(report, Grade.VERIFIED) == ()
    assert problems(replace(report, trouble="There are more hosts."), Grade.VERIFIED) == ()
    [problem] = problems(report, Grade.PINNED)
    assert problem.startswith("mx.test gives “verified”, and “pinned” is demanded: ")


def test_a_domain_without_hosts_is_one_whatever_is_demanded() -> None:
    told = problems(a_report(trouble="The domain does not exist."), Grade.PLAIN)
    assert told == ("No mail goes to partner.test now: The domain does not exist.",)


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        (down(), "Look again later; if it stays so: ask the postmaster of partner.test."),
        (a_host(grade=None, in_policy=False), "to name it in the MTA-STS policy, or to take it out of the MX records."),
        (a_host(grade=Grade.PLAIN, starttls=Starttls.NO), "to switch on STARTTLS with TLS 1.2 or later."),
        (a_host(grade=None, dane=RECORDS), "whether the TLSA records are those of the certificate in use."),
        (a_host(grade=Grade.ENCRYPTED), f'fingerprints = ["{KEY}"].'),
        (a_host(grade=Grade.ENCRYPTED, in_policy=False), f'fingerprints = ["{KEY}"].'),
        (a_host(grade=None, certificate=None), "Ask the postmaster of partner.test."),
        (a_host(grade=None, certificate=None, starttls=Starttls.UNKNOWN), "such as a firewall."),
    ],
)
def test_each_problem_says_what_to_do(host: HostReport, advice: str) -> None:
    [problem] = problems(a_report(a_host("good.test"), replace(host, why="It is so.")), Grade.VERIFIED)
    assert ": It is so. " in problem
    assert problem.endswith(advice)


def test_a_pin_that_fails_is_asked_about_and_not_replaced_by_the_key_that_was_shown() -> None:
    [problem] = problems(a_report(a_host(grade=None, why="It has another key."), pin="Health Trust"), Grade.PLAIN)
    assert problem.startswith("No mail goes to mx.test now: It has another key. ")
    assert problem.endswith("by telephone, what changed, and then put the pin “Health Trust” right.")
    assert KEY not in problem


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (14.5, ""),
        (14, "The certificate of mx.test ends on 2026-12-06, in 14 days."),
        (0.5, "The certificate of mx.test ends on 2026-11-22, in 0 days."),
        (-0.5, "The certificate of mx.test ended on 2026-11-21."),
        (None, ""),
    ],
)
def test_a_certificate_is_named_two_weeks_before_its_end(days: float | None, told: str) -> None:
    found = problems(a_report(a_host(certificate=a_certificate(days))), Grade.VERIFIED)
    assert found == ((f"{told} Ask the postmaster of partner.test to renew it.",) if told else ())


def test_what_falls_short_is_told_once() -> None:
    ended = a_host(grade=Grade.ENCRYPTED, why="It expired.", certificate=a_certificate(-3))
    [problem] = problems(a_report(ended), Grade.VERIFIED)
    assert "It expired." in problem
    assert problems(a_report(ended), Grade.ENCRYPTED) == (), "nobody looks at its dates"


def test_of_a_key_that_was_pinned_only_an_end_to_come_is_told() -> None:
    pinned = a_host(grade=Grade.PINNED, certificate=a_certificate(-3))
    assert problems(a_report(pinned, pin="Health Trust"), Grade.PLAIN) == ()
    soon = a_host(grade=Grade.PINNED, certificate=a_certificate(3))
    [problem] = problems(a_report(soon, pin="Health Trust"), Grade.PLAIN)
    assert "in 3 days" in problem


def test_the_dates_of_a_certificate_that_dns_names_by_its_key_do_not_matter() -> None:
    ended = a_certificate(-3)
    assert problems(a_report(a_host(grade=Grade.DANE, dane=RECORDS, certificate=ended)), Grade.DANE) == ()
    [problem] = problems(a_report(a_host(grade=Grade.DANE, dane=ANCHORED, certificate=ended)), Grade.DANE)
    assert "ended on" in problem


def test_nobody_is_woken_for_one_host_that_is_down() -> None:
    assert alarms(a_report(a_host(), down("b.test")), Grade.VERIFIED) == ()
    assert len(problems(a_report(a_host(), down("b.test")), Grade.VERIFIED)) == 1
    assert len(alarms(a_report(a_host(grade=Grade.PLAIN), down("b.test")), Grade.VERIFIED)) == 1
    assert len(alarms(a_report(down(), down("b.test")), Grade.PLAIN)) == 2


def test_nothing_changed_in_what_is_the_same() -> None:
    report = a_report(a_host(), down("b.test"))
    assert drift(report, replace(report, at=AT + timedelta(days=1))) == ()


def test_hosts_that_came_and_went() -> None:
    before, after = a_report(a_host("old.test"), a_host()), a_report(a_host(), a_host("new.test"))
    assert drift(before, after) == (
        Change("new.test is a new mail host of partner.test."),
        Change("old.test is no mail host of partner.test any more."),
    )
    # A name server that was silent removed nothing.
    assert drift(before, a_report(trouble="It cannot be looked up.")) == ()
    assert drift(a_report(trouble="It cannot be looked up."), after) == ()


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (Grade.ENCRYPTED, Grade.VERIFIED, False),
        (Grade.VERIFIED, Grade.PLAIN, True),
        (Grade.PLAIN, None, True),
        (None, Grade.PLAIN, False),
    ],
)
def test_a_grade_that_went_up_or_down(before: Grade | None, after: Grade | None, worse: bool) -> None:
    [change] = drift(a_report(a_host(grade=before)), a_report(a_host(grade=after)))
    assert change.worse is worse
    assert f"mx.test went {'down' if worse else 'up'} from “" in change.text


def test_another_key_is_told_and_is_not_worse() -> None:
    before = a_report(a_host())
    after = a_report(a_host(certificate=a_certificate(fingerprint=OTHER_KEY)))
    assert drift(before, after) == (Change(f"The certificate of mx.test has another key: {OTHER_KEY}, before {KEY}."),)
    assert drift(before, a_report(a_host(certificate=None))) == ()
    assert drift(a_report(a_host(certificate=a_certificate(fingerprint=""))), before) == ()


def test_a_host_that_did_not_answer_has_not_changed() -> None:
    assert drift(a_report(a_host()), a_report(down())) == ()
    assert drift(a_report(down()), a_report(a_host())) == ()


def test_tlsa_records_that_appear_or_vanish() -> None:
    without, with_them = a_report(a_host(dane=GONE)), a_report(a_host(dane=RECORDS))
    unknown = a_report(a_host(dane=DaneSeen(state=DaneState.UNKNOWN, reason="no answer")))
    off = a_report(a_host(dane=DaneSeen(state=DaneState.OFF, reason="off here")))
    assert drift(without, with_them) == (Change("mx.test has TLSA records now."),)
    assert drift(with_them, without) == (
        Change("The TLSA records of mx.test protect no longer: the zone holds none.", worse=True),
    )
    assert drift(with_them, unknown) == drift(unknown, with_them) == drift(without, off) == ()


@pytest.mark.parametrize("before", StsState)
@pytest.mark.parametrize("after", StsState)
def test_a_policy_that_became_stronger_or_weaker(before: StsState, after: StsState) -> None:
    changes = drift(
        a_report(a_host(), sts=StsSeen(state=before)),
        a_report(a_host(), sts=StsSeen(state=after)),
    )
    if before is after or StsState.UNKNOWN in (before, after):
        assert changes == ()
        return
    [change] = changes
    assert change.text == f"The MTA-STS policy of partner.test went from “{before}” to “{after}”."
    strength = [{StsState.TESTING: 1, StsState.ENFORCE: 2}.get(state, 0) for state in (before, after)]
    assert change.worse is (strength[1] < strength[0])


def test_what_is_kept_is_what_was_last_seen_of_each_host() -> None:
    before = a_report(a_host(), a_host("b.test", Grade.DANE), down("c.test"), sts=StsSeen(state=StsState.ENFORCE))
    tonight = AT + timedelta(days=1)
    after = a_report(
        a_host(grade=Grade.PLAIN), down("b.test"), down("c.test"), down("d.test"), at=tonight,
        sts=StsSeen(state=StsState.UNKNOWN),
    )  # fmt: skip
    kept = settled(before, after)
    assert [(host.host, host.grade) for host in kept.hosts] == [
        ("mx.test", Grade.PLAIN),
        ("b.test", Grade.DANE),
        ("c.test", None),
        ("d.test", None),
    ]
    assert (kept.at, kept.sts.state) == (tonight, StsState.ENFORCE)
    known = replace(after, sts=StsSeen(state=StsState.TESTING))
    assert settled(before, known).sts.state is StsState.TESTING


def test_a_domain_that_could_not_be_looked_up_stands_as_it_was() -> None:
    before, tonight = a_report(a_host()), AT + timedelta(days=1)
    silent = a_report(trouble="It cannot be looked up.", at=tonight)
    assert settled(None, silent) == silent
    assert settled(before, silent) == replace(before, at=tonight)


hosts = st.builds(
    a_host,
    st.sampled_from(["a.test", "b.test"]),
    st.sampled_from([None, *Grade]),
    dane=st.sampled_from([RECORDS, GONE]),
) | st.builds(down, st.sampled_from(["a.test", "b.test"]))
reports = st.lists(hosts, max_size=2, unique_by=lambda host: host.host).map(lambda found: a_report(*found))


@given(reports, reports, reports)
def test_a_night_of_silence_hides_no_fall(before: DomainReport, silent: DomainReport, after: DomainReport) -> None:
    silent = replace(silent, hosts=tuple(down(host.host) for host in silent.hosts))
    through = settled(before, silent)
    names = {host.host for host in silent.hosts} if silent.hosts else {host.host for host in before.hosts}
    was = {host.host: host for host in before.hosts if host.reached and host.host in names}
    fell = {
        host.host
        for host in after.hosts
        if host.reached and host.host in was and rank(host.grade) < rank(was[host.host].grade)
    }
    told = {change.text.split()[0] for change in drift(through, after) if change.worse and "went down" in change.text}
    assert told == fell
