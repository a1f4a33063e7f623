"""What a comparison found, for the terminal, as a picture, as a page and as JSON."""

from __future__ import annotations

import json
import math
import os
import textwrap
from pathlib import Path
from typing import Any

from chainrule.command._messages import counted, heading, listed, say
from chainrule.command._options import Against
from chainrule.command._pictures import page_picture
from chainrule.command.compare._results import Comparison, Scored
from chainrule.documents import Figure, Section, Table, block_lines, page
from chainrule.networks import FIRST, SECOND

_WIDTH, _LONGEST = 80, 34
PAGE, PICTURE, DATA = "comparison.html", "comparison.png", "comparison.json"


def report(found: Comparison, folder: Path) -> None:
    """Print the table and the differences; write the page, the picture and the data."""
    heading("Scores on rows held out")
    for line in block_lines(_table(found), _WIDTH):
        say(line)
    for sentence in _remarks(found):
        say(textwrap.fill(sentence, _WIDTH))
    if found.others:
        heading(f"Against {found.scored[found.reference].title}")
        for sentence in _differences(found):
            say(textwrap.fill(sentence, _WIDTH, subsequent_indent="  "))
    _write(folder / DATA, json.dumps(_data(found), indent=1, ensure_ascii=False).encode())
    _write(folder / PAGE, page(_title(found), _sections(found)).encode())
    _save_picture(found, folder / PICTURE)
    say(f"\nWrote {PAGE}, {PICTURE} and {DATA} to {folder}")


def _title(found: Comparison) -> str:
    count = len(found.scored)
    what = "One activation" if count == 1 else f"{count} activations"
    return f"{what} on {found.data.name}, to predict {found.target}"


def _table(found: Comparison) -> Table:
    header = ("activation", found.measure, "deviation", "lowest", "highest", "seconds", "epochs")
    rows = [
        (
            s.title, _digits(s.mean), _digits(s.deviation),
            _digits(min(s.scores, default=math.nan)), _digits(max(s.scores, default=math.nan)),
            "-" if math.isnan(s.seconds) else f"{s.seconds:.2f}",
            "-" if math.isnan(s.epochs) else f"{s.epochs:g}",
        )
        for s in found.scored
    ]  # fmt: skip
    if found.baseline is not None:
        rows.append(("(commonest class)", _digits(found.baseline), "", "", "", "", ""))
    return Table(header, tuple(rows))


def _digits(score: float) -> str:
    return "-" if math.isnan(score) else f"{score:.4f}"


def _remarks(found: Comparison) -> list[str]:
    """Return what the table alone does not tell."""
    sentences = []
    for s in found.scored:
        if s.problems:
            sentences.append(
                f"{s.title} has no score in {len(s.problems)} of {len(s.fits)} fits: "
                f"{s.problems[0]}."
            )
    unfinished = [
        f"{s.title} in {s.unfinished} of {len(s.fits)} fits" for s in found.scored if s.unfinished
    ]
    if unfinished:
        sentences.append(
            f"The limit of {counted(found.settings['max_iter'], 'epoch')} ended training that "
            f"still improved: {listed(unfinished)}."
        )
    return sentences


def _differences(found: Comparison) -> list[str]:
    """Return, in words, how every activation differs from the reference."""
    reference = found.scored[found.reference]
    sentences = [_difference(s, reference, found) for s in found.others]
    count = sum(s.corrected is not None for s in found.scored)
    if count > 1:
        sentences.append(f"Every p is corrected for {count} comparisons (Holm).")
    if found.against is Against.BEST and count:
        sentences.append(
            f"{reference.title} was chosen for its scores on these folds, which flatters it: take "
            "the differences with care, or name what to compare with first."
        )
    return sentences


def _difference(s: Scored, reference: Scored, found: Comparison) -> str:
    if s.problems or reference.problems:
        lacking = s if s.problems else reference
        return f"{s.title}: not compared, since {lacking.title} lacks scores."
    if s.difference is None or s.corrected is None:
        apart = s.mean - reference.mean
        if apart == 0.0:
            return f"{s.title}: the same {found.measure} on every fold."
        return (
            f"{s.title}: {_direction(apart)} by the same amount on every fold, which leaves "
            "nothing to test with."
        )
    d = s.difference
    verdict = (
        "chance hardly explains the difference"
        if s.is_surely_different
        else "these folds cannot tell the difference from chance"
    )
    return (
        f"{s.title}: {_direction(d.mean)} (95 % interval {d.low:+.4f} to {d.high:+.4f}; "
        f"p = {_probability(s.corrected)}): {verdict}."
    )


def _direction(apart: float) -> str:
    return "equal" if apart == 0.0 else f"{abs(apart):.4f} {'higher' if apart > 0.0 else 'lower'}"


