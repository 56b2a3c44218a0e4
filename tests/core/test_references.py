"""Character references become characters, and none of them fails."""

import pytest

from gateway.core.references import without_references


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a&amp;b &lt;c", "a&b <c"),
        ("&#65;&#x42;&#67", "ABC"),
        ("&#0000065;", "A"),
        ("&#00000000000065;b", "Ab"),
        ("&#65" + "0" * 6 + "b", "\ufffdb"),
        ("&#" + "0" * 5000 + "65;b", "Ab"),
        ("&#" + "9" * 5000 + ";b", "\ufffdb"),
        ("&#x" + "F" * 5000 + ";b", "\ufffdb"),
        ("&#" + "0" * 5000 + ";", "\ufffd"),
        ("&#", "&#"),
        ("&#;", "&#;"),
    ],
)
def test_references_are_the_characters_that_they_stand_for(text: str, shown: str) -> None:
    assert without_references(text) == shown
