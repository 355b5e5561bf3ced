"""What triage does not know: AUROC of its novelty, how often it answers unknown, and how honest its probabilities are.

    python -m spinalis.train.triage_doubt --runs runs -o docs/triage-doubt.md

Pixels alone, no header: simulated studies of `JUDGED_SEED`, real slices of patients kept out of training, and pictures
of kinds that nothing was trained on, see `data.oddities`. A reliability diagram goes beside the output, as SVG.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from spinalis.evaluate import metrics
from spinalis.evaluate.metrics import IntArray, Share
from spinalis.evaluate.tables import UNDEFINED, Table, number, percent
from spinalis.formats.atomic import write_bytes
from spinalis.models import Pack, load_packs, select
from spinalis.records import FloatArray, Header, Series, Slice
from spinalis.train import grade
from spinalis.train.data import oddities, open_images
from spinalis.train.data.real_slice import VALIDATION, picture
from spinalis.train.data.simulated import Harvest, harvest
from spinalis.train.judge import JUDGED_SEED
from spinalis.train.judge_real import HEADS
from spinalis.train.recipes import load
from spinalis.train.triage import Example, simulated_examples
from spinalis.triage import label_series
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.vocabulary import Anatomy

STUDIES: Mapping[str, int] = {"lumbar": 8, "cervical": 6, "thoracic": 6, "other": 8}
PICTURES = 100
"""Of each kind of oddity."""

WORDS = dict(zip(HEADS, (ANATOMIES, REGIONS, PLANES, SEQUENCES), strict=True))
BINS = 10
SPINES, REAL = "real spine slices, held out", "real slices, held out"
SIMULATED = "simulated slices of the judged seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One slice: where it is from, its patient or study, its novelty, and head -> (probability, right) where known."""

    source: str
    patient: str
    novelty: float
    unknown: bool
    spine: bool
    heads: Mapping[str, tuple[float, bool]]


def seen(item: Series, truth: Mapping[str, str], pack: Pack, source: str, patient: str) -> Seen:
    """Ask the pack about a series of one slice."""
    label = label_series(item, pack)
    told = label.slices[0] if label.slices else None
    heads = {}
    for head, word in truth.items() if told else ():
        judged = getattr(told, head)
        if str(judged.label) != "unknown":
            heads[head] = (judged.probability, str(judged.label) == word)
    return Seen(
        source=source,
        patient=patient,
        novelty=np.nan if label.novelty is None else label.novelty,
        spine=truth.get("anatomy") == str(Anatomy.MR_SPINE),
        unknown=label.anatomy.label is Anatomy.UNKNOWN,
        heads=heads,
    )


def simulated(files: Iterable[Path], pack: Pack) -> Iterator[Seen]:
    """The slices of harvested studies."""
    for file in files:
        for example in simulated_examples([file]):
            truth = {
                head: str(WORDS[head][place]) for head, place in zip(HEADS, example.labels, strict=False) if place >= 0
            }
            yield seen(_alone(example), truth, pack, SIMULATED, f"{file.parent.name}/{file.stem}")


def real(root: Path, pack: Pack) -> Iterator[Seen]:
    """The open real slices of patients kept out of training."""
    for item in open_images.read(root, VALIDATION):
        truth = {head: str(getattr(item.labels, head)) for head in HEADS if getattr(item.labels, head) is not None}
        yield seen(picture(item.image), truth, pack, item.source, item.patient)


def odd(pack: Pack, slices: Sequence[Example]) -> Iterator[Seen]:
    """Pictures of every kind of oddity; sheets of slices last."""
    for kind, draw in oddities.KINDS.items():
        rng = np.random.default_rng((JUDGED_SEED, 21))
        for place in range(PICTURES):
            yield seen(picture(draw(rng)), {}, pack, kind, f"{kind}/{place}")
    rng = np.random.default_rng((JUDGED_SEED, 22))
    pictures = [example.image for example in slices]
    for place in range(PICTURES):
        yield seen(picture(oddities.sheet(rng, pictures)), {}, pack, "sheet of spine slices", f"sheet/{place}")


