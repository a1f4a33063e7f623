"""What was measured, as values that print themselves."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.documents import Document, Documented, Section, Table, block_lines

PROMISED_ULP = 4.0


@dataclass(frozen=True)
class Deviation:
    """The largest error met, and where.

    Parameters
    ----------
    ulp : float
        The error in units in the last place of the true result.
    z : tuple of float
        The pre-activation; of a layer-coupled function, the row.
    unit : int
        The unit of the row.
    computed, true : float
        The kernel's result and the true one, the latter rounded to a double.
    targets : tuple of float
        The targets of the row, of a cost.
    """

    ulp: float = 0.0
    z: tuple[float, ...] = ()
    unit: int = 0
    computed: float = math.nan
    true: float = math.nan
    targets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Kink:
    """A point with two derivatives, and the one the kernel returned there."""

    z: float
    left: float
    right: float
    computed: float
    by_rule: float = math.nan

    @property
    def taken(self) -> str:
        """Which derivative the kernel took: ``left``, ``right``, ``between`` or ``neither``.

        Or ``rule``, what the formula's own steps take there, where it is none of these.
        """
        sides = sorted((self.left, self.right))
        known = {"left": self.left, "right": self.right, "rule": self.by_rule}
        for name, slope in known.items():
            if math.isclose(self.computed, slope, rel_tol=1e-6, abs_tol=1e-300):
                return name
        return "between" if sides[0] < self.computed < sides[1] else "neither"


_TAKEN = {
    "left": "that on the left",
    "right": "that on the right",
    "between": "between them",
    "rule": "what the chain rule takes where kinks meet",
    "neither": "neither of them nor between them",
}


@dataclass(frozen=True)
class Edge:
    """What happens at an input that is not an ordinary number.

    A limit is None where there is none, or where it could not be found; `agrees` judges only
    against limits that are known.
    """

    z: tuple[float, ...]
    value: tuple[float, ...]
    derivative: tuple[float, ...]
    value_limit: float | None = None
    derivative_limit: float | None = None
    agrees: bool = True


@dataclass(frozen=True)
class GradientCheck:
    """The backward pass in float64 against central differences of the forward pass.

    Parameters
    ----------
    points : int
        Entries of ``dJ/dz`` that were compared.
    skipped : int
        Entries left out: within a step of a kink, or where the function has no value.
    deviation : float
        The largest difference, relative to the entry and the terms of the cost.
    tolerance : float
        The largest that is accepted: what a step's length leaves uncertain.
    z : tuple of float
        The row of the largest difference.
    """

    points: int
    skipped: int
    deviation: float
    tolerance: float
    z: tuple[float, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether entries were compared and all of them agree."""
        return self.points > 0 and self.deviation <= self.tolerance


