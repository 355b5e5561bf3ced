"""Stage 5: the reading in words, tables and pictures. Records in, records out."""

from spinalis.report.compose import compose, refusal, series_rows
from spinalis.report.sections import Report

__all__ = ["Report", "compose", "refusal", "series_rows"]