def _alone(example: Example) -> Series:
    image = example.image.astype(np.float32)
    rows, columns = image.shape
    return Series(
        key="slice",
        number=None,
        header=Header(),
        rows=rows,
        columns=columns,
        slices=(Slice(file="slice"),),
        load=lambda _: image,
    )


def novelty_table(near: Mapping[str, Sequence[Seen]], far: Sequence[Seen]) -> Table:
    """AUROC of the novelty of each kind of oddity against each set of slices as trained on; who is unknown."""
    rows = []
    for source in dict.fromkeys(item.source for item in far):
        chosen = [item for item in far if item.source == source]
        rows.append((source, *[_auroc(known, chosen) for known in near.values()], _unknown(chosen)))
    for title, known in near.items():
        rows += [
            (f"{title}: {source}" if source != title else title, *(UNDEFINED for _ in near), _unknown(found))
            for source, found in _by_source(known).items()
        ]
    return Table(
        title="Unlike the training",
        columns=("pictures", *[f"AUROC against {title}" for title in near], "anatomy answered unknown"),
        rows=tuple(rows),
        notes=(
            "AUROC of `novelty`, floor .5, with 95 % intervals by bootstrap over patients, studies and drawn pictures. "
            "Upper rows: drawn by code, of kinds that were never trained on. Lower rows: slices of the kinds trained "
            "on, of which few should be unknown.",
        ),
    )


def _by_source(found: Sequence[Seen]) -> dict[str, list[Seen]]:
    return {source: [item for item in found if item.source == source] for source in {i.source: 0 for i in found}}


def _auroc(near: Sequence[Seen], far: Sequence[Seen]) -> str:
    both = [*near, *far]
    scores, is_far = np.array([item.novelty for item in both]), np.arange(len(both)) >= len(near)
    if not near or np.isnan(scores).any():
        return UNDEFINED

    def auroc(index: IntArray) -> float | None:
        return metrics.roc_auc(is_far[index], scores[index])

    bounds = metrics.bootstrap_interval(auroc, np.array([item.patient for item in both]), repeats=200)
    return number(auroc(np.arange(len(both)))) + (f" ({bounds[0]:.3f}–{bounds[1]:.3f})" if bounds else "")


def _unknown(found: Sequence[Seen]) -> str:
    return percent(Share(count=sum(item.unknown for item in found), total=len(found)))


def calibration_table(sets: Mapping[str, Sequence[Seen]]) -> Table:
    """Expected calibration error of every head, beside that of an honest answerer of the same probabilities."""
    rows = []
    for title, found in sets.items():
        for head in HEADS:
            chosen = [item for item in found if head in item.heads]
            if not chosen:
                continue
            sure, right = _answers(chosen, head)
            patients = np.array([item.patient for item in chosen])
            bounds = metrics.bootstrap_interval(partial(_error, sure, right), patients, repeats=200)
            rng = np.random.default_rng(0)
            honest = np.mean([calibration_error(sure, rng.random(len(sure)) < sure) for _ in range(200)])
            rows.append(
                (
                    f"{title}: {head}",
                    str(len(chosen)),
                    number(float(right.mean())),
                    number(float(sure.mean())),
                    number(calibration_error(sure, right)) + (f" ({bounds[0]:.3f}–{bounds[1]:.3f})" if bounds else ""),
                    number(float(honest)),
                )
            )
    return Table(
        title="Calibration of single slices",
        columns=("slices: head", "answered", "right", "mean probability", "ECE", "ECE if honest"),
        rows=tuple(rows),
        notes=(
            f"Expected calibration error over {BINS} bins of the probability of the answer, with 95 % intervals by "
            "bootstrap over patients or studies; few patients, so they are rough. The last column is what chance makes "
            "of the same probabilities if each meant what it says: the floor. Unknown slices are left out.",
        ),
    )


def calibration_error(sure: FloatArray, right: NDArray[np.generic]) -> float:
    """Mean gap between probabilities (N,) and what is right (N,), over `BINS` bins.

    Source:
        Guo C et al. On calibration of modern neural networks. ICML 2017, equation 3.
    """
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(place, weights=np.asarray(right, float) - sure, minlength=BINS)).sum() / len(sure))


def _error(sure: FloatArray, right: FloatArray, index: IntArray) -> float:
    return calibration_error(sure[index], right[index])


