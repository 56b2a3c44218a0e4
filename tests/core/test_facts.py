"""What a scan answers of itself."""

from gateway.core.facts import Attachment, Field, Intent, Scan


def test_values_compare_names_without_case_and_keep_the_order() -> None:
    fields = (Field("Sensitivity", b"a"), Field("To", b"x"), Field("SENSITIVITY", b"b"))
    scan = Scan(fields=fields, attachments=(), message_bytes=9, header_bytes=9)
    assert scan.values("sensitivity") == (b"a", b"b")
    assert scan.values("Cc") == ()


def test_attached_bytes_are_the_sum_of_the_files() -> None:
    files = tuple(Attachment(name="n", type="a/b", bytes=size) for size in (3, 4))
    assert Scan(fields=(), attachments=files, message_bytes=9, header_bytes=9).attachment_bytes == 7


def test_intents_are_ordered_and_have_the_words_of_the_configuration() -> None:
    assert sorted([Intent.ENCRYPTED, Intent.NONE, Intent.SECURE]) == [Intent.NONE, Intent.SECURE, Intent.ENCRYPTED]
    assert [intent.label for intent in Intent] == ["none", "secure", "encrypted"]
