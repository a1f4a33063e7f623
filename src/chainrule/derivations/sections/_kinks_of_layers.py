"""What is said of a choice that shows in the slope of a layer: where, what is taken, and why."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.derivations.layers._kinks import LayerKink
from chainrule.derivations.sections._elementwise import per_unit
from chainrule.derivations.sections._kinks import tie_rule
from chainrule.documents import text_of
from chainrule.formulas import Apply, Expression

_SIZES = {"max": "largest", "min": "smallest"}


def layer_kink_sentences(kinks: Sequence[LayerKink]) -> list[str]:
    """Say of each choice what `layer_kink_sentence` does, once for those open at one place."""
    alike: dict[tuple[object, ...], list[LayerKink]] = {}
    for kink in kinks:
        key: tuple[object, ...] = (kink,)
        if kink.choice.operation in ("maximum", "minimum"):
            key = (kink.sides, tie_rule(kink.choice, _text)[1], kink.is_jump)
        alike.setdefault(key, []).append(kink)
    return [
        layer_kink_sentence(group[0]) if len(group) == 1 else _of_several(group)
        for group in alike.values()
    ]


def _of_several(kinks: list[LayerKink]) -> str:
    """Say where the arguments of several choices are equal, and what each of them takes there."""
    left, right = map(_text, kinks[0].sides)
    words = " and ".join(kink.choice.operation[:3] for kink in kinks)
    taken = tie_rule(kinks[0].choice, _text)[1]
    rules = " and ".join(tie_rule(kink.choice, _text)[0] for kink in kinks)
    jumps = " The function itself jumps there." if kinks[0].is_jump else ""
    return (
        f"Where {left} = {right} the slopes of {words} jump from that of one argument to that of "
        f"the other; taken there: that of {taken}, since {rules}.{jumps}"
    )


def layer_kink_sentence(kink: LayerKink) -> str:
    r"""Say where a choice is undecided, which slope is taken there, and why.

    Examples
    --------
    >>> from chainrule.formulas import parse
    >>> choice = parse("max(z, mean(z))").expression
    >>> print(layer_kink_sentence(LayerKink(choice)).replace("; ", ";\n"))
    Where z_j = mean_k z_k the slope jumps from that of one argument of max to that of the other;
    taken there: that of z_j, since max takes its first argument z_j where both arguments are equal.
    """
    choice = kink.choice
    left, right = map(_text, kink.sides)
    where = f"Where {left} = {right}"
    match choice:
        case Apply("max" | "min" as extreme, (x,)):
            met = (
                f"Where several units share the {_SIZES[extreme]} {_text(x)} the slope jumps; "
                f"taken there: for each of them an equal part of what {left} passes back, since "
                "none of them comes before the others"
            )
        case Apply("maximum" | "minimum", (x, _)):
            rule, taken = tie_rule(choice, _text)
            word = choice.operation[:3]
            met = (
                f"{where} the slope jumps from that of one argument of {word} to that of the "
                f"other; taken there: that of {taken}, since {rule}"
            )
        case Apply("where", (Apply() as condition, x, y)):
            holds = condition.operation in ("greater_equal", "less_equal", "equal")
            met = (
                f"{where} the slope jumps; taken there: that of the branch "
                f"{_text(x if holds else y)}, since "
                f"{_text(condition)} {'holds' if holds else 'does not hold'} there"
            )
        case Apply("abs", (x,)):
            met = (
                f"{where} the slope of {_text(choice)} by {_text(x)} jumps from -1 to 1; taken "
                "there: 0, since sign(0) = 0"
            )
        case Apply("sign"):
            met = f"{where} sign jumps; taken there: 0, since sign is flat where it is 0"
        case _:
            met = _at_root(kink, where)
    return f"{met}." + (" The function itself jumps there." if kink.is_jump else "")


def _at_root(kink: LayerKink, where: str) -> str:
    root = _text(kink.choice)
    if kink.is_smooth:
        return (
            f"{where} the slope of {root} is taken to be 0, since it is at its least there: so "
            "nothing is divided by 0, and what that slope is multiplied by is 0, too"
        )
    return (
        f"{where} {root} has a kink; taken there: 0 for its slope, since it is at its least there, "
        "and 0 lies between the slopes on either side"
    )


def _text(e: Expression) -> str:
    return text_of(per_unit(e))
