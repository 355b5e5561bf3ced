"""Stage 1: what is each slice and series?"""

from spinalis.triage.label import label_series

__all__ = ["label_series"]
