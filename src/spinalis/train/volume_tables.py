"""The studies of paper 2 on trained classifiers of volumes: networks, amount of training data, scanner families."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tomllib import loads
from typing import Any

import numpy as np

from spinalis.evaluate.metrics import BoolArray, IntArray
from spinalis.evaluate.tables import Table, number
from spinalis.evaluate.volumes import per_type, table
from spinalis.simulate.dialects import SIEMENS, VENDOR_SHARES, VENDORS
from spinalis.train import runs, volumes
from spinalis.train.job import CALIBRATION_SEED, Job
from spinalis.train.networks.volume_network import NETWORKS
from spinalis.train.runs import Order
from spinalis.train.volumes import Volume

TEST_STUDIES: Mapping[str, int] = {"lumbar": 40, "cervical": 30, "thoracic": 20, "other": 40}
"""Of a seed that no classifier of volumes was trained on."""

SHARES = (0.1, 0.25, 0.5, 1.0)
MAIN = NETWORKS[0]
FAMILY = VENDORS[SIEMENS]
"""The scanners that the one-family classifier is trained on: the most frequent."""


def orders(root: Path, scale: float, jobs: int, accelerator: str, changes: Mapping[str, str]) -> dict[str, Order]:
    """What is trained: name -> order. The mixed classifier sees about as many studies as the one of a single family."""
    share = VENDOR_SHARES[SIEMENS]
    wanted = {name: {"network": name} for name in NETWORKS}
    wanted |= {f"share-{share}": {"network": MAIN, "share": str(share)} for share in SHARES[:-1]}
    wanted |= {
        "one-family": {"network": MAIN, "scanners": f"[{FAMILY}]"},
        "mixed-families": {"network": MAIN, "share": str(share)},
    }
    return {
        name: Order(
            recipe=volumes.NAME,
            folder=root / f"body-{name}",
            changes={**changes, **settings},
            jobs=jobs,
            scale=scale,
            accelerator=accelerator,
        )
        for name, settings in wanted.items()
    }


def judged_volumes(job: Job, types: Mapping[str, Sequence[str]]) -> list[Volume]:
    """The series that are judged on."""
    return volumes.read(volumes.studies(TEST_STUDIES, CALIBRATION_SEED, job), types)


def tables(found: Mapping[str, Path], given: Sequence[Volume], repeats: int = 1000) -> tuple[Table, ...]:
    """The studies, from finished runs by the names of `orders`; the volumes are of the types of these runs."""
    opened = {name: runs.open_run(folder) for name, folder in found.items()}
    judged = _Judged(
        volumes=given,
        types=tuple(opened[MAIN].text.labels[volumes.OUTPUT]),
        answers={
            name: volumes.answers(one.network, given, one.text.settings["depth"], one.text.inputs["volumes"].height)
            for name, one in opened.items()
        },
        sizes={name: str(one.text.settings["training_studies"]) for name, one in opened.items()},
        paper=loads((files("spinalis.evaluate") / "paper2.toml").read_text()),
        repeats=repeats,
    )
    return _networks(judged), _types(judged), _amounts(judged), *_families(judged)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """What all classifiers said of the same volumes; `sizes` holds the number of studies that each was trained on."""

    volumes: Sequence[Volume]
    types: tuple[str, ...]
    answers: Mapping[str, IntArray]
    sizes: Mapping[str, str]
    paper: Mapping[str, Any]
    repeats: int

    @property
    def truth(self) -> IntArray:
        return np.array([item.label for item in self.volumes], np.int64)

    def table(
        self,
        title: str,
        answers: Mapping[str, IntArray],
        *notes: str,
        rows: BoolArray | None = None,
        paper: Mapping[str, tuple[str, str]] | None = None,
    ) -> Table:
        """Some answers beside one another, on all volumes or on the chosen rows."""
        chosen = np.ones(len(self.volumes), np.bool_) if rows is None else rows
        return table(
            title,
            self.truth[chosen],
            np.array([item.study for item in self.volumes])[chosen],
            {name: given[chosen] for name, given in answers.items()},
            classes=len(self.types),
            paper=paper or {},
            notes=notes,
            repeats=self.repeats,
        )


def _networks(judged: _Judged) -> Table:
    printed = {name: (number(one["accuracy"]), number(one["f1"])) for name, one in judged.paper["internal"].items()}
    answers = {name: judged.answers[name] for name in NETWORKS}
    return judged.table("Types of series, by network", answers, paper=printed)


def _types(judged: _Judged) -> Table:
    return per_type(f"Types of series, {MAIN}", judged.truth, judged.answers[MAIN], judged.types)


def _amounts(judged: _Judged) -> Table:
    listed = {f"{judged.sizes[MAIN]} studies": judged.answers[MAIN]}
    for share in reversed(SHARES[:-1]):
        name = f"share-{share}"
        listed[f"{judged.sizes[name]} studies ({100 * share:.0f} %)"] = judged.answers[name]
    printed = judged.paper["amount"]
    note = f"The paper: accuracy above {printed['accuracy_above']} with more than {printed['studies']} studies."
    return judged.table(f"Amount of training data, {MAIN}", listed, note)


def _families(judged: _Judged) -> list[Table]:
    """One table for the family that was trained on, one for all others."""
    external = ", ".join(f"{name} {number(value)}" for name, value in judged.paper["external"].items())
    note = (
        f"The paper on data of other hospitals, accuracy: {external}. Simulated families differ in their headers only."
    )
    own = np.array([item.manufacturer == FAMILY for item in judged.volumes], np.bool_)
    listed = {
        f"trained on {FAMILY} ({judged.sizes['one-family']} studies)": judged.answers["one-family"],
        f"trained on all ({judged.sizes['mixed-families']} studies)": judged.answers["mixed-families"],
    }
    return [
        judged.table(f"{title}, {MAIN}", listed, note, rows=rows)
        for title, rows in ((f"Tested on {FAMILY}", own), ("Tested on the other scanners", ~own))
    ]