def _answers(found: Sequence[Seen], head: str) -> tuple[FloatArray, FloatArray]:
    pairs = np.array([item.heads[head] for item in found if head in item.heads], float).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


_DIAGRAM = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ 40 + 200 * panels|length }} 260" font-family="sans-serif"
 font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="{{ 20 + 100 * panels|length }}" y="18" text-anchor="middle">Slices right, by the probability of their answer.
 Research use only</text>
{% for panel in panels %}<g transform="translate({{ 40 + 200 * loop.index0 }} 44)">
<text x="80" y="-6" text-anchor="middle">{{ panel.name }}</text>
<path d="M0 0V160H160" fill="none" stroke="black"/><path d="M0 160L160 0" stroke="#bbb" stroke-dasharray="4 3"/>
{% for mark in (0, 0.5, 1) %}<text x="{{ 160 * mark }}" y="176" text-anchor="middle">{{ mark }}</text>
<text x="-6" y="{{ 164 - 160 * mark }}" text-anchor="end">{{ mark }}</text>{% endfor %}
{% for set in panel.sets %}<polyline points="{% for x, y, r in set.dots %}{{ x }},{{ y }} {% endfor %}" fill="none"
 stroke="{{ set.colour }}"/>{% for x, y, r in set.dots %}<circle cx="{{ x }}" cy="{{ y }}" r="{{ r }}"
 fill="{{ set.colour }}" fill-opacity="0.6"/>{% endfor %}{% endfor %}
</g>{% endfor %}
{% for name, colour in legend %}<text x="{{ 40 + 300 * loop.index0 }}" y="246" fill="{{ colour }}">● {{ name }}</text>
{% endfor %}</svg>
"""
COLOURS = ("#0060a0", "#d08000")


def diagram(sets: Mapping[str, Sequence[Seen]]) -> str:
    """Reliability of every head as SVG; a dot for each bin of at least five slices, the larger the more."""
    panels = [
        {
            "name": head,
            "sets": [
                {"colour": colour, "dots": _dots(*_answers(found, head))}
                for found, colour in zip(sets.values(), COLOURS, strict=False)
            ],
        }
        for head in HEADS
    ]
    made = Environment(autoescape=True, undefined=StrictUndefined).from_string(_DIAGRAM)
    return made.render(panels=panels, legend=list(zip(sets, COLOURS, strict=False)))


def _dots(sure: FloatArray, right: FloatArray) -> list[tuple[float, float, float]]:
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    found = []
    for one in range(BINS):
        inside = place == one
        if inside.sum() >= 5:
            x, y = float(sure[inside].mean()), float(right[inside].mean())
            found.append((round(160 * x, 1), round(160 - 160 * y, 1), round(2 + np.sqrt(inside.mean()) * 6, 1)))
    return found


def main() -> None:
    """Print the tables, and write them and the diagram where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds the cache of simulated studies")
    parser.add_argument("--data", type=Path, help="folder of the open real images (see docs/data.md)")
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("--jobs", type=int, default=2, help="simulating processes")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the simulated studies")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    pack = select(load_packs(given.packs, threads=1), "triage")
    files = []
    for profile, count in STUDIES.items():
        wanted = Harvest(profile=profile, seed=JUDGED_SEED, studies=max(1, round(count * given.scale)))
        files += harvest(wanted, given.runs / "cache", grade.input_spec(load("grade")), given.jobs)
    sets = {SIMULATED: list(simulated(files, pack))}
    root = open_images.find_root(given.data)
    if root is not None:
        sets[REAL] = list(real(root, pack))
    spines = [item for item in sets.get(REAL, []) if item.spine]
    near = {SIMULATED: sets[SIMULATED], **({SPINES: spines} if spines else {})}
    pool = [example for example in simulated_examples(files) if example.labels[0] == 0]
    tables = novelty_table(near, list(odd(pack, pool))), calibration_table(sets)
    text = "\n".join(["# What triage doubts", "", *[table.to_markdown() for table in tables], "Research use only.", ""])
    if given.output:
        write_bytes(given.output, text.encode())
        write_bytes(given.output.with_suffix(".svg"), diagram(sets).encode())
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()
