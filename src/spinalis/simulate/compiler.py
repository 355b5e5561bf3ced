"""How the kernels are compiled and kept between runs."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

SOURCES = (
    "anatomy.py",
    "belly.py",
    "chest.py",
    "compiler.py",
    "coordinates.py",
    "elsewhere.py",
    "head.py",
    "kernel.py",
    "lesions.py",
    "masks.py",
    "measures.py",
    "neck.py",
    "other.py",
    "render.py",
    "surroundings.py",
    "tissue.py",
)
_STAMP = sha256(b"".join((Path(__file__).parent / name).read_bytes() for name in SOURCES)).hexdigest()


def compiled(function: Function) -> Function:
    """Compile to machine code a function that makes no arrays: it fills those that it is given.

    Such a function need not count the references to its arrays. Counting them, at every call and for each array of
    the body, took more than half of the time of a picture. numba refuses such a function that does make an array.
    """
    return _kept(function, counted=False)


def compiled_maker(function: Function) -> Function:
    """The same for a function that makes arrays, and so must count references to them."""
    return _kept(function, counted=True)


def _kept(function: Function, *, counted: bool) -> Function:
    """Compile, and keep the machine code beside the source until any of the kernels' sources changes.

    numba renews a kept function only when its own file changes, not when a function that it calls does; so the
    stamp is made of all of them. Kernels are inlined: the body is some 70 numbers to pass on at every call, and
    passing them took more than half of the time of a picture.
    """
    njit: Any = numba.njit  # its types leave out `_nrt` and `forceinline`
    options = {"fastmath": True, "nogil": True, "error_model": "numpy", "_nrt": counted, "forceinline": True}
    dispatcher = njit(cache=True, **options)(function)
    dispatcher._cache._cache_file._source_stamp = _STAMP
    return cast(Function, dispatcher)
