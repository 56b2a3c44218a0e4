"""Microsoft sensitivity labels, as they stand in real mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.facts import Field, Label, LabelResult, Scan
from gateway.core.labels.base import MAX_VALUE, read_labels
from gateway.core.labels.msip import MsipSource
from tests.core.scanning import scan

LEVELS = ("public", "controlled", "restricted")
OFFICIAL = "88914ebd-7e6c-4e12-a031-a9906be2db14"
SECRET = "11111111-7e6c-4e12-a031-a9906be2db14"
NONE = "22222222-7e6c-4e12-a031-a9906be2db14"
STRANGE = "33333333-7e6c-4e12-a031-a9906be2db14"
SITE = "3dd8961f-e488-4e60-8e11-a82d994e183d"
OTHER_SITE = "9dd8961f-e488-4e60-8e11-a82d994e183d"
SOURCE = MsipSource(SITE.upper(), {OFFICIAL.upper(): "controlled", f"{{{SECRET}}}": "restricted", NONE: None})

REAL = f"""msip_labels: MSIP_Label_{OFFICIAL}_Enabled=true;
 MSIP_Label_{OFFICIAL}_SetDate=2022-01-19T10:08:26Z;
 MSIP_Label_{OFFICIAL}_Method=Standard;
 MSIP_Label_{OFFICIAL}_Name=AMD Official Use
 Only-AIP 2.0;
 MSIP_Label_{OFFICIAL}_SiteId={SITE};
 MSIP_Label_{OFFICIAL}_ActionId=7029f28b-bd1c-4ddb-b838-71b1e939f5a0;
 MSIP_Label_{OFFICIAL}_ContentBits=1"""


def labels(header: str, source: MsipSource = SOURCE) -> tuple[Label, ...]:
    return read_labels(scan(f"From: a@council.example\n{header}\n\nbody\n"), (source,), LEVELS)


def results(header: str) -> list[LabelResult | str]:
    """Levels where there is one, else what was found instead."""
    return [label.level or label.result for label in labels(header)]


def entry(guid: str, site: str | None = SITE, enabled: str | None = "true") -> str:
    parts = [f"MSIP_Label_{guid}_Enabled={enabled}"] if enabled is not None else []
    parts += [f"MSIP_Label_{guid}_SiteId={site}"] if site is not None else []
    return ";".join((*parts, f"MSIP_Label_{guid}_Method=Standard"))


def test_the_folded_field_of_real_mail_is_read() -> None:
    (label,) = labels(REAL)
    assert (label.source, label.level) == ("Microsoft label", "controlled")


@pytest.mark.parametrize(
    ("header", "raw"),
    [
        (REAL, OFFICIAL),
        (f"msip_labels: {entry(STRANGE, OTHER_SITE)};MSIP_Label_{STRANGE}_Name=Anna Smith", STRANGE),
        (f"msip_labels: {entry(STRANGE)};MSIP_Label_{STRANGE}_Name=Anna Smith", STRANGE),
        ("msip_labels: about Anna Smith", "msip_labels"),
    ],
)
def test_of_an_entry_nothing_is_repeated_but_its_guid(header: str, raw: str) -> None:
    assert [label.raw for label in labels(header)] == [raw]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        # Unfolded, in any order, without spaces, with and without the last semicolon, true and True.
        (f"MSIP_Label_{SECRET}_SiteId={SITE};MSIP_Label_{SECRET}_Enabled=True", ["restricted"]),
        (
            f"MSIP_Label_{SECRET}_Name=a=b;MSIP_Label_{SECRET}_SiteId={SITE};MSIP_Label_{SECRET}_Enabled=true;",
            ["restricted"],
        ),
        (f"{entry(SECRET)};", ["restricted"]),
        (entry(SECRET).upper(), ["restricted"]),
        # A fold can cut a name of an attribute, and a GUID.
        (f"MSIP_Label_{SECRET}_\n Enabled=tr\n ue;MSIP_Label_{SECRET}_SiteId={SITE[:9]}\n {SITE[9:]}", ["restricted"]),
        (f"{entry(SECRET)};MSIP_Label_{SECRET}_Name=one; two", ["restricted"]),
        # Several tenants, several labels.
        (f"{entry(SECRET, OTHER_SITE)}; {entry(OFFICIAL)}", [LabelResult.NO_LABEL, "controlled"]),
        (f"{entry(OFFICIAL)}; {entry(SECRET)}", ["controlled", "restricted"]),
        # No label of ours.
        ("", [LabelResult.NO_LABEL]),
        (entry(STRANGE, OTHER_SITE), [LabelResult.NO_LABEL]),
        (entry(SECRET, OTHER_SITE), [LabelResult.NO_LABEL]),
        (entry(SECRET, enabled="False"), [LabelResult.NO_LABEL]),
        (entry(NONE), [LabelResult.NO_LABEL]),
        # Ours, or perhaps ours, and not to be read.
        (entry(STRANGE), [LabelResult.GARBLED]),
        (entry(SECRET, site=None), [LabelResult.GARBLED]),
        (entry(STRANGE, site=None), [LabelResult.GARBLED]),
        (entry(SECRET, site="council"), [LabelResult.GARBLED]),
        (entry(SECRET, enabled=None), [LabelResult.GARBLED]),
        (entry(SECRET, enabled="yes"), [LabelResult.GARBLED]),
        (f"{entry(SECRET)};{entry(SECRET, OTHER_SITE)}", [LabelResult.GARBLED]),
        (f"{entry(SECRET)};{entry(SECRET, enabled='false')}", [LabelResult.GARBLED]),
        (f"{entry(SECRET)};MSIP_Label_{SECRET}_Enabled=true;x", [LabelResult.GARBLED]),
        ("hello", [LabelResult.GARBLED]),
        ("a=b; c=d", [LabelResult.GARBLED]),
        (";", [LabelResult.GARBLED]),
        ("MSIP_Label_1234_Enabled=true", [LabelResult.GARBLED]),
    ],
)
def test_each_entry_is_a_label_none_or_garbled(value: str, found: list[LabelResult | str]) -> None:
    assert results(f"msip_labels: {value}") == found


def test_the_older_fields_of_their_own_are_read() -> None:
    header = f"msip_label_{SECRET}_enabled: true\nMSIP_Label_{SECRET}_SiteId: {SITE}\nmsip_label_{SECRET}_name:"
    assert results(header) == ["restricted"]
    assert results(header.replace("true", "false")) == [LabelResult.NO_LABEL]
    assert results(f"msip_label_{SECRET}_enabled: true") == [LabelResult.GARBLED]
    assert results(f"msip_label_{SECRET}_enabled:\nmsip_justification: x") == []


def test_a_field_longer_than_any_label_is_garbled() -> None:
    assert results(f"msip_labels: {entry(SECRET)};{'x' * MAX_VALUE}") == [LabelResult.GARBLED]


LONG = "\n " + "x" * MAX_VALUE


@pytest.mark.parametrize(
    ("enabled", "site"),
    [("true", SITE + LONG), ("true", OTHER_SITE + LONG), ("true" + LONG, SITE), ("false" + LONG, SITE)],
)
def test_an_older_field_longer_than_any_value_says_neither_whose_it_is_nor_whether(enabled: str, site: str) -> None:
    (label,) = labels(f"msip_label_{SECRET}_enabled: {enabled}\nmsip_label_{SECRET}_siteid: {site}")
    assert (label.result, label.raw) == (LabelResult.GARBLED, SECRET)


def test_a_message_without_the_field_has_none() -> None:
    assert results("X-Label: 1") == []
    assert SOURCE.levels == {"controlled", "restricted"}


@pytest.mark.parametrize(("site", "label"), [("council", SECRET), (SITE, "secret"), (SITE, f"{SECRET}0")])
def test_a_site_and_labels_are_guids(site: str, label: str) -> None:
    with pytest.raises(ValueError, match="is no GUID"):
        MsipSource(site, {label: "restricted"})


PIECE = st.sampled_from(
    [entry(SECRET), entry(OFFICIAL, OTHER_SITE), SITE, "MSIP_Label_", SECRET, "_Enabled", "=", ";", " ", "x"]
)


@given(st.lists(PIECE, max_size=12).map("".join), st.booleans())
def test_whatever_stands_there_gives_labels(text: str, own_field: bool) -> None:
    name = f"msip_label_{SECRET}_enabled" if own_field else "msip_labels"
    made = Scan(fields=(Field(name, text.encode()),), attachments=(), message_bytes=0, header_bytes=0)
    found = read_labels(made, (SOURCE,), LEVELS)
    assert all((label.result is LabelResult.LEVEL) == (label.level is not None) for label in found)


@given(st.binary(max_size=200))
def test_whatever_bytes_stand_there_give_labels(value: bytes) -> None:
    made = Scan(fields=(Field("msip_labels", value),), attachments=(), message_bytes=0, header_bytes=0)
    assert read_labels(made, (SOURCE,), LEVELS)
