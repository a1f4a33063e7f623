"""What was found is kept for the next time that it is asked, unless a budget cut it short."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

from chainrule.derivations.limits_in_time._time_limit import is_time_up
from chainrule.formulas import Formula

_MOST = 256  # results of one function

_forget: list[Callable[[], None]] = []
_P = ParamSpec("_P")
_T = TypeVar("_T")


class _CutShortError(Exception):
    def __init__(self, found: object) -> None:
        self.found = found


def remembered(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Keep what a function of formulas returns, which depends on nothing but its arguments.

    What a `time_budget` may have cut short is returned, but not kept: with more time more is found.
    """

    @lru_cache(maxsize=_MOST)
    def kept(names: tuple[str, ...], *arguments: Any, **named: Any) -> _T:
        found = work(*arguments, **named)
        if is_time_up():
            raise _CutShortError(found)
        return found

    @wraps(work)
    def remembering(*arguments: _P.args, **named: _P.kwargs) -> _T:
        # Formulas are equal whatever their names are, and results show these.
        names = tuple(x.name for x in arguments if isinstance(x, Formula))
        try:
            return kept(names, *arguments, **cast(dict[str, Any], named))
        except _CutShortError as cut:
            return cast(_T, cut.found)

    _forget.append(kept.cache_clear)
    return remembering


def forget() -> None:
    """Forget all that is kept."""
    for clear in _forget:
        clear()
