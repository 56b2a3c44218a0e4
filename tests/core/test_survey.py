"""What a survey's report says of a domain, and which domains are looked at."""

from datetime import timedelta

from gateway.core.grade import DEMANDS, Grade
from gateway.core.pin import NO_PINS, Pin, Pins
from gateway.core.registers.directory import directory
from gateway.core.registers.partners import Partner
from gateway.core.sts import StsMode
from gateway.core.survey import StsState, Surveyed, rank, surveyed
from gateway.core.tls import Protection
from tests.core.survey_samples import AT, a_certificate, a_host, a_report, down


def test_a_stronger_grade_has_the_larger_rank_and_no_mail_the_least() -> None:
    assert [rank(grade) for grade in (None, *Grade)] == [-1, 0, 1, 2, 3, 4, 5]


def test_a_domain_gives_what_its_weakest_host_gives_that_takes_mail() -> None:
    assert a_report(a_host(grade=Grade.DANE), a_host("b", Grade.ENCRYPTED), down("c")).grade is Grade.ENCRYPTED
    assert a_report(down(), a_host(grade=None)).grade is None
    assert a_report().grade is None


def test_the_first_certificate_to_end_counts() -> None:
    hosts = (a_host(certificate=a_certificate(9)), a_host(certificate=a_certificate(None)), a_host(), down())
    assert a_report(*hosts).ends == AT + timedelta(days=9)
    assert a_report(down()).ends is None


def test_every_mode_of_a_policy_is_a_state() -> None:
    assert [StsState.of(mode) for mode in StsMode] == [StsState.ENFORCE, StsState.TESTING, StsState.STOPPED]


def test_domains_of_the_register_and_of_pins_are_looked_at_once_each() -> None:
    strict = Partner(name="Health Trust", tls=Protection.VERIFIED)
    loose = Partner(name="Archive")
    members = [("z.test", strict), ("a.test", strict), ("*.c.test", strict), ("x@m.test", strict), ("b.test", loose)]
    pin = Pin(name="pin", domains=("a.test", "p.test", "*.q.test"), requirement=DEMANDS["pinned"])
    assert surveyed(directory(members), Pins((pin,))) == (
        Surveyed(partner="Archive", domain="b.test"),
        Surveyed(partner="Health Trust", domain="a.test", demanded=Grade.VERIFIED),
        Surveyed(partner="Health Trust", domain="z.test", demanded=Grade.VERIFIED),
        Surveyed(partner="pin", domain="p.test"),
    )
    assert surveyed(directory([("e.test", Partner(name="E", tls=Protection.ENCRYPTED))]), NO_PINS) == (
        Surveyed(partner="E", domain="e.test", demanded=Grade.ENCRYPTED),
    )
