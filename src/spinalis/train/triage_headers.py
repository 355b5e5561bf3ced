"""How well series are told when headers lie: header alone, pixels alone, and both fused.

    python -m spinalis.train.triage_headers --runs runs -o docs/triage-header-figures.md

The pixels are those of the simulated studies that the calibration of the triage pack was fitted on and nothing was
trained on. Their headers are drawn anew: each series gets one of a study without pixels of `JUDGED_SEED` that has the
same part, region, plane and contrast, which is all that a simulated header knows of its pixels.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import Table, number, percent, share_of_most_frequent
from spinalis.formats.atomic import write_bytes
from spinalis.models import Pack, load_packs, select
from spinalis.models.prepare import fit_matrix, prepare
from spinalis.records import FloatArray
from spinalis.train.data.header_examples import Spoiling, named, spoilt
from spinalis.train.data.header_studies import header_series
from spinalis.train.data.simulated import WORDS
from spinalis.train.job import CALIBRATION_SEED, CALIBRATION_STUDIES, Job
from spinalis.train.judge import JUDGED_SEED
from spinalis.train.triage_doubt import calibration_error
from spinalis.triage.fuse import agreement, fuse, vote
from spinalis.triage.header import ANATOMIES, OUTPUTS, REGIONS, SEQUENCES, HeaderView, Vector, features, view_of
from spinalis.vocabulary import Anatomy

HEADS = {"anatomy": ANATOMIES, "region": REGIONS, "sequence": SEQUENCES}
SHARES = (0.0, 0.1, 0.5, 1.0)
"""Shares of the headers that are corrupted."""

CORRUPTION = Spoiling(whole=1.0, most_missing=0.0, bare=0.0, swapped=0.5, mixed=0.5, misled=0.0)
"""A corrupted header is that of another study, or groups of its tags are, with the same chance."""

HEADER_BODIES: Mapping[str, int] = {"lumbar": 8, "cervical": 8, "thoracic": 8, "whole": 4, "other": 40}
VISITS = 6

CHANCE_REPEATS = 200

Kind = tuple[str, str, str, str]
Answers = Sequence[Mapping[str, tuple[str, float]]]
"""Of every series: head -> word and its probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A series by its pixels: truth, head -> word; its kind; votes, head -> log-probability (classes,)."""

    truth: Mapping[str, str]
    kind: Kind
    votes: Mapping[str, FloatArray]


def seen(files: Sequence[Path], pack: Pack) -> list[Seen]:
    """Ask the triage pack about every series of harvested studies."""
    found = []
    for file in files:
        with np.load(file) as arrays:
            images, series, words = (arrays[f"triage_{name}"] for name in ("images", "series", "words"))
        for place in np.unique(series):
            rows = np.flatnonzero(series == place)
            facts = dict(zip(WORDS, map(str, words[rows[0]]), strict=True))
            found.append(_seen(facts, images[rows].astype(np.float32), pack))
    return found


def _seen(facts: Mapping[str, str], images: Vector, pack: Pack) -> Seen:
    spec, temperatures = pack.manifest.input("images"), pack.manifest.setting("temperature")
    answers = pack.run(images=np.stack([prepare(item, fit_matrix(item.shape, spec), spec) for item in images]))
    spine = facts["part"] == "SPINE"
    anatomy = Anatomy.MR_SPINE if spine else Anatomy.OTHER
    votes: dict[str, FloatArray] = {}
    for head, classes in HEADS.items():
        logits = np.asarray(answers[head], float) / temperatures.get(head, 1.0)
        logs = vote(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        votes[head] = np.zeros(len(classes)) if logs is None else logs
    return Seen(
        truth={"anatomy": str(anatomy), "region": facts["region"], "sequence": facts["sequence"]},
        kind=(facts["part"], facts["region"], facts["plane"], facts["contrast"]),
        votes=votes,
    )


def headers(seed: int = JUDGED_SEED, bodies: Mapping[str, int] = HEADER_BODIES) -> dict[Kind, list[Vector]]:
    """Features of simulated headers, by the kind of their series."""
    rng = np.random.default_rng([seed, 5])
    found: dict[Kind, list[Vector]] = {}
    for profile, count in bodies.items():
        for item in header_series(seed, count, VISITS, profile):
            kind = item.part, item.region.value, item.plane.value, item.contrast.value
            found.setdefault(kind, []).append(features(named(rng, item).series))
    return found


def tables(
    shown: Sequence[Seen], said: Mapping[Kind, Sequence[Vector]], pack: Pack, seed: int = JUDGED_SEED
) -> tuple[Table, Table]:
    """Series told right by header, by pixels and by both, at every share of corrupted headers; and how honestly."""
    known = [item for item in shown if item.kind in said]
    answers = list(_answers(known, said, pack, seed))
    floors = [
        share_of_most_frequent([(False, item.truth[head]) for item in known if item.truth[head] != "unknown"])
        for head in HEADS
    ]
    right = Table(
        title=f"{len(known)} simulated series, some of their headers corrupted",
        columns=("corrupted", "by", *HEADS, "all three"),
        rows=(*((*name, *_cells(known, found)) for name, found in answers), ("", "no skill", *floors, "–")),
        notes=(
            "Series right, with 95 % Wilson intervals (series of one study are not independent). Region: series of the "
            "spine that show one. A corrupted header is another study's (half of them), or one or two groups of its "
            "tags are. Slices: those kept for training, four of each series and those at the cord's edge. "
            f"{len(shown) - len(known)} series without a header of their kind are left out.",
        ),
    )
    honest = Table(
        title="Calibration of these answers",
        columns=("corrupted", "by", *HEADS),
        rows=tuple((*name, *(_honesty(known, found, head) for head in HEADS)) for name, found in answers),
        notes=(
            "Expected calibration error of the answers' probabilities over 10 bins; in brackets what chance makes of "
            "the same probabilities if each meant what it says, the floor.",
        ),
    )
    return right, honest


def _answers(
    known: Sequence[Seen], said: Mapping[Kind, Sequence[Vector]], pack: Pack, seed: int
) -> Iterator[tuple[tuple[str, str], Answers]]:
    """Share and side, and what that side answers."""
    every = [vector for vectors in said.values() for vector in vectors]
    own = [said[item.kind][number % len(said[item.kind])] for number, item in enumerate(known)]
    for share in SHARES:
        rng = np.random.default_rng([seed, 6])
        lies = rng.random(len(known)) < share
        given = [
            spoilt(rng, vector, every[int(rng.integers(len(every)))], CORRUPTION) if lie else vector
            for vector, lie in zip(own, lies, strict=True)
        ]
        views = view_of(np.stack(given), pack)
        yield (f"{share:.0%}", "header"), [{head: _top(head, view.logs[head]) for head in HEADS} for view in views]
        yield (f"{share:.0%}", "fused"), _fused(known, views)
    yield ("", "pixels"), [{head: _top(head, item.votes[head]) for head in HEADS} for item in known]


def _fused(known: Sequence[Seen], views: Sequence[HeaderView]) -> Answers:
    answers = []
    for item, view in zip(known, views, strict=True):
        agreed = agreement(item.votes, view)
        found = {head: fuse(head, words, item.votes[head], view, agreed)[0] for head, words in HEADS.items()}
        answers.append({head: (str(judged.label), judged.probability) for head, judged in found.items() if judged})
    return answers


def _top(head: str, logs: FloatArray) -> tuple[str, float]:
    best = int(logs.argmax())
    return str(OUTPUTS[head][best]), float(np.exp(logs[best]))


def _cells(known: Sequence[Seen], answers: Answers) -> tuple[str, ...]:
    pairs = [
        {head: answer[head][0] == item.truth[head] for head in HEADS if item.truth[head] != "unknown"}
        for item, answer in zip(known, answers, strict=True)
    ]
    cells = [[right[head] for right in pairs if head in right] for head in HEADS]
    cells.append([all(right.values()) for right in pairs])
    return tuple(percent(Share(count=sum(hits), total=len(hits))) for hits in cells)


def _honesty(known: Sequence[Seen], answers: Answers, head: str) -> str:
    pairs = [
        (answer[head][1], answer[head][0] == item.truth[head])
        for item, answer in zip(known, answers, strict=True)
        if item.truth[head] != "unknown"
    ]
    sure, right = np.array(pairs, float).T
    rng = np.random.default_rng(0)
    chance = np.mean([calibration_error(sure, rng.random(len(sure)) < sure) for _ in range(CHANCE_REPEATS)])
    return f"{number(calibration_error(sure, right))} ({number(float(chance))})"


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="holds the cache of simulated studies")
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("--jobs", type=int, default=2, help="simulating processes")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the studies, for a quick trial")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    packs = load_packs(given.packs)
    job = Job(data=None, runs=given.runs, out=given.runs, jobs=given.jobs, scale=given.scale)
    files = [file for profile in CALIBRATION_STUDIES for file in job.studies(profile, CALIBRATION_SEED)]
    made = tables(seen(files, select(packs, "triage")), headers(), select(packs, "header"))
    text = "\n".join(["# Headers that lie", "", *(item.to_markdown() for item in made), "Research use only.", ""])
    if given.output:
        write_bytes(given.output, text.encode())
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()
