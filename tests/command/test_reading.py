from __future__ import annotations

import datetime
import gzip
import io
import os

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.command._messages import CommandError
from chainrule.command._reading import (
    Content,
    _silenced,
    content_of,
    numbers,
    read_table,
    texts,
)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a mark"])
def test_separator_is_found(tmp_path, separator, mark):
    """Comma, semicolon, tab and bar are told apart by the header; a byte order mark is no name."""
    path = tmp_path / "table.csv"
    path.write_bytes(mark + "a,b,c\n1, x ,true\n2,,\n".replace(",", separator).encode())
    frame = read_table(path)
    assert frame.to_dict(as_series=False) == {
        "a": ["1", "2"],
        "b": ["x", None],
        "c": ["true", None],
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_no_rows(tmp_path, end):
    """Of several columns; those inside of quotes stay, and in one column they are missing."""
    path = tmp_path / "table.csv"
    path.write_bytes(end.join(["", "a,b", "", "1,2", "", "", ",", '"x', "", 'y",3', ""]).encode())
    assert read_table(path).rows() == [("1", "2"), (None, None), (f"x{end}{end}y", "3")]
    path.write_bytes(end.join(["a", "1", "", "2"]).encode())
    assert read_table(path).rows() == [("1",), (None,), ("2",)]


def test_quoted_values(tmp_path):
    """Quoted text may hold separators, line ends and quotes."""
    path = tmp_path / "table.csv"
    path.write_text('a,"b, c"\n"x\ny","say ""z"""\n')
    assert read_table(path).rows() == [("x\ny", 'say "z"')]
    assert read_table(path).columns == ["a", "b, c"]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read(tmp_path, separator):
    """Tables of much of the world: numbers with a comma, where it does not separate columns."""
    path = tmp_path / "table.csv"
    rows = ["a;b;c;d;e", "1,5;-3;7;1,2;1.234", "-2; 4,25e-1 ;8;x,3;5,6", ";0,5;9;;7,8"]
    path.write_text("\n".join(rows).replace(";", separator))
    assert read_table(path).to_dict(as_series=False) == {
        "a": ["1.5", "-2", None],
        "b": ["-3", "4.25e-1", "0.5"],
        "c": ["7", "8", "9"],
        "d": ["1,2", "x,3", None],
        "e": ["1.234", "5,6", "7,8"],
    }


def test_commas_in_quotes_are_no_decimal_ones(tmp_path):
    """Beside columns that commas separate, 1,234 may be a thousand."""
    path = tmp_path / "table.csv"
    path.write_text('a,b\n"1,234",2\n')
    assert read_table(path).rows() == [("1,234", "2")]


def test_gzipped_tables_are_read(tmp_path):
    """CSV and Parquet, whatever the name; what is cut short says so."""
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert read_table(path).rows() == [("1", "2")]
    packed = io.BytesIO()
    pl.DataFrame({"a": [1, 2]}).write_parquet(packed)
    path.write_bytes(gzip.compress(packed.getvalue()))
    assert read_table(path).rows() == [(1,), (2,)]
    for damaged in (path.read_bytes()[:-9], path.read_bytes()[:40] + b"x" * 40):
        path.write_bytes(damaged)
        with pytest.raises(CommandError, match="gzipped, but damaged"):
            read_table(path)


def test_texts_that_stand_for_missing_values(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n?,1\nx, NA \n")
    assert read_table(path, ["?", "NA"]).rows() == [(None, "1"), ("x", None)]


@pytest.mark.parametrize(
    ("values", "content"),
    [
        (["1", "-2", None], Content.INTEGER),
        (["1", "2.5"], Content.NUMBER),
        (["1", "nan"], Content.INTEGER),
        (["1.5", "NA", "N/A", "null", "?"], Content.NUMBER),
        (["true", "NA"], Content.BOOLEAN),
        (["x", "NA"], Content.TEXT),
        (["NA", "NA"], Content.TEXT),
        (["9" * 30, "1"], Content.NUMBER),
        (["True", "false"], Content.BOOLEAN),
        (["1", "x"], Content.TEXT),
        ([None, None], Content.EMPTY),
        ([1, 2], Content.INTEGER),
        ([1.0, 2.0], Content.NUMBER),
        ([True, None], Content.BOOLEAN),
        ([datetime.date(2021, 3, 4)], Content.OTHER),
        ([[1], [2]], Content.OTHER),
        ([{"a": 1}], Content.OTHER),
        ([b"x"], Content.OTHER),
    ],
)
def test_content(values, content):
    assert content_of(pl.Series("column", values)) is content


@given(st.lists(st.one_of(st.none(), st.floats(allow_infinity=False)), min_size=1))
def test_numbers_survive_being_written(values):
    """Numbers read from text are the numbers that were written; NaN is a missing value."""
    written = pl.Series(
        "x", [None if value is None else repr(value) for value in values], pl.String
    )
    expected = [None if value is None or value != value else value for value in values]
    assert numbers(written).to_list() == expected


def test_marks_for_missing_values_among_numbers(tmp_path):
    """What R, pandas, SQL and old archives write for nothing; as text it is left alone."""
    path = tmp_path / "table.csv"
    path.write_text("n;t;c\n1,5;true;NA\nNA;?;x\nnan;N/A;null\n NULL ;false;y\n")
    frame = read_table(path)
    assert numbers(frame["n"]).to_list() == [1.5, None, None, None]
    assert numbers(frame["t"], boolean=True).to_list() == [1.0, None, None, 0.0]
    assert texts(frame["c"]).to_list() == ["NA", "x", "null", "y"]


def test_truth_values():
    assert numbers(pl.Series(["TRUE", "false", None]), boolean=True).to_list() == [1.0, 0.0, None]
    assert numbers(pl.Series([1, 0]), boolean=True).to_list() == [1.0, 0.0]
    with pytest.raises(CommandError, match=r"row 2: 'yes' is not true or false \(and 1 other"):
        numbers(pl.Series("a", ["true", "yes", "no"]), boolean=True)
    with pytest.raises(CommandError, match="row 2: '2' is not true or false"):
        numbers(pl.Series("a", [0, 2]), boolean=True)


@pytest.mark.parametrize("value", ["inf", "-inf", "1e400", "Infinity"])
def test_infinity_is_refused(value):
    with pytest.raises(CommandError, match=f"column 'a', row 2: '{value}' is not a finite number"):
        numbers(pl.Series("a", ["1", value]))


def test_texts_of_other_types():
    """What was text in one file may look like numbers in another."""
    assert texts(pl.Series([1, 2, None])).to_list() == ["1", "2", None]
    assert texts(pl.Series(["x", None], dtype=pl.Categorical)).to_list() == ["x", None]
    assert texts(pl.Series([True])).to_list() == ["true"]
    assert texts(pl.Series(["", " x "], dtype=pl.Categorical)).to_list() == [None, "x"]
    with pytest.raises(CommandError, match="text is expected"):
        texts(pl.Series([[1]]))


BAD_FILES = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "is empty"),
    "only a header": (b"a,b\n", "has a header but no rows"),
    "a long row": (b"a,b\n1,2\n1,2,3\n", "line 3: 3 values for 2 columns"),
    "a short row": (b"a,b\n1,2\n1\n", "line 3: 1 value for 2 columns"),
    "an open quote": (b'a,b\n"1,2\n', "line 2: 1 value for 2 columns"),
    "names that repeat": (b"a,b,a\n1,2,3\n", "more than one column is named 'a'"),
    "NUL": (b"a,b\n\x00,1\n", "NUL characters"),
    "binary": (bytes(range(256)), "is not UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "is not UTF-8"),
    "no Parquet": (b"PAR1 and nothing else", "is not a Parquet file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    content, message = BAD_FILES[name]
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=message):
        read_table(path)


def test_parquet_by_name(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="is not a Parquet file"):
        read_table(path)


def test_parquet_without_rows(tmp_path):
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": []}).write_parquet(path)
    with pytest.raises(CommandError, match="no rows"):
        read_table(path)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
def test_damaged_parquet(tmp_path, cut):
    """A file that was cut off or overwritten is an error, whatever the reader makes of it."""
    path = tmp_path / "table.parquet"
    pl.DataFrame({"a": list(range(1000)), "b": ["x"] * 1000}).write_parquet(path)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(CommandError, match="is not a Parquet file, or is damaged"):
        read_table(path)


def test_the_reader_s_own_complaints_are_kept_quiet(capfd):
    """Its threads write to the process's stderr behind Python's back."""
    with _silenced():
        os.write(2, b"stack backtrace")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
