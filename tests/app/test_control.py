"""The control socket hears the gateway's own user and root, small and whole requests, and survives the rest."""

import asyncio
import contextlib
import json
import os
import socket
import stat
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.app import control
from gateway.app.control import Control, NotRunning, ask, open_control
from gateway.app.frames import frame
from gateway.app.messages import ANSWER, Answer, AskReload, AskStatus, Done, NotDone, Request
from gateway.telemetry.log import Level, Log
from tests.app.world import Lines


class Asked:
    """Answers with the request's kind and remembers it; a reload breaks it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if isinstance(request, AskReload):
            raise ValueError("a fault in a command")
        return Done(text=request.kind)


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncGenerator[tuple[Asked, Lines]]:
    asked, lines = Asked(), Lines()
    sock = open_control(folder)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(Control(asked.answer, Log(lines, Level.INFO)).serve(sock))
        yield asked, lines
        serving.cancel()
    sock.close()


async def raw(folder: Path, data: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(folder / control.NAME))
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_question_gets_its_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (asked, _):
        assert await asyncio.to_thread(ask, tmp_path, AskStatus()) == Done(text="ask status")
        assert asked.requests == [AskStatus()]


async def test_only_the_owner_may_open_the_socket(tmp_path: Path) -> None:
    async with served(tmp_path):
        assert stat.S_IMODE((tmp_path / control.NAME).stat().st_mode) == 0o600


async def test_a_peer_of_another_user_is_not_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as (asked, _):
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        monkeypatch.setattr(control, "_ROOT", 4712)
        with pytest.raises(NotRunning):
            await asyncio.to_thread(ask, tmp_path, AskStatus())
        assert asked.requests == []


async def test_nonsense_is_answered_and_the_next_question_too(tmp_path: Path) -> None:
    async with served(tmp_path) as (asked, _):
        for data in (frame(b"{}"), frame(b"\xff"), b"\x00\x00", b"\xff\xff\xff\xff", frame(b"x" * 70_000)):
            answer = ANSWER.validate_json((await raw(tmp_path, data))[4:])
            assert isinstance(answer, NotDone)
        assert await raw(tmp_path, b"") == b""
        assert asked.requests == []
        assert await asyncio.to_thread(ask, tmp_path, AskStatus()) == Done(text="ask status")


async def test_a_fault_in_a_command_is_logged_and_ends_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, lines):
        with pytest.raises(NotRunning):
            await asyncio.to_thread(ask, tmp_path, AskReload())
        [line] = lines.events("broken")
        assert line["where"] == "control"
        assert await asyncio.to_thread(ask, tmp_path, AskStatus()) == Done(text="ask status")


async def test_more_askers_than_places_are_all_answered(tmp_path: Path) -> None:
    async with served(tmp_path) as (asked, _):
        question = frame(json.dumps({"kind": "ask status"}).encode())
        answers = await asyncio.gather(*(raw(tmp_path, question) for _ in range(40)))
        assert all(ANSWER.validate_json(answer[4:]) == Done(text="ask status") for answer in answers)
        assert len(asked.requests) == 40


async def test_a_silent_asker_keeps_its_place_for_a_limited_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_ASKED_WITHIN", 0.05)
    async with served(tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / control.NAME))
        assert await reader.read() == b""
        writer.close()


async def test_a_spool_of_any_depth_has_a_socket(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8)
    os.makedirs(deep)
    async with served(deep):
        assert await asyncio.to_thread(ask, deep, AskStatus()) == Done(text="ask status")


def test_without_a_gateway_the_asker_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="no gateway is running"):
        ask(tmp_path, AskStatus())
    with pytest.raises(NotRunning):
        ask(tmp_path / "nowhere", AskStatus())


def test_a_socket_that_a_killed_gateway_left_is_no_gateway_and_in_nobodys_way(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    with pytest.raises(NotRunning):
        ask(tmp_path, AskStatus())
    open_control(tmp_path).close()


@pytest.mark.parametrize("answer", [b"", b"\x00\x00", b"\x00\x00\x00\x09{", b"\xff\xff\xff\xff" + b"x" * 20])
def test_an_answer_that_is_cut_off_or_too_long_is_none(answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(answer)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            control._read_answer(ours)
