"""How often the grades that are not excluded hold the true one, beside how many grades that takes."""

import numpy as np

from spinalis.evaluate import rsna
from spinalis.evaluate.metrics import IntArray, Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.grade.operating import not_excluded
from spinalis.models.pack import Manifest
from spinalis.records import FloatArray
from spinalis.vocabulary import CONDITIONS, SEVERITIES, Severity


def tables(truth: IntArray, probabilities: FloatArray, manifest: Manifest) -> list[Table]:
    """One table, or none where the pack excludes nothing.

    Args:
        truth: (S, 5 conditions, 5 levels) in 0..2.
        probabilities: (S, 5, 5, 3).
        manifest: of the `grade` pack.
    """
    thresholds = manifest.settings.get("exclusion")
    if thresholds is None:
        return []
    rows = []
    for name, conditions in rsna.GROUPS:
        chosen = [CONDITIONS.index(condition) for condition in conditions]
        labels, answers = truth[:, chosen].ravel(), probabilities[:, chosen].reshape(-1, 3)
        for wanted in thresholds[name]["sensitivity"]:
            sets = [not_excluded(row, float(wanted), manifest, name) for row in answers]
            rows.append((name, f"{wanted:.0%}".replace("%", " %"), *_cells(labels, sets)))
    columns = ("output", "wanted", *(f"kept, of {grade.value}" for grade in SEVERITIES), "grades kept, mean")
    return [
        Table(
            title=f"Grades not excluded, on {len(truth)} studies that set nothing",
            columns=(*columns, "severe kept, of Normal/Mild"),
            rows=tuple(rows),
            notes=(
                "How often the true grade is among those that are not excluded; 95 % Wilson intervals. Keeping all "
                "three grades would always be right: the last columns are the price.",
            ),
        )
    ]


def _cells(labels: IntArray, sets: list[tuple[Severity, ...]]) -> tuple[str, ...]:
    kept = np.array([[grade in found for grade in SEVERITIES] for found in sets])
    shares = [kept[labels == grade, grade] for grade in range(len(SEVERITIES))]
    price = kept[labels == 0, -1]
    return (
        *(percent(Share(count=int(own.sum()), total=len(own))) for own in shares),
        number(float(kept.sum(axis=1).mean()), 2),
        percent(Share(count=int(price.sum()), total=len(price))),
    )
