"""Pictures of training and of a network's layers, as Matplotlib figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.networks._statistics import NetworkStatistics

# To be seen on white as on black.
FIRST, SECOND = "#3987d5", "#d2702a"
_FURTHER = (SECOND, "#4f9a3a", "#a36cc9")
_LINE = 1.8


def plot_learning_curve(
    losses: Sequence[float],
    scores: Sequence[float] | None = None,
    validation_losses: Mapping[str, Sequence[float]] | None = None,
    *,
    score_name: str = "validation score",
    figure: Any = None,
) -> Any:
    """Draw the losses over the epochs, and the validation score beside them.

    Parameters
    ----------
    losses : sequence of float
        The mean cost of every epoch, at least one.
    scores : sequence of float, optional
        The validation score after every epoch.
    validation_losses : mapping of str to sequence of float, optional
        The mean cost over each validation set after every epoch, by the name of the set.
    score_name : str
        What the score is.
    figure : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot, which notebooks show.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = plot_learning_curve([1.0, 0.5, 0.3], [0.6, 0.7, 0.8], figure=Figure())
    >>> [axes.get_title() for axes in figure.axes]
    ['training loss', 'validation score']
    """
    others = validation_losses or {}
    figure, panels = _panels(figure, 2 if scores else 1)
    _plot_epochs(panels[0], losses, "training", FIRST)
    for place, (name, values) in enumerate(others.items()):
        _plot_epochs(panels[0], values, name, _FURTHER[place % len(_FURTHER)])
    panels[0].set_title("loss" if others else "training loss", fontsize="medium")
    if others:
        panels[0].legend(frameon=False, fontsize="small")
    if min((*losses, *chain(*others.values())), default=0.0) > 0.0:
        panels[0].set_yscale("log")
    if scores:
        _plot_epochs(panels[1], scores, score_name, SECOND)
        panels[1].set_title(score_name, fontsize="medium")
    return figure


def _plot_epochs(axes: Any, values: Sequence[float], name: str, colour: str) -> None:
    style = "o-" if len(values) == 1 else "-"
    axes.plot(range(1, len(values) + 1), values, style, color=colour, lw=_LINE, label=name)
    axes.set_xlabel("epoch")
    _whole_numbers(axes)


def plot_statistics(statistics: NetworkStatistics, figure: Any = None) -> Any:
    """Draw over the layers: Z and A, the dead and the saturated, and the sizes of the gradients.

    Parameters
    ----------
    statistics : NetworkStatistics
        What `layer_statistics` returned.
    figure : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure of pyplot, which notebooks show.

    Returns
    -------
    matplotlib.figure.Figure
    """
    layers = statistics.layers
    numbers = list(range(1, len(layers) + 1))
    with_gradients = layers[0].gradient_norm is not None
    figure, panels = _panels(figure, 3 if with_gradients else 2)
    values, shares, *gradients = panels
    for name, place, colour, points in (
        ("Z", -0.08, FIRST, [(s.pre_activation_mean, s.pre_activation_spread) for s in layers]),
        ("A", 0.08, SECOND, [(s.activation_mean, s.activation_spread) for s in layers]),
    ):
        means, spreads = zip(*points, strict=True)
        places = [number + place for number in numbers]
        values.errorbar(
            places, means, spreads, fmt="o", color=colour, lw=_LINE, capsize=4, label=name
        )
    values.set_title("mean and spread", fontsize="medium")
    for name, place, colour, parts in (
        ("dead units", -0.18, FIRST, [s.dead for s in layers]),
        ("saturated", 0.18, SECOND, [s.saturated or 0.0 for s in layers]),
    ):
        places = [number + place for number in numbers]
        shares.bar(places, [100 * part for part in parts], 0.34, color=colour, label=name)
    shares.set_ylim(0, 100)
    shares.set_title("share in per cent", fontsize="medium")
    for axes in gradients:
        axes.plot(
            numbers, [s.gradient_norm for s in layers], "o-", color=FIRST, lw=_LINE,
            label="‖∂J/∂W‖",
        )  # fmt: skip
        axes.plot(
            numbers, [s.gradient_ratio for s in layers], "o--", color=SECOND, lw=_LINE,
            label="‖∂J/∂W‖/‖W‖",
        )  # fmt: skip
        axes.set_title("gradients", fontsize="medium")
        axes.set_yscale("log")
    for axes in panels:
        axes.set_xlabel("layer")
        axes.set_xlim(0.5, len(layers) + 0.5)
        axes.legend(frameon=False, fontsize="small")
        _whole_numbers(axes)
    return figure


def _panels(figure: Any, count: int) -> tuple[Any, list[Any]]:
    if figure is None:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(4.5 * count, 3.6), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0].tolist()
    for axes in panels:
        axes.grid(True, alpha=0.25, lw=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _whole_numbers(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
