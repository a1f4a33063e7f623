"""Reading CSV and Parquet files, and what their columns hold."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import polars as pl

from chainrule.command._messages import CommandError, counted, listed, quoted

_PARQUET_MARK, _GZIP_MARK = b"PAR1", b"\x1f\x8b"
_PARQUET_SUFFIXES = (".parquet", ".pq")
_TRUTH = {"true": "1", "false": "0"}
_SEPARATORS = ",;\t|"
_BLANK_LINE = re.compile(r"\n\r?\n")
# What numbers are written with besides digits, a point and a sign.
_ORNAMENTS = r"[\s,'’%$€£¥]"
# What other programs write for a missing value, in small letters. As text it may be anything.
_MARKS = ("na", "n/a", "#n/a", "nan", "-nan", "<na>", "null", "none", "?", ".", "-")
_DECIMAL_COMMA = r"^[+-]?\d+,\d+([eE][+-]?\d+)?$"


class Content(StrEnum):
    """What a column holds."""

    EMPTY = "empty"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    OTHER = "other"


def read_table(path: Path, missing: Sequence[str] = ()) -> pl.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : Path
        What begins like Parquet, or is named so, is Parquet; everything else is CSV, in UTF-8, with
        a header, separated by the one of comma, semicolon, tab and bar that divides the header
        most. Where that is no comma, numbers may have decimal commas. Any of these may be gzipped.
    missing : sequence of str
        Texts that stand for a missing value, besides nothing at all.

    Returns
    -------
    polars.DataFrame
        At least one row; columns of text from CSV, of any type from Parquet. Blanks around text are
        removed.
    """
    content = _unpacked(path, path.read_bytes())
    if not content.strip():
        raise CommandError(f"{path} is empty\nExpected a CSV file with a header, or Parquet.")
    if content.startswith(_PARQUET_MARK) or path.suffix.lower() in _PARQUET_SUFFIXES:
        frame, has_decimal_commas = _read_parquet(path, content), False
    else:
        frame, has_decimal_commas = _read_csv(path, content)
    if frame.height == 0:
        raise CommandError(f"{path} has a header but no rows\nGive at least one row of data.")
    absent = ["", *missing]
    text = pl.col(pl.String).str.strip_chars()
    present = frame.with_columns(pl.when(text.is_in(absent)).then(None).otherwise(text).name.keep())
    return present.with_columns(map(_with_points, present)) if has_decimal_commas else present


def _with_points(column: pl.Series) -> pl.Series:
    """Return a column of numbers with decimal points, where it has decimal commas alone."""
    has_comma = column.str.contains(_DECIMAL_COMMA)
    others = _without_marks(column).filter(~has_comma).drop_nulls()
    if not has_comma.any() or others.cast(pl.Int64, strict=False).null_count():
        return column
    return column.str.replace(",", ".", literal=True)


def _unpacked(path: Path, content: bytes) -> bytes:
    if not content.startswith(_GZIP_MARK):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CommandError(
            f"{path} is gzipped, but damaged: {error}\nCompress the table again."
        ) from None


def _without_marks(series: pl.Series) -> pl.Series:
    """Return text with null for what stands for a missing value among numbers or truth values."""
    return series.set(series.str.to_lowercase().is_in(_MARKS), None)


def content_of(series: pl.Series) -> Content:
    """Return what a column holds; text that reads as numbers where anything is there is numbers."""
    dtype = series.dtype
    if series.null_count() == len(series):
        return Content.EMPTY
    if dtype == pl.Boolean:
        return Content.BOOLEAN
    if dtype.is_integer():
        return Content.INTEGER
    if dtype.is_numeric():
        return Content.NUMBER
    if dtype in (pl.Categorical, pl.Enum):
        return Content.TEXT
    if dtype != pl.String:
        return Content.OTHER
    present = _without_marks(series).drop_nulls()
    if present.is_empty():
        return Content.TEXT
    if present.str.to_lowercase().is_in(list(_TRUTH)).all():
        return Content.BOOLEAN
    if present.cast(pl.Int64, strict=False).null_count() == 0:
        return Content.INTEGER
    if present.cast(pl.Float64, strict=False).null_count() == 0:
        return Content.NUMBER
    return Content.TEXT


def is_ornate(series: pl.Series) -> bool:
    """Tell whether text is numbers written with more than digits, as '$1,200' or '12 %'."""
    present = _without_marks(series).drop_nulls().str.replace_all(_ORNAMENTS, "")
    return len(present) > 0 and present.cast(pl.Float64, strict=False).null_count() == 0


