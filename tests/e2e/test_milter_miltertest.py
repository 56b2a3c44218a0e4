"""The milter door as Debian's miltertest, which is none of ours, talks to it."""

import asyncio
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from gateway.core.record import EventKind, State
from tests.e2e.milter_stage import Doors, doors

pytestmark = pytest.mark.peer("miltertest")

SCRIPT = """\
conn = mt.connect("inet:" .. PORT .. "@127.0.0.1", 20, 0.1)
if conn == nil then error "no connection" end
function check(said, what)
    if said ~= nil then error(what .. ": " .. said) end
end
check(mt.conninfo(conn, "pc.example", "192.0.2.1"), "connect")
check(mt.helo(conn, "pc.example"), "helo")
function message(level, rcpt)
    mt.macro(conn, SMFIC_MAIL, "i", "4F1")
    check(mt.mailfrom(conn, "<officer@derbyshire.gov.uk>", "SIZE=500"), "mail")
    if mt.getreply(conn) ~= SMFIR_CONTINUE then error "MAIL was refused" end
    check(mt.rcptto(conn, rcpt), "rcpt")
    if mt.getreply(conn) ~= SMFIR_CONTINUE then error "RCPT was refused" end
    check(mt.data(conn), "data")
    check(mt.header(conn, "From", "officer@derbyshire.gov.uk"), "header")
    check(mt.header(conn, "Message-ID", "<" .. level .. "@derbyshire.gov.uk>"), "header")
    check(mt.header(conn, "X-Classification", level), "header")
    check(mt.eoh(conn), "eoh")
    check(mt.bodyrandom(conn, 100000), "body")
    check(mt.eom(conn), "eom")
end
"""
TAKEOVER = """
message("restricted", "<someone@tls.example>")
if mt.getreply(conn) ~= SMFIR_DISCARD then error "it was not taken" end
message("public", "<someone@plain.example>")
if mt.getreply(conn) ~= SMFIR_ACCEPT then error "it was not left" end
mt.disconnect(conn)
"""
GATE = """
message("controlled", "<someone@tls.example>")
if mt.getreply(conn) ~= SMFIR_ACCEPT then error "it was not left" end
if not mt.eom_check(conn, MT_HDRINSERT, "X-Sealpost-Result") then error "it was not marked" end
check(mt.mailfrom(conn, "<officer@other.example>"), "mail")
if mt.getreply(conn) ~= SMFIR_REPLYCODE then error "a foreign sender was not refused" end
mt.disconnect(conn)
"""


async def run(its: Doors, mode: str, script: str) -> None:
    """Raises AssertionError with what miltertest has to say."""
    command = ("miltertest", "-v", "-D", f"PORT={its.ports[mode]}")
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(30):
        out, err = await process.communicate((SCRIPT + script).encode())
    assert process.returncode == 0, (out + err).decode()


async def test_mail_is_taken_over_or_left(tmp_path: Path) -> None:
    async with doors(tmp_path) as its:
        await run(its, "takeover", TAKEOVER)
        await its.stage.until(lambda: len(its.stage.events(None, EventKind.ENDED)) == 2)
        ends = {event.address: event.state for event in its.stage.events(None, EventKind.ENDED)}
    assert ends == {"someone@tls.example": State.DELIVERED, "someone@plain.example": State.LEFT}


async def test_mail_passes_a_gate_with_a_mark_or_not_at_all(tmp_path: Path) -> None:
    async with doors(tmp_path) as its:
        await run(its, "gate", GATE)
