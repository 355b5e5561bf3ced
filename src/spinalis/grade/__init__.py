"""Stage 4: severity of each condition at each level."""

from spinalis.grade.grade import grade_study

__all__ = ["grade_study"]
