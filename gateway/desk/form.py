"""A form as a browser sends it: read within a limit and a time, and typed."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MOST_BYTES: Final = 64 * 1024
_MOST_FIELDS: Final = 5000
_WITHIN: Final = 10.0
_TYPE: Final = "application/x-www-form-urlencoded"


class Action(StrEnum):
    """What the person wants."""

    RELEASE = "release"
    GIVE_BACK = "give back"
    SHOW = "show"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """``proof`` says that our page made it; ``numbers`` are recipients; ``note`` is as it was typed."""

    action: Action
    proof: str
    numbers: frozenset[int]
    note: str


async def read_form(request: Request) -> Form:
    """The form. Raises HTTPException with the status and a sentence for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415, "This is not the form of this page.")
    try:
        async with asyncio.timeout(_WITHIN):
            body = await _read(request)
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        return Form(
            action=Action(_one(fields, "action")),
            proof=_one(fields, "proof"),
            numbers=frozenset(map(_number, fields.get("to", ()))),
            note=_one(fields, "note"),
        )
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, "The form did not arrive in time. Nothing was changed.") from None
    except ValueError:
        raise HTTPException(400, "This is not the form of this page. Nothing was changed.") from None


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "The form is too large. Nothing was changed.")
    return bytes(body)


def _one(fields: dict[str, list[str]], name: str) -> str:
    values = fields.get(name, [""])
    if len(values) > 1:
        raise ValueError(name)
    return values[0]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(text)
    return int(text)
