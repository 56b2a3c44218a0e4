import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from gateway.app.system import SystemClock
from gateway.cli import check, main
from gateway.config.checks.trust import DANE_OFF
from gateway.core.facts import Label, LabelResult
from gateway.flow.labels_seen import LabelsSeen
from gateway.spool.state import SharedState
from tests.config.certified import certified
from tests.fixtures.council import change

Run = Callable[..., tuple[int, list[str], str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, list[str], str]:
        monkeypatch.setattr("sys.argv", ["sealpost", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        code = caught.value.code
        assert code is None or isinstance(code, int)
        return code or 0, out.splitlines(), err

    return run


def line_with(file: Path, text: str) -> int:
    """The number of the one line that holds the text."""
    [number] = [number for number, line in enumerate(file.read_text().splitlines(), start=1) if text in line]
    return number


def test_the_documented_example_is_fine(tmp_path: Path, run: Run) -> None:
    assert run("check", "--config", certified(tmp_path)) == (
        0,
        [
            f"The policy has no tests of its own: there are none in {tmp_path}/policies/tests/council/*.toml.",
            DANE_OFF,
            "0 problems, 0 warnings. 7 rules, 0 policy tests run.",
        ],
        "",
    )


def test_the_nearest_configuration_is_checked_by_default(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    certified(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run("check")[0] == 0


def test_every_problem_is_printed_with_its_file_and_key(tmp_path: Path, run: Run) -> None:
    config = certified(tmp_path)
    change(config, ("workers  = 0", "worker = 0"), ("[system]  ", "[sistem]  "))
    code, lines, _ = run("check", "--config", config)
    assert code == 1
    assert lines == [
        f"problem: {config}: system: this is missing",
        f"problem: {config}:{line_with(config, 'worker = 0')}: worker: unknown key `worker`, did you mean `workers`?",
        f"problem: {config}:{line_with(config, '[sistem]')}: sistem: unknown key `sistem`, did you mean `system`?",
        "3 problems, 0 warnings: the configuration cannot be used.",
    ]


def test_with_a_resolver_that_is_believed_dane_is_not_off(tmp_path: Path, run: Run) -> None:
    config = certified(tmp_path)
    change(config, ("trust_ad    = false", "trust_ad    = true"))
    code, lines, _ = run("check", "--config", config)
    assert code == 0 and DANE_OFF not in lines and len(lines) == 2


def test_missing_files_and_failed_policy_tests_are_problems(tmp_path: Path, run: Run) -> None:
    config = certified(tmp_path)
    (tmp_path / "certs/cjsm.pem").unlink()
    cjsm = line_with(config, "certs/cjsm.pem")
    tests = tmp_path / "policies/tests/council"
    tests.mkdir(parents=True)
    (tests / "a.toml").write_text(
        '[[cases]]\nname = "x"\nfrom = "a@council.example"\nto = "b@x.example"\nexpect = { rule = "Public" }\n'
    )
    code, lines, _ = run("check", "--config", config)
    assert code == 1
    assert lines == [
        f"problem: {config}:{cjsm}: routes.cjsm.client_certificate: there is no file {tmp_path}/certs/cjsm.pem",
        f"problem: {tests}/a.toml:1: cases[1]: `x`: the rule is 'Controlled', expected 'Public'",
        DANE_OFF,
        "2 problems, 0 warnings. 7 rules, 1 policy test run.",
    ]


def test_one_problem_hides_no_other(tmp_path: Path, run: Run) -> None:
    config = certified(tmp_path)
    (tmp_path / "certs/hop.key").unlink()
    (tmp_path / "certs/cjsm.pem").write_text("xx")
    change(tmp_path / "policies/council.toml", ('{ intent = "encrypted" }', '{ itent = "encrypted" }'))
    change(tmp_path / "policies/council.toml", ('route  = ["secure", ', 'route  = ["secur", '))
    code, lines, _ = run("check", "--config", config)
    assert code == 1
    assert [re.sub(r":\d+: ", ": ", line.replace(f"{tmp_path}/", "")) for line in lines] == [
        "problem: sealpost.toml: secrets.hop: the file `certs/hop.key` cannot be read: No such file or directory",
        "problem: policies/council.toml: rules[4].when.itent: unknown condition `itent`, did you mean `intent`?",
        "problem: policies/council.toml: rules[5].route: unknown route `secur`, did you mean `secure`?",
        "problem: sealpost.toml: routes.cjsm.client_certificate: there is no certificate in PEM form in certs/cjsm.pem",
        "4 problems, 0 warnings: the configuration cannot be used.",
    ]


def test_a_warning_alone_is_no_finding(tmp_path: Path, run: Run) -> None:
    config = certified(tmp_path)
    (tmp_path / "certs/hop.key").chmod(0o644)
    code, lines, _ = run("check", "--config", config)
    assert code == 0
    assert lines[0].startswith(f"warning: {config}: others can read the secret {tmp_path}/certs/hop.key")
    assert lines[2:] == [DANE_OFF, "0 problems, 1 warning. 7 rules, 0 policy tests run."]


def test_no_configuration_at_all_is_one_sentence(tmp_path: Path, run: Run) -> None:
    code, lines, _ = run("check", "--config", tmp_path / "none.toml")
    assert code == 1
    assert lines[0] == f"problem: {tmp_path}/none.toml: the file cannot be read: No such file or directory"


def test_an_unknown_option_is_usage(run: Run) -> None:
    code, lines, err = run("check", "--confg", "x")
    assert (code, lines) == (2, [])
    assert "--config" in err


def test_a_terminal_gets_the_rules_as_a_table(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    config = certified(tmp_path)
    text = StringIO()
    change(
        tmp_path / "policies/council.toml",
        ('route  = ["encrypted"]', "reject = true"),
        ('"Public"', '"Public [bold]"'),
        ('route  = ["secure", "encrypted"]', 'route = ["secure", "encrypted"]\nbelow_floor = "agreed with the DPO"'),
    )
    monkeypatch.setattr(check, "Console", lambda: Console(file=text, width=150))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert run("check", "--config", config)[0] == 0
    rows = [[cell.strip() for cell in line.split("│")] for line in text.getvalue().splitlines()]
    assert ["", "Inside the organisation", "internal", "its floor", ""] in rows
    assert ["", "Public [bold]", "opportunistic", "its floor", ""] in rows
    assert ["", "The Encrypted button", "reject", "its floor", ""] in rows
    assert [
        "",
        "Restricted, or the Secure button",
        "secure, then encrypted",
        "lowered: agreed with the DPO",
        "",
    ] in rows


def test_each_finding_has_its_line(tmp_path: Path, run: Run) -> None:
    config, policy = certified(tmp_path), tmp_path / "policies/council.toml"
    change(policy, ('route  = ["secure", ', 'route  = ["secur", '))
    [line] = [line for line in run("check", "--config", config)[1] if line.startswith("problem: ")]
    number = line_with(policy, 'secur"')
    assert line == f"problem: {policy}:{number}: rules[5].route: unknown route `secur`, did you mean `secure`?"


def test_what_does_nothing_or_gets_weaker_is_a_warning(tmp_path: Path, run: Run) -> None:
    config, policy = certified(tmp_path), tmp_path / "policies/council.toml"
    change(policy, ('when  = { recipient = "group:cjsm" }', 'when  = { recipient = ["group:cjsm", "police.example"] }'))
    change(
        policy,
        (
            '[[rules]]\nname  = "Automatic mail',
            '[[rules]]\nname = "Late"\nwhen = { recipient = "a@police.example" }\n'
            'reject = true\nadvice = "call"\n\n[[rules]]\nname  = "Automatic mail',
        ),
        ('route  = ["secure", "encrypted"]', 'route = ["encrypted", "secure"]\nbelow_floor = "agreed"'),
    )
    change(
        config, ("[routes.opportunistic]", '[routes.spare]\ntransport = "mx"\ntls = "may"\n\n[routes.opportunistic]')
    )
    code, lines, _ = run("check", "--config", config)
    assert code == 0
    warned = [line.removeprefix("warning: ").replace(f"{tmp_path}/", "") for line in lines if "warning: " in line]
    late, weak, spare = line_with(policy, '"Late"') - 1, line_with(policy, 'route = ["enc'), line_with(config, "spare")
    assert warned == [
        f"policies/council.toml:{late}: rules[3]: `Late` can never be reached: "
        "`Criminal justice addresses go by CJSM` takes all that it matches",
        f"policies/council.toml:{weak}: rules[6].route: the chain gets weaker: `encrypted` gives sealed, "
        "`secure` behind it only verified",
        f"sealpost.toml:{spare}: routes.spare: no rule sends by `spare`",
    ]


SOLICITOR = "A solicitor,sol.example,NDA,controlled,2020-03-31"
REGISTERS = {
    "p.csv": f"name,members,agreement,levels,expires\n\nA club,club.example,,,\n{SOLICITOR}\n"
    "A firm,f.example,ISA,public,\n",
    "m.toml": '[[mailbox]]\naddress="a@council.example"\nkind="list"\nowner="Ann"\nreviewed=2099-01-01\n\n'
    '[[mailbox]]\naddress="b@council.example"\nkind="list"\nowner="Bea"\n',
    "s.csv": "name,level,sender,review\nscans,public,s@council.example,2099-01-01\n"
    "bins,public,b@council.example,2020-01-01\n",
    # One reference stands for both, of which one has ended.
    "e.csv": "route,sender,recipient,up_to,until,reference\n"
    "encrypted,council.example,x.example,25MiB,2099-01-01,SD-1\n"
    "encrypted,council.example,x.example,25MiB,2020-01-01,SD-1\n",
}


def test_what_the_registers_say_of_themselves_has_their_file_and_line(tmp_path: Path, run: Run) -> None:
    config, policies = certified(tmp_path), tmp_path / "policies"
    named = 'partners = "p.csv"\nmailboxes = "m.toml"\nsystems = "s.csv"\nexceptions = "e.csv"'
    change(policies / "council.toml", ("[groups]", f"[registers]\n{named}\n\n[groups]"))
    for name, text in REGISTERS.items():
        (policies / name).write_text(text)
    code, lines, _ = run("check", "--config", config)
    assert code == 0
    warned = [line.removeprefix("warning: ").replace(f"{policies}/", "") for line in lines if "warning: " in line]
    assert warned == [
        "p.csv: line 5: the ISA with A firm holds for ever: say when it `expires`",
        "p.csv: line 4: the NDA with A solicitor ended on 2020-03-31",
        "m.toml:7: mailbox[2]: nobody has reviewed who reads b@council.example; ask Bea",
        "s.csv: line 3: the review of bins was due on 2020-01-01",
        "e.csv: line 3: the exception SD-1 ended on 2020-01-01: take it out",
    ]
    many = "".join(f"P{number},p{number}.example,NDA,public,\n" for number in range(22))
    (policies / "p.csv").write_text(f"name,members,agreement,levels,expires\n{many}")
    assert f"warning: {policies}/p.csv: and 2 more of this kind" in run("check", "--config", config)[1]


def test_a_partner_line_that_was_cut_off_is_a_problem(tmp_path: Path, run: Run) -> None:
    config, policies = certified(tmp_path), tmp_path / "policies"
    change(policies / "council.toml", ("[groups]", '[registers]\npartners = "p.csv"\n\n[groups]'))
    (policies / "p.csv").write_text(REGISTERS["p.csv"].replace(",2020-03-31", ""))
    code, lines, _ = run("check", "--config", config)
    assert code == 1
    assert lines[0] == f"problem: {policies}/p.csv: line 4: there are 4 cells, line 1 names 5 columns"


def test_held_mail_that_nobody_is_asked_about_is_a_warning(tmp_path: Path, run: Run) -> None:
    config, policy = certified(tmp_path), tmp_path / "policies/council.toml"
    held = "".join(
        f'[[rules]]\nname = "{name}"\nwhen = {{ recipient = "{name}.example" }}\nhold = true\n{more}\n'
        for name, more in (("Alone", ""), ("Asked", 'release_by = "dpo"\n'))
    )
    roles = '[roles]\ndpo = "dpo@council.example"\n'
    change(
        policy,
        ("[groups]", f"{roles}\n[groups]"),
        ('[[rules]]\nname  = "Automatic mail', f'{held}[[rules]]\nname  = "Automatic mail'),
    )
    code, lines, _ = run("check", "--config", config)
    number = line_with(policy, '"Alone"') - 1
    text = "rules[3]: nobody is asked to look at what `Alone` holds: say `release_by`"
    assert (code, [line for line in lines if line.startswith("warning: ")]) == (
        0,
        [f"warning: {policy}:{number}: {text}"],
    )


def test_what_the_spool_remembers_of_labels_is_told(tmp_path: Path, run: Run) -> None:
    config = certified(tmp_path)
    change(config, ("sqlite:///var/spool/sealpost", "sqlite:spool"))
    (tmp_path / "spool").mkdir()
    asyncio.run(remember(tmp_path / "spool"))
    code, lines, _ = run("check", "--config", config)
    assert code == 0
    [line] = [line for line in lines if line.startswith("warning: ")]
    assert "header X-Classification said `Top secret` 2 times, last on " in line
    assert line.endswith(": no level is named for it")


async def remember(spool: Path) -> None:
    state = await SharedState.open(spool / "state.db", SystemClock())
    seen = LabelsSeen(state)
    garbled = Label(source="header X-Classification", raw="Top secret", result=LabelResult.GARBLED, level=None)
    seen.note([garbled])
    seen.note([garbled])
    await seen.write(datetime.now(UTC))
    await state.aclose()
