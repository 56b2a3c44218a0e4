"""The ``[[labels]]`` tables as they are written, one for each source; `gateway.config.labels` reads them."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gateway.config.page import Strict
from gateway.config.units import Line
from gateway.core.labels import boldon_james, titus

FieldName: TypeAlias = Annotated[str, Field(pattern=r"^[!-9;-~]{1,76}$")]
"""The name of a header field (RFC 5322 section 3.6.8)."""

Values: TypeAlias = Annotated[dict[str, str], Field(min_length=1)]
"""What stands in the message, and the level that it names."""


class HeaderLabelTable(Strict):
    """``source = "header"``: a field's value is a level, or "no label"."""

    source: Literal["header"]
    name: FieldName
    values: Values


class SubjectLabelTable(Strict):
    """``source = "subject"``: a mark such as [RESTRICTED] is a level; with ``remove`` it is taken out on the way."""

    source: Literal["subject"]
    marks: Values
    remove: bool = False


class MsipLabelTable(Strict):
    """``source = "msip"``: Microsoft sensitivity labels of the tenant ``site``, by their GUIDs."""

    source: Literal["msip"]
    site: str
    labels: Values


class ProtectiveMarkingTable(Strict):
    """``source = "protective-marking"``: X-Protective-Marking of one namespace, else [SEC=…] in the subject."""

    source: Literal["protective-marking"]
    namespace: Line = Field(max_length=128)
    values: Values
    remove: bool = False


class ExchangeLabelTable(Strict):
    """``source = "exchange"``: message classifications by their GUID, by their name, or both."""

    source: Literal["exchange"]
    ids: dict[str, str] = Field(default_factory=dict[str, str])
    names: dict[str, str] = Field(default_factory=dict[str, str])


class BoldonJamesTable(Strict):
    """``source = "boldon-james"``: the elements of a label, of one ``policy`` or of every one."""

    source: Literal["boldon-james"]
    header: FieldName = boldon_james.HEADER
    policy: str | None = None
    values: Values


class TitusTable(Strict):
    """``source = "titus"``: the values of one property."""

    source: Literal["titus"]
    header: FieldName = titus.HEADER
    property: Line = Field(max_length=128)
    values: Values
