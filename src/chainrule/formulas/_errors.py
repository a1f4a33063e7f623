"""The package's errors: what was given, what was expected, what to do."""

from __future__ import annotations


class ChainruleError(Exception):
    """Base of every error that chainrule raises on purpose."""


class FormulaError(ChainruleError, ValueError):
    """A formula that is not in the language, with the place and the remedy.

    Parameters
    ----------
    problem : str
        What is wrong, in one sentence.
    text : str, optional
        The text that was given; shown with a caret under `column`.
    column : int, optional
        Zero-based column of the fault in `text`.
    remedy : str, optional
        What was expected and what to write instead.
    """

    def __init__(
        self, problem: str, text: str | None = None, column: int | None = None, remedy: str = ""
    ) -> None:
        self.problem = problem
        self.text = text
        self.column = column
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        lines = [self.problem]
        if self.text is not None and self.column is not None:
            shown, column = _window(self.text, self.column)
            lines += [f"    {shown}", f"    {' ' * column}^"]
        if self.remedy:
            lines.append(self.remedy)
        return "\n".join(lines)


class ParameterError(ChainruleError, ValueError):
    """A parameter of a formula is missing, unknown, or not a finite real number."""


def _window(text: str, column: int, width: int = 72) -> tuple[str, int]:
    """Cut a long text to the surroundings of a column; return it with the column's new place."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    column = min(max(column, 0), len(printable))
    if len(printable) <= width:
        return printable, column
    start = max(0, min(column - width // 2, len(printable) - width))
    left = "..." if start else ""
    right = "..." if start + width < len(printable) else ""
    return left + printable[start : start + width] + right, column - start + len(left)
