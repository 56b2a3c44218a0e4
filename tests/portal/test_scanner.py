"""The scanner: what each answer means, what is sent, and that no fault of it ever passes a file; the real clamd too."""

import asyncio
import hashlib
import socket
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from gateway.portal import neighbour
from gateway.portal.neighbour import Tcp, Unix
from gateway.portal.scanner import Clamd, Clean, Found, Icap, Unscanned, parse_scanner

Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
# The test file of EICAR, in two halves so that no scanner takes these tests for it.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@asynccontextmanager
async def server(answers: Answers) -> AsyncGenerator[Tcp]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await answers(reader, writer)

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as listening:
        yield Tcp("127.0.0.1", listening.sockets[0].getsockname()[1])


async def read_clamd(reader: asyncio.StreamReader) -> bytes:
    assert await reader.readexactly(10) == b"zINSTREAM\0"
    content = b""
    while size := int.from_bytes(await reader.readexactly(4), "big"):
        content += await reader.readexactly(size)
    return content


async def read_icap(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The header, and the file that is encapsulated."""
    header = await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    content = b""
    while size := int((await reader.readline()).strip(), 16):
        content += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    return header, content


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"stream: OK\0", Clean()),
        (b"stream: Eicar-Test-Signature FOUND\0", Found("Eicar-Test-Signature")),
        (b"stream: Bad\x1b[31m FOUND\0", Found("Bad?[31m")),
        (b"INSTREAM size limit exceeded. ERROR\0", Unscanned("clamd said: INSTREAM size limit exceeded. ERROR")),
        (b"stream: OK ERROR\0", Unscanned("clamd said: OK ERROR")),
        (b"\0", Unscanned("clamd said: ")),
        (b"stream: OK", Unscanned("no answer: IncompleteReadError")),
        (b"x" * 100_000 + b"\0", Unscanned("no answer: LimitOverrunError")),
    ],
)
async def test_clamd_answers(answer: bytes, verdict: object) -> None:
    content = bytes(range(256)) * 3000
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_clamd(reader))
        writer.write(answer)
        await writer.drain()

    async with server(talk) as place:
        assert await Clamd(place).scan(content) == verdict
    assert got == [content]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"ICAP/1.0 204 No Content\r\nISTag: x\r\n\r\n", Clean()),
        (b"ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Eicar;\r\n\r\n", Found("Eicar")),
        (b"ICAP/1.0 204 No\r\nX-Virus-ID: Odd-Virus\r\n\r\n", Found("Odd-Virus")),
        (b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0\r\n\r\nHTTP", Found("what the scanner does not let pass")),
        (b"ICAP/1.0 404 Service not found\r\n\r\n", Unscanned("ICAP status 404")),
        (b"ICAP/1.0 500 Error\r\n\r\n", Unscanned("ICAP status 500")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Unscanned("the answer is no ICAP")),
        (b"", Unscanned("no answer: IncompleteReadError")),
    ],
)
async def test_icap_answers(answer: bytes, verdict: object) -> None:
    content = b"0\r\n\r\n" * 100_000
    got: list[tuple[bytes, bytes]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_icap(reader))
        writer.write(answer)
        await writer.drain()

    async with server(talk) as place:
        assert await Icap(place, "/avscan").scan(content) == verdict
    [(header, file)] = got
    assert file == content
    assert header.startswith(f"RESPMOD icap://{place}/avscan ICAP/1.0\r\n".encode())


async def test_icap_says_where_each_part_begins() -> None:
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n0\r\n\r\n"))
        writer.write(b"ICAP/1.0 204 No\r\n\r\n")

    async with server(talk) as place:
        assert await Icap(place, "/x").scan(b"") == Clean()
    header, _, body = got[0].partition(b"\r\n\r\n")
    places = dict(one.strip().split(b"=") for one in header.rpartition(b"Encapsulated:")[2].split(b","))
    assert body[int(places[b"req-hdr"]) :].startswith(b"GET ")
    assert body[int(places[b"res-hdr"]) :].startswith(b"HTTP/1.1 200 OK\r\n")
    assert body[int(places[b"res-body"]) :] == b"0\r\n\r\n"


async def test_an_answer_before_the_end_counts() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1000)
        writer.write(b"stream: Early FOUND\0")
        await writer.drain()
        writer.write_eof()
        while await reader.read(1 << 20):
            pass

    async with server(talk) as place:
        assert await Clamd(place).scan(bytes(5_000_000)) == Found("Early")


async def test_a_scanner_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
        assert await Icap(Tcp("127.0.0.1", port), "/x").scan(b"a") == Unscanned("no answer: ConnectionRefusedError")
    assert await Clamd(Unix("/nonexistent/clamd")).scan(b"a") == Unscanned("no answer: FileNotFoundError")


async def test_a_scanner_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbour, "_WITHIN", 0.05)
    left = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1 << 20):
                pass
        except ConnectionError:
            pass
        left.set()

    async with server(talk) as place:
        assert await Clamd(place).scan(b"a") == Unscanned("no answer in time")
        await left.wait()


@pytest.mark.parametrize(
    ("text", "scanner"),
    [
        ("clamd:/run/clamav/clamd.ctl", Clamd(Unix("/run/clamav/clamd.ctl"))),
        ("clamd:///run/clamav/clamd.ctl", Clamd(Unix("/run/clamav/clamd.ctl"))),
        ("clamd://127.0.0.1:3311", Clamd(Tcp("127.0.0.1", 3311))),
        ("clamd://scan.council.example", Clamd(Tcp("scan.council.example", 3310))),
        ("clamd://[::1]:3310", Clamd(Tcp("::1", 3310))),
        ("icap://scan.council.example/avscan", Icap(Tcp("scan.council.example", 1344), "/avscan")),
        ("icap://[::1]:1345/respmod", Icap(Tcp("::1", 1345), "/respmod")),
    ],
)
def test_scanners_as_configured(text: str, scanner: object) -> None:
    assert parse_scanner(text) == scanner


@pytest.mark.parametrize(
    "text",
    [
        "",
        "clamd",
        "clamd:",
        "clamd:relative",
        "clamd://host/path",
        "clamd://host:99999",
        "icap://host",
        "icap://host/",
        "icap:///avscan",
        "icap://user@host/avscan",
        "icap://host/avscan?x=1",
        "icap://host/av scan",
        "icap://[::1/avscan",
        "http://host/avscan",
    ],
)
def test_what_is_no_scanner(text: str) -> None:
    with pytest.raises(ValueError, match="a scanner is clamd:"):
        parse_scanner(text)


@pytest.fixture
def real_clamd(tmp_path: Path) -> Iterator[Path]:
    """clamd with one signature: the hash of the EICAR file."""
    database = tmp_path / "database"
    database.mkdir()
    (database / "test.hdb").write_text(f"{hashlib.md5(EICAR).hexdigest()}:{len(EICAR)}:Eicar-Test\n")
    path = tmp_path / "clamd.ctl"
    config = tmp_path / "clamd.conf"
    config.write_text(
        f"LocalSocket {path}\nDatabaseDirectory {database}\nForeground yes\nStreamMaxLength 1M\n"
        f"TemporaryDirectory {tmp_path}\nUser root\nOfficialDatabaseOnly no\n"
    )
    process = subprocess.Popen(
        ["/usr/sbin/clamd", "--config-file", config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert process.stdout is not None
        while not path.exists():
            line = process.stdout.readline()
            assert line, "clamd ended"
        yield path
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.peer("clamd")
@pytest.mark.peer("root")
async def test_the_real_clamd(real_clamd: Path) -> None:
    scanner = parse_scanner(f"clamd:{real_clamd}")
    assert await scanner.scan(b"an ordinary text") == Clean()
    assert await scanner.scan(b"") == Clean()
    assert await scanner.scan(EICAR) == Found("Eicar-Test.UNOFFICIAL")
    too_large = await scanner.scan(bytes(3 * 1024 * 1024))
    assert isinstance(too_large, Unscanned)
