"""`sealpost policy` beside a running gateway: history, a way back, and what refuses it."""

import json
from pathlib import Path

from tests.app.house import House, house
from tests.cli.running import Service, sealpost, started

RULE = 'name  = "Public"\nroute = ["opportunistic"]'
STRICT = 'name  = "Nothing in the clear"\nroute = ["tls"]'


async def level_of(here: House, service: Service, number: int) -> object:
    """The rule that decides a public message now."""
    queue_id = await here.send(f"r{number}@tls.example", level="public")
    [line] = [line for line in service.lines("decided") if line["queue_id"] == queue_id]
    return line["rule"]


async def test_a_change_is_recorded_and_can_be_taken_back(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here) as service:
        before = here.household.policy.read_text()
        here.edit(here.household.policy, RULE, STRICT)
        assert (await sealpost(here, "reload", "--reference", "CHG-7")).code == 0
        assert await level_of(here, service, 1) == "Nothing in the clear"

        told = json.loads((await sealpost(here, "policy", "history", "--json")).out)
        assert [(each["reference"], bool(each["before"])) for each in told] == [("CHG-7", True), ("start", False)]
        assert told[0]["operator"]
        assert '+name  = "Nothing in the clear"' in told[0]["difference"]
        shown = await sealpost(here, "policy", "show", told[0]["hash"][:10])
        assert "(CHG-7), 4 lines changed" in shown.out
        assert '-name  = "Public"' in shown.out
        assert (await sealpost(here, "policy", "show", told[1]["hash"], "--text")).out == before

        ran = await sealpost(here, "policy", "rollback", "--reference", "CHG-8")
        assert (ran.code, ran.err) == (0, "")
        assert "is in force again" in ran.out
        assert here.household.policy.read_text() == before
        assert await level_of(here, service, 2) == "Public"
        lines = (await sealpost(here, "policy", "history")).out.splitlines()
        assert len(lines) == 3
        assert "(CHG-8)" in lines[0]
        assert lines[0].split()[1] == lines[2].split()[1]
        [_, *changes] = service.lines("policy")
        assert [line["reference"] for line in changes] == ["CHG-7", "CHG-8"]


async def test_a_change_that_was_never_loaded_is_not_lost(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here):
        here.edit(here.household.policy, RULE, STRICT)
        assert (await sealpost(here, "reload")).code == 0
        here.edit(here.household.policy, "Nothing in the clear", "Not yet loaded")
        ran = await sealpost(here, "policy", "rollback")
        assert (ran.code, ran.out) == (1, "")
        assert "were changed and never loaded" in ran.err
        assert "Not yet loaded" in here.household.policy.read_text()


async def test_registers_go_back_too_and_a_policy_that_fits_no_more_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as here, started(here) as service:
        register = here.household.policy.parent / "friends.txt"
        register.write_text("tls.example\n")
        register.chmod(0o604)
        rule = '[[rules]]\nname = "Friends"\nwhen = { recipient = "group:friends" }\nroute = ["internal"]\n\n'
        text = here.household.policy.read_text()
        at = text.index("[[rules]]")
        grouped = f'{text[:at]}[groups.friends]\nfile = "friends.txt"\n\n{rule}{text[at:]}'
        here.household.policy.write_text(grouped)
        assert (await sealpost(here, "reload")).code == 0
        assert await level_of(here, service, 1) == "Friends"
        register.write_text("nobody.example\n")
        assert (await sealpost(here, "reload")).code == 0
        assert await level_of(here, service, 2) == "Public"

        ran = await sealpost(here, "policy", "rollback")
        assert ran.code == 0, ran.err
        assert register.read_text() == "tls.example\n"
        assert register.stat().st_mode & 0o777 == 0o604
        assert await level_of(here, service, 3) == "Friends"

        # The first policy of all has no such group; to it the way is open, by its hash.
        first = json.loads((await sealpost(here, "policy", "history", "--json")).out)[-1]["hash"]
        assert (await sealpost(here, "policy", "rollback", first[:8])).code == 0
        assert here.household.policy.read_text() == text
        assert register.read_text() == "tls.example\n"

        # A route that is gone: the earlier policies cannot be had any more, and nothing is written.
        unused = text.replace('route = ["opportunistic"]', 'route = ["tls"]')
        here.household.policy.write_text(unused)
        assert (await sealpost(here, "reload")).code == 0
        config = here.household.config.read_text()
        here.household.config.write_text(
            config.replace("[routes.opportunistic]", "[routes.other]").replace('"opportunistic"', '"other"')
        )
        assert (await sealpost(here, "reload")).code == 0
        ran = await sealpost(here, "policy", "rollback")
        assert ran.code == 1
        assert "unknown route `opportunistic`" in ran.err
        assert here.household.policy.read_text() == unused


async def test_without_a_gateway_the_files_go_back_and_one_is_told(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        before = here.household.policy.read_text()
        ran = await sealpost(here, "policy", "rollback")
        assert (ran.code, ran.err) == (1, "sealpost: no earlier policy is known\n")
        assert (await sealpost(here, "policy", "history")).out == "No policy has come into force on this spool yet.\n"
        async with started(here):
            here.edit(here.household.policy, RULE, STRICT)
            assert (await sealpost(here, "reload")).code == 0
        ran = await sealpost(here, "policy", "rollback")
        assert ran.code == 0
        assert "No gateway is running" in ran.out
        assert here.household.policy.read_text() == before
        missing = await sealpost(here, "policy", "show", "ffffffff")
        assert missing.code == 1
        assert "no policy with the hash ffffffff is known" in missing.err
