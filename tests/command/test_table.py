from __future__ import annotations

import copy
import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.command._learning import learn, standard
from chainrule.command._messages import CommandError
from chainrule.command._options import Impute, Task
from chainrule.command._reading import Content
from chainrule.command._table import CategoricalColumn, Encoding, NumericColumn, Target
from chainrule.networks import ModelFileError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-300, max_value=1e300)
NAMES = st.text(st.characters(codec="utf-8"), max_size=12)


@st.composite
def categorical(draw, name):
    categories = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    return CategoricalColumn(name, tuple(categories), draw(st.none() | st.sampled_from(categories)))


@st.composite
def encodings(draw):
    different = draw(st.lists(NAMES, min_size=2, max_size=6, unique=True))
    count = draw(st.integers(1, len(different) - 1))
    names, targets = different[:count], different[count:]
    columns = tuple(
        draw(
            categorical(name)
            | st.builds(
                NumericColumn, st.just(name), FINITE, POSITIVE, st.none() | FINITE, st.booleans()
            )
        )
        for name in names
    )
    task = draw(st.sampled_from([Task.CLASSIFICATION, Task.REGRESSION]))
    goals = tuple(Target(goal, task, draw(FINITE), draw(POSITIVE)) for goal in targets)
    return Encoding(columns, goals, tuple(draw(st.lists(NAMES, max_size=3))))


@given(encodings())
def test_json_and_back(encoding):
    """What is written into a model file is what is read out of it, to the last bit."""
    assert Encoding.from_json(json.loads(json.dumps(encoding.to_json()))) == encoding


SOUND = Encoding(
    (NumericColumn("size", 2.0, 3.0, 2.5), CategoricalColumn("colour", ("blue", "red"), "red")),
    (Target("price", Task.REGRESSION, 1.0, 2.0),),
    ("?",),
)
TAMPERING = [
    (("version",), 2),
    (("columns",), []),
    (("columns",), {}),
    (("columns", 0, "kind"), "pickled"),
    (("columns", 0, "kind"), ["numeric"]),
    (("columns", 0, "mean"), float("nan")),
    (("columns", 0, "mean"), "2"),
    (("columns", 0, "mean"), True),
    (("columns", 0, "mean"), 10**400),
    (("columns", 0, "scale"), 0.0),
    (("columns", 0, "scale"), -1.0),
    (("columns", 0, "fill"), float("inf")),
    (("columns", 0, "boolean"), 1),
    (("columns", 0, "name"), "colour"),
    (("columns", 0, "name"), "price"),
    (("columns", 0, "name"), None),
    (("columns", 0, "spare"), 1),
    (("columns", 1, "categories"), []),
    (("columns", 1, "categories"), ["red", "red"]),
    (("columns", 1, "categories"), "red"),
    (("columns", 1, "categories"), [1, 2]),
    (("columns", 1, "fill"), "green"),
    (("target", "task"), "auto"),
    (("target", "scale"), 0),
    (("target",), None),
    (("missing",), [None]),
]


@pytest.mark.parametrize(("place", "value"), TAMPERING, ids=str)
def test_tampered_json(place, value):
    """Files come from others: whatever does not fit is refused."""
    data = copy.deepcopy(SOUND.to_json())
    assert Encoding.from_json(data) == SOUND
    *way, last = place
    inner = data
    for step in way:
        inner = inner[step]
    inner[last] = value
    with pytest.raises(ModelFileError):
        Encoding.from_json(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda goals: goals.clear(),
        lambda goals: goals[1].update(task="classification"),
        lambda goals: goals[1].update(name="price"),
        lambda goals: goals[1].update(name="size"),
        lambda goals: goals.append(None),
    ],
)
def test_tampered_targets(change):
    """Several are of one task, with names of their own."""
    targets = (*SOUND.targets, Target("weight", Task.REGRESSION))
    data = Encoding(SOUND.columns, targets).to_json()
    assert Encoding.from_json(copy.deepcopy(data)).targets == targets
    change(data["target"])
    with pytest.raises(ModelFileError):
        Encoding.from_json(data)


LEAVES = st.none() | st.booleans() | st.integers() | FINITE | st.text(max_size=3)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(JSON)
def test_any_json_is_refused(value):
    with pytest.raises(ModelFileError):
        Encoding.from_json(value)


# Numbers that differ by less than any normal number are refused: they cannot be standardised.
NUMBERS = st.floats(-1e6, 1e6).filter(lambda number: number == 0.0 or abs(number) > 1e-290)


