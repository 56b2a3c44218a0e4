"""The path and the cookie of each opened message, and how many of them a browser keeps."""

from dataclasses import replace

from starlette.requests import Request

from gateway.portal.home import MOST_OPEN, cookie_name, name_of, path_of, surplus
from tests.portal.opened_pages import PAGE
from tests.portal.sealed_mail import READER


def sending(*cookies: str) -> Request:
    header = "; ".join(f"{name}=x" for name in cookies).encode()
    return Request({"type": "http", "method": "POST", "path": "/", "headers": [(b"cookie", header)]})


def test_two_readers_of_one_message_and_one_of_two_have_different_homes() -> None:
    readers = (READER, replace(READER, number=READER.number + 1), replace(READER, package="other"))
    assert len({path_of(name_of(one)) for one in readers}) == 3
    assert name_of(READER) == name_of(replace(READER, opened=9))


def test_the_oldest_cookies_make_room_for_one_more() -> None:
    names = [cookie_name(PAGE, f"{number:016x}") for number in range(MOST_OPEN + 2)]
    assert surplus(sending(*names[: MOST_OPEN - 1], "other"), PAGE, "new") == []
    assert surplus(sending("other", *names), PAGE, "new") == names[:3]
    assert surplus(sending(*names), replace(PAGE, url="http://127.0.0.1"), "new") == []


def test_a_message_that_is_opened_again_keeps_its_cookie_though_it_is_the_oldest() -> None:
    homes = [f"{number:016x}" for number in range(MOST_OPEN + 1)]
    names = [cookie_name(PAGE, home) for home in homes]
    assert surplus(sending(*names[:MOST_OPEN]), PAGE, homes[0]) == []
    assert surplus(sending(*names), PAGE, homes[0]) == [names[1]]
