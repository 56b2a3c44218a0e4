"""A small form as a browser sends it: read within a limit and a time. Files are another page's."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

_MOST_BYTES: Final = 16 * 1024
_MOST_FIELDS: Final = 50
_WITHIN: Final = 10.0
_TYPE: Final = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """Each field's first value. Raises HTTPException with the status for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415)
    try:
        async with asyncio.timeout(_WITHIN):
            body = await _read(request)
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408) from None
    except ValueError:
        raise HTTPException(400) from None
    return {name: values[0] for name, values in fields.items()}


async def _read(request: Request) -> bytes:
    if int(request.headers.get("content-length") or 0) > _MOST_BYTES:
        raise HTTPException(413)
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > _MOST_BYTES:
            raise HTTPException(413)
    return bytes(body)
