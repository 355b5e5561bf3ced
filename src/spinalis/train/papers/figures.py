"""Two figures as SVG: the course of a training, and a confusion matrix. Drawn from a template, viewed anywhere."""

from collections.abc import Sequence

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from spinalis.train.epochs import Epoch

_CURVES = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 260" font-family="sans-serif" font-size="12">
<rect width="640" height="260" fill="white"/>
<text x="320" y="18" text-anchor="middle">{{ title }}. Research use only</text>
{% for panel in panels %}
<g transform="translate({{ panel.left }} 40)">
<text x="120" y="-6" text-anchor="middle">{{ panel.name }}</text>
<path d="M0 0V160H240" fill="none" stroke="black"/>
{% for mark in panel.marks %}<text x="-6" y="{{ mark.y + 4 }}" text-anchor="end">{{ mark.text }}</text>
<path d="M0 {{ mark.y }}H240" stroke="#ddd"/>{% endfor %}
{% for mark in panel.epochs %}<text x="{{ mark.x }}" y="176" text-anchor="middle">{{ mark.text }}</text>{% endfor %}
{% for line in panel.lines %}<polyline points="{{ line.points }}" fill="none" stroke="{{ line.colour }}"
 stroke-width="2"{% if line.dashed %} stroke-dasharray="6 4"{% endif %}/>
{% for x, y in line.dots %}<circle cx="{{ x }}" cy="{{ y }}" r="3" fill="{{ line.colour }}"/>{% endfor %}{% endfor %}
</g>
{% endfor %}
<text x="320" y="248" text-anchor="middle">epoch; solid: validation, dashed: training</text>
</svg>
"""

_CONFUSION = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 340" font-family="sans-serif" font-size="12">
<rect width="420" height="340" fill="white"/>
<text x="210" y="18" text-anchor="middle">{{ title }}. Research use only</text>
{% for cell in cells %}
<rect x="{{ cell.x }}" y="{{ cell.y }}" width="88" height="78" fill="{{ cell.fill }}" stroke="#888"/>
<text x="{{ cell.x + 44 }}" y="{{ cell.y + 36 }}" text-anchor="middle" fill="{{ cell.ink }}">{{ cell.count }}</text>
<text x="{{ cell.x + 44 }}" y="{{ cell.y + 54 }}" text-anchor="middle" fill="{{ cell.ink }}">{{ cell.share }}</text>
{% endfor %}
{% for word in words %}<text x="{{ 160 + 92 * loop.index0 }}" y="296" text-anchor="middle">{{ word }}</text>
<text x="106" y="{{ 84 + 82 * loop.index0 }}" text-anchor="end">{{ word }}</text>{% endfor %}
<text x="252" y="322" text-anchor="middle">answered (rows: true grade; shares of its cases)</text>
</svg>
"""

_WIDTH, _HEIGHT = 240.0, 160.0


def curves_svg(epochs: Sequence[Epoch], title: str) -> str:
    """Loss and accuracy over the epochs, in training and in validation."""
    panels = []
    for left, name, train, valid in (
        (60, "loss", [item.train_loss for item in epochs], [item.loss for item in epochs]),
        (380, "accuracy", [item.train_accuracy for item in epochs], [item.accuracy for item in epochs]),
    ):
        low, high = min(*train, *valid), max(*train, *valid)
        low, high = low - 0.05 * (high - low + 0.01), high + 0.05 * (high - low + 0.01)
        at = [round(_WIDTH * (place + 0.5) / len(epochs), 1) for place in range(len(epochs))]
        every = max(1, len(epochs) // 10)
        panels.append(
            {
                "left": left,
                "name": name,
                "marks": [
                    {"y": _height(value, low, high), "text": f"{value:.2f}"} for value in np.linspace(low, high, 5)
                ],
                "epochs": [{"x": x, "text": item.epoch} for x, item in list(zip(at, epochs, strict=True))[::every]],
                "lines": [
                    _line(at, [_height(value, low, high) for value in values], colour, dashed)
                    for values, colour, dashed in ((train, "#d08000", True), (valid, "#0060a0", False))
                ],
            }
        )
    return _drawn(_CURVES, title=title, panels=panels)


def confusion_svg(confusion: NDArray[np.int64], words: Sequence[str], title: str) -> str:
    """A confusion matrix (3, 3), true grades in rows; the darker, the larger the share of its row."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    cells = []
    for row, column in np.ndindex(*confusion.shape):
        share = float(shares[row, column])
        paler = round(255 - 190 * share)
        cells.append(
            {
                "x": 116 + 92 * column,
                "y": 40 + 82 * row,
                "fill": f"rgb({paler},{paler},255)",
                "ink": "white" if share > 0.6 else "black",
                "count": int(confusion[row, column]),
                "share": f"{100 * share:.0f} %",
            }
        )
    return _drawn(_CONFUSION, title=title, cells=cells, words=[str(word) for word in words])


def _height(value: float, low: float, high: float) -> float:
    return round(_HEIGHT * (high - value) / (high - low), 1)


def _line(at: Sequence[float], heights: Sequence[float], colour: str, dashed: bool) -> dict[str, object]:
    dots = list(zip(at, heights, strict=True))
    return {"points": " ".join(f"{x},{y}" for x, y in dots), "dots": dots, "colour": colour, "dashed": dashed}


def _drawn(template: str, **values: object) -> str:
    made = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    return made.render(**values)
