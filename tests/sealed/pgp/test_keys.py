"""Which key somebody is written to with: what is found, what is used, and why something is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysequoia import Cert, Profile, Tsk

from gateway.core.address import parse_address
from gateway.sealed.pgp.keys import Choice, Claim, Found, KeyFolder, NoKey, Usable, choose, read_keys
from gateway.sealed.recipients.found import LookupFailed
from tests.sealed.pgp.ring import Gpg, gpg

__all__ = ["gpg"]

BOB = parse_address("bob@partner.example")
NOW = datetime.now(UTC)


def chosen(data: bytes, now: datetime = NOW) -> Choice:
    return choose(read_keys(data, BOB), BOB, now)


def reason(choice: Choice) -> str:
    assert isinstance(choice, NoKey), choice
    sentence = choice.reason
    assert sentence.startswith("The OpenPGP key of bob@partner.example cannot be used: ")
    return sentence.partition("used: ")[2]


def a_key(*user_ids: str, profile: Profile = Profile.RFC4880, seconds: int | None = None) -> Tsk:
    return Tsk.generate(
        user_ids=list(user_ids) or ["Bob <bob@partner.example>"], profile=profile, validity_seconds=seconds
    )


def public(key: Tsk) -> Cert:
    return key.extract_certificate()


@pytest.mark.parametrize("profile", [Profile.RFC4880, Profile.RFC9580])
@pytest.mark.parametrize("form", [bytes, lambda cert: str(cert).encode()])
def test_a_good_key_is_used_in_either_form_and_version(profile: Profile, form: type[bytes]) -> None:
    cert = public(a_key(profile=profile))
    choice = chosen(form(cert))
    assert isinstance(choice, Usable)
    assert (choice.fingerprint, choice.until) == (cert.fingerprint, None)
    assert Cert.from_bytes(choice.key).fingerprint == cert.fingerprint


@pytest.mark.parametrize(
    ("user_id", "is_found"),
    [
        ("bob@partner.example", True),
        ("<bob@partner.example>", True),
        ("Bob (work) <bob@PARTNER.example>", True),
        ("Bob", False),
        ("bob@partner.example <mallory@other.example>", False),
        ("bob@other.example", False),
        ("<bobby@partner.example>", False),
        ("<bob@partner.example> Mallory", False),
    ],
)
def test_the_address_is_that_of_the_user_id(user_id: str, is_found: bool) -> None:
    assert isinstance(chosen(bytes(public(a_key(user_id)))), Usable) is is_found


def test_a_key_that_sequoia_takes_and_cannot_read_back_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(data: bytes) -> list[object]:
        raise RuntimeError("Invalid argument: Unknown kind of fingerprint")

    key = bytes(public(a_key()))
    monkeypatch.setattr("gateway.sealed.pgp.keys._packets", unreadable)
    assert chosen(key) == NoKey(f"The OpenPGP key of {BOB} cannot be used: it is damaged.")


def test_what_a_domain_publishes_may_name_its_other_people_too() -> None:
    assert isinstance(chosen(bytes(public(a_key("carol@partner.example", f"Bob <{BOB}>")))), Usable)


def test_a_revoked_user_id_names_nobody() -> None:
    key = a_key("Bob <bob@partner.example>", "Bob <bob@new.example>")
    cert = public(key)
    old = next(each for each in cert.user_ids if "partner" in str(each))
    # The signature finds its place when the whole is read.
    revoked = Cert.from_bytes(bytes(cert) + bytes(cert.revoke_user_id(old, key.certifier())))
    assert chosen(bytes(revoked)) == NoKey("There is no OpenPGP key of bob@partner.example.")


def test_a_key_is_over_when_it_says_so() -> None:
    data = bytes(public(a_key(seconds=86400)))
    choice = chosen(data)
    assert isinstance(choice, Usable) and choice.until is not None
    # NOW was looked at when the tests were collected, and the key is made in the middle of them.
    assert abs(choice.until - NOW - timedelta(days=1)) < timedelta(hours=2)
    assert isinstance(chosen(data, choice.until - timedelta(seconds=1)), Usable)
    assert reason(chosen(data, choice.until)) == f"it expired on {choice.until:%Y-%m-%d}."


def said(*certs: Cert) -> list[Found]:
    """As from files that are named for the person."""
    return [Found(cert, Claim.NAMED) for cert in certs]


def claimed(*certs: Cert) -> list[Found]:
    """As from files of any other name."""
    return [Found(cert, Claim.ALONE) for cert in certs]


def fingerprint(choice: Choice) -> str:
    assert isinstance(choice, Usable), choice
    return choice.fingerprint


def revoked(key: Tsk) -> Cert:
    return Cert.from_bytes(bytes(public(key)) + bytes(public(key).revoke(key.certifier())))


def test_a_copy_that_was_revoked_stops_all_others_of_that_key_but_no_other_key() -> None:
    key, other = a_key(), public(a_key(seconds=86400))
    assert reason(choose(said(revoked(key)), BOB, NOW)) == "it was revoked."
    for copy in (said(revoked(key)), claimed(revoked(key)), [Found(revoked(key), Claim.AMONG_OTHERS)]):
        both = [*said(public(key)), *copy]
        assert reason(choose(both, BOB, NOW)) == "it was revoked."
        assert fingerprint(choose([*both, *said(other)], BOB, NOW)) == other.fingerprint


def test_of_several_that_were_said_to_be_theirs_the_one_that_lives_longest_is_used() -> None:
    certs = [public(a_key(seconds=seconds)) for seconds in (864000, 8640000, 86400)]
    assert fingerprint(choose(said(*certs), BOB, NOW)) == certs[1].fingerprint
    forever = public(a_key())
    assert fingerprint(choose(said(*certs, forever), BOB, NOW)) == forever.fingerprint


def test_of_several_that_only_say_so_themselves_none_is_used() -> None:
    one, other = public(a_key(seconds=86400)), public(a_key())
    both = ", ".join(sorted([one.fingerprint, other.fingerprint]))
    for found in (claimed(one, other), claimed(other, one, one)):
        assert reason(choose(found, BOB, NOW)) == f"several keys name them, and no file does: {both}."
    assert fingerprint(choose(claimed(one, one), BOB, NOW)) == one.fingerprint


def test_a_key_that_is_not_usable_makes_no_other_doubtful() -> None:
    good, old = public(a_key()), public(a_key(seconds=86400))
    late = NOW + timedelta(days=2)
    assert fingerprint(choose(claimed(old, good), BOB, late)) == good.fingerprint
    assert fingerprint(choose(claimed(revoked(a_key()), good), BOB, NOW)) == good.fingerprint


def test_more_keys_than_are_looked_at_are_doubtful() -> None:
    good, old = public(a_key()), public(a_key(seconds=86400))
    late = NOW + timedelta(days=2)
    assert fingerprint(choose(claimed(good, *[old] * 19), BOB, late)) == good.fingerprint
    assert reason(choose(claimed(good, *[old] * 20), BOB, late)).startswith("several keys name them")


def test_a_named_file_wins_even_if_its_key_is_over() -> None:
    named, other = public(a_key(seconds=86400)), public(a_key())
    for found in ([*said(named), *claimed(other)], [*claimed(other), *said(named)]):
        assert fingerprint(choose(found, BOB, NOW)) == named.fingerprint
        assert reason(choose(found, BOB, NOW + timedelta(days=2))).startswith("it expired on ")


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n", b"\x99\x01", b"\xff" * 99]
)
def test_what_is_no_key_is_none(data: bytes) -> None:
    assert chosen(data) == NoKey("There is no OpenPGP key of bob@partner.example.")


@pytest.mark.peer("gpg")
@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (("Key-Type: RSA", "Key-Length: 1024", "Subkey-Type: RSA", "Subkey-Length: 3072"), "no part of it"),
        (("Key-Type: EdDSA", "Key-Curve: ed25519", "Subkey-Type: RSA", "Subkey-Length: 1024"), "no part of it"),
        (("Key-Type: RSA", "Key-Length: 1536", "Key-Usage: sign", "Subkey-Type: RSA", "Subkey-Length: 2048",
          "Subkey-Usage: encrypt"), "no part of it"),
        (("Key-Type: EdDSA", "Key-Curve: ed25519", "Subkey-Type: RSA", "Subkey-Length: 1536",
          "Subkey-Usage: encrypt"), "no part of it"),
        (("Key-Type: DSA", "Key-Length: 2048", "Subkey-Type: ELG-E", "Subkey-Length: 2048"), "no part of it"),
        (("Key-Type: DSA", "Key-Length: 2048", "Subkey-Type: ECDH", "Subkey-Curve: cv25519"), "its kind, DSA"),
    ],
)  # fmt: skip
async def test_a_weak_key_is_found_and_not_used(gpg: Gpg, lines: tuple[str, ...], why: str) -> None:
    assert reason(chosen(await gpg.make_of(str(BOB), *lines))).startswith(why)


@pytest.mark.peer("gpg")
async def test_a_strong_rsa_key_is_used(gpg: Gpg) -> None:
    lines = ("Key-Type: RSA", "Key-Length: 2048", "Key-Usage: sign", "Subkey-Type: RSA", "Subkey-Length: 2048")
    assert isinstance(chosen(await gpg.make_of(str(BOB), *lines)), Usable)


@pytest.mark.peer("gpg")
async def test_the_part_that_encrypts_has_to_live_itself(gpg: Gpg) -> None:
    await gpg.make(str(BOB), "ed25519", "sign", "never", at="20240101T000000")
    assert reason(chosen(await gpg.export(str(BOB)))).startswith("no part of it")
    over = await gpg.add_subkey(str(BOB), "1m", at="20240101T000000")
    assert reason(chosen(over)) == "it expired on 2024-01-31."
    choice = chosen(await gpg.add_subkey(str(BOB), "1y"))
    assert isinstance(choice, Usable) and choice.until is not None
    assert timedelta(days=360) < choice.until - NOW < timedelta(days=370)


@pytest.mark.peer("gpg")
async def test_a_revoked_part_does_not_encrypt(gpg: Gpg) -> None:
    await gpg.make(str(BOB), "ed25519", "sign", "never")
    assert isinstance(chosen(await gpg.add_subkey(str(BOB), "never")), Usable)
    assert reason(chosen(await gpg.revoke_subkey(str(BOB)))).startswith("no part of it")


def test_a_folder_is_read_again_and_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    assert folder.find(BOB) == ()
    (tmp_path / "broken.asc").write_bytes(b"nonsense")
    (tmp_path / "bob.asc").write_text(str(public(a_key())))
    (tmp_path / "others.pgp").write_bytes(bytes(public(a_key("carol@partner.example"))) + bytes(public(a_key())))
    (tmp_path / "notes.txt").write_text(str(public(a_key())))
    assert len(folder.find(BOB)) == 2
    assert len(folder.find(parse_address("Carol@PARTNER.example"))) == 1
    (tmp_path / "bob.asc").unlink()
    assert len(folder.find(BOB)) == 1


def test_a_key_that_names_several_people_is_theirs_alone_for_whom_the_file_is_named(tmp_path: Path) -> None:
    chief = parse_address("chief@partner.example")
    grasping = bytes(public(a_key(f"Bob <{BOB}>", f"Chief <{chief}>")))
    folder = KeyFolder(tmp_path)
    (tmp_path / "x.asc").write_bytes(grasping)
    assert reason(choose(folder.find(BOB), BOB, NOW)) == "it names several people, and no file is named for this one."
    assert isinstance(choose(folder.find(chief), chief, NOW), NoKey)
    (tmp_path / f"{BOB}.asc").write_bytes(grasping)
    assert isinstance(choose(folder.find(BOB), BOB, NOW), Usable)
    (tmp_path / "x.asc").unlink()
    assert (len(folder.find(BOB)), folder.find(chief)) == (1, ())


@pytest.mark.parametrize("file", ["mallory.asc", "mallory@other.example.asc", "0.asc"])
@pytest.mark.parametrize("claims", [(f"<{BOB}>",), ("Mallory <mallory@other.example>", f"Bob <{BOB}>")])
@pytest.mark.parametrize("own", ["bob.asc", f"{BOB}.asc"])
def test_nobody_takes_anothers_mail_by_a_user_id_in_their_own(
    file: str, claims: tuple[str, ...], own: str, tmp_path: Path
) -> None:
    real = public(a_key(seconds=86400))
    (tmp_path / own).write_bytes(bytes(real))
    (tmp_path / file).write_bytes(bytes(public(a_key(*claims))))
    choice = choose(KeyFolder(tmp_path).find(BOB), BOB, NOW)
    is_doubtful = own == "bob.asc" and len(claims) == 1 and "@" not in file
    assert isinstance(choice, NoKey) if is_doubtful else fingerprint(choice) == real.fingerprint


def test_an_old_and_a_new_key_of_somebody_differ_in_their_ending_or_are_in_one_file(tmp_path: Path) -> None:
    old, new = public(a_key(seconds=86400)), public(a_key())
    (tmp_path / f"{BOB}.asc").write_text(str(old))
    (tmp_path / f"{BOB}.pgp").write_bytes(bytes(new))
    folder = KeyFolder(tmp_path)
    assert fingerprint(choose(folder.find(BOB), BOB, NOW)) == new.fingerprint
    (tmp_path / f"{BOB}.asc").unlink()
    (tmp_path / f"{BOB}.pgp").write_bytes(bytes(old) + bytes(new))
    assert fingerprint(choose(folder.find(BOB), BOB, NOW)) == new.fingerprint


def test_a_folder_that_is_gone_or_a_file_too_large_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(LookupFailed, match="cannot be read"):
        KeyFolder(tmp_path / "gone").find(BOB)
    (tmp_path / "large.asc").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(LookupFailed, match=r"large\.asc"):
        KeyFolder(tmp_path).find(BOB)
