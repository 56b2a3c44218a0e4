"""The patterns, each with what must fire and what must not: numbers of other kinds, and words alone."""

import pytest

from gateway.core.detect.patterns import PATTERNS

FIRES = {
    "nhs-number": [
        "NHS number 943 476 5919",
        "Patient 9434765919: discharge",
        "NHS no: 943-476-5919.",
        "nhs 943\u00a0476\u00a05919",
        "9434765919 (patient)",
        "hospital numbers 401 023 2137, 943 476 5919",
        "NHS 1234567890, 9434765919",
        "Clinic list" + " x" * 33 + " 9434765919",
        "(9434765919) NHS",
    ],
    "national-insurance": [
        "NI: AB 12 34 56 C",
        "ab123456c",
        "National Insurance AB 123456 A.",
        "JG-10-37-59-A",
        "PP 12 34 56 D",
    ],
    "date-of-birth": [
        "DOB: 12/05/2010",
        "d.o.b. 12.5.10",
        "date of birth is 12 May 2010",
        "Date of Birth (DD/MM/YYYY): 12/05/2010",
        "date of birth\n12-05-2010",
        "born on 3rd June 1999",
        "Born 2010-05-12",
        "birth date - May 3rd, 2010",
        "Date-of-birth 1 sept 98",
    ],
    "password": [
        "The password is Summer2024",
        "password: bluehouse",
        "Password:\nbluehouse\nBye",
        "the password is bluehouse.",
        "Password for the attached file: Bl4h-xx",
        "pass phrase was “three”",
        "password = 'hunter'",
        "Password is as follows:\nSummer24",
        "pwd: x1y2z3",
        "PIN: 1234",
        "The PIN code is 9876",
        "password - Tr33house",
        "password is (Tr33house)",
    ],
}
SILENT = {
    "nhs-number": [
        "Order 9434765919",
        "943 476 5919",
        "NHS number 943 476 5918",
        "NHS +44 7911 123456",
        "NHS helpline 01629 533190",
        "call the hospital on 020 7946 0958",
        "hospital on 0800 111 1110",
        "Patient ref PO9434765919",
        "patient 9434765919A",
        "Patient account 12/9434765919",
        "patient 9434765919-1",
        "NHS invoice £9434765919",
        "patient 1111111111",
        "NHS 943 4765919",
        "UPRN 100030234567, patient",
        "Council tax account 82345678 of a patient",
        "patient" + " x" * 60 + " 9434765919",
        "9434765919" + " x" * 30 + " patient",
        "my patients",
        "NHS 10023456789",
        "nhsx 9434765919",
    ],
    "national-insurance": [
        "QQ 12 34 56 C",
        "BG123456A",
        "ZZ123456A",
        "DA123456A",
        "AO123456A",
        "AB123456",
        "AB123456E",
        "XAB123456C",
        "AB123456CD",
        "AB12345C",
        "1AB123456C",
        "order AB-12345-C",
    ],
    "date-of-birth": [
        "date of birth will follow by 12/05/2025",
        "the meeting is on 12/05/2025",
        "dobbin 12/05/2010",
        "newborn on 12/05/2010",
        "born in Derby",
        "DOB to be confirmed",
        "date of birth: 1234567",
        "date of birth 12/05/20101",
    ],
    "password": [
        "The password will follow by telephone",
        "The password is sent separately.",
        "password: required",
        "Password is protected",
        "The password is being changed",
        "The password is in the next mail",
        "your password is expired",
        "Please reset your password: https://council.example/reset1",
        "Password: ********",
        "Password: see below",
        "Password policy is attached",
        "the spin: 1234",
        "passwords: 12345",
        "password was changed on Monday",
        "password - required for all",
        "password - mandatory",
        "password - bluehouse",
        "Password: the one that we agreed",
        "PIN: 12",
        "Password:",
        "the word is Summer2024",
    ],
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FIRES.items() for text in texts])
def test_it_is_found(name: str, text: str) -> None:
    assert PATTERNS[name].holds(text)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in SILENT.items() for text in texts])
def test_what_is_none_is_not_found(name: str, text: str) -> None:
    assert not PATTERNS[name].holds(text)


# The check letter by the DfE's rule: weights 2 to 13, modulus 23, over these letters.
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"


def upn(rest: str) -> str:
    total = sum((int(mark) if mark.isdigit() else LETTERS.index(mark)) * weight for weight, mark in enumerate(rest, 2))
    return LETTERS[total % 23] + rest


@pytest.mark.parametrize("rest", ["801200001001", "823432100001", "938999912345", "80120000100A", "80120000100Z"])
def test_a_upn_is_found_by_its_check_letter(rest: str) -> None:
    whole = upn(rest)
    holds = PATTERNS["upn"].holds
    assert all(holds(text) for text in (whole, f"UPN: {whole.lower()}.", f"({whole})"))
    assert not any(holds(letter + rest) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter != whole[0])
    assert not any(holds(text) for text in (whole[1:], f"{whole}1", f"X{whole}", f"1-{whole}", whole[:-1]))


def test_a_upn_worked_out_by_hand_is_found() -> None:
    # 8*2 + 2*3 + 0*4 + 1*5 + 2*6 + 0*7 + 0*8 + 9*9 + 0*10 + 0*11 + 0*12 + 1*13 = 133 = 5*23 + 18: the 19th letter.
    assert PATTERNS["upn"].holds("V820120090001")


@pytest.mark.parametrize("name", PATTERNS)
def test_a_label_is_part_of_a_sentence(name: str) -> None:
    assert PATTERNS[name].label.startswith(("a ", "an "))
