"""Registers as a policy names them: read with it, refused with it, kept with it."""

from pathlib import Path

import pytest

from gateway.config.bundle import Bundle, read_bundle
from gateway.config.load import examine, load, policy_from
from gateway.config.page import Page
from gateway.config.policy_file import read_policy
from gateway.config.problems import ConfigError
from gateway.core.address import parse_address
from gateway.core.decide import decide
from gateway.core.policy import Policy, Send
from gateway.core.registers.schools import SchoolType
from gateway.core.template import Template
from tests.fixtures.build import facts
from tests.fixtures.council import change, council

NAMED = """
[registers]
partners      = "registers/partners.csv"
mailboxes     = "registers/mailboxes.csv"
schools       = "registers/schools.csv"
schools_under = ["*.sch.example"]
systems       = "registers/systems.csv"
exceptions    = "registers/exceptions.csv"
transfers     = "registers/transfers.csv"

[groups.free]
file      = "registers/free.txt"
domains   = ["other.example"]
addresses = ["amy@one.example"]

[[rules]]
name  = "Certain files"
table = "transfers"

[[rules]]
name   = "No agreement"
when   = { agreement = ["none", "expired", "not covering"], recipient = "group:free" }
reject = true
advice = "Ask for one."

[[rules]]                                             # first match wins; the last rule has no condition
"""
FILES = {
    "partners.csv": "name,members,agreement,levels\nP,partner.example,ISA,controlled\n",
    "mailboxes.csv": "address,kind,owner\nall@council.example,list,Ann\n",
    "schools.csv": "name,members,type,logon\nHill,hill.sch.example,academy,yes\n",
    "systems.csv": "name,level,sender\nnews,public,news@council.example\n",
    "exceptions.csv": "route,sender,recipient,up_to,until,reference\n"
    "encrypted,council.example,group:free,25MiB,2099-12-31,SD-1\n",
    "transfers.csv": "name,files,body,route,advice\nxml,*.xml,a.example,encrypted,\npdf,*.pdf,a.example,,Upload it.\n",
    "free.txt": "free.example\n*.free.example\nbob@two.example\n",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = council(tmp_path)
    marker = "[[rules]]                                             # first match wins; the last rule has no condition"
    change(tmp_path / "policies/council.toml", (marker, NAMED.strip()))
    (tmp_path / "policies/registers").mkdir()
    for name, text in FILES.items():
        (tmp_path / "policies/registers" / name).write_text(text)
    return path


def put(config: Path, name: str, text: str) -> None:
    (config.parent / "policies/registers" / name).write_text(text)


def said(config: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(read_bundle(config))
    return [str(problem).replace(f"{config.parent}/", "") for problem in raised.value.problems]


def rules_of(policy: Policy, count: int) -> list[str]:
    return [rule.name for rule in policy.rules[:count]]


def test_everything_that_the_policy_names_is_there(config: Path) -> None:
    policy = load(read_bundle(config)).policy
    registers = policy.registers
    assert registers.partners.domains["partner.example"].name == "P"
    assert registers.mailboxes.addresses["all@council.example"].owner == "Ann"
    assert registers.schools.domains["hill.sch.example"].logon
    assert registers.schools.below["sch.example"].type is SchoolType.UNKNOWN
    assert [system.name for system in registers.systems] == ["news"]
    assert [waiver.recipient for waiver in registers.waivers] == [policy.groups["free"]]
    for member in ("a@free.example", "a@x.free.example", "bob@two.example", "a@other.example", "amy@one.example"):
        assert parse_address(member) in policy.groups["free"]
    assert parse_address("bob@one.example") not in policy.groups["free"]


def test_a_table_is_rules_at_its_place(config: Path) -> None:
    rules = load(read_bundle(config)).policy.rules
    assert [rule.name for rule in rules[:3]] == ["Certain files: xml", "Certain files: pdf", "No agreement"]
    assert [rule.key for rule in rules[:3]] == ["rules[1]", "rules[1]", "rules[2]"]
    assert rules[0].action == Send(("encrypted",))
    assert rules[1].advice == Template("Upload it.")


def test_a_table_without_lines_is_no_rule(config: Path) -> None:
    put(config, "transfers.csv", FILES["transfers.csv"].splitlines()[0])
    assert rules_of(load(read_bundle(config)).policy, 1) == ["No agreement"]


def test_a_register_that_cannot_be_read_refuses_the_policy(config: Path) -> None:
    (config.parent / "policies/registers/schools.csv").unlink()
    (config.parent / "policies/registers/free.txt").unlink()
    put(config, "partners.csv", FILES["partners.csv"].replace("ISA", "isa"))
    put(config, "exceptions.csv", FILES["exceptions.csv"].replace("encrypted", "encripted"))
    put(config, "transfers.csv", FILES["transfers.csv"].replace("encrypted", "encripted"))
    folder, gone = "policies/registers", "No such file or directory"
    assert said(config) == [
        f"policies/council.toml: groups.free.file: the file `{folder}/free.txt` cannot be read: {gone}",
        f"policies/council.toml: registers.schools: the file `{folder}/schools.csv` cannot be read: {gone}",
        f"{folder}/partners.csv: line 2.agreement: unknown value `isa`; known are ISA, NDA, contract",
        f"{folder}/exceptions.csv: line 2.route: unknown route `encripted`, did you mean `encrypted`?",
        f"{folder}/transfers.csv: line 2.route: unknown route `encripted`, did you mean `encrypted`?",
    ]


def test_what_the_policy_itself_says_of_registers_is_checked(config: Path) -> None:
    policy = config.parent / "policies/council.toml"
    change(
        policy,
        ('"*.sch.example"', '"sch example"'),
        ('domains   = ["other.example"]', 'domains   = ["other example"]'),
        ('["amy@one.example"]', '["one.example"]'),
        ("systems       =", "machines      ="),
    )
    assert [line.partition(": ")[2].partition("`")[0] for line in said(config)] == ["registers.machines: unknown key "]
    change(policy, ("machines      =", "systems       ="))
    assert [line.split(": ")[1] for line in said(config)] == [
        "groups.free.addresses[1]",
        "groups.free.domains",
        "registers.schools_under[1]",
    ]


def test_a_table_needs_its_file_and_a_file_a_rule(config: Path) -> None:
    policy = config.parent / "policies/council.toml"
    change(policy, ('transfers     = "registers/transfers.csv"', ""))
    text = 'the policy keeps no such register: name its file, [registers] transfers = "…"'
    assert said(config) == [f"policies/council.toml: rules[1].table: {text}"]
    change(
        policy,
        ("[groups.free]", 'transfers = "registers/transfers.csv"\n[groups.free]'),
        ('table = "transfers"', 'route = ["secure"]'),
        ('name  = "Certain files"', 'name  = "Certain files"\nwhen = { automatic = true }'),
    )
    warnings = [str(warning) for warning in load(read_bundle(config)).warnings]
    [warning] = [warning for warning in warnings if "registers.transfers" in warning]
    assert 'no rule says table = "transfers"' in warning


def test_schools_are_known_by_their_domains_alone(config: Path) -> None:
    policy = config.parent / "policies/council.toml"
    change(
        policy,
        ('schools       = "registers/schools.csv"', ""),
        (
            'when   = { agreement = ["none", "expired", "not covering"], recipient = "group:free" }',
            "when = { school = { logon = false } }",
        ),
    )
    loaded = load(read_bundle(config)).policy
    ruling = decide(facts(), parse_address("a@any.sch.example"), loaded)
    assert ruling.decision.rule == "No agreement"


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_byte_of_a_register_is_part_of_both_hashes(config: Path, name: str) -> None:
    before = read_bundle(config)
    put(config, name, FILES[name] + "\n")
    after = read_bundle(config)
    assert after.hash != before.hash
    assert load(after).policy.hash != load(before).policy.hash
    assert load(read_bundle(config)).policy.hash == load(after).policy.hash


def test_registers_cross_the_pipe(config: Path) -> None:
    (config.parent / "policies/registers/free.txt").unlink()
    sent = read_bundle(config)
    got = Bundle.from_bytes(sent.to_bytes())
    assert (got.beside, got.hash) == (sent.beside, sent.hash)
    assert [str(problem) for problem in examine(got).problems] == [str(problem) for problem in examine(sent).problems]


def test_a_kept_policy_decides_as_it_did_whatever_became_of_its_registers(config: Path) -> None:
    bundle = read_bundle(config)
    loaded = load(bundle)
    put(config, "partners.csv", FILES["partners.csv"].replace("partner.example", "other.example"))
    put(config, "free.txt", "partner.example\n")
    kept = policy_from(bundle.policy_text, loaded.settings)
    assert kept == loaded.policy
    now = load(read_bundle(config)).policy
    for address, decided in (("a@partner.example", "Controlled"), ("a@free.example", "No agreement")):
        assert decide(facts(), parse_address(address), kept).decision.rule == decided
        assert decide(facts(), parse_address(address), now).decision.rule != decided


def test_a_kept_policy_may_name_routes_that_have_gone(config: Path) -> None:
    bundle = read_bundle(config)
    settings = load(bundle).settings
    text = bundle.policy_text
    page = Page("p")
    assert read_policy(page, bundle.policy_bytes, {}, bundle.beside) is not None
    assert read_policy(page, bundle.policy_bytes, {}, bundle.beside, frozenset()) is None
    with pytest.raises(ConfigError, match="the kept policy"):
        policy_from(text[:-1], settings)


def test_a_register_without_its_files_is_no_kept_policy(config: Path) -> None:
    bundle = read_bundle(config)
    with pytest.raises(ConfigError, match=r"it was not there when the policy was read"):
        policy_from(bundle.policy_bytes, load(bundle).settings)
