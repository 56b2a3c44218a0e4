"""What the pages of a protected PDF show, and that only its password opens it."""

import io
import re

import pikepdf
import pytest

from gateway.sealed.archives import pdf
from gateway.sealed.archives.pdf import build_pdf

_PAIR = re.compile(rb"<([0-9A-Fa-f]{4})> *<([0-9A-Fa-f]+)>")


def shown(data: bytes, password: str = "six-words") -> str:
    """The text of all pages, as a program that copies it sees it."""
    with pikepdf.open(io.BytesIO(data), password=password) as opened:
        return "".join(_text_of(page) for page in opened.pages)


def _text_of(page: pikepdf.Page) -> str:
    (font,) = dict(page.Resources.Font.as_dict()).values()
    glyphs = dict(_PAIR.findall(font.ToUnicode.read_bytes())) if "/ToUnicode" in font else {}
    text = ""
    for operands, operator in pikepdf.parse_content_stream(page):
        if str(operator) == "Tj":
            raw = bytes(operands[0])
            codes = [raw[at : at + 2].hex().upper().encode() for at in range(0, len(raw), 2)]
            text += "".join(_letter(glyphs[code]) for code in codes) if glyphs else raw.decode("latin-1")
            text += "\n"
    return text


def _letter(code: bytes) -> str:
    return bytes.fromhex(code.decode()).decode("utf-16-be")


@pytest.mark.skipif(not any(path.is_file() for path in pdf._FONTS), reason="no font with all letters is installed")
def test_letters_of_any_alphabet_are_shown() -> None:
    text = shown(build_pdf("Zażółć\tпривет\r\n\x00\nend", {}, "six-words"))
    assert "Zażółć    привет" in text
    assert "end" in text


def test_without_a_font_what_western_europe_lacks_is_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_FONTS", ())
    text = shown(build_pdf("Grüße\nпривет", {}, "six-words"))
    assert "Grüße" in text
    assert "??????" in text


def test_a_long_text_has_several_pages() -> None:
    data = build_pdf("\n".join(f"line {number}" for number in range(200)), {}, "six-words")
    with pikepdf.open(io.BytesIO(data), password="six-words") as opened:
        assert len(opened.pages) > 2
    assert "line 199" in shown(data)


def test_only_its_password_opens_it_and_gives_every_right() -> None:
    data = build_pdf("x", {"ä.bin": b"\x00" * 9, "empty": b""}, "six-words")
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(data), password="six-word")
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(io.BytesIO(data))
    with pikepdf.open(io.BytesIO(data), password="six-words") as opened:
        files = {name: opened.attachments[name].get_file().read_bytes() for name in opened.attachments}
        assert files == {"ä.bin": b"\x00" * 9, "empty": b""}
        assert opened.encryption.R == 6
        assert opened.allow.extract and opened.allow.print_highres
