from typing import Any

import numba
import numpy as np
import pytest

from spinalis.simulate.compiler import compiled, compiled_maker


def doubled(values: Any) -> float:
    made = np.zeros(values.shape[0])
    for n in range(values.shape[0]):
        made[n] = 2 * values[n]
    return float(made.sum())


def test_what_makes_an_array_is_refused_unless_it_is_declared_a_maker() -> None:
    with pytest.raises(numba.TypingError):
        compiled(doubled)(np.arange(3.0))
    assert compiled_maker(doubled)(np.arange(3.0)) == 6.0
