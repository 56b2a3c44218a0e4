import pytest

from gateway.core.address import BadAddress, parse_address
from gateway.core.domains import DomainSet, Group, parse_domains, parse_party


@pytest.mark.parametrize(
    ("domain", "inside"),
    [
        ("cjsm.net", False),
        ("police.cjsm.net", True),
        ("a.b.police.cjsm.net", True),
        ("notcjsm.net", False),
        ("cjsm.net.example", False),
        ("net", False),
        ("[10.0.0.1]", False),
    ],
)
def test_a_star_means_any_depth_below_and_not_the_domain_itself(domain: str, *, inside: bool) -> None:
    assert (domain in parse_domains(["*.cjsm.net"])) is inside


def test_an_exact_domain_has_no_subdomains() -> None:
    domains = parse_domains(["cjsm.net", "[10.0.0.1]"])
    assert "cjsm.net" in domains
    assert "[10.0.0.1]" in domains
    assert "police.cjsm.net" not in domains


def test_internationalised_names_are_compared_as_a_labels() -> None:
    assert parse_domains(["BÜCHER.example", "*.Bücher.example"]) == DomainSet(
        frozenset({"xn--bcher-kva.example"}), frozenset({"xn--bcher-kva.example"})
    )


@pytest.mark.parametrize("pattern", ["*", "*.", "*cjsm.net", "a.*.net", "a b", ""])
def test_other_patterns_are_refused_by_name(pattern: str) -> None:
    with pytest.raises(BadAddress, match="is not a domain or"):
        parse_domains(["good.example", pattern])


def test_a_group_holds_addresses_and_domains() -> None:
    group = Group("group:x", frozenset({"amy@one.example"}), parse_domains(["*.two.example"]))
    assert parse_address("Amy@ONE.example") in group
    assert parse_address("bob@one.example") not in group
    assert parse_address("bob@sub.two.example") in group
    assert parse_address("bob@two.example") not in Group("group:y", domains=parse_domains(["*.two.example"]))


@pytest.mark.parametrize(
    ("group", "words", "place"),
    [
        (
            Group("group:cjsm", title="criminal justice addresses"),
            "criminal justice addresses",
            "among criminal justice",
        ),
        (Group("group:cjsm"), "the group cjsm", "in the group cjsm"),
        (Group("the organisation"), "the organisation", "in the organisation"),
        (parse_party("*.police.example"), "*.police.example", "in *.police.example"),
    ],
)
def test_texts_for_people_name_a_group_by_its_title_or_its_bare_name(group: Group, words: str, place: str) -> None:
    assert group.words == words
    assert group.place.startswith(place)


def test_one_address_or_pattern_is_a_group_of_its_own() -> None:
    amy = parse_party("Amy@one.example")
    assert amy.label == "Amy@one.example"
    assert parse_address("amy@one.example") in amy
    assert parse_address("bob@one.example") not in amy
    assert parse_address("bob@x.one.example") in parse_party("*.one.example")
    with pytest.raises(BadAddress):
        parse_party("a@b@c")
