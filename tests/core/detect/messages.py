"""Scans for detectors: header fields, texts and files, without a message."""

from gateway.core.facts import Attachment, Field, Lock, Scan, Text


def holding(
    *,
    fields: dict[str, str] | None = None,
    text: str | None = None,
    html: str | None = None,
    files: tuple[Attachment, ...] = (),
) -> Scan:
    """A scan that holds just that."""
    texts = [Text(kind, each) for kind, each in (("text/plain", text), ("text/html", html)) if each is not None]
    return Scan(
        fields=tuple(Field(name, value.encode()) for name, value in (fields or {}).items()),
        attachments=files,
        message_bytes=0,
        header_bytes=0,
        texts=tuple(texts),
    )


def file(name: str, type_: str = "application/octet-stream", *members: str, lock: Lock = Lock.OPEN) -> Attachment:
    return Attachment(name=name, type=type_, bytes=5, members=members, lock=lock)
