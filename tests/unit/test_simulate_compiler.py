from typing import Any

import numba
import numpy as np
import pytest

from spinalis.simulate.compiler import compiled, compiled_maker


def refused(values: Any) -> float:
    return float(np.zeros(values.shape[0]).sum())


def accepted(values: Any) -> float:
    """Another function: what was compiled is kept by name between runs."""
    return float((2 * np.ones(values.shape[0])).sum())


def test_what_makes_an_array_is_refused_unless_it_is_declared_a_maker() -> None:
    with pytest.raises(numba.TypingError):
        compiled(refused)(np.arange(3.0))
    assert compiled_maker(accepted)(np.arange(3.0)) == 6.0
