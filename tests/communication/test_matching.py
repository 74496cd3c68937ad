"""Filters on the data of CloudEvents: what matches, and that what matches also wakes (E5)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litewf.matching import as_conditions, conditions_met, meets, most_telling

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
keys = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=3)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.sampled_from(["0", "1", "00"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def walk(data, path=()):
    """Every scalar with its path, in plain Python."""
    if isinstance(data, dict):
        for key, inner in data.items():
            yield from walk(inner, (*path, key))
    elif isinstance(data, list):
        for at, inner in enumerate(data):
            yield from walk(inner, (*path, str(at)))
    elif path:
        yield ".".join(path), data


def same(one, other):
    """1 and 1.0 are one number; True is no number."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


@given(trees, st.data())
def test_a_condition_on_a_part_of_the_data_matches_and_finds_the_wait(data, draw):
    leaves = list(walk(data))
    if not leaves:
        return
    path, value = draw.draw(st.sampled_from(leaves))
    other = draw.draw(scalars)
    text = json.dumps(data)
    for allowed in ([value], [value, other], [other, value]):
        assert meets(data, as_conditions({path: allowed}))
    wait = most_telling(as_conditions({path: value}), None, None)
    assert wait in conditions_met("s", None, text)
    assert meets(data, as_conditions({path: other})) == any(
        same(found, other) for where, found in leaves if where == path
    )


@given(trees, keys, scalars, st.none() | st.text(min_size=1), st.text(min_size=1))
def test_whatever_matches_also_wakes(data, key, value, subject, source):
    """E5: an event carries the key under which each wait that it matches has registered."""
    conditions = as_conditions({key: value})
    if meets(data, conditions):
        assert most_telling(conditions, None, None) in conditions_met(source, subject, json.dumps(data))
    for wanted_source in (None, source):
        wait = most_telling({}, wanted_source, subject)
        assert wait in conditions_met(source, subject, json.dumps(data))


MATCHES = [
    ({"a": 1}, {"a": 1}, True),
    ({"a": 1.0}, {"a": 1}, True),
    ({"a": 1}, {"a": 1.0}, True),
    ({"a": -0.0}, {"a": 0}, True),
    ({"a": True}, {"a": 1}, False),
    ({"a": 1}, {"a": True}, False),
    ({"a": "1"}, {"a": 1}, False),
    ({"a": None}, {"a": None}, True),
    ({}, {"a": None}, False),
    ({"a": {}}, {"a": None}, False),
    ({"a": []}, {"a": None}, False),
    ({"a": ""}, {"a": ""}, True),
    ({"a": 2**63}, {"a": 2**63}, True),
    ({"a": 2**53}, {"a": 2**53 + 1}, False),
    ({"a": 1e300}, {"a": 10**300}, False),
    ({"a": 1e300}, {"a": 1e300}, True),
    ({"a": "\u00e9"}, {"a": "e\u0301"}, False),
    ({"ä": {"ö": "ü"}}, {"ä.ö": "ü"}, True),
    ({"a": {"b": {"c": 1}}}, {"a.b.c": 1}, True),
    ({"a": {"b": 1}}, {"a.b.c": 1}, False),
    ({"a.b": 1}, {"a.b": 1}, False),
    ({"a": [5, {"b": 6}]}, {"a.1.b": 6}, True),
    ({"a": [5, 6]}, {"a.0": 5}, True),
    ({"a": [5, 6]}, {"a.2": 5}, False),
    ({"a": [5, 6]}, {"a.00": 5}, False),
    ({"a": [5, 6]}, {"a.٠": 5}, False),
    ({"a": [5, 6]}, {"a.-1": 6}, False),
    ({"a": [5, 6]}, {"a." + "9" * 5000: 6}, False),
    ({"a": {"00": 5}}, {"a.00": 5}, True),
    ({"a": "x"}, {"a": ["w", "x"]}, True),
    ({"a": "x"}, {"a": ("w", "y")}, False),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
    ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
    ([{"a": 1}], {"0.a": 1}, True),
    ("text", {"a": 1}, False),
    (None, {"a": None}, False),
    (7, {}, True),
]


@pytest.mark.parametrize(("data", "where", "expected"), MATCHES, ids=[f"{n}" for n in range(len(MATCHES))])
def test_examples_of_what_matches(data, where, expected):
    conditions = as_conditions(where)
    assert meets(data, conditions) is expected
    if expected:
        assert most_telling(conditions, None, None) in conditions_met("s", None, json.dumps(data))


@pytest.mark.parametrize(
    ("where", "error"),
    [
        (["a"], TypeError),
        ("a", TypeError),
        ({1: 1}, TypeError),
        ({None: 1}, TypeError),
        ({"": 1}, ValueError),
        ({".a": 1}, ValueError),
        ({"a.": 1}, ValueError),
        ({"a..b": 1}, ValueError),
        ({"\ud800": 1}, ValueError),
        ({"a": []}, ValueError),
        ({"a": {}}, TypeError),
        ({"a": [[1]]}, TypeError),
        ({"a": float("nan")}, TypeError),
        ({"a": float("inf")}, TypeError),
        ({"a": b"x"}, TypeError),
        ({"a": object}, TypeError),
        ({"a": 10**5000}, ValueError),
        ({"a": [1, -(10**5000)]}, ValueError),
    ],
    ids=lambda value: None if isinstance(value, type) else "where",
)
def test_what_is_no_filter_is_refused(where, error):
    with pytest.raises(error, match="where"):
        as_conditions(where)


def test_the_most_telling_condition_is_a_single_value_then_the_subject_then_the_source():
    conditions = as_conditions({"b": 1, "a": [1, 2]})
    assert most_telling(conditions, "s", "j") == ("b", "1")
    assert most_telling(as_conditions({"a": [1, 2]}), "s", "j") == ("", "subject", "j")
    assert most_telling(as_conditions({"a": [1, 2]}), "s", None) == ("", "source", "s")
    assert most_telling(as_conditions({"a": [1, 2]}), None, None) == ()
