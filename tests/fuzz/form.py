"""Fuzz target: a reply with files as a browser sends it to the portal; its boundary is ``b`` and its proof ``p``."""

from collections.abc import Iterable
from typing import Final

from python_multipart.exceptions import FormParserError

from gateway.portal.form_parts import LONGEST_FIELD, MOST_FILES, NotTaken, Parts, Upload, Written
from tests.fuzz.target import Target, pieces


def one(data: bytes) -> None:
    """A form or one reason why not, and nothing of a form that is not ours; the same in any split."""
    upload, written = _read([data], len(data))
    split = _read(pieces(data), len(data))
    # Which bytes before the first boundary the parser passes over hangs on the cuts; no browser sends any.
    assert split == (upload, written) or not data.startswith(b"--b\r\n")
    if not isinstance(upload, Upload):
        return
    assert len(upload.files) <= MOST_FILES
    assert all(len(text) <= LONGEST_FIELD for text in upload.fields.values())


def _read(blocks: Iterable[bytes], size: int) -> tuple[Upload | str, Written]:
    """What `gateway.portal.uploads` makes of it."""
    parts = Parts(lambda proof: proof == "p")
    try:
        parser = parts.parser(b"b", size)
        for block in blocks:
            parser.write(block)
        upload = parts.upload()
        assert parts.proven
        return upload, parts.written("text")
    except NotTaken as problem:
        return problem.trouble.name, parts.written("text")
    except (FormParserError, ValueError):
        return "BAD", parts.written("text")


TARGET: Final = Target(name="form", one=one)
