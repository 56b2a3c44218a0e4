"""Verification of files on the disk: bits flipped, lines and files taken away, keys of others, several processes."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit import verify as module
from gateway.audit.keys import BadAuditKey, Signer, Trusted, new_key
from gateway.audit.verify import verify
from gateway.core.audit_chain import Flaw
from tests.audit.places import Place


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Three files of a shard and one of another; every test leaves them as they were."""
    place = Place(tmp_path_factory.mktemp("verify"))
    for _ in range(3):
        place.accept(4)
        place.accept(2, shard=3)
        place.export()
        place.later(hours=23)
    place.later(hours=-23)
    return place


def test_it_is_whole(at: Place) -> None:
    assert at.flaws() == []
    assert [(one.shard, one.events, one.last) for one in at.verdicts()] == [(0, 24, 24), (3, 12, 12)]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_is_found_in_its_file(at: Place, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, 2))
    file = at.files()[number]
    content = file.read_bytes()
    place = data.draw(st.integers(0, len(content) - 2))
    bit = data.draw(st.integers(0, 7))
    try:
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
        found = [found for verdict in at.verdicts() for found in verdict.flaws]
        assert found[0].file == str(file)
    finally:
        file.write_bytes(content)


def test_a_removed_line_is_found_wherever_it_was(at: Place) -> None:
    for file in at.files():
        content = file.read_bytes()
        lines = content.splitlines(keepends=True)
        for number in range(len(lines)):
            last = file == at.files()[-1] and number == len(lines) - 1
            try:
                file.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
                assert bool(at.flaws()) != last
            finally:
                file.write_bytes(content)


def test_a_removed_file_is_found(at: Place) -> None:
    for file in at.files()[:2]:
        content = file.read_bytes()
        try:
            file.unlink()
            assert at.flaws()[0] in (Flaw.BROKEN, Flaw.BEGINNING)
        finally:
            file.write_bytes(content)


def test_a_file_without_its_last_line_end_is_found_unless_it_is_the_newest(at: Place) -> None:
    for number, file in enumerate(at.files()):
        content = file.read_bytes()
        try:
            file.write_bytes(content[:-1])
            assert bool(at.flaws()) == (number < 2)
        finally:
            file.write_bytes(content)


def test_anchors_of_a_key_that_is_not_known_vouch_for_nothing(at: Place) -> None:
    other = Trusted.of([Signer(new_key()).public_pem])
    assert {found.flaw for one in verify(at.options.folder, other, at.now) for found in one.flaws} >= {Flaw.KEY}
    both = Trusted.of([Signer(new_key()).public_pem, Signer(at.options.key).public_pem])
    assert not any(one.flaws for one in verify(at.options.folder, both, at.now))


def test_files_are_looked_at_by_several_processes_with_the_same_result(
    at: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = at.verdicts()
    monkeypatch.setattr(module, "_ALONE", 0)
    assert at.verdicts() == alone


def test_a_folder_without_chains_has_none(tmp_path: Path) -> None:
    assert verify(tmp_path, Trusted(()), Place(tmp_path).now) == ()


def test_what_nobody_signs_is_told_after_a_day(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.change(anchor_every=timedelta(days=9))
    place.accept(1)
    exporter = place.exporter()
    exporter.step(place.now)
    assert place.verdicts()[0].unsigned == 0
    place.accept(1)
    exporter.step(place.now)
    assert place.flaws() == [] and place.verdicts()[0].unsigned == 2
    place.later(days=1, seconds=1)
    assert place.flaws() == [Flaw.UNSIGNED]


@pytest.mark.parametrize("pem", [b"", b"nonsense", Signer(new_key()).public_pem.replace(b"MCow", b"MCox")])
def test_what_is_no_public_key_is_refused(pem: bytes) -> None:
    with pytest.raises(BadAuditKey):
        Trusted.of([pem])
