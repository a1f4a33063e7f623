"""Parameters and labels as what JSON can hold, and back; what is read is checked."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import networks
from chainrule.catalogue import activation_formula, cost_formula
from chainrule.estimators._labels import Labels
from chainrule.estimators._parameters import hidden_formulas, hidden_sizes
from chainrule.formulas import Expression, Formula, Parameter, constant, substitute, to_text
from chainrule.networks import ModelFileError, Network, Schedule, Standardisation

_LABEL_KINDS = {
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16", "float32", "float64", "bool", "str", "object",
}  # fmt: skip
_SCHEDULES: dict[str, type[Schedule]] = {
    kind.__name__: kind
    for kind in vars(networks).values()
    if isinstance(kind, type) and issubclass(kind, Schedule) and kind is not Schedule
}
_INFINITY = "infinity"
_DEEPEST = 20  # schedules within schedules


def as_texts(formulas: tuple[Formula, ...]) -> dict[str, Any]:
    """Return hidden activations as parameters that describe them in text."""
    return {
        "activation": [formula.text for formula in formulas],
        "activation_parameters": [dict(formula.parameters) for formula in formulas],
    }


def describe_parameters(estimator: Any) -> dict[str, Any]:
    """Return an estimator's parameters as what JSON can hold."""
    parameters = dict(estimator.get_params(deep=False))
    widths = hidden_sizes(parameters["hidden_layer_sizes"])
    parameters["hidden_layer_sizes"] = list(widths)
    activation, values = parameters["activation"], parameters["activation_parameters"]
    listed = list(activation) if isinstance(activation, list | tuple) else [activation]
    if not all(isinstance(source, str) for source in listed):
        parameters |= as_texts(hidden_formulas(activation, values, len(widths)))
    for name, read in (("output_activation", activation_formula), ("cost", cost_formula)):
        if not isinstance(parameters.get(name, ""), str):
            parameters[name] = _as_text(read(parameters[name]))
    state = parameters["random_state"]
    parameters["random_state"] = int(state) if isinstance(state, numbers.Integral) else None
    if isinstance(parameters["learning_rate"], Schedule):
        parameters["learning_rate"] = _describe_schedule(parameters["learning_rate"])
    if parameters["n_iter_no_change"] == math.inf:
        parameters["n_iter_no_change"] = _INFINITY
    if isinstance(parameters.get("class_weight"), Mapping | list):
        parameters["class_weight"] = _describe_class_weight(parameters["class_weight"])
    return {name: _plain(value) for name, value in parameters.items()}


def read_parameters(described: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a file describes."""
    parameters = dict(described)
    parameters["hidden_layer_sizes"] = hidden_sizes(parameters["hidden_layer_sizes"])
    if isinstance(parameters.get("learning_rate"), dict):
        parameters["learning_rate"] = _read_schedule(parameters["learning_rate"])
    if parameters.get("n_iter_no_change") == _INFINITY:
        parameters["n_iter_no_change"] = math.inf
    if isinstance(parameters.get("class_weight"), list):
        parameters["class_weight"] = _read_class_weight(parameters["class_weight"])
    return parameters


def _describe_schedule(schedule: Schedule) -> dict[str, Any]:
    described: dict[str, Any] = {"schedule": type(schedule).__name__}
    for field in fields(schedule):  # type: ignore[arg-type]
        value = getattr(schedule, field.name)
        described[field.name] = (
            _describe_schedule(value) if isinstance(value, Schedule) else _plain(value)
        )
    return described


def _read_schedule(described: Any, depth: int = 0) -> Schedule:
    values = dict(mapping(described))
    kind = _SCHEDULES.get(str(values.pop("schedule", None)))
    if kind is None or depth > _DEEPEST:
        raise ModelFileError("its learning-rate schedule is unknown")
    for name, value in values.items():
        if isinstance(value, dict):
            values[name] = _read_schedule(value, depth + 1)
    return kind(**values)


def _describe_class_weight(class_weight: Any) -> list[Any]:
    """Return weights as lists of pairs: JSON's keys are text only."""
    if isinstance(class_weight, Mapping):
        return [[_plain(label), float(weight)] for label, weight in class_weight.items()]
    return [
        {"pairs": _describe_class_weight(each) if isinstance(each, Mapping) else each}
        for each in class_weight
    ]


def _read_class_weight(described: list[Any]) -> Any:
    if described and isinstance(described[0], dict):
        each = [mapping(entry)["pairs"] for entry in described]
        return [_read_class_weight(own) if isinstance(own, list) else own for own in each]
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in described):
        raise ModelFileError("its class_weight cannot be read")
    return dict(
        zip((pair[0] for pair in described), read_numbers([p[1] for p in described]), strict=True)
    )


