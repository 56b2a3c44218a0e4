"""The records that DNS gets."""

import base64
import re

from gateway.signing.keys import load_key
from gateway.signing.record import key_record, zone_line
from tests.signing.keys import ed25519_pem, rsa_pem


def test_record_of_an_ed25519_key_is_its_32_bytes() -> None:
    text = key_record(load_key(ed25519_pem()))
    kind, _, data = text.partition("; p=")
    assert kind == "v=DKIM1; k=ed25519" and len(base64.b64decode(data)) == 32


def test_line_of_a_zone_has_no_string_of_more_than_255_bytes() -> None:
    key = load_key(rsa_pem())
    line = zone_line("s1", "council.example", key)
    strings = re.findall(r'"([^"]*)"', line)
    assert line.startswith("s1._domainkey.council.example. IN TXT ( ")
    assert len(strings) == 2 and max(map(len, strings)) == 255
    assert "".join(strings) == key_record(key)