def _probability(p: float) -> str:
    return "0.0001 or less" if p <= 1e-4 else f"{p:.2g}"


def _method(found: Comparison) -> tuple[str, ...]:
    settings = found.settings
    folds, repeats = settings["folds"], settings["repeats"]
    fits = f"{folds} folds" + (f", {repeats} times" if repeats > 1 else "")
    shown = ", ".join(
        f"{name} {value if not isinstance(value, list) else ','.join(map(str, value))}"
        for name, value in settings.items()
        if value not in ([], None) and name != "table"
    )
    return (
        f"{found.rows:,} rows of {found.data.name} (SHA-256 {settings['table'][:16]}…), in {fits}. "
        "Every activation is trained on the same rows, from the same seeds of the initial weights "
        "and of the order of the rows, and scored on the rows held out. Scales, categories and "
        "fills are learned from the rows to train on alone.",
        "Differences are paired, fold by fold. Their test is the corrected resampled t-test of "
        "Nadeau and Bengio (Machine Learning 52, 2003): folds share most of their rows, so that "
        "the plain test takes chance for a difference far too often. Where several activations "
        "are compared, Holm's correction makes every p larger.",
        "Deviation is the standard deviation over the folds; seconds and epochs are medians over "
        "the fits, without compiling.",
        f"Settings: {shown}.",
    )


def _sections(found: Comparison) -> tuple[Section, ...]:
    words = (
        f"Every small dot is the {found.measure} on the rows held out of one fold; the large dot "
        "is the mean, the line one standard deviation to either side."
    )
    svg = page_picture(lambda figure: _draw(found, figure), _size(found), words)
    sections = [
        Section("Scores", tuple(_remarks(found)), blocks=(Figure(svg, words), _table(found)))
    ]
    if found.others:
        reference = found.scored[found.reference]
        sections.append(Section(f"Against {reference.title}", tuple(_differences(found))))
    folds = Table(
        ("repeat", "fold", *(s.title for s in found.scored)),
        tuple(
            (str(fits[0].repeat + 1), str(fits[0].fold + 1),
             *("-" if fit.problem else _digits(fit.score) for fit in fits))
            for fits in zip(*(s.fits for s in found.scored), strict=True)
        ),
    )  # fmt: skip
    return (
        *sections,
        Section("How it was measured", _method(found)),
        Section("Every fold", blocks=(folds,), is_open=False),
    )


def _size(found: Comparison) -> tuple[float, float]:
    return 9.0, 1.2 + 0.5 * len(found.scored)


def _draw(found: Comparison, figure: Any) -> None:
    """Draw the scores of every activation on a line of its own, the first on top."""
    axes = figure.subplots()
    for place, s in enumerate(found.scored):
        scores = s.scores
        # The same fold stands at the same height on every line.
        heights = [
            place + 0.36 * ((k + 0.5) / len(s.fits) - 0.5)
            for k, fit in enumerate(s.fits)
            if not fit.problem
        ]
        axes.plot(scores, heights, "o", color=FIRST, ms=5, mew=0, alpha=0.8)
        if scores:
            spread = 0.0 if math.isnan(s.deviation) else s.deviation
            axes.errorbar(s.mean, place, xerr=spread, fmt="o", color=SECOND, ms=9, lw=2, capsize=5)
    names = [
        s.title[:_LONGEST] + "…" * (len(s.title) > _LONGEST) + ", no score" * (not s.scores)
        for s in found.scored
    ]
    axes.set_yticks(range(len(names)), [name.replace("$", r"\$") for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(found.measure)
    axes.grid(True, axis="x", alpha=0.25, lw=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _save_picture(found: Comparison, path: Path) -> None:
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=_size(found), layout="constrained")
    _draw(found, drawing)
    drawing.savefig(path, dpi=150)


def _data(found: Comparison) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    return {
        "format": "chainrule comparison 1",
        "data": str(found.data),
        "rows": found.rows,
        "target": found.target,
        "task": found.task.value,
        "measure": found.measure,
        "settings": found.settings,
        "baseline": found.baseline,
        "reference": found.scored[found.reference].title,
        "activations": [
            {
                "activation": s.title,
                "formula": s.formula.text,
                "parameters": dict(s.formula.parameters),
                "mean": known(s.mean),
                "deviation": known(s.deviation),
                "seconds": known(s.seconds),
                "epochs": known(s.epochs),
                "scores": [None if fit.problem else fit.score for fit in s.fits],
                "problems": list(s.problems),
                "difference": None
                if s.difference is None
                else {
                    "mean": s.difference.mean,
                    "interval": [s.difference.low, s.difference.high],
                    "p": s.difference.probability,
                    "p_corrected": s.corrected,
                },
            }
            for s in found.scored
        ],
    }


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
