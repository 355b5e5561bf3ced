"""Stage 3: millimetres."""

from spinalis.measure.spacing import implausible, measure_spacing

__all__ = ["implausible", "measure_spacing"]
