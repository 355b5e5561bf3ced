"""The tables and the picture of a learning curve."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jinja2 import Environment, StrictUndefined

from spinalis.evaluate import rsna
from spinalis.evaluate.metrics import Interval
from spinalis.evaluate.tables import UNDEFINED, Table, number
from spinalis.grade.grade import VIEWS_OF
from spinalis.train.curve_figures import Answers, figure, gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Answers by a method: after so many graded studies of the site (None: whatever their number), and CPU seconds.

    `calls_only` marks answers whose probabilities say nothing.
    """

    name: str
    answers: Answers
    count: int | None = None
    cpu_s: float | None = None
    calls_only: bool = False


COLUMNS = (
    "method",
    "graded studies",
    "kappa (95 %)",
    "above the pack as it is",
    *VIEWS_OF,
    "AUC severe (95 %)",
    "RSNA score (95 %)",
)


def tables(site: Sequence[Row], ordinary: Sequence[Row]) -> tuple[str, ...]:
    """Both tables as Markdown: the site, and ordinary studies for what was forgotten; floor first, then the pack."""
    return (
        _table("Unseen studies of the site", site, timed=True).to_markdown(),
        _table("Ordinary simulated studies: what is forgotten", ordinary, timed=False).to_markdown(),
    )


def _table(title: str, rows: Sequence[Row], *, timed: bool) -> Table:
    before = rows[1].answers
    truth = before.truth[before.truth != rsna.MISSING]
    counts = " / ".join(str(int((truth == grade).sum())) for grade in range(3))
    notes = [
        f"{len(before.truth)} studies, {len(truth)} grades (normal / moderate / severe: {counts}). Kappa is quadratic, "
        "at the operating points; it and the AUC are means over canal, foramina, recesses; the RSNA score is a loss. "
        "Intervals draw these studies, not other ones to learn from: one draw of graded studies was made.",
    ]
    if timed:
        notes.append(f"CPU minutes, one thread; {UNDEFINED} where a step was cut short and resumed.")
    columns = (*COLUMNS, "CPU min") if timed else COLUMNS
    cells = [_cells(row, before)[: len(columns)] for row in rows]
    return Table(title=title, columns=columns, rows=tuple(cells), notes=tuple(notes))


def _cells(row: Row, before: Answers) -> tuple[str, ...]:
    count, found = len(before.truth), row.answers
    every = np.arange(count)
    above = UNDEFINED if found is before else bounded(*figure(gain(found, before), count), signed=True)
    shown = (
        (UNDEFINED, UNDEFINED)
        if row.calls_only
        else (
            bounded(*figure(found.mean_auc, count)),
            bounded(*figure(found.score, count)),
        )
    )
    return (
        row.name,
        UNDEFINED if row.count is None else str(row.count),
        bounded(*figure(found.mean_kappa, count)),
        above,
        *(number(found.kappa(name, every), 2) for name in VIEWS_OF),
        *shown,
        UNDEFINED if row.cpu_s is None else number(row.cpu_s / 60, 1),
    )


def bounded(value: float | None, interval: Interval | None, *, signed: bool = False) -> str:
    """A figure with its interval, two digits: `0.53 (0.46–0.60)`; with its sign where it is a difference."""
    form = "{:+.2f}" if signed else "{:.2f}"
    if value is None:
        return UNDEFINED
    return form.format(value) + (f" ({form.format(interval[0])} to {form.format(interval[1])})" if interval else "")


_CURVE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 330" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="240" y="20" text-anchor="middle">Kappa on unseen studies of the site. Research use only</text>
<g transform="translate(46 36)">
<path d="M0 0V240H390" fill="none" stroke="black"/>
{% for y, word in marks %}<text x="-6" y="{{ y + 4 }}" text-anchor="end">{{ word }}</text>
<path d="M0 {{ y }}H390" stroke="#eee"/>{% endfor %}
{% for x, word in counts %}<text x="{{ x }}" y="256" text-anchor="middle">{{ word }}</text>{% endfor %}
<text x="195" y="278" text-anchor="middle">graded studies of the site</text>
{% for line in flat %}<path d="M0 {{ line.y }}H390" stroke="{{ line.colour }}" stroke-dasharray="5 4"/>
<text x="396" y="{{ line.y + 4 }}" fill="{{ line.colour }}">{{ line.name }}</text>{% endfor %}
{% for line in lines %}<polyline points="{% for dot in line.dots %}{{ dot.x }},{{ dot.y }} {% endfor %}" fill="none"
 stroke="{{ line.colour }}" stroke-width="2"/>{% for dot in line.dots %}<circle cx="{{ dot.x }}" cy="{{ dot.y }}"
 r="3.5" fill="{{ line.colour }}"/>
<path d="M{{ dot.x }} {{ dot.low }}V{{ dot.high }}" stroke="{{ line.colour }}"/>{% endfor %}
<text x="396" y="{{ 210 - 18 * loop.index0 }}" fill="{{ line.colour }}">● {{ line.name }}</text>
{% endfor %}
</g></svg>
"""
COLOURS = ("#808080", "#0060a0", "#30a060", "#d08000")
_WIDTH, _HEIGHT, _APART = 390, 240, 6


def curve(rows: Sequence[Row]) -> str:
    """Kappa by the number of graded studies as SVG, a line for each method; answers without a number lie flat."""
    counts = sorted({row.count for row in rows if row.count is not None})
    names = list(dict.fromkeys(row.name for row in rows if row.count is not None))
    place = {count: round(_WIDTH * (0.5 + at) / len(counts), 1) for at, count in enumerate(counts)}
    found = [(row, *figure(row.answers.mean_kappa, len(row.answers.truth))) for row in rows]
    lowest = min([0.0, *(bounds[0] for _, _, bounds in found if bounds)])

    def down(kappa: float) -> float:
        return round(_HEIGHT * (1 - (kappa - lowest) / (1 - lowest)), 1)

    lines = []
    for at, name in enumerate(names):
        dots = [
            {"x": place[row.count] + _APART * (at - 1.5), "y": down(value), "low": down(low), "high": down(high)}
            for row, value, bounds in found
            if row.name == name and row.count is not None and value is not None
            for low, high in [bounds or (value, value)]
        ]
        lines.append({"name": name, "colour": COLOURS[at % len(COLOURS)], "dots": dots})
    flat = [
        {"name": row.name, "colour": "#444", "y": down(value)}
        for row, value, _ in found
        if row.count is None and value is not None
    ]
    marks = [(down(value), f"{value:g}") for value in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    made = Environment(autoescape=True, undefined=StrictUndefined).from_string(_CURVE)
    return made.render(marks=marks, counts=[(place[count], count) for count in counts], lines=lines, flat=flat)
