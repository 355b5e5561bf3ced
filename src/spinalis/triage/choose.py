"""Which series or slices of a study a rule chooses, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from spinalis.records import Series, SeriesLabel, Study
from spinalis.triage.facts import Answer, answers, facts, measure
from spinalis.triage.where import Fact, Rule, Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The verdict on a series, or on its slice `index`.

    `truth` is None where too little is known of it, or where no slice of it can be decoded and is not blank.
    `readable` are the slices of the unit that are so; `why` has every question of the rule with its answer.
    """

    series: Series
    label: SeriesLabel
    index: int | None
    answers: dict[str, Answer]
    facts: dict[str, Fact | None]
    truth: Truth
    why: tuple[tuple[str, Truth], ...]
    readable: tuple[int, ...]

    @property
    def indices(self) -> tuple[int, ...]:
        """The slices of the unit."""
        return tuple(range(len(self.series.slices))) if self.index is None else (self.index,)


def choose(
    study: Study, labels: tuple[SeriesLabel, ...], rule: Rule, *, by_slice: bool, min_probability: float = 0.0
) -> Iterator[Choice]:
    """The verdict on every unit of a study, in the study's order.

    Args:
        study: the study.
        labels: the labels of its series.
        rule: what is wanted.
        by_slice: each slice on its own, else each series as a whole.
        min_probability: a label less sure than this, 0..1, counts as unknown.
    """
    found = {series.key: series for series in study.series}
    for label in labels:
        series = found[label.series_key]
        measured = measure(series, label)
        seen = {item.index for item in label.slices}
        for index in range(len(series.slices)) if by_slice else (None,):
            judged = answers(label, index)
            known = facts(measured, judged, min_probability)
            readable = tuple(sorted(seen)) if index is None else (index,) if index in seen else ()
            yield Choice(
                series=series,
                label=label,
                index=index,
                answers=judged,
                facts=known,
                truth=rule.holds(known) if readable else None,
                why=rule.why(known),
                readable=readable,
            )
