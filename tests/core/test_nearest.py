from gateway.core.nearest import did_you_mean


def test_the_nearest_word_is_named_or_all_of_them() -> None:
    assert did_you_mean("rout", ["route", "rule"]) == ", did you mean `route`?"
    assert did_you_mean("xyz", ["route", "advice"]) == "; known are advice, route"
    assert did_you_mean("xyz", []) == ""
