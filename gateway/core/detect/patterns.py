"""Personal data and passwords as they stand in text: each pattern by its name in the policy (R5, R12).

All are English and British. A pattern says "seems": a check digit lets one number in eleven through by chance, which is
why numbers that many systems use also want a word nearby. Left out: Scotland's CHI numbers, numbers in words, and
whatever somebody hides on purpose.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.core.detect.secrets import holds_password

# A reference is no number of ours if it goes on: with a letter, or with a digit behind a point, a stroke or a hyphen.
_NOT_BEFORE: Final = r"(?<![\w+£#])(?<![0-9][.,/-])"
_NOT_BEHIND: Final = r"(?!\w|[.,/-][0-9])"

# Ten digits, plain or 3-3-4; England's and Wales's never begin with 0, telephone numbers do.
_NHS = re.compile(rf"{_NOT_BEFORE}([1-9][0-9]{{2}})([ \xa0-]?)([0-9]{{3}})\2([0-9]{{4}}){_NOT_BEHIND}")
_NHS_WORD = re.compile(r"\b(?:nhs|patients?|hospital|clinic|clinical|gp|medical|health record)\b", re.IGNORECASE)
_WORD_BEFORE: Final = 80
_WORD_BEHIND: Final = 40

# HMRC NIM39110: letters that are never used, pairs that are not given out, and a suffix from A to D.
_NATIONAL_INSURANCE = re.compile(
    rf"{_NOT_BEFORE}(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    rf"[ \xa0-]?[0-9]{{2}}[ \xa0-]?[0-9]{{2}}[ \xa0-]?[0-9]{{2}}[ \xa0-]?[A-D]{_NOT_BEHIND}",
    re.IGNORECASE,
)

# DfE "Unique pupil numbers": a check letter and twelve digits, the last of them a letter while the UPN is temporary.
_UPN = re.compile(rf"{_NOT_BEFORE}([A-HJ-NP-RT-Z])([0-9]{{11}})([0-9A-HJ-NP-RT-Z]){_NOT_BEHIND}", re.IGNORECASE)
_UPN_LETTERS: Final = "ABCDEFGHJKLMNPQRTUVWXYZ"

_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE: Final = (
    r"(?:[0-9]{1,2}[./ -][0-9]{1,2}[./ -](?:[0-9]{4}|[0-9]{2})(?![0-9])"
    rf"|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{1,2}}(?:st|nd|rd|th)?[ .-]{{1,2}}{_MONTH}[ ,.-]{{1,3}}[0-9]{{2,4}}"
    rf"|{_MONTH}[ .]{{1,2}}[0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}})"
)
_BIRTH_DATE = re.compile(
    # The form's own hint may stand between: "(dd/mm/yyyy)".
    rf"\b(?:date[ -]of[ -]birth|d\.?o\.?b\b\.?|birth[ -]?date|born(?: on)?)"
    rf"[^\w\n]{{0,6}}(?:dd[^)\n]{{0,10}}[^\w\n]{{1,4}})?(?:is[^\w\n]{{1,4}})?\s{{0,2}}{_DATE}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """``label`` is what it finds, as the object of a sentence."""

    label: str
    holds: Callable[[str], bool]


def _holds_nhs_number(text: str) -> bool:
    return any(
        _nhs_check("".join(match.group(1, 3, 4)))
        and _NHS_WORD.search(text, max(match.start() - _WORD_BEFORE, 0), match.end() + _WORD_BEHIND) is not None
        for match in _NHS.finditer(text)
    )


def _nhs_check(digits: str) -> bool:
    """Modulus 11 over the first nine, weighted 10 to 2; a check digit of 10 is never used (NHS Data Dictionary)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False))
    return (11 - total % 11) % 11 == int(digits[9]) and len(set(digits)) > 1


def _holds_upn(text: str) -> bool:
    return any(_upn_check(match[1].upper(), match[2] + match[3].upper()) for match in _UPN.finditer(text))


def _upn_check(letter: str, rest: str) -> bool:
    """The twelve characters weighted 2 to 13, modulus 23; a temporary one's letter counts by its place."""
    values = [int(mark) if mark.isdigit() else _UPN_LETTERS.index(mark) for mark in rest]
    total = sum(value * weight for weight, value in enumerate(values, start=2))
    return _UPN_LETTERS[total % 23] == letter


def _holds_match(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


PATTERNS: Final[Mapping[str, Pattern]] = MappingProxyType(
    {
        "nhs-number": Pattern("an NHS number", _holds_nhs_number),
        "national-insurance": Pattern("a National Insurance number", _holds_match(_NATIONAL_INSURANCE)),
        "upn": Pattern("a pupil's number", _holds_upn),
        "date-of-birth": Pattern("a date of birth", _holds_match(_BIRTH_DATE)),
        "password": Pattern("a password", holds_password),
    }
)
