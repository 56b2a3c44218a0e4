"""The lines of main.cf that a site needs, and each value that will not do."""

from pathlib import Path

import pytest

from gateway.config.page import Page
from gateway.config.postfix import compare, parameters, tls_lines
from gateway.config.postfix_milters import CHANGES_RECIPIENTS, milter_endpoint, milter_lines

LINES = (*milter_lines(["127.0.0.1:8891"], takes=True), *tls_lines("system", dane=True))
GOOD = {line.name: line.value for line in LINES}


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("127.0.0.1:8891", "inet:127.0.0.1:8891"),
        ("10.1.2.3:8891", "inet:10.1.2.3:8891"),
        ("0.0.0.0:8891", "inet:127.0.0.1:8891"),
        ("[::]:8891", "inet:127.0.0.1:8891"),
        ("[::1]:8891", "inet:[::1]:8891"),
        ("milter.example.org:8891", "inet:milter.example.org:8891"),
        ("unix:/run/sealpost/milter", "unix:/run/sealpost/milter"),
    ],
)
def test_a_listener_is_named_as_postfix_reads_it(address: str, endpoint: str) -> None:
    assert milter_endpoint(address) == endpoint


def test_the_lines_are_as_main_cf_has_them() -> None:
    assert [str(line) for line in LINES if line.value] == [
        "smtpd_milters = inet:127.0.0.1:8891",
        "non_smtpd_milters = inet:127.0.0.1:8891",
        "milter_default_action = tempfail",
        "milter_protocol = 6",
        "milter_command_timeout = 30s",
        "milter_content_timeout = 300s",
        "in_flow_delay = 0",
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8892:tls",
        "smtp_tls_security_level = dane",
        "smtp_dns_support_level = dnssec",
        "smtp_tls_CApath = /etc/ssl/certs",
        "smtp_tls_fingerprint_digest = sha256",
        "# Postfix 3.10 and later: tls_required_enable = no",
    ]


def test_without_a_listener_or_dane_there_are_fewer() -> None:
    assert milter_lines([], takes=True) == ()
    kept = {line.name for line in milter_lines(["127.0.0.1:8891"], takes=False)}
    assert {line.name for line in milter_lines(["127.0.0.1:8891"], takes=True)} - kept == {"in_flow_delay"}
    assert [str(line) for line in tls_lines(Path("/etc/sealpost/ca.pem"), dane=False)] == [
        "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8892:tls",
        "smtp_tls_security_level = may",
        "smtp_tls_CAfile = /etc/sealpost/ca.pem",
        "smtp_tls_fingerprint_digest = sha256",
        "# Postfix 3.10 and later: tls_required_enable = no",
    ]


def wrong(**found: str) -> list[str]:
    """The keys that are warned of; what is not given is good."""
    page = Page("/etc/postfix/main.cf")
    compare(page, LINES, {**GOOD, **found})
    assert page.problems == []
    return [warning.key for warning in page.warnings]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "smtpd_milters",
            [
                "inet:127.0.0.1:11332, inet:127.0.0.1:8891",
                "inet:localhost:8891",
                "unix:/run/other\n  inet:127.0.0.1:8891 ,",
                "{ unix:/run/other, default_action=accept } { inet:127.0.0.1:8891, default_action = tempfail }",
                "{inet:127.0.0.1:8891, connect_timeout=10s}",
            ],
            [
                "",
                "inet:127.0.0.1:11332",
                "inet:127.0.0.1:88910",
                "inet:127.0.0.1:8891, inet:127.0.0.1:11332",
                "{ inet:127.0.0.1:8891, default_action=accept }",
                "{ inet:127.0.0.1:8891, connect_timeout=10s, default_action = quarantine }",
                "{ inet:127.0.0.1:8891",
                "{ }",
            ],
        ),
        ("smtpd_milter_maps", [""], ["static:DISABLE", "cidr:/etc/postfix/milters"]),
        *((name, [""], ["hash:/etc/postfix/somewhere"]) for name in CHANGES_RECIPIENTS),
        ("non_smtpd_milters", ["inet:127.0.0.1:8891"], [""]),
        ("milter_default_action", ["tempfail"], ["accept", "reject", "quarantine"]),
        ("milter_protocol", ["6"], ["2"]),
        ("milter_command_timeout", ["30s", "30", "1m"], ["10s", "forever"]),
        ("milter_content_timeout", ["300s", "5m", "1h"], ["30s", "4m"]),
        (
            "smtp_tls_policy_maps",
            [
                "socketmap:inet:127.0.0.1:9999:tls",
                "socketmap:unix:/run/sealpost/tls:tls, hash:/etc/postfix/tls",
                "proxy:socketmap:unix:/run/sealpost/tls:tls",
            ],
            ["", "hash:/etc/postfix/tls socketmap:inet:127.0.0.1:8892:tls", "socketmap:inet:127.0.0.1:8461:postfix"],
        ),
        ("smtp_tls_security_level", ["may", "encrypt", "dane"], ["", "none", "secure", "dane-only"]),
        ("smtp_dns_support_level", ["dnssec"], ["", "enabled"]),
        ("smtp_tls_CApath", ["/etc/ssl/certs", "/elsewhere"], [""]),
        ("smtp_tls_fingerprint_digest", ["sha256"], ["md5"]),
        ("tls_required_enable", ["no"], ["yes"]),
    ],
)
def test_a_value_that_will_not_do_is_told_by_its_name(name: str, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert wrong(**{name: value}) == []
    for value in bad:
        assert wrong(**{name: value}) == [name]


def test_authorities_in_a_file_do_as_well() -> None:
    assert wrong(smtp_tls_CApath="", smtp_tls_CAfile="/etc/ssl/cert.pem") == []
    assert "smtp_tls_CAfile" in parameters(LINES)


def test_what_this_postfix_does_not_know_is_not_missed() -> None:
    page = Page("main.cf")
    compare(page, LINES, {})
    assert page.warnings == []


def test_a_warning_says_what_it_is_what_it_should_be_and_what_follows() -> None:
    page = Page("/etc/postfix/main.cf")
    compare(page, LINES, {**GOOD, "milter_default_action": "accept", "smtpd_milters": ""})
    assert [str(warning) for warning in page.warnings] == [
        "/etc/postfix/main.cf: smtpd_milters: this is empty, and should be `inet:127.0.0.1:8891`: its mail may pass the"
        " gateway by; ours has to be the last, because one behind it may change or refuse what was taken over, and"
        " without a default_action of its own but tempfail",
        "/etc/postfix/main.cf: milter_default_action: this is `accept`, and should be `tempfail`: while the gateway"
        " does not answer, mail would leave unjudged (`accept`) or be lost",
    ]
    page = Page("main.cf")
    compare(page, LINES, {**GOOD, "always_bcc": "archive@council.example"})
    assert [str(warning) for warning in page.warnings] == [
        "main.cf: always_bcc: this is `archive@council.example`: the gateway judges the recipients before Postfix"
        " changes or adds any, so mail that stays with Postfix may go where no rule was asked; what is taken over goes"
        " to the recipients as the client named them"
    ]


def test_one_of_several_listeners_is_enough() -> None:
    lines = milter_lines(["127.0.0.1:8891", "unix:/run/sealpost/gate"], takes=False)
    page = Page("main.cf")
    compare(page, lines, {"smtpd_milters": "unix:/run/sealpost/gate", "non_smtpd_milters": "inet:127.0.0.1:8891"})
    assert page.warnings == []
