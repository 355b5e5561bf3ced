"""The tables 3, 4 and 5 of paper 1 in its layout, its own figures beside ours, and what it left as future work."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.tables import UNDEFINED, Table, number
from spinalis.evaluate.triage import (
    MEASURES,
    Detection,
    Slices,
    decide,
    detect,
    end_to_end,
    is_target,
    needed_share,
    node_confusion,
    node_detection,
)
from spinalis.evaluate.votes import VOTES
from spinalis.records import FloatArray
from spinalis.triage.hierarchy import Node

PAPER_VOTE = next(iter(VOTES))
HEADINGS = {"precision": "Precision", "recall": "Recall", "f1": "F1 Score"}
NO_SKILL = "no skill (always yes)"
INTERVALS = "95 % intervals by bootstrap over patients (simulated: studies). The paper's figures are of other images."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """What the networks of one backbone answered: node -> (N, K) probabilities, rows of NaN where not asked.

    `training_seconds` is None where a run was resumed; `milliseconds` is one slice through one network, eager, batch 1.
    """

    backbone: str
    probabilities: Mapping[str, FloatArray]
    training_seconds: float | None = None
    milliseconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One test set: its slices, the chains, and the decisions of others, such as the fused default: node -> (N,)."""

    title: str
    slices: Slices
    chain: tuple[Node, ...]
    chains: Sequence[Chain]
    others: Mapping[str, Mapping[str, IntArray]]
    repeats: int = 1000

    def decisions(self, one: Chain, vote: str | None = PAPER_VOTE) -> dict[str, IntArray]:
        """What a chain says."""
        return decide(one.probabilities, self.slices, self.chain, vote)


def published() -> dict[str, Any]:
    """The figures of the paper, see `paper1.toml`."""
    return tomllib.loads((files(__package__) / "paper1.toml").read_text())


def tables(judged: Judged) -> tuple[Table, ...]:
    """All tables of one test set."""
    made = [per_task(judged)]
    if is_target(judged.chain, judged.slices.truth).any():
        made += [whole(judged), votes(judged)]
    if any(one.milliseconds is not None for one in judged.chains):
        made.append(performance(judged))
    return (*made, *(confusion(judged, one) for one in judged.chains))


def per_task(judged: Judged) -> Table:
    """Table 3: every node alone, slice by slice, on the slices that come to it by right answers."""
    paper = published()
    decided = {one.backbone: judged.decisions(one, None) for one in judged.chains} | dict(judged.others)
    rows = []
    for node in judged.chain:
        here = judged.slices.truth[node.name] >= 0
        if not here.any():
            continue
        found = {
            name: node_detection(judged.slices, node, given[node.name], judged.repeats)
            for name, given in decided.items()
            if node.name in given
        }
        floor = node_detection(judged.slices, node, _always(node, here), judged.repeats)
        size = f"n {floor.total}, {floor.positives} {node.target}; {floor.patients} patients"
        title = f"{paper['nodes'].get(node.name, node.name)} ({size})"
        for measure in MEASURES:
            cells = [_cells(name, found.get(name), node.name, measure, paper) for name in decided]
            flat = [cell for pair in cells for cell in pair]
            rows.append((title, HEADINGS[measure], *flat, number(getattr(floor, measure), 4)))
    return Table(
        title=f"Table 3. Classification result per task: {judged.title}",
        columns=("Task", "Metric", *_columns(decided, paper), NO_SKILL),
        rows=tuple(rows),
        notes=("Slices one by one, as the paper's table; each task on the slices that truly come to it.", INTERVALS),
    )


def whole(judged: Judged) -> Table:
    """Table 4: the chain, with the paper's majority vote; no skill takes every slice."""
    paper = published()
    decided = {one.backbone: judged.decisions(one) for one in judged.chains} | dict(judged.others)
    found = {name: end_to_end(judged.slices, judged.chain, given, judged.repeats) for name, given in decided.items()}
    truth = is_target(judged.chain, judged.slices.truth)
    floor = detect(truth, np.ones(len(truth), bool), judged.slices.patients, judged.repeats)
    rows = [
        (
            HEADINGS[measure],
            *[cell for name, item in found.items() for cell in _cells(name, item, "end_to_end", measure, paper)],
            number(getattr(floor, measure), 4),
        )
        for measure in MEASURES
    ]
    return Table(
        title=f"Table 4. End-to-end classification result: {judged.title}",
        columns=("Metric", *_columns(decided, paper), NO_SKILL),
        rows=tuple(rows),
        notes=(
            f"Target: {', '.join(node.target for node in judged.chain)}; {floor.positives} of {floor.total} slices, "
            f"{floor.patients} patients. Vote of the series: {PAPER_VOTE}.",
            INTERVALS,
        ),
    )


