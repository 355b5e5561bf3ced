"""Whole simulated series: the regions that they cover, and the cord in their slices with and without the neighbours.

    python -m spinalis.train.triage_series -o docs/triage-series-figures.md
    python -m spinalis.train.triage_series --fit

The studies of `SEED` were used for nothing else; `--fit` prints the runs of `triage.cord` anew, fitted on others.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spinalis.evaluate.metrics import BoolArray, Share
from spinalis.evaluate.tables import Table, number, percent, share_of_most_frequent
from spinalis.evaluate.triage import detect
from spinalis.formats.atomic import write_bytes
from spinalis.models import Pack, load_packs, select
from spinalis.records import FloatArray, Header, Series
from spinalis.simulate.study import SimulatedSeries, simulate_study
from spinalis.train.data.header_studies import covered_regions
from spinalis.train.data.simulated import at_edge
from spinalis.train.job import CALIBRATION_SEED
from spinalis.triage import label_series
from spinalis.triage.cord import RUNS, Run, in_run, with_neighbours
from spinalis.triage.label import cord_log_odds
from spinalis.vocabulary import Plane, Region

SEED = 404
STUDIES: Mapping[str, int] = {"cervical": 8, "thoracic": 8, "lumbar": 10, "whole": 10}
FIT_STUDIES: Mapping[int, Mapping[str, int]] = {
    CALIBRATION_SEED: {"cervical": 6, "thoracic": 6, "lumbar": 4, "whole": 6},
    505: {"cervical": 40, "thoracic": 8, "whole": 6},
}
"""Seed -> profile -> studies that the runs of the cord are fitted on."""

DRAWS = 120
"""Settings that are tried in a fit: half of them anywhere in `BOUNDS`, half near the best so far."""

BOUNDS = np.array([(0.2, 1.5), (0.0, 2.0), (0.0, 2.0), (5.0, 20.0), (3.0, 15.0), (3.0, 25.0), (0.0, 8.0)])
"""Of weight, mean and deviation of the shift, of the width, deviation of the place, and odds against nowhere."""

WAYS = ("with headers", "without headers", "pictures alone")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shown:
    """A series: truth and answers. `cord`, `alone` and `together` are (N,), the truth and both probabilities."""

    study: str
    plane: Plane
    covered: tuple[Region, ...]
    answers: Mapping[str, tuple[tuple[Region, ...], Region]]
    cord: BoolArray
    log_odds: FloatArray
    together: FloatArray
    step_mm: float


def shown(
    seed: int, studies: Mapping[str, int], pack: Pack, header: Pack, ways: Sequence[str] = WAYS
) -> Iterator[Shown]:
    """Simulate studies and ask about every series of them; `ways` may be left out."""
    for profile, count in studies.items():
        for place in range(count):
            made = simulate_study(seed, place, profile)
            if made.body is not None:
                for item in made.series:
                    yield _shown(f"{profile} {place}", item, made.body.frames, (pack, header), ways)


def _shown(
    study: str, item: SimulatedSeries, frames: FloatArray, packs: tuple[Pack, Pack], ways: Sequence[str]
) -> Shown:
    labels = {way: label_series(_seen(item.series, way), *packs) for way in ways}
    indices, log_odds = cord_log_odds(item.series, packs[0])
    return Shown(
        study=study,
        plane=item.plane,
        covered=covered_regions(frames, item.stack, item.region),
        answers={way: (label.covers, label.region.label) for way, label in labels.items()},
        cord=np.array(item.cord)[indices],
        log_odds=log_odds,
        together=with_neighbours(log_odds, indices, item.series, item.plane),
        step_mm=item.stack.spacing_mm,
    )


def _seen(series: Series, way: str) -> Series:
    if way == "with headers":
        return series
    bare = replace(series, header=Header(modality="MR"))
    slices = tuple(replace(item, plane=None) for item in series.slices)
    return bare if way == "without headers" else replace(bare, slices=slices, thickness_mm=None)


def coverage_table(found: Sequence[Shown]) -> Table:
    """Series whose regions are all right, beside the answer of one region."""
    rows = [
        cells
        for way in WAYS
        for name, answers in (
            ("coverage", [item.answers[way][0] for item in found]),
            ("region alone", [(item.answers[way][1],) for item in found]),
        )
        for cells in [(way, name, *_right(found, answers))]
    ]
    parts = (found, *_parts(found))
    floors = [share_of_most_frequent([(False, "+".join(item.covered)) for item in part]) for part in parts]
    return Table(
        title=f"Regions covered, {len(found)} simulated series of {len({item.study for item in found})} studies",
        columns=("read", "answer", "all", "cover one", "cover several"),
        rows=(*rows, ("", "no skill", *floors)),
        notes=(
            "Series whose set of regions is exactly right, 95 % Wilson intervals (series of one study are not "
            "independent). No skill: the most frequent set of the column. Without headers positions are left.",
        ),
    )


def _parts(found: Sequence[Shown]) -> tuple[list[Shown], list[Shown]]:
    return [item for item in found if len(item.covered) == 1], [item for item in found if len(item.covered) > 1]


def _right(found: Sequence[Shown], answers: Sequence[tuple[Region, ...]]) -> tuple[str, ...]:
    hits = [(len(item.covered) == 1, item.covered == answer) for item, answer in zip(found, answers, strict=True)]
    columns = [right for _, right in hits], [r for one, r in hits if one], [r for one, r in hits if not one]
    return tuple(percent(Share(count=sum(column), total=len(column))) for column in columns)


def cord_table(found: Sequence[Shown]) -> Table:
    """Slices told right by plane, alone and with their neighbours; at the edges of the cord and elsewhere."""
    rows = []
    for plane in (Plane.SAGITTAL, Plane.AXIAL, Plane.CORONAL):
        here = [item for item in found if item.plane is plane and len(item.cord) > 1]
        truth = np.concatenate([item.cord for item in here])
        edge = np.concatenate([at_edge(item.cord) for item in here])
        studies = np.concatenate([np.repeat(item.study, len(item.cord)) for item in here])
        answers = {
            "alone": np.concatenate([item.log_odds for item in here]) > 0,
            "with neighbours": np.concatenate([item.together for item in here]) > 0.5,
            "no skill": np.full(len(truth), truth.mean() > 0.5),
        }
        for name, answer in answers.items():
            made = detect(truth, answer, studies)
            interval = made.intervals["f1"]
            bounds = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
            shares = [
                percent(Share(count=int((answer == truth)[part].sum()), total=int(part.sum())))
                for part in (truth | True, edge, ~edge)
            ]
            rows.append((plane.value, name, shares[0], number(made.f1, 3) + bounds, *shares[1:]))
    return Table(
        title="Cord in slices, alone and with their neighbours",
        columns=("plane", "slices", "right", "F1", "right at an edge", "right elsewhere"),
        rows=tuple(rows),
        notes=(
            "An edge is the first or last slice with cord and the one beside it. Shares with 95 % Wilson intervals, F1 "
            "by bootstrap over studies. No skill: the more frequent answer. Stacks of one slice are left out.",
        ),
    )


def fit(found: Sequence[Shown], seed: int = 0, draws: int = DRAWS) -> Run:
    """The run of sagittal stacks under which the truth is likeliest, slice by slice."""
    rng = np.random.default_rng(seed)
    here = [item for item in found if item.plane is Plane.SAGITTAL and len(item.cord) > 1]
    low, high = BOUNDS.T
    best, best_loss = (low + high) / 2, np.inf
    for draw in range(draws):
        near = np.clip(best + rng.normal(size=len(low)) * 0.1 * (high - low), low, high)
        tried = rng.uniform(low, high) if draw < draws / 2 else near
        loss = _loss(here, _run(tried))
        if loss < best_loss:
            best, best_loss = tried, loss
    return _run(best)


def _run(values: FloatArray) -> Run:
    weight, mean, deviation, width, width_sd, place, nowhere = map(float, values)
    return replace(
        RUNS[Plane.SAGITTAL],
        weight=weight,
        shift=(mean, deviation),
        width_mm=(width, width_sd),
        off_middle_mm=place,
        nowhere=nowhere,
    )


def _loss(found: Sequence[Shown], run: Run) -> float:
    chances = np.concatenate([in_run(item.log_odds, item.step_mm, run) for item in found])
    truth = np.concatenate([item.cord for item in found])
    return float(-np.log(np.where(truth, chances, 1 - chances).clip(min=1e-4)).mean())


def main() -> None:
    """Print the tables, or the fitted run, and write the tables where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("--fit", action="store_true", help="fit the run of sagittal stacks instead")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the studies, for a quick trial")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    packs = load_packs(given.packs)
    pack, header = select(packs, "triage"), select(packs, "header")
    wanted = FIT_STUDIES if given.fit else {SEED: STUDIES}
    ways = () if given.fit else WAYS
    found = [
        item
        for seed, studies in wanted.items()
        for item in shown(
            seed, {name: max(1, round(given.scale * n)) for name, n in studies.items()}, pack, header, ways
        )
    ]
    if given.fit:
        text = repr(fit(found))
    else:
        text = "\n".join([made.to_markdown() for made in (coverage_table(found), cord_table(found))])
    if given.output:
        write_bytes(given.output, (text + "\n\nResearch use only.\n").encode())
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()
