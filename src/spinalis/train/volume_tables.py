"""The studies of paper 2 on trained classifiers of volumes: networks, amount of training data, scanner families."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from tomllib import loads
from typing import Any

import numpy as np

from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.tables import Table, number
from spinalis.evaluate.volumes import table
from spinalis.simulate.dialects import SIEMENS, VENDOR_SHARES, VENDORS
from spinalis.train import runs, volumes
from spinalis.train.networks.volume_network import NETWORKS
from spinalis.train.packs import CALIBRATION_SEED, Job
from spinalis.train.recipes import load
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


def judged_volumes(job: Job) -> list[Volume]:
    """The series that are judged on."""
    return volumes.read(volumes.studies(TEST_STUDIES, CALIBRATION_SEED, job), load(volumes.NAME)["types"])


def tables(found: Mapping[str, Path], given: Sequence[Volume], repeats: int = 1000) -> tuple[Table, ...]:
    """The three tables, from finished runs by the names of `orders`."""
    opened = {name: runs.open_run(folder) for name, folder in found.items()}
    answers = {
        name: volumes.answers(one.network, given, one.text.settings["depth"], one.text.inputs["volumes"].height)
        for name, one in opened.items()
    }
    sizes = {name: str(one.text.settings["training_studies"]) for name, one in opened.items()}
    paper = loads((files("spinalis.evaluate") / "paper2.toml").read_text())
    return (
        _networks(answers, given, paper, repeats),
        _amounts(answers, sizes, given, paper, repeats),
        *_families(answers, sizes, given, paper, repeats),
    )


def _networks(
    answers: Mapping[str, IntArray], given: Sequence[Volume], paper: Mapping[str, Any], repeats: int
) -> Table:
    printed = {name: (number(one["accuracy"]), number(one["f1"])) for name, one in paper["internal"].items()}
    return _table("Types of series, by network", {name: answers[name] for name in NETWORKS}, given, printed, repeats)


def _amounts(
    answers: Mapping[str, IntArray],
    sizes: Mapping[str, str],
    given: Sequence[Volume],
    paper: Mapping[str, Any],
    repeats: int,
) -> Table:
    listed = {f"{sizes[MAIN]} studies": answers[MAIN]}
    for share in reversed(SHARES[:-1]):
        listed[f"{sizes[f'share-{share}']} studies ({100 * share:.0f} %)"] = answers[f"share-{share}"]
    printed = paper["amount"]
    note = f"The paper: accuracy above {printed['accuracy_above']} with more than {printed['studies']} studies."
    return _table(f"Amount of training data, {MAIN}", listed, given, {}, repeats, note)


def _families(
    answers: Mapping[str, IntArray],
    sizes: Mapping[str, str],
    given: Sequence[Volume],
    paper: Mapping[str, Any],
    repeats: int,
) -> list[Table]:
    """One table for the family that was trained on, one for all others."""
    external = ", ".join(f"{name} {number(value)}" for name, value in paper["external"].items())
    note = (
        f"The paper on data of other hospitals, accuracy: {external}. Simulated families differ in their headers only."
    )
    own = np.array([item.manufacturer == FAMILY for item in given])
    made = []
    for title, rows in ((f"Tested on {FAMILY}", own), ("Tested on the other scanners", ~own)):
        listed = {
            f"trained on {FAMILY} ({sizes['one-family']} studies)": answers["one-family"][rows],
            f"trained on all ({sizes['mixed-families']} studies)": answers["mixed-families"][rows],
        }
        chosen = [item for item, here in zip(given, rows, strict=True) if here]
        made.append(_table(f"{title}, {MAIN}", listed, chosen, {}, repeats, note))
    return made


def _table(
    title: str,
    answers: Mapping[str, IntArray],
    given: Sequence[Volume],
    paper: Mapping[str, tuple[str, str]],
    repeats: int,
    *notes: str,
) -> Table:
    return table(
        title,
        np.array([item.label for item in given], np.int64),
        np.array([item.study for item in given]),
        answers,
        classes=len(load(volumes.NAME)["types"]),
        paper=paper,
        notes=notes,
        repeats=repeats,
    )