def votes(judged: Judged) -> Table:
    """The votes beside one another, end to end, and the slices that an exact early end needs."""
    rows = []
    by_series = [node for node in judged.chain if node.by == "series"]
    for one in judged.chains:
        for vote in (None, *VOTES):
            item = end_to_end(judged.slices, judged.chain, judged.decisions(one, vote), judged.repeats)
            shares = [needed_share(one.probabilities[node.name], judged.slices, vote) for node in by_series if vote]
            needed = [f"{100 * share:.0f} % of {series} series" if share else UNDEFINED for share, series in shares]
            cells = [_with_interval(item, measure) for measure in MEASURES]
            rows.append(
                (one.backbone, vote or "none: slice by slice", *cells, *(needed or [UNDEFINED] * len(by_series)))
            )
    truth = is_target(judged.chain, judged.slices.truth)
    floor = detect(truth, np.ones(len(truth), bool), judged.slices.patients, judged.repeats)
    floors = [number(getattr(floor, measure), 4) for measure in MEASURES]
    rows.append((NO_SKILL, UNDEFINED, *floors, *[UNDEFINED] * len(by_series)))
    return Table(
        title=f"Votes of a series, end to end: {judged.title}",
        columns=("backbone", "vote", *HEADINGS.values(), *[f"slices needed, {node.name}" for node in by_series]),
        rows=tuple(rows),
        notes=(
            "Slices needed: the exact early end looks at slices in order until the rest cannot change the answer, so "
            "it never differs from the full vote.",
            f"{floor.positives} of {floor.total} slices are to be found.",
            INTERVALS,
        ),
    )


def performance(judged: Judged) -> Table:
    """Table 5: time to train and time to answer, on whatever machine this ran."""
    paper = published()
    rows = []
    for one in judged.chains:
        model = _model(one.backbone, paper)
        speed = 1000 / one.milliseconds if one.milliseconds else None
        ours = (_duration(one.training_seconds), number(speed, 1), number(one.milliseconds, 2))
        theirs = ("training_time", "images_per_second", "milliseconds")
        rows.append((one.backbone, *ours, *[str(model[key]) if model else UNDEFINED for key in theirs]))
    return Table(
        title="Table 5. Model performance comparison",
        columns=(
            *("Model", "Training Time", "Avg Inference (image / second)", "Avg Inference Time in ms"),
            *("Training Time, paper", "image / second, paper", "ms, paper"),
        ),
        rows=tuple(rows),
        notes=(
            "Ours: all nodes together, on far fewer images; one network, eager torch, batch 1, one thread, CPU time. "
            "The paper: RTX 3060 to train, Ryzen 5600X to answer. Compare within a column only.",
        ),
    )


def confusion(judged: Judged, one: Chain) -> Table:
    """The paper's confusion matrix of the first node: rows the answer, columns the truth, slice by slice."""
    node = judged.chain[0]
    counts = node_confusion(judged.slices, node, judged.decisions(one, None)[node.name])
    true = [k for k in range(len(node.names)) if counts[k].sum()]
    said = [k for k in range(len(node.names)) if counts[:, k].sum()]
    rows = [(node.names[k], *[str(counts[column, k]) for column in true]) for k in said]
    majority = max(true, key=lambda k: int(counts[k].sum()))
    floor = [str(counts[k].sum()) for k in true]
    return Table(
        title=f"Confusion matrix, {node.name}, {one.backbone}: {judged.title}",
        columns=("answer \\ truth", *[node.names[k] for k in true]),
        rows=(*rows, (f"no skill (always {node.names[majority]})", *floor)),
        notes=(f"{int(counts.sum())} slices.",),
    )


def _always(node: Node, here: Any) -> IntArray:
    return np.full(len(here), node.names.index(node.target), np.int64)


def _model(name: str, paper: Mapping[str, Any]) -> dict[str, Any] | None:
    return next((model for model in paper["models"].values() if name.startswith(model["backbone"])), None)


def _columns(names: Mapping[str, Any], paper: Mapping[str, Any]) -> list[str]:
    found = []
    for name in names:
        model = _model(name, paper)
        found += [f"{model['title']} ({name})", f"{model['title']}, paper"] if model else [name]
    return found


def _cells(name: str, found: Detection | None, task: str, measure: str, paper: Mapping[str, Any]) -> tuple[str, ...]:
    ours = _with_interval(found, measure) if found else UNDEFINED
    model = _model(name, paper)
    return (ours, number(model[task][measure], 4) if task in model else UNDEFINED) if model else (ours,)


def _with_interval(found: Detection, measure: str) -> str:
    value, interval = getattr(found, measure), found.intervals[measure]
    if value is None:
        return UNDEFINED
    return number(value, 4) + (f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else "")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return UNDEFINED
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m {rest}s" if hours else f"{minutes}m {rest}s"