def _as_text(formula: Formula) -> str:
    """Return a formula's text with the values of its parameters written into it."""
    values = dict(formula.parameters)

    def replacement(expression: Expression) -> Expression | None:
        if isinstance(expression, Parameter):
            return constant(Fraction(repr(values[expression.name])))
        return None

    return to_text(substitute(formula.expression, replacement))


def _plain(value: Any) -> Any:
    """Return NumPy's numbers and containers as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def describe_classes(classes: Labels) -> Any:
    """Return classes as what JSON can hold, with their type; of several columns as a list."""
    if isinstance(classes, list):
        return [describe_classes(column) for column in classes]
    kind = "str" if classes.dtype.kind == "U" else classes.dtype.name
    values = classes.tolist()
    plain = all(isinstance(value, str | bool | int | float) for value in values)
    if kind not in _LABEL_KINDS or not plain:
        raise TypeError(
            f"labels of type {kind} cannot be saved; use numbers, truth values or text as labels"
        )
    return {"kind": kind, "values": values}


def read_classes(description: Any) -> Labels:
    """Return the classes that a file describes."""
    if isinstance(description, list):
        return [_read_labels(mapping(column)) for column in description]
    return _read_labels(mapping(description))


def _read_labels(description: dict[str, Any]) -> NDArray[Any]:
    kind, values = description["kind"], description["values"]
    if kind not in _LABEL_KINDS or not isinstance(values, list) or not values:
        raise ModelFileError("its labels cannot be read")
    allowed = {"str": str, "bool": bool, "object": str | bool | int | float}
    expected = allowed.get(kind, float if kind.startswith("float") else int)
    if not all(isinstance(value, expected) for value in values):
        raise ModelFileError(f"its labels are not all {kind}")
    labels: NDArray[Any] = np.array(values, dtype=kind)
    return labels


def describe_standardisation(given: Standardisation) -> dict[str, Any]:
    """Return a standardisation as what JSON can hold."""
    return {field.name: _plain(getattr(given, field.name)) for field in fields(given)}


def read_standardisation(description: Any, network: Network) -> Standardisation:
    """Return the standardisation that a file describes."""
    values = mapping(description)
    found = Standardisation(
        np.array(read_numbers(values["centres"]), network.dtype),
        np.array(read_numbers(values["scales"]), network.dtype),
        np.array(read_numbers(values["target_centres"])),
        read_numbers([values["target_scale"]])[0],
    )
    found.suited(network).check(network)
    return found


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping, and refuse all else."""
    if not isinstance(value, dict):
        raise ModelFileError(f"expected a mapping, found {type(value).__name__}")
    return value


def read_numbers(values: Any) -> list[float]:
    """Return a list of numbers, and refuse all else."""
    if not isinstance(values, list) or not all(isinstance(v, int | float) for v in values):
        raise ModelFileError("expected a list of numbers")
    return [float(value) for value in values]


def read_strings(values: Any) -> list[str]:
    """Return a list of text, and refuse all else."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ModelFileError("expected a list of text")
    return values


def read_choice(value: Any, allowed: tuple[str, ...]) -> str:
    """Return one of a few words, and refuse all else."""
    if value not in allowed:
        raise ModelFileError(f"expected one of {', '.join(allowed)}, got {value!r:.40}")
    return str(value)


def read_truth(value: Any) -> bool:
    """Return a truth value, and refuse all else."""
    if not isinstance(value, bool):
        raise ModelFileError("expected true or false")
    return value
