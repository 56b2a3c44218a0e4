from gateway.config.page import Page, Strict, as_list, as_table, did_you_mean, dotted
from gateway.config.problems import Problem


class Inner(Strict):
    length: int = 0


class Outer(Strict):
    name: str
    inner: list[Inner] = []  # noqa: RUF012 - pydantic copies it
    one: Inner | None = None


def found(table: object) -> list[str]:
    page = Page("f.toml")
    page.validate(Outer, table)
    return [str(problem) for problem in page.problems]


def test_a_good_table_is_read() -> None:
    page = Page("f.toml")
    assert page.validate(Outer, {"name": "x", "inner": [{"length": 2}]}) == Outer(name="x", inner=[Inner(length=2)])
    assert page.problems == []


def test_all_problems_are_found_at_once_each_with_file_and_key() -> None:
    assert found({"nam": "x", "inner": [{}, {"lenght": 1, "length": "2"}], "one": 3}) == [
        "f.toml: name: this is missing",
        "f.toml: inner[2].length: this is a whole number",
        "f.toml: inner[2].lenght: unknown key `lenght`, did you mean `length`?",
        "f.toml: one: this is a table",
        "f.toml: nam: unknown key `nam`, did you mean `name`?",
    ]


def test_a_key_in_a_table_that_does_not_exist_has_no_nearest() -> None:
    assert found({"name": "x", "one": {"zzzz": 1}}) == ["f.toml: one.zzzz: unknown key `zzzz`; known are length"]


def test_an_unknown_word_names_the_nearest_or_all() -> None:
    assert did_you_mean("rout", ["route", "rule"]) == ", did you mean `route`?"
    assert did_you_mean("xyz", ["route", "advice"]) == "; known are advice, route"
    assert did_you_mean("xyz", []) == ""


def test_what_is_not_toml_is_one_problem() -> None:
    page = Page("f.toml")
    assert page.toml(b'a = "\xc3\xa4"') == {"a": "ä"}
    assert page.toml(b"a = \n") is None
    assert page.toml(b"a = '\xff'") is None
    assert [problem.key for problem in page.problems] == ["", ""]
    assert "line 1" in page.problems[0].text
    assert "UTF-8" in page.problems[1].text


def test_keys_are_counted_from_one() -> None:
    assert dotted("listen", "smtp", 0, "allow", 2, "networks") == "listen.smtp[1].allow[3].networks"
    assert dotted("", "a") == "a"
    assert str(Problem(file="f", key="", text="t")) == "f: t"


def test_values_of_other_kinds_are_empty() -> None:
    assert as_table({"a": 1}) == {"a": 1}
    assert as_table([1]) == {}
    assert as_list([1]) == [1]
    assert as_list({"a": 1}) == []
