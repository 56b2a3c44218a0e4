"""Exchange classifications, Boldon James and Titus, as they stand in real mail; nothing in them can make us raise."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.facts import Field, LabelResult, Scan
from gateway.core.labels.base import MAX_VALUE, LabelSource, read_labels
from gateway.core.labels.boldon_james import BoldonJamesSource
from gateway.core.labels.exchange import ExchangeSource
from gateway.core.labels.titus import TitusSource
from tests.core.scanning import scan

LEVELS = ("public", "controlled", "restricted")
GARBLED, NO_LABEL = LabelResult.GARBLED, LabelResult.NO_LABEL
Found = list[LabelResult | str]


def results(header: str, source: LabelSource) -> Found:
    found = read_labels(scan(f"From: a@council.example\n{header}\n\nbody\n"), (source,), LEVELS)
    return [label.level or label.result for label in found]


# Exchange.

CLASS = "11111111-2222-3333-4444-555555555555"
BOTH = ExchangeSource({CLASS: "restricted"}, {"OFFICIAL-SENSITIVE": "restricted", "OFFICIAL": "controlled"})
REAL_CLASS = f"""x-microsoft-classified: true
x-microsoft-classification: OFFICIAL-SENSITIVE
x-microsoft-classDesc: Handle as OFFICIAL-SENSITIVE
x-microsoft-classID: {CLASS}
X-microsoft-classKeep: true"""


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (REAL_CLASS, ["restricted", "restricted"]),
        (f"x-microsoft-classID: {{{CLASS.upper()}}}", ["restricted"]),
        ("x-microsoft-classification: official sensitive", ["restricted"]),
        ("x-microsoft-classification: OFFICIAL", ["controlled"]),
        ("x-microsoft-classID:\nx-microsoft-classification:", [NO_LABEL, NO_LABEL]),
        (f"x-microsoft-classID: {CLASS}0", [GARBLED]),
        ("x-microsoft-classification: SECRET", [GARBLED]),
        (f"x-microsoft-classification: {'x' * (MAX_VALUE + 1)}", [GARBLED]),
        ("x-microsoft-classified: true", []),
    ],
)
def test_an_exchange_classification_is_read_by_id_and_name(header: str, found: Found) -> None:
    assert results(header, BOTH) == found


def test_only_the_fields_that_have_a_table_are_read() -> None:
    header = "x-microsoft-classification: ???\nx-microsoft-classID: ???"
    assert results(header, ExchangeSource(ids={CLASS: "restricted"})) == [GARBLED]
    assert results(header, ExchangeSource(names={"OFFICIAL": "public"})) == [GARBLED]
    assert results(header, ExchangeSource()) == []
    assert BOTH.levels == {"restricted", "controlled"}


# Boldon James.

POLICY = "5e216652-7cb1-42d3-a22f-fb5c7f348db5"
UIDS = {"id_classification_internalonly": "controlled", "id_secret": "restricted", "id_marker": None}
JAMES = BoldonJamesSource(UIDS)
OURS = BoldonJamesSource(UIDS, policy=POLICY.upper())
REAL_JAMES = f"""<?xml version="1.0" encoding="us-ascii"?><sisl
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" sislVersion="0"
 policy="{POLICY}" origin="defaultValue"
 xmlns="http://www.boldonjames.com/2008/01/sie/internal/label"><element
 uid="id_classification_internalonly" value="" /></sisl>"""


def james(inner: str, policy: str = f'policy="{POLICY}"') -> str:
    return f"<sisl {policy}>{inner}</sisl>"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (REAL_JAMES, ["controlled"]),
        (REAL_JAMES.replace('"', "'"), ["controlled"]),
        (james("<element uid='ID_Secret'/>"), ["restricted"]),
        (james('<element uid="id_\n secret"/>'), ["restricted"]),
        (
            james('<element uid="id_secret" value="a &amp; b > c"/>\n <element uid="id_marker"/>'),
            ["restricted", NO_LABEL],
        ),
        (james(""), [NO_LABEL]),
        (f'<sisl policy="{POLICY}"/>', [NO_LABEL]),
        ("", [NO_LABEL]),
        (james('<element uid="id_other"/>'), [GARBLED]),
        (james("<element/>"), [GARBLED]),
        (james('<element uid="id_marker" uid="id_secret"/>'), [GARBLED]),
        (james('<element uid="id_marker"></element>'), [GARBLED]),
        (james('<element uid="id_marker">'), [GARBLED]),
        (james("<element uid=id_marker/>"), [GARBLED]),
        (james('<!-- <element uid="id_marker"/> -->'), [GARBLED]),
        ('<!DOCTYPE sisl [<!ENTITY a "id_marker">]>' + james('<element uid="&a;"/>'), [GARBLED]),
        (james('<element uid="&a;"/>'), [GARBLED]),
        (james('<element uid="id_marker"/>') + "x", [GARBLED]),
        (REAL_JAMES[:-20], [GARBLED]),
        ("internal", [GARBLED]),
        (james(f'<element uid="id_marker" value="{"x" * MAX_VALUE}"/>'), [GARBLED]),
    ],
)
def test_a_boldon_james_label_is_read_element_by_element(value: str, found: Found) -> None:
    for source in (JAMES, OURS):
        assert results(f"x-bjprotectivemarking: {value}", source) == found


def test_the_label_of_another_policy_is_none_of_ours() -> None:
    other = james('<element uid="id_secret"/>', f'policy="{CLASS}"')
    assert results(f"x-bjprotectivemarking: {other}", OURS) == [NO_LABEL]
    assert results(f"x-bjprotectivemarking: {other}", JAMES) == ["restricted"]
    for unknown in ("", 'policy="mine"', f'policy="{POLICY}" policy="{CLASS}"'):
        told = james('<element uid="id_marker"/>', unknown)
        assert results(f"x-bjprotectivemarking: {told}", OURS) == [GARBLED]


def test_the_boldon_james_field_can_be_named() -> None:
    named = BoldonJamesSource(UIDS, header="x-label")
    assert results(f"X-Label: {REAL_JAMES}", named) == ["controlled"]
    assert results(f"x-bjprotectivemarking: {REAL_JAMES}", named) == []
    assert named.levels == {"controlled", "restricted"}


# Titus.

TITUS = TitusSource("CTPClassification", {"CTP_NT": "controlled", "CTP_RESTRICTED": "restricted", "CTP_PUBLIC": None})


def titus(properties: object) -> str:
    document = {
        "CategoryLabels": "",
        "Metadata": {"ns": "http://www.titus.com/ns/Intel3", "id": "e47c76cb-0000", "props": properties},
    }
    return encoded(json.dumps(document))


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def prop(*values: object, name: object = "CTPClassification") -> dict[str, object]:
    return {"n": name, "vals": [{"value": value} for value in values]}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (titus([prop("CTP_NT")]), ["controlled"]),
        (titus([prop("x", name="Other"), prop("ctp restricted", "CTP_PUBLIC")]), ["restricted", NO_LABEL]),
        (titus([prop("CTP_NT")])[:60] + "\n " + titus([prop("CTP_NT")])[60:], ["controlled"]),
        ("", [NO_LABEL]),
        (titus([]), [NO_LABEL]),
        (titus([prop("x", name="Other")]), [NO_LABEL]),
        (titus([prop("")]), [NO_LABEL]),
        (titus([prop()]), [NO_LABEL]),
        (titus([prop("CTP_NEW")]), [GARBLED]),
        (titus([prop(7)]), [GARBLED]),
        (titus([{"n": "CTPClassification"}]), [GARBLED]),
        (titus({}), [GARBLED]),
        (titus(["CTP_NT"]), [GARBLED]),
        (encoded("[]"), [GARBLED]),
        (encoded("{}"), [GARBLED]),
        (encoded('{"Metadata": {"props": []}, "Metadata": {"props": []}}'), [GARBLED]),
        (encoded("{"), [GARBLED]),
        (encoded("[" * 5000), [GARBLED]),
        (encoded("9" * 5000), [GARBLED]),
        (encoded(b"\xff\xfe\x00"), [GARBLED]),
        (titus([prop("CTP_NT")])[:-3], [GARBLED]),
        ("CTP_NT", [GARBLED]),
        (titus([prop("CTP_NT"), prop("x" * MAX_VALUE, name="Other")]), [GARBLED]),
    ],
)
def test_a_titus_property_is_read_value_by_value(value: str, found: Found) -> None:
    assert results(f"x-titus-metadata-40: {value}", TITUS) == found


def test_the_titus_field_can_be_named() -> None:
    named = TitusSource("P", {"v": "public"}, header="x-t")
    assert results(f"X-T: {titus([prop('V', name='P')])}", named) == ["public"]
    assert (named.levels, named.origin) == ({"public"}, "Titus label")


# All of them.


@given(st.binary(max_size=300), st.sampled_from([BOTH, JAMES, OURS, TITUS]))
@example(b"<sisl " + b'a="b" ' * 200 + b"!", JAMES)
@example(b"<sisl>" + b"<element " * 500, JAMES)
@example(b" " * 3000 + b"x", OURS)
@example(base64.b64encode(b"\xef\xbb\xbf{}"), TITUS)
def test_whatever_stands_there_gives_labels(value: bytes, source: LabelSource) -> None:
    names = ("x-microsoft-classID", "x-microsoft-classification", "x-bjprotectivemarking", "x-titus-metadata-40")
    fields = tuple(Field(name, value) for name in names)
    made = Scan(fields=fields, attachments=(), message_bytes=0, header_bytes=0)
    found = read_labels(made, (source,), LEVELS)
    assert found
    assert all(label.source == source.origin and len(label.raw) <= 100 for label in found)
