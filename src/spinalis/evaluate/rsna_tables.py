"""The figures of prediction files on the RSNA 2024 set, set out as tables, every one with its no-skill rows."""

from collections.abc import Mapping

from spinalis.evaluate.metrics import Interval
from spinalis.evaluate.rsna import RsnaScore
from spinalis.evaluate.rsna_figures import PARTS, Difference, Figures, GradeFigures, GroupFigures
from spinalis.evaluate.tables import UNDEFINED, Table, number, percent

PART_HEADINGS = ("score", "canal", "foraminal", "subarticular", "any severe canal")
GRADE_HEADINGS = (
    "n (normal/moderate/severe)",
    "recall",
    "balanced accuracy",
    "AUC severe (95 %)",
    "AUC within level",
    "kappa",
    "calibration error",
    "severe called normal",
    "log loss",
)

CALLED = "A case is called what its largest number says. Kappa: quadratic weights. Recall: normal/moderate/severe."
CALIBRATION = "Calibration error: after dividing the answers by the weights 1, 2, 4 and normalizing."
LEVEL_ALONE = (
    "Level alone: the weighted share of each grade per group and level among these very studies, which no answer "
    "without a look can beat."
)


def tables(found: Mapping[str, Figures], difference: Difference | None = None) -> tuple[Table, ...]:
    """Set out one or more prediction files.

    Args:
        found: name of a prediction file -> its figures, on the same studies.
        difference: of the first two, where there are two.
    """
    made = [score_table(found)]
    if difference is not None:
        first, second = list(found)[:2]
        made.append(differences_table({(first, second): difference}))
    for name, item in found.items():
        title = f"{name}: grades" if len(found) > 1 else "Grades"
        made += [_grade_table(f"{title} by group and condition", item), _level_table(f"{title} by level", item)]
    return tuple(made)


def score_table(found: Mapping[str, Figures]) -> Table:
    """The score of each prediction file with its interval, and the floors."""
    first = next(iter(found.values()))
    rows = [(name, *_with_intervals(_parts(item.score), item.intervals)) for name, item in found.items()]
    floors = {
        "uniform (no skill)": first.floors.uniform,
        "constant weighted prior (no skill)": first.floors.constant,
        "per-level weighted prior (no skill)": first.floors.per_level,
    }
    rows += [(name, *(number(value) for value in _parts(floor))) for name, floor in floors.items()]
    return Table(
        title=f"RSNA 2024 score on {first.studies} studies, {first.labelled} labels (lower is better)",
        columns=("answers", *PART_HEADINGS),
        rows=tuple(rows),
        notes=("95 % intervals by bootstrap over studies. The priors are those of these very studies.",),
    )


def differences_table(differences: Mapping[tuple[str, str], Difference]) -> Table:
    """Differences of pairs of prediction files on the same studies, the first of each pair minus the second."""
    rows = tuple(
        (f"{first} minus {second}", *_with_intervals(item.values, item.intervals))
        for (first, second), item in differences.items()
    )
    return Table(
        title="Paired difference (below 0: the first is better)",
        columns=("answers", *PART_HEADINGS),
        rows=rows,
        notes=("95 % intervals; both files see the same draws of studies. An interval that holds 0 shows nothing.",),
    )


def compared_table(found: Mapping[str, Figures]) -> Table:
    """The grades of several prediction files on the same studies side by side, by group and condition."""
    rows = []
    for groups in zip(*(_shown(item) for item in found.values()), strict=True):
        rows += [
            (f"{group.name}: {name}", *_cells(group.found, group)) for name, group in zip(found, groups, strict=True)
        ]
        rows.append((f"{groups[0].name}: level alone (no skill)", *_cells(groups[0].level_alone)))
    return Table(
        title="Grades by group and condition",
        columns=("answers", *GRADE_HEADINGS),
        rows=tuple(rows),
        notes=(CALLED, CALIBRATION, LEVEL_ALONE),
    )


def _shown(found: Figures) -> tuple[GroupFigures, ...]:
    """The groups, then the conditions; the canal is a group of one condition: once is enough."""
    return (*found.groups, *found.conditions[1:])


def _grade_table(title: str, found: Figures) -> Table:
    rows = []
    for item in _shown(found):
        rows.append((item.name, *_cells(item.found, item)))
        rows.append((f"{item.name}, level alone", *_cells(item.level_alone)))
    return Table(
        title=title, columns=("conditions", *GRADE_HEADINGS), rows=tuple(rows), notes=(CALLED, CALIBRATION, LEVEL_ALONE)
    )


def _level_table(title: str, found: Figures) -> Table:
    keep = [column for column in range(len(GRADE_HEADINGS)) if GRADE_HEADINGS[column] != "AUC within level"]
    rows = []
    for item in found.levels:
        cells = _cells(item.found)
        rows.append((item.name, item.level.value, *(cells[column] for column in keep), number(item.prior_log_loss)))
    headings = (GRADE_HEADINGS[column] for column in keep)
    return Table(
        title=title,
        columns=("conditions", "level", *headings, "log loss, level alone"),
        rows=tuple(rows),
        notes=(CALLED, LEVEL_ALONE),
    )


def _cells(found: GradeFigures, group: GroupFigures | None = None) -> tuple[str, ...]:
    interval = group.auc_severe_interval if group else None
    return (
        f"{sum(found.counts)} ({'/'.join(str(count) for count in found.counts)})",
        "/".join(number(value, 2) for value in found.recall),
        number(found.balanced_accuracy, 2),
        _with_interval(found.auc_severe, interval),
        number(found.auc_within_level),
        number(found.kappa, 2),
        number(found.calibration_error),
        percent(found.severe_called_normal),
        number(found.log_loss),
    )


def _parts(score: RsnaScore) -> tuple[float | None, ...]:
    return tuple(getattr(score, part) for part in PARTS)


def _with_intervals(values: tuple[float | None, ...], intervals: tuple[Interval | None, ...]) -> tuple[str, ...]:
    return tuple(_with_interval(value, interval) for value, interval in zip(values, intervals, strict=True))


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return UNDEFINED
    return number(value) + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
