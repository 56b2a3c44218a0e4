"""The words for how a message was protected by us."""

import pytest

from gateway.core.sealing import Method, Sealing, Unlock, archive_secret_name


@pytest.mark.parametrize(
    ("method", "unlock", "grade"),
    [
        (Method.PORTAL, Unlock.MAIL, "sealed, code by mail"),
        (Method.PORTAL, Unlock.VERIFIED_MAIL, "sealed, code by verified mail"),
        (Method.PORTAL, Unlock.PASSPHRASE, "sealed, passphrase"),
        (Method.SMIME, None, "sealed, S/MIME"),
        (Method.OPENPGP, None, "sealed, OpenPGP"),
        (Method.ARCHIVE, None, "sealed, protected archive"),
    ],
)
def test_each_way_has_a_grade_of_its_own(method: Method, unlock: Unlock | None, grade: str) -> None:
    assert Sealing(method=method, detail="", unlock=unlock).grade == grade


def test_a_passphrase_is_made_for_all_that_a_code_by_any_mail_does_not_open() -> None:
    assert [unlock for unlock in Unlock if unlock.has_passphrase] == [Unlock.VERIFIED_MAIL, Unlock.PASSPHRASE]


def test_no_two_recipients_share_the_name_of_a_password() -> None:
    names = {archive_secret_name(queue_id, number) for queue_id in ("000-a", "000-b") for number in (0, 1)}
    assert len(names) == 4