def numbers(series: pl.Series, *, boolean: bool = False) -> pl.Series:
    """Return a column as float64; missing values, NaN and marks of text among them, are null.

    Raises
    ------
    CommandError
        A value is not a number, or is infinite; the message names the first.
    """
    name, values = series.name, series
    if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.String, pl.Null)):
        raise CommandError(
            f"column {quoted(name)} holds values of type {values.dtype}, but numbers are expected"
        )
    if values.dtype == pl.String:
        values = _without_marks(values)
        if boolean:
            values = values.str.to_lowercase().replace(_TRUTH)
    floats = values.cast(pl.Float64, strict=False)
    _refuse(
        series, values.is_not_null() & floats.is_null(),
        "true or false" if boolean else "a number",
        "Correct it; a text that stands for missing values is named with --missing when training.",
    )  # fmt: skip
    floats = floats.fill_nan(None)
    if boolean:
        _refuse(series, ~floats.is_in([0.0, 1.0]), "true or false", "Correct it.")
    _refuse(
        series, floats.is_infinite(), "a finite number",
        "Correct it or leave it empty, or remove the row or the column.",
    )  # fmt: skip
    return floats


def texts(series: pl.Series) -> pl.Series:
    """Return a column as text; missing values are null."""
    if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        raise CommandError(
            f"column {quoted(series.name)} holds values of type {series.dtype}, but text is "
            "expected"
        )
    plain = series.fill_nan(None) if series.dtype.is_float() else series
    values = plain.cast(pl.String).str.strip_chars()
    return values.set(values == "", None)


def _refuse(series: pl.Series, wrong: pl.Series, expected: str, remedy: str) -> None:
    rows = wrong.fill_null(False).arg_true()
    if len(rows):
        others = f" (and {counted(len(rows) - 1, 'other')} like it)" if len(rows) > 1 else ""
        raise CommandError(
            f"column {quoted(series.name)}, row {rows[0] + 1}: {quoted(series[rows[0]])} is not "
            f"{expected}{others}\n{remedy}"
        )


def _read_parquet(path: Path, content: bytes) -> pl.DataFrame:
    try:
        with _silenced():
            return pl.read_parquet(io.BytesIO(content))
    except MemoryError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CommandError(
            f"{path} is not a Parquet file, or is damaged: {reason:.200}\n"
            "Write it again, or give CSV with a name that ends in .csv."
        ) from None


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep the reader's own threads from printing a stack trace where a file is damaged."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _read_csv(path: Path, content: bytes) -> tuple[pl.DataFrame, bool]:
    """Return the table, and whether commas in it may be decimal ones."""
    text = _decoded(path, content).strip("\r\n")
    separator, names = _header(path, text)
    repeated = [quoted(name) for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise CommandError(
            f"{path}: more than one column is named {listed(repeated)}\n"
            "Give every column a name of its own."
        )
    try:
        lines = text if len(names) == 1 else _without_blank_lines(text, separator)
        frame = pl.read_csv(lines.encode(), infer_schema=False, separator=separator)
        frame.columns = names
    except pl.exceptions.PolarsError as error:
        _refuse_ragged(path, text, separator, len(names))
        reason = str(error).strip().splitlines()[0]
        raise CommandError(
            f"{path} cannot be read as CSV: {reason:.200}\n"
            "Check that quotes are closed and doubled inside of quoted text."
        ) from None
    if frame.height and frame.to_series(-1).null_count():
        # Polars fills short rows up; only a look at the text tells them from missing values.
        _refuse_ragged(path, text, separator, len(names))
    return frame, separator != ","


def _without_blank_lines(text: str, separator: str) -> str:
    """Return the text without lines that hold nothing, which are no rows of several columns."""
    if not _BLANK_LINE.search(text):
        return text
    kept = io.StringIO()
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        csv.writer(kept, delimiter=separator).writerows(filter(None, rows))
    except csv.Error:
        return text
    return kept.getvalue()


def _decoded(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
        problem = "it holds NUL characters" if "\x00" in text else ""
    except UnicodeDecodeError as error:
        problem = f"byte {error.start:,} is not UTF-8"
    if problem:
        raise CommandError(
            f"{path} is neither CSV nor Parquet: {problem}\n"
            "Expected CSV in UTF-8, or a Parquet file; save the table as one of these."
        )
    return text


def _header(path: Path, text: str) -> tuple[str, list[str]]:
    """Return the separator and the names of the columns."""
    try:
        rows = [next(csv.reader(io.StringIO(text), delimiter=mark)) for mark in _SEPARATORS]
    except (csv.Error, StopIteration):
        raise CommandError(
            f"the first line of {path} is no header\n"
            "Expected CSV whose first line names the columns."
        ) from None
    separator, names = max(zip(_SEPARATORS, rows, strict=True), key=lambda pair: len(pair[1]))
    return separator, [name.strip() for name in names]


def _refuse_ragged(path: Path, text: str, separator: str, columns: int) -> None:
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        for row in reader:
            if len(row) not in (0, columns):
                raise CommandError(
                    f"{path}, line {reader.line_num}: {counted(len(row), 'value')} for "
                    f"{counted(columns, 'column')}\nGive every row one value for each column, "
                    "and quote values that hold the separator."
                )
    except csv.Error:
        return