@dataclass(frozen=True)
class Certificate(Documented):
    """How near a function's kernels come to the truth.

    Errors are in ulp: units in the last place of the true result, below the normal numbers in
    units of the smallest subnormal. The derivative of a layer-coupled function is the
    vector-Jacobian product, its unit that of the sum of its terms' magnitudes. *Conditioned* errors
    are in units of what the last place of the pre-activation itself leaves open, ``|z f'(z)|`` for
    the value, where that is more: near a zero of the function, digits are lost whoever computes it.

    Parameters
    ----------
    formula : str
        The function, with its parameters' values.
    name : str
        Its name, or the formula again.
    dtype : str
        The format that was measured.
    is_layer_coupled : bool
        Whether units depend on one another.
    points : int
        How many inputs were tried, apart from the edges.
    value, derivative : Deviation
        The largest errors.
    value_conditioned, derivative_conditioned : Deviation
        The largest conditioned errors.
    not_finite_values, not_finite_derivatives : int
        Where the kernel returned an infinity or NaN though the truth is within the format.
    undefined : int
        Inputs at which the function or its derivative is not a real number; not judged.
    filled : int
        Inputs at which the formula has no value while both sides tend to the same finite one, as
        ``sin(z)/z`` at 0: this is the value there, and judged.
    unresolved_values, unresolved_derivatives : int
        Inputs at which the reference could not be had; not judged.
    kinks : tuple of Kink
        Points of the sample with two derivatives; anything between the two is right, and what the
        chain rule takes.
    edges : tuple of Edge
        Behaviour at NaN, infinities and signed zeros.
    gradient : GradientCheck
        The backward pass against central differences.
    arithmetic : str
        In which arithmetic the kernels compute, and what was measured to choose it; empty for
        evaluators that are not kernels.
    """

    formula: str
    name: str
    dtype: str
    is_layer_coupled: bool
    points: int
    value: Deviation
    derivative: Deviation
    value_conditioned: Deviation
    derivative_conditioned: Deviation
    not_finite_values: int
    not_finite_derivatives: int
    undefined: int
    filled: int
    unresolved_values: int
    unresolved_derivatives: int
    kinks: tuple[Kink, ...]
    edges: tuple[Edge, ...]
    gradient: GradientCheck
    arithmetic: str = ""

    def meets(self, value_ulp: float, derivative_ulp: float, *, conditioned: bool = False) -> bool:
        """Tell whether the errors stay within limits, and results are finite where they should."""
        value, derivative = (
            (self.value_conditioned, self.derivative_conditioned)
            if conditioned
            else (self.value, self.derivative)
        )
        return (
            value.ulp <= value_ulp
            and derivative.ulp <= derivative_ulp
            and not self.not_finite_values
            and not self.not_finite_derivatives
        )

    @property
    def passed(self) -> bool:
        """Whether the kernels may be relied upon.

        Conditioned errors of at most 4 ulp, finite results wherever the truth is, known limits
        reached, the backward pass confirmed by central differences, and a reference for at least
        half of the inputs.
        """
        return (
            self.meets(PROMISED_ULP, PROMISED_ULP, conditioned=True)
            and self.gradient.passed
            and all(edge.agrees for edge in self.edges)
            and 2 * self.unresolved_derivatives <= self.points
        )

    @property
    def summary(self) -> str:
        """One line."""
        verdict = "passed" if self.passed else "NOT passed"
        if self.value.targets:  # targets and outputs cancel, however exactly they are known
            return (
                f"{self.name} in {self.dtype}: value {_ulp(self.value_conditioned)}, derivative "
                f"{_ulp(self.derivative_conditioned)} at worst over {self.points} rows, beyond "
                f"what rounding z or y explains; {verdict}"
            )
        return (
            f"{self.name} in {self.dtype}: value {_ulp(self.value)}, derivative "
            f"{_ulp(self.derivative)} at worst over {self.points} inputs; {verdict}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: numbers that JSON lacks become the texts NaN, inf, -inf."""
        data = dataclasses.asdict(self)
        for kink, shown in zip(self.kinks, data["kinks"], strict=True):
            shown["taken"] = kink.taken
            del shown["by_rule"]
        data["gradient"]["passed"] = self.gradient.passed
        data["passed"] = self.passed
        return {key: _plain(value) for key, value in data.items()}

    def to_text(self, width: int = 100) -> str:
        """Return the text for a terminal `width` characters wide."""
        heading = self.formula if self.name == self.formula else f"{self.name} = {self.formula}"
        inputs = "rows" if self.is_layer_coupled else "inputs"
        lines = textwrap.wrap(f"Certificate of {heading}", width, subsequent_indent="  ")
        lines.append(f"in {self.dtype}, over {self.points} {inputs}")
        for table in self._tables():
            lines += ["", *block_lines(table, width)]
        lines.append("")
        for remark in self._remarks():
            lines += textwrap.wrap(remark, width, subsequent_indent="  ")
        return "\n".join(lines)

    def _tables(self) -> tuple[Table, ...]:
        shown = (self._errors(), self._edges()) if self.edges else (self._errors(),)
        return tuple(Table(rows[0], tuple(rows[1:])) for rows in shown)

    @property
    def sections(self) -> tuple[Section, ...]:
        """The certificate as a section of a document."""
        inputs = "rows" if self.is_layer_coupled else "inputs"
        counted = f"{self.points} {inputs}"
        given = "z or y" if self.value.targets else "z"
        first = (
            f"Measured in {self.dtype} over {counted}; errors in units in the last place (ulp). "
            f"Conditioned errors are those beyond what one rounding of {given} explains."
        )
        remarks = tuple(f"{line[0].upper()}{line[1:]}." for line in self._remarks())
        return (Section("Certificate", (first, *remarks), blocks=self._tables()),)

    @property
    def document(self) -> Document:
        """The certificate as a document of its own."""
        return Document(f"Certificate of {self.name}", self.sections)

    def _errors(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("", "worst error", "at z", "computed", "true")]
        found = [
            ("value", self.value),
            ("derivative", self.derivative),
            ("value, conditioned", self.value_conditioned),
            ("derivative, conditioned", self.derivative_conditioned),
        ]
        for name, deviation in found:
            shown = ("-", "-", "-")
            if deviation.z and deviation.ulp:
                computed = _number(deviation.computed, self.dtype)
                shown = (_place(deviation, self.dtype), computed, f"{deviation.true:.10g}")
            rows.append((name, _ulp(deviation), *shown))
        return rows

    def _edges(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("at z", "value", "derivative", "")]
        for edge in self.edges:
            rows.append((
                _tuple(edge.z, self.dtype),
                _with_limit(edge.value, edge.value_limit, self.dtype),
                _with_limit(edge.derivative, edge.derivative_limit, self.dtype),
                "" if edge.agrees else "WRONG",
            ))  # fmt: skip
        return rows if any(row[-1] for row in rows) else [row[:-1] for row in rows]

    def _remarks(self) -> list[str]:
        lines = [f"arithmetic: {self.arithmetic}"] if self.arithmetic else []
        for kink in self.kinks[:4]:
            lines.append(
                f"kink at {_number(kink.z + 0.0, self.dtype)}: slope {kink.left:.6g} on the left, "
                f"{kink.right:.6g} on the right; computed {kink.computed:.6g}, {_TAKEN[kink.taken]}"
            )
        if len(self.kinks) > 4:
            lines.append(f"and {len(self.kinks) - 4} more kinks")
        counts = (
            (self.not_finite_values, "value", "not finite though the truth is"),
            (self.not_finite_derivatives, "derivative", "not finite though the truth is"),
            (self.undefined, "input", "where the function or its derivative is undefined"),
            (self.filled, "input", "where the formula has no value but a limit, which is judged"),
            (self.unresolved_values, "value", "without a reference, not judged"),
            (self.unresolved_derivatives, "derivative", "without a reference, not judged"),
        )
        lines += [f"{n} {what}{'s' * (n != 1)} {where}" for n, what, where in counts if n]
        check = self.gradient
        lines.append(
            f"backward pass against central differences in float64: at most "
            f"{check.deviation:.1e} apart ({check.tolerance:.0e} allowed) in {check.points} entries"
            + (f", {check.skipped} others skipped" if check.skipped else "")
        )
        lines.append("passed" if self.passed else "NOT passed")
        return lines


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _ulp(deviation: Deviation) -> str:
    error = deviation.ulp
    if math.isinf(error):
        return "no number" if math.isnan(deviation.computed) else "over 1e308 ulp"
    return f"{error:.2f} ulp" if error < 1000 else f"{error:.1e} ulp"


def _number(value: float, dtype: str) -> str:
    """Return the shortest text that stands for a number of the format."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    text = str(np.float32(value) if dtype == "float32" else np.float64(value))
    return text.removesuffix(".0")


def _tuple(values: tuple[float, ...], dtype: str) -> str:
    shown = [_number(value, dtype) for value in values]
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def _place(deviation: Deviation, dtype: str) -> str:
    if not deviation.z:
        return "-"
    number = _number(deviation.z[deviation.unit], dtype)
    target = ""
    if deviation.targets:
        target = f", y = {_number(deviation.targets[deviation.unit], dtype)}"
    if len(deviation.z) == 1:
        return number + target
    return f"{number}{target}, unit {deviation.unit + 1} of {len(deviation.z)}"


def _with_limit(values: tuple[float, ...], limit: float | None, dtype: str) -> str:
    shown = _tuple(values, dtype)
    return shown if limit is None else f"{shown} (limit {_number(limit, dtype)})"
