"""Digests: what tells arrays and texts from others, and whole files from damaged ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PREFIX = "sha256:"


def digest(*arrays: NDArray[Any]) -> str:
    """Return a digest of dtypes, shapes and contents."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.dtype.name}{array.shape}".encode())
        total.update(np.ascontiguousarray(array).data)
    return PREFIX + total.hexdigest()


def text_digest(text: str) -> str:
    """Return a digest of a text."""
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()


def checksum(texts: Iterable[str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest of all that a file holds."""
    names = sorted(tensors)
    whole = "\n".join(texts)
    return text_digest(f"{whole}\n{names}\n{digest(*(tensors[name] for name in names))}")
