"""Expressions as values."""

from __future__ import annotations

from chainrule.formulas import Apply, Variable, substitute


def test_what_is_shared_stays_shared_where_it_is_replaced():
    """A part that occurs twice as one object is replaced once: else branches double each time."""
    shared = Apply("exp", (Variable("z"),))
    whole = Apply("add", (shared, Apply("sin", (shared,))))
    asked = []

    def of_output(part):
        asked.append(part)
        return Variable("a") if part == Variable("z") else None

    found = substitute(whole, of_output)
    assert found == Apply("add", (exp := Apply("exp", (Variable("a"),)), Apply("sin", (exp,))))
    assert found.arguments[0] is found.arguments[1].arguments[0]
    assert sum(part is shared for part in asked) == 1
