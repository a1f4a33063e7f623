"""``chainrule demo``: a formula is derived, certified, and trained with on handwritten digits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from chainrule.command._messages import counted, heading, say
from chainrule.command._options import check_destination
from chainrule.command._pictures import page_picture
from chainrule.command._train import fit
from chainrule.documents import Figure, Section, Table, page
from chainrule.estimators import FeedforwardClassifier
from chainrule.functions import activation
from chainrule.networks import plot_learning_curve

_UNITS = 100
_SEED = 0
_WARM_UP_ROWS = 100
_CURVE_EPOCHS = 100


@dataclass(frozen=True, eq=False)
class Digits:
    """Handwritten digits, standardised by the rows to train on."""

    inputs: NDArray[np.float64]
    targets: NDArray[np.int64]
    held_inputs: NDArray[np.float64]
    held_targets: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """What a classifier reached."""

    name: str
    accuracy: float
    seconds: float
    epochs: int


def demo(formula: str, parameters: dict[str, float], page_path: Path) -> None:
    """Run the demonstration and write its page."""
    check_destination(page_path)
    function = activation(formula, **parameters)
    heading("1. The derivation of the backward pass")
    derivation = function.derivation()
    say(str(derivation))
    heading("2. The certificate")
    certificate = function.certify()
    say(certificate.summary)
    digits = _digits()
    heading("3. Training on handwritten digits")
    say(
        f"{counted(len(digits.targets), 'row')} to train on, {len(digits.held_targets)} held out; "
        f"one hidden layer of {_UNITS} units."
    )
    classifier = FeedforwardClassifier((_UNITS,), activation=function, random_state=_SEED)
    _warm_up(classifier, digits)
    losses, scores = _curve(classifier, digits)
    say("Then the same network on all rows to train on:")
    ours = _outcome("chainrule", classifier.set_params(verbose=True), digits)
    say(f"{counted(ours.epochs, 'epoch')}; loss {classifier.loss_curve_[-1]:.4f} in the last.")
    heading("4. Rows that neither has seen")
    outcomes = [ours, _outcome("scikit-learn", _peer(), digits)]
    remarks = _remarks(function.formula.title)
    for line in (*_lines(outcomes), "", *remarks):
        say(line)
    curve = page_picture(
        lambda figure: plot_learning_curve(
            losses, scores, score_name="validation accuracy", figure=figure
        ),
        (9.0, 3.6),
        "Training loss and validation accuracy over the epochs",
    )
    results = _result_sections(outcomes, remarks, curve)
    document = derivation.document
    text = page(document.title, (*document.page_sections(), *results), document.formula)
    page_path.write_text(text, encoding="utf-8")
    heading("5. The page")
    say(f"Wrote {page_path}: the derivation, the certificate and the learning curve.")


def _digits() -> Digits:
    X, y = load_digits(return_X_y=True)
    X, held_inputs, y, held_targets = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=_SEED
    )  # fmt: skip
    scaler = StandardScaler().fit(X)
    return Digits(scaler.transform(X), y, scaler.transform(held_inputs), held_targets)


def _peer() -> MLPClassifier:
    return MLPClassifier((_UNITS,), random_state=_SEED)


def _warm_up(classifier: FeedforwardClassifier, digits: Digits) -> None:
    """Fit a few rows with the same settings, so that the times below are of training alone."""
    begun = time.perf_counter()
    few = digits.inputs[:_WARM_UP_ROWS], digits.targets[:_WARM_UP_ROWS]
    fit(FeedforwardClassifier(**classifier.get_params(deep=False)), *few, all_epochs=True)
    fit(_peer(), *few, all_epochs=True)
    say(
        f"Compiled and warmed up in {time.perf_counter() - begun:.1f} s; the code is kept, so that "
        "it is loaded the next time."
    )


def _curve(classifier: FeedforwardClassifier, digits: Digits) -> tuple[list[float], list[float]]:
    """Train with a tenth of the rows aside, for the score that belongs to every epoch's loss."""
    say("For the learning curve, with a tenth of these rows aside:")
    watched = FeedforwardClassifier(**classifier.get_params(deep=False)).set_params(
        early_stopping=True, max_iter=_CURVE_EPOCHS, n_iter_no_change=_CURVE_EPOCHS, tol=0.0,
        verbose=True,
    )  # fmt: skip
    fit(watched, digits.inputs, digits.targets, all_epochs=True)
    losses, scores = watched.loss_curve_, watched.validation_scores_ or []
    say(
        f"{counted(len(losses), 'epoch')}; loss {losses[0]:.4f} in the first, {losses[-1]:.4f} in "
        f"the last; validation accuracy {scores[0]:.4f} and {scores[-1]:.4f}."
    )
    return losses, scores


def _outcome(name: str, classifier: Any, digits: Digits) -> Outcome:
    seconds = fit(classifier, digits.inputs, digits.targets)
    accuracy = float(classifier.score(digits.held_inputs, digits.held_targets))
    return Outcome(name, accuracy, seconds, int(classifier.n_iter_))


def _lines(outcomes: list[Outcome]) -> list[str]:
    lines = [f"{'':14}{'accuracy':>9}{'fit':>10}{'epochs':>9}"]
    for outcome in outcomes:
        lines.append(
            f"{outcome.name:14}{outcome.accuracy:9.4f}{outcome.seconds:8.2f} s{outcome.epochs:9}"
        )
    return lines


def _remarks(title: str) -> list[str]:
    return [
        f"chainrule: FeedforwardClassifier(({_UNITS},), activation={title!r}).",
        f"scikit-learn: MLPClassifier(({_UNITS},)), whose activation is relu.",
        "Both with their own defaults otherwise, the same split, scaling and seed, on one BLAS "
        "thread.",
        "One fit each: the times depend on the machine and the epochs. They exclude compiling, "
        "which the first use of a formula on a machine needs.",
    ]


def _result_sections(
    outcomes: list[Outcome], remarks: list[str], curve: str
) -> tuple[Section, ...]:
    words = "Loss and accuracy after each epoch of training on handwritten digits."
    rows = tuple(
        (outcome.name, f"{outcome.accuracy:.4f}", f"{outcome.seconds:.2f} s", str(outcome.epochs))
        for outcome in outcomes
    )
    table = Table(("", "accuracy", "fit", "epochs"), rows)
    return (
        Section("Learning curve on handwritten digits", blocks=(Figure(curve, words),)),
        Section("Held-out rows", tuple(remarks), blocks=(table,)),
    )
