"""Spinalis reads a raw spinal MRI study. Research use only."""

__version__ = "0.1.0"
