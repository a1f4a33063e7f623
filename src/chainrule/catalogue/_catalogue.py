"""The catalogue: every named function as data, found by name or alias."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from chainrule.formulas import ChainruleError, Formula, FormulaError, parse


class CatalogueError(ChainruleError, KeyError):
    """A name that the catalogue does not hold."""

    def __str__(self) -> str:
        return str(self.args[0])


_OUTPUTS = {"sum": (), "mean": ("mean over outputs",), "apart": ("each output apart",)}


@dataclass(frozen=True)
class Peer:
    """What a named function is called in another framework.

    Parameters
    ----------
    name : str
        Where it is: below ``torch``, ``jax`` or ``keras``, or the operator in ONNX.
    arguments : dict of str to float, bool or str
        What has to be passed to it for it to be this function.
    parameters : dict of str to float
        Its defaults where they differ from ours, by the names that our formula gives them.
    note : str
        What else differs.
    takes : str
        For costs: what it takes in place of the output `a`.
    outputs : str
        For costs: ``sum`` of the outputs of an example, their ``mean``, or each ``apart``.
    factor : float
        For costs: by how much it is larger than ours.

    Examples
    --------
    >>> print(Peer("activations.leaky_relu", parameters={"alpha": 0.2}))
    activations.leaky_relu (alpha 0.2)
    >>> print(Peer("nn.functional.mse_loss", outputs="mean", factor=2.0))
    nn.functional.mse_loss (2 times; mean over outputs)
    """

    name: str
    arguments: dict[str, float | bool | str] = field(default_factory=dict)
    parameters: dict[str, float] = field(default_factory=dict)
    note: str = ""
    takes: str = "a"
    outputs: str = "sum"
    factor: float = 1.0

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        call = f"{self.name}({arguments})" if arguments else self.name
        remarks = [f"{name} {value:g}" for name, value in self.parameters.items()]
        remarks += [f"takes {self.takes}"] * (self.takes != "a")
        remarks += [f"{self.factor:g} times"] * (self.factor != 1.0)
        remarks += _OUTPUTS[self.outputs]
        remarks += [self.note] * bool(self.note)
        return f"{call} ({'; '.join(remarks)})" if remarks else call


@dataclass(frozen=True)
class Entry:
    """One named function.

    Parameters
    ----------
    name, formula : str
        The name, and the text in the formula language.
    parameters : dict of str to float
        Defaults.
    aliases : tuple of str
        Other names under which it is found here.
    source : str
        The paper or text that states it.
    elsewhere : dict of str to Peer
        What it is called in other frameworks, by the framework's name, with differing defaults.
    assumption : str
        For costs: what the targets must satisfy for the short form of the derivative.
    targets : dict
        For costs: the ``low`` and ``high`` that bound the targets, or the ``values`` they may take.
    """

    name: str
    formula: str
    parameters: dict[str, float] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    source: str = "-"
    elsewhere: dict[str, Peer] = field(default_factory=dict)
    assumption: str = ""
    targets: dict[str, Any] = field(default_factory=dict)


@cache
def _entries(kind: str) -> dict[str, Entry]:
    text = resources.files(__package__).joinpath(f"{kind}.toml").read_text(encoding="utf-8")
    entries = {}
    for name, row in tomllib.loads(text).items():
        aliases = tuple(row.pop("aliases", ()))
        peers = {framework: Peer(**peer) for framework, peer in row.pop("elsewhere", {}).items()}
        entries[name] = Entry(name=name, aliases=aliases, elsewhere=peers, **row)
    return entries


@cache
def _by_any_name(kind: str) -> dict[str, Entry]:
    entries = _entries(kind).values()
    return {name: entry for entry in entries for name in (entry.name, *entry.aliases)}


def activations() -> Iterator[Entry]:
    """Yield the named activation functions."""
    yield from _entries("activations").values()


def costs() -> Iterator[Entry]:
    """Yield the named costs."""
    yield from _entries("costs").values()


def entries_named(name: str) -> tuple[Entry, ...]:
    """Return the activation and the cost that bear a name or an alias.

    Raises
    ------
    CatalogueError
        Neither does.

    Examples
    --------
    >>> from chainrule.catalogue import entries_named
    >>> [entry.name for entry in entries_named("swish")]
    ['silu']
    """
    found = [_by_any_name(kind).get(name.strip().lower()) for kind in ("activations", "costs")]
    entries = tuple(entry for entry in found if entry is not None)
    if not entries:
        names = {*_by_any_name("activations"), *_by_any_name("costs")}
        raise CatalogueError(
            f"{name!r} is not in the catalogue.{_suggestion(name, names)}\n"
            f"Known: {', '.join(sorted(names))}."
        )
    return entries


def activation_formula(source: Any, **parameters: float) -> Formula:
    """Return the formula of an activation given by name, text, SymPy expression or `Formula`.

    Parameters
    ----------
    source : str, sympy.Expr, Formula, or an object with a `formula`
        A name of the catalogue, or a formula in `z`.
    **parameters : float
        Values of its parameters; named functions have defaults.

    Raises
    ------
    FormulaError, ParameterError, CatalogueError
        With the place, what was expected, and the remedy.

    Examples
    --------
    >>> from chainrule.catalogue import activation_formula
    >>> activation_formula("leaky_relu", alpha=0.2).parameters
    (('alpha', 0.2),)
    """
    return _resolve("activations", source, parameters, ("z",))


def cost_formula(source: Any, **parameters: float) -> Formula:
    """Return the formula of a cost given by name, text in `a` and `y`, SymPy or `Formula`.

    Examples
    --------
    >>> from chainrule.catalogue import cost_formula
    >>> cost_formula("half_squared_error").text
    'sum((a - y)**2)/2'
    """
    return _resolve("costs", source, parameters, ("a", "y"))


def assumption_on_targets(cost: Formula) -> str:
    """Return what a named cost assumes of its targets; empty where it assumes nothing."""
    entry = _entries("costs").get(cost.name)
    return entry.assumption if entry else ""


def domain_of_targets(cost: Formula) -> dict[str, Any]:
    """Return where a named cost's targets may lie; empty where they may lie anywhere.

    Examples
    --------
    >>> from chainrule.catalogue import cost_formula, domain_of_targets
    >>> domain_of_targets(cost_formula("poisson"))
    {'low': 0.0}
    """
    entry = _entries("costs").get(cost.name)
    return entry.targets if entry else {}


def _resolve(
    kind: str, source: Any, parameters: dict[str, float], variables: tuple[str, ...]
) -> Formula:
    source = getattr(source, "formula", source)
    if (
        isinstance(source, str)
        and source.strip().isidentifier()
        and source.strip() not in variables
    ):
        name = source.strip()
        entry = _by_any_name(kind).get(name.lower())
        if entry is None:
            raise CatalogueError(_unknown(kind, name, variables))
        return parse(
            entry.formula, {**entry.parameters, **parameters}, variables=variables, name=entry.name
        )
    formula = parse(source, parameters, variables=variables)
    if kind == "costs" and not formula.is_layer_coupled:
        raise FormulaError(
            f"the cost {formula.text} has a value for every output; an example needs one number",
            remedy=f"Write sum({formula.text}) or mean({formula.text}).",
        )
    return formula


def _unknown(kind: str, name: str, variables: tuple[str, ...]) -> str:
    names = _by_any_name(kind).keys()
    other = "costs" if kind == "activations" else "activations"
    if name.lower() in _by_any_name(other):
        return (
            f"{name!r} is not in the catalogue of {kind}: it is one of the {other}.\n"
            f"Give it where {other} go, or write a formula in {' and '.join(variables)}."
        )
    return (
        f"{name!r} is not in the catalogue of {kind}.{_suggestion(name, names)}\n"
        f"Known: {', '.join(sorted(names))}; or write a formula in {' and '.join(variables)}."
    )


def _suggestion(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), sorted(names), n=1)
    return f" Did you mean {close[0]}?" if close else ""
