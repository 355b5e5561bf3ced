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
    """Compile to machine code, and keep that beside the source until any of the kernels' sources changes.

    numba renews a kept function only when its own file changes, not when a function that it calls does; so the
    stamp is made of all of them.
    """
    dispatcher: Any = numba.njit(cache=True, fastmath=True, nogil=True, error_model="numpy")(function)
    dispatcher._cache._cache_file._source_stamp = _STAMP
    return cast(Function, dispatcher)
