"""help, check, explain and certs as an administrator gives them: answer, exit code, one sentence for an error."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gateway.cli import app
from tests.config.certified import certified
from tests.e2e.asking import Ran, ask
from tests.e2e.stage import OFFICER, POLICIES, letter, wire
from tests.fixtures.council import change

LIMIT = 13 * 1024 * 1024
DCC = ("--policy", POLICIES / "derbyshire.toml")


# --help


def help_pages() -> Iterator[tuple[str, ...]]:
    """The words of every command, groups included."""
    unseen = [((), get_command(app))]
    while unseen:
        words, found = unseen.pop()
        yield words
        unseen += [((*words, name), below) for name, below in getattr(found, "commands", {}).items()]


@pytest.mark.parametrize("words", sorted(help_pages()), ids=" ".join)
def test_the_help_of_every_command_reads_well(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="sealpost", terminal_width=80)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].startswith(" ".join(("Usage: sealpost", *words)))
    assert max(map(len, lines)) <= 80
    # No summary is cut short, no option is without a word about it, and nothing was taken for markup.
    assert not [line for line in lines[1:] if line.endswith("...")]
    found = get_command(app)
    for word in words:
        found = getattr(found, "commands")[word]  # noqa: B009  Only groups have them.
    assert all(getattr(param, "help", None) for param in found.params if param.name != "help")
    # Typer writes the type of an argument behind its name, which cannot be turned off.
    assert "list[" not in done.output.replace("[ID]... <list[str]>", "")
    assert ": ," not in done.output


async def test_help_and_wrong_usage_as_a_process(tmp_path: Path) -> None:
    fine, none, unknown, option = await asyncio.gather(
        ask(tmp_path, "--help"), ask(tmp_path), ask(tmp_path, "nonsense"), ask(tmp_path, "run", "--nonsense")
    )
    assert (fine.code, fine.err) == (0, "")
    for name in ("run", "reload", "check", "explain", "queue", "certs", "sandbox"):
        assert f"\n  {name} " in fine.out
    assert (none.code, unknown.code, option.code) == (2, 2, 2)
    assert unknown.err.endswith("Error: No such command 'nonsense'.\n")
    assert option.err.endswith("Error: No such option: --nonsense\n")


# check


@pytest.mark.parametrize("name", ["starter", "derbyshire"])
async def test_a_shipped_policy_is_fine_and_its_own_tests_run(tmp_path: Path, name: str) -> None:
    config = certified(tmp_path)
    shutil.copy(POLICIES / f"{name}.toml", tmp_path)
    shutil.copytree(POLICIES / "tests" / name, tmp_path / "tests" / name)
    shutil.copytree(POLICIES / "registers", tmp_path / "registers")
    change(config, ('policy   = "policies/council.toml"', f'policy   = "{name}.toml"'))
    ran = await ask(tmp_path, "check")
    assert (ran.code, ran.err) == (0, "")
    *warnings, last = [line for line in ran.out.splitlines() if line.startswith(("warning: ", "0 problems"))]
    assert last.startswith(f"0 problems, {len(warnings)} warning")
    assert all("routes.cjsm" in line for line in warnings), "the starter policy has no use for that route"
    assert last.endswith(" policy tests run.")
    assert " 0 policy tests" not in last


async def test_check_names_every_problem_of_both_files_with_file_and_key(tmp_path: Path) -> None:
    config = certified(tmp_path)
    change(config, ("[system]  ", "[sistem]  "))
    change(tmp_path / "policies" / "council.toml", ('default = "controlled"', 'default = "secret"'))
    ran = await ask(tmp_path, "check", "--config", "sealpost.toml")
    assert (ran.code, ran.err) == (1, "")
    *problems, last = ran.out.splitlines()
    assert all(line.startswith("problem: ") for line in problems)
    assert "problem: sealpost.toml:82: sistem: unknown key `sistem`, did you mean `system`?" in problems
    assert any(line.startswith("problem: policies/council.toml:10: classification.default: ") for line in problems)
    assert last == f"{len(problems)} problems, 0 warnings: the configuration cannot be used."


async def test_a_policy_whose_tests_fail_is_a_finding(tmp_path: Path) -> None:
    config = certified(tmp_path)
    shutil.copy(POLICIES / "starter.toml", tmp_path)
    shutil.copytree(POLICIES / "tests" / "starter", tmp_path / "tests" / "starter")
    change(config, ('policy   = "policies/council.toml"', 'policy   = "starter.toml"'))
    change(tmp_path / "starter.toml", ('default = "controlled"', 'default = "public"    '))
    ran = await ask(tmp_path, "check")
    assert ran.code == 1
    assert any("tests/starter/levels.toml" in line for line in ran.out.splitlines()[:-1])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing.toml", "missing.toml: the file cannot be read: No such file or directory"),
        ("binary.toml", "binary.toml: the file is not UTF-8 text"),
    ],
)
async def test_check_says_why_a_configuration_is_none(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "binary.toml").write_bytes(b"x = [\xff")
    ran = await ask(tmp_path, "check", "--config", name)
    first, last = ran.out.splitlines()
    assert ran.code == 1
    assert first.startswith(f"problem: {text}")
    assert last == "1 problem, 0 warnings: the configuration cannot be used."


@pytest.mark.parametrize("command", [("run",), ("reload",), ("queue", "list")], ids=" ".join)
async def test_every_other_command_says_so_in_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "broken.toml").write_bytes(b"[listen\n")
    ran = await ask(tmp_path, *command, "--config", "broken.toml")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("\n") == 1
    assert "broken.toml: this is not TOML: " in ran.err


async def test_an_empty_configuration_is_told_what_is_missing_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sealpost.toml").write_text("")
    ran = await ask(tmp_path, "check")
    *problems, _ = ran.out.splitlines()
    assert ran.code == 1
    assert all(line.endswith(": this is missing") for line in problems)
    assert len({line.split(": ")[2] for line in problems}) == len(problems)


# explain

ANSWER = {"classification", "labels", "attachments", "attachment_bytes", "message_bytes", "recipients"}
RECIPIENT = {"recipient", "rule", "action", "route", "floor", "reason", "advice", "tried"}


async def explain(folder: Path, message: bytes, *words: object) -> Ran:
    (folder / "message.eml").write_bytes(message)
    return await ask(folder, "explain", "message.eml", "--from", OFFICER, *DCC, *words)


async def test_explain_s1_for_scripts(tmp_path: Path) -> None:
    message = wire(letter(attach=[400 * 1024], to="gp@tls.example"))
    to = ("--to", "gp@tls.example", "--to", "dc@police.cjsm.net", "--to", "boss@derbyshire.gov.uk")
    found = (await explain(tmp_path, message, *to, "--json")).json
    assert set(found) >= ANSWER
    assert found["classification"] == "controlled"
    assert found["labels"] == []
    assert found["attachments"] == [{"name": "file0.pdf", "type": "application/pdf", "bytes": 400 * 1024}]
    assert (found["attachment_bytes"], found["message_bytes"]) == (400 * 1024, len(message))
    partner, cjsm, boss = found["recipients"]
    assert all(set(one) >= RECIPIENT for one in (partner, cjsm, boss))
    assert (partner["action"], partner["route"], partner["floor"]) == ("route", ["tls", "encrypted"], "encrypted")
    assert (cjsm["action"], cjsm["route"], cjsm["rule"]) == ("reject", [], "CJSM needs an account")
    assert boss["route"] == ["internal"]
    assert all(set(one) == {"rule", "result", "why"} for one in partner["tried"])
    assert [one["result"] for one in partner["tried"]] == ["no match"] * (len(partner["tried"]) - 1) + ["match"]
    assert partner["tried"][-1]["rule"] == partner["rule"] == "Controlled"


async def test_explain_s1_for_people(tmp_path: Path) -> None:
    message = wire(letter(classification="restricted", attach=[400 * 1024], to="gp@tls.example"))
    ran = await explain(tmp_path, message, "--to", "gp@tls.example", "--tls", "yes")
    assert (ran.code, ran.err) == (0, "")
    lines = [line.strip() for line in ran.out.splitlines()]
    assert "Level      restricted (header X-Classification)" in lines
    assert "Files      1, 400.0 KiB decoded" in lines
    assert "gp@tls.example: goes by secure, then encrypted" in lines
    assert "no match   Inside the council: the recipient gp@tls.example is not in the organisation" in lines
    (decision,) = [line for line in lines if line.startswith("Decision")]
    assert "`Restricted, or the Secure email button`, because the level is restricted" in decision
    assert "Protection never below verified" in lines
    assert any(
        line.startswith("Next       it leaves by secure; if that proves impossible, by encrypted") for line in lines
    )
    assert any(line.startswith("Advice     Ask the Service Desk") for line in lines)


async def test_explain_s4_at_the_limit_and_one_byte_over(tmp_path: Path) -> None:
    words = ("--to", "lawyer@plain.example", "--json")
    at = (await explain(tmp_path, wire(letter(intent="encrypted", attach=[LIMIT - 7, 7])), *words)).json
    over = (await explain(tmp_path, wire(letter(intent="encrypted", attach=[LIMIT - 7, 8])), *words)).json
    assert (at["attachment_bytes"], over["attachment_bytes"]) == (LIMIT, LIMIT + 1)
    assert (at["recipients"][0]["action"], at["recipients"][0]["route"]) == ("route", ["encrypted"])
    assert (over["recipients"][0]["action"], over["recipients"][0]["route"]) == ("reject", [])
    assert "13 MiB" in over["recipients"][0]["reason"]
    assert "Cryptshare" in over["recipients"][0]["advice"]
    assert at["recipients"][0]["rule"] == over["recipients"][0]["rule"]


async def test_explain_with_a_recipient_that_offers_no_tls(tmp_path: Path) -> None:
    message, words = wire(letter(classification="restricted")), ("--to", "parish@plain.example")
    no, unknown = await asyncio.gather(
        explain(tmp_path, message, *words, "--tls", "no", "--json"), explain(tmp_path, message, *words, "--json")
    )
    # The chain is the policy's; which route of it carries the message depends on the answer.
    assert no.json["recipients"][0]["route"] == unknown.json["recipients"][0]["route"] == ["secure", "encrypted"]
    assert no.json["recipients"][0]["likely_route"] == "encrypted"
    assert unknown.json["recipients"][0]["likely_route"] == "secure"
    text = await explain(tmp_path, message, *words, "--tls", "no")
    assert "secure cannot reach a recipient without TLS, so it leaves by encrypted" in text.out


async def test_explain_reads_what_is_piped_into_it(tmp_path: Path) -> None:
    message = wire(letter(classification="public"))
    words = ("explain", "/dev/stdin", "--from", "", "--to", "a@tls.example", *DCC, "--json")
    found = (await ask(tmp_path, *words, stdin=message)).json
    assert (found["classification"], found["message_bytes"]) == ("public", len(message))
    assert found["recipients"][0]["rule"] == "Automatic mail"


FROM, TO = ("--from", OFFICER), ("--to", "a@tls.example")


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("missing.eml", *FROM, *TO, *DCC), 2, "missing.eml cannot be read: No such file or directory"),
        (
            ("m.eml", "--from", "officer", *TO, *DCC),
            2,
            "--from `officer` is not an address: an address needs exactly one @",
        ),
        (("deep.eml", *FROM, *TO, *DCC), 1, "deep.eml would be refused at the door with 554 5.6.0: "),
    ],
)
async def test_explain_says_in_one_sentence_what_it_cannot_do(
    tmp_path: Path, words: tuple[object, ...], code: int, sentence: str
) -> None:
    (tmp_path / "m.eml").write_bytes(b"From: x\r\n\r\nhi\r\n")
    (tmp_path / "deep.eml").write_bytes(b"From: x\r\nX-Long: " + b"y" * 10_000_000 + b"\r\n\r\nhi\r\n")
    ran = await ask(tmp_path, "explain", *words)
    assert ran.code == code
    assert ran.sentence.startswith(sentence)


async def test_explain_without_a_recipient_is_usage(tmp_path: Path) -> None:
    ran = await ask(tmp_path, "explain", "m.eml", *FROM, *DCC)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == "sealpost: name a MESSAGE with --from and --to, or a --queue-id"


# certs


async def test_certificates_are_made_once_shown_and_replaced_when_one_insists(tmp_path: Path) -> None:
    made = await ask(tmp_path, "certs", "init", "--hostname", "mail.council.example", "--hostname", "127.0.0.1")
    assert (made.code, made.err) == (0, "")
    assert [line.split()[0] for line in made.out.splitlines()] == [
        f"certs/{name}" for name in ("ca.key", "ca.pem", "gateway.pem", "hop.key", "sealing.keys", "spool.keys")
    ]
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "certs").iterdir()} == {
        "ca.key": 0o600,
        "ca.pem": 0o644,
        "gateway.pem": 0o600,
        "hop.key": 0o600,
        "sealing.keys": 0o600,
        "spool.keys": 0o600,
    }
    before = (tmp_path / "certs" / "hop.key").read_bytes()
    again, shown = await asyncio.gather(ask(tmp_path, "certs", "init"), ask(tmp_path, "certs", "show"))
    assert again.code == 2
    assert again.sentence == "certs/ca.key is there already; --force replaces it and all that belongs to it"
    assert (shown.code, shown.err) == (0, "")
    for name in ("certs/ca.pem", "certs/gateway.pem", "mail.council.example,", "127.0.0.1,", "localhost"):
        assert name in shown.out
    assert (tmp_path / "certs" / "hop.key").read_bytes() == before
    assert (await ask(tmp_path, "certs", "init", "--force")).code == 0
    assert (tmp_path / "certs" / "hop.key").read_bytes() != before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show",), "there is no certificate in certs; `sealpost certs init` makes some"),
        (("init", "--directory", "file"), "cannot write to file: File exists"),
        (("init", "--hostname", "two words"), "--hostname `two words`: the domain is not a host name"),
    ],
)
async def test_certificates_that_cannot_be_are_one_sentence(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    ran = await ask(tmp_path, "certs", *words)
    assert ran.code == 2
    assert ran.sentence == sentence
    assert not (tmp_path / "certs").exists()


async def test_an_international_host_name_becomes_what_certificates_have(tmp_path: Path) -> None:
    ran = await ask(tmp_path, "certs", "init", "--hostname", "münchen.example")
    assert ran.code == 0
    assert "key and certificate of xn--mnchen-3ya.example, localhost" in ran.out
