"""Which key somebody is written to with: what is found, what is used, and why something is not."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pysequoia import Cert, Profile, Tsk

from gateway.core.address import parse_address
from gateway.sealed.pgp.keys import Choice, KeyFolder, NoKey, Usable, choose, read_keys
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


def test_a_copy_that_was_revoked_stops_all_others_of_that_key_but_no_other_key() -> None:
    key, other = a_key(), a_key(seconds=86400)
    good = bytes(public(key))
    revoked = bytes(Cert.from_bytes(good + bytes(public(key).revoke(key.certifier()))))
    assert reason(chosen(revoked)) == "it was revoked."
    both = [*read_keys(good, BOB), *read_keys(revoked, BOB)]
    assert reason(choose(both, BOB, NOW)) == "it was revoked."
    choice = choose([*both, public(other)], BOB, NOW)
    assert isinstance(choice, Usable)
    assert choice.fingerprint == public(other).fingerprint


def test_of_several_the_one_that_lives_longest_is_used() -> None:
    keys = [a_key(seconds=seconds) for seconds in (864000, 8640000, 86400)]
    choice = choose([public(key) for key in keys], BOB, NOW)
    assert isinstance(choice, Usable)
    assert choice.fingerprint == public(keys[1]).fingerprint
    choice = choose([*(public(key) for key in keys), forever := public(a_key())], BOB, NOW)
    assert isinstance(choice, Usable)
    assert choice.fingerprint == forever.fingerprint


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
    grasping = bytes(Tsk.generate(user_ids=[f"Bob <{BOB}>", f"Chief <{chief}>"]).extract_certificate())
    folder = KeyFolder(tmp_path)
    (tmp_path / "x.asc").write_bytes(grasping)
    assert (folder.find(BOB), folder.find(chief)) == ((), ())
    (tmp_path / f"{BOB}.asc").write_bytes(grasping)
    assert (len(folder.find(BOB)), folder.find(chief)) == (1, ())


def test_a_folder_that_is_gone_or_a_file_too_large_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(LookupFailed, match="cannot be read"):
        KeyFolder(tmp_path / "gone").find(BOB)
    (tmp_path / "large.asc").write_bytes(b"x" * (1024 * 1024 + 1))
    with pytest.raises(LookupFailed, match=r"large\.asc"):
        KeyFolder(tmp_path).find(BOB)