@given(st.lists(st.tuples(NUMBERS, st.sampled_from("abc"), st.booleans()), min_size=1))
def test_encoding_keeps_the_rows(rows):
    """From the inputs of a network, the rows can be had back."""
    numbers, letters, truths = zip(*rows, strict=True)
    frame = pl.DataFrame({"n": numbers, "c": letters, "b": [float(truth) for truth in truths]})
    contents = {"n": Content.NUMBER, "c": Content.TEXT, "b": Content.BOOLEAN}
    columns = learn(frame, contents, Impute.NONE)
    encoding = Encoding(columns, (Target("y", Task.CLASSIFICATION),))
    inputs, unknown = encoding.encode(encoding.typed(frame))
    number, letter, truth = columns
    assert not unknown
    assert inputs.shape == (len(rows), encoding.width)
    np.testing.assert_allclose(
        inputs[:, 0] * number.scale + number.mean, numbers, atol=1e-9 * max(map(abs, numbers))
    )
    codes = inputs[:, 1:-1]
    np.testing.assert_array_equal(codes.sum(axis=1), 1.0)
    assert [letter.categories[code] for code in codes.argmax(axis=1)] == list(letters)
    back = inputs[:, -1] * truth.scale + truth.mean
    np.testing.assert_array_equal(back > 0.5, truths)


def test_standardised():
    """Inputs of the rows that were learned from have mean 0 and standard deviation 1."""
    frame = pl.DataFrame({"n": [1.0, 2.0, 6.0]})
    (column,) = learn(frame, {"n": Content.NUMBER}, Impute.NONE)
    inputs, _ = column.encode(frame["n"])
    assert (column.mean, column.scale) == (3.0, pytest.approx(np.sqrt(14 / 3)))
    assert inputs.mean() == pytest.approx(0.0, abs=1e-15)
    assert inputs.std() == pytest.approx(1.0)


def test_standard_of_extremes():
    """Squares of large numbers do not overflow; a constant is divided by one."""
    assert standard(pl.Series([1e300, 3e300]), "n") == pytest.approx((2e300, 1e300))
    assert standard(pl.Series([7.0, 7.0]), "n") == (7.0, 1.0)
    with pytest.raises(CommandError, match="too large or too close"):
        standard(pl.Series([0.0, 1e-320]), "n")


@pytest.mark.parametrize(
    ("impute", "fill", "truth"),
    [
        (Impute.NONE, None, None),
        (Impute.MEAN, 3.0, 1.0),
        (Impute.MEDIAN, 2.0, 1.0),
        (Impute.MOST_FREQUENT, 1.0, 1.0),
    ],
)
def test_fills(impute, fill, truth):
    """Numbers are filled as asked, text and truth values with the most frequent."""
    frame = pl.DataFrame({
        "n": [1.0, 1.0, 2.0, 3.0, 8.0, None],
        "b": [0.0, 1.0, 1.0, 0.0, 1.0, None],
        "c": ["y", "x", "x", "y", None, None],
    })  # fmt: skip
    contents = {"n": Content.NUMBER, "b": Content.BOOLEAN, "c": Content.TEXT}
    columns = learn(frame, contents, impute)
    assert [column.fill for column in columns] == [fill, truth, "x" if fill is not None else None]
    encoding = Encoding(columns, (Target("y", Task.CLASSIFICATION),))
    if fill is None:
        with pytest.raises(CommandError, match=r"'n' \(1\), 'b' \(1\), 'c' \(2\) of 6 rows"):
            encoding.encode(frame)
    else:
        inputs, _ = encoding.encode(frame)
        assert inputs[-1, 0] * columns[0].scale + columns[0].mean == pytest.approx(fill)
        assert inputs[-1, 2:].tolist() == [1.0, 0.0]


def test_unknown_categories_are_zeros_and_counted():
    inputs, unknown = SOUND.encode(
        pl.DataFrame({"size": [2.0, 5.0, 2.0], "colour": ["green", "blue", "pink"]})
    )
    assert inputs.tolist() == [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert unknown == {"colour": 2}


def test_columns_are_found_by_name():
    frame = pl.DataFrame({"other": [1], "colour": ["red"], "size": [2]})
    assert SOUND.encode(SOUND.typed(frame))[0].tolist() == [[0.0, 0.0, 1.0]]
    with pytest.raises(CommandError, match="lacks 1 column that the model needs: 'size'"):
        SOUND.typed(frame.drop("size"))


def test_far_values_are_refused():
    """A value that cannot be standardised is named, not handed on as an infinity."""
    encoding = Encoding((NumericColumn("n", 0.0, 1e-10),), (Target("y", Task.REGRESSION),))
    with pytest.raises(CommandError, match="column 'n', row 2: 1e\\+300 is too far"):
        encoding.encode(pl.DataFrame({"n": [0.0, 1e300]}))
