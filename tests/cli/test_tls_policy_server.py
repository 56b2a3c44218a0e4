"""`sealpost tls policy-server` as an administrator runs it: start, answers, reload, stop, and what it refuses."""

import signal
import stat
from pathlib import Path

import pytest

from tests.app.house import House, house
from tests.cli.conftest import Call
from tests.cli.policy_server import policy_server
from tests.cli.running import sealpost
from tests.fakes.ports import free_port

KEY = "ab" * 32
PIN = f"""
[[tls.pins]]
name = "Partner"
domains = ["plain.example"]
grade = "pinned"
fingerprints = ["sha256:{KEY}"]
"""
FIRST = "[[rules]]                                             # the first match wins"
SEALED = """[[rules]]
name  = "always sealed"
when  = { recipient = "sealed.example" }
route = ["encrypted"]

"""
CHECKED = "OK secure match=mx.tls.example servername=hostname protocols=>=TLSv1.2"


def with_partners(here: House) -> None:
    register = "name,members,tls\nTrust,tls.example,verified\n"
    (here.household.policy.parent / "partners.csv").write_text(register)
    here.edit(here.household.policy, "[organisation]", '[registers]\npartners = "partners.csv"\n\n[organisation]')


async def test_it_answers_for_partners_and_pins_and_stops_cleanly(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        with_partners(here)
        here.edit(here.household.policy, FIRST, SEALED + FIRST)
        here.household.config.write_text(here.household.config.read_text() + PIN)
        async with policy_server(here.household.config, f"127.0.0.1:{free_port()}") as server:
            assert await server.ask("tls.example") == CHECKED
            assert (await server.ask("plain.example")).startswith("OK fingerprint match=AB:AB:")
            assert await server.ask("selfsigned.example") == "NOTFOUND "
            assert await server.ask(".example") == "NOTFOUND "
            assert await server.ask("[127.0.0.1]:10025") == "NOTFOUND "
            assert (await server.ask("sealed.example")).startswith("TEMP No message may go to sealed.example")
            assert (await server.ask("nowhere.example")).startswith("TEMP ")
            assert (await server.ask("un_known")).startswith("TEMP This is no next hop")
            assert (await server.ask("tls.example", map="aliases")).startswith("PERM ")
            told = await server.heard("tls policy")
            assert (told["next_hop"], told["entry"]) == ("tls.example", CHECKED.removeprefix("OK "))
            assert (await server.heard("tls policy", 5))["level"] == "warning"
            assert await server.stop() == 0


async def test_a_reload_takes_a_new_configuration_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with policy_server(here.household.config, f"127.0.0.1:{free_port()}") as server:
            assert await server.ask("tls.example") == "NOTFOUND "
            with_partners(here)
            server.process.send_signal(signal.SIGHUP)
            assert (await server.heard("reload"))["result"] == "applied"
            assert await server.ask("tls.example") == CHECKED
            good = here.household.config.read_text()
            here.household.config.write_text(good + "\n[nonsense]\n")
            server.process.send_signal(signal.SIGHUP)
            assert (await server.heard("reload", 2))["result"] == "invalid"
            assert await server.ask("tls.example") == CHECKED


async def test_a_spool_cannot_change_while_it_runs(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        async with policy_server(here.household.config, f"127.0.0.1:{free_port()}") as server:
            here.edit(here.household.config, 'url = "sqlite:', 'url = "sqlite:other-')
            server.process.send_signal(signal.SIGHUP)
            assert (await server.heard("reload"))["result"] == "needs restart"
            assert await server.ask("selfsigned.example") == "NOTFOUND "


async def test_a_unix_socket_is_for_every_user_and_gone_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "tls-policy"
    async with house(tmp_path) as here:
        async with policy_server(here.household.config, f"unix:{path}") as server:
            assert stat.S_IMODE(path.stat().st_mode) == 0o666
            assert await server.ask("selfsigned.example") == "NOTFOUND "
            second = await sealpost(here, "tls", "policy-server", "--address", f"unix:{path}")
            assert (second.code, second.err) == (2, f"sealpost: cannot listen on unix:{path}: Address already in use\n")
            assert await server.ask("selfsigned.example") == "NOTFOUND "
            await server.stop(signal.SIGKILL)
        assert path.exists()
        # What a killed one left is in nobody's way.
        async with policy_server(here.household.config, f"unix:{path}") as server:
            assert await server.ask("selfsigned.example") == "NOTFOUND "
            assert await server.stop() == 0
        assert not path.exists()


async def test_a_file_in_the_way_of_a_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("kept")
    async with house(tmp_path) as here:
        ran = await sealpost(here, "tls", "policy-server", "--address", f"unix:{path}")
    assert (ran.code, ran.err) == (2, f"sealpost: cannot listen on unix:{path}: Address already in use\n")
    assert path.read_text() == "kept"


async def test_without_a_spool_it_does_not_start(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        here.household.spool.rmdir()
        ran = await sealpost(here, "tls", "policy-server", "--address", f"127.0.0.1:{free_port()}")
    assert ran.code == 2
    assert ran.err.startswith("sealpost: the shared state cannot be used")


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8892", "192.0.2.1:8892", "localhost:8892", "8892", "unix:relative", "unix:", ""]
)
def test_an_address_that_others_could_reach_is_refused(call: Call, address: str) -> None:
    code, out, err = call("tls", "policy-server", "--address", address)
    assert (code, out) == (2, "")
    assert err.startswith("sealpost: --address: ")
    assert err.count("\n") == 1
