"""One author, or nobody."""

import pytest

from gateway.core.author import author_domain


@pytest.mark.parametrize(
    ("values", "domain"),
    [
        ([b"An Officer <officer@Council.Example>"], "council.example"),
        ([b"me@b\xc3\xbccher.example"], "xn--bcher-kva.example"),
        ([b'"x@bait.example" <me@council.example>'], "council.example"),
        ([b"a@one.example, b@two.example"], ""),
        ([b"a@one.example", b"a@one.example"], ""),
        ([b"a@one.example", b""], ""),
        ([b"a@one.example", b"undisclosed:;"], ""),
        ([b"nobody"], ""),
        ([], ""),
    ],
)
def test_domain_of_the_only_author(values: list[bytes], domain: str) -> None:
    assert author_domain(values) == domain
