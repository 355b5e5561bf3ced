from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinalis.errors import RecipeError
from spinalis.models import load_pack
from spinalis.simulate.dialects import VENDORS
from spinalis.simulate.sequence import Contrast
from spinalis.train import fit, recipes, runs, volumes
from spinalis.train.data.simulated import VOLUME_SHAPE
from spinalis.train.job import Job
from spinalis.train.networks.volume_network import NETWORKS, volume_network
from spinalis.train.runs import Order

TYPES = {"T1w": ["T1w", "T1 FLAIR"], "T2w": ["T2w"], "ADC": ["ADC"]}
SMALL = {"size": "32", "epochs": "1", "batch": "2", "network": "resnet18"}


@pytest.fixture
def harvested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Four studies of two profiles with three series each, one of a contrast without a type."""
    files = []
    for profile in ("cervical", "other"):
        (tmp_path / profile).mkdir()
        for number in range(2):
            rng = np.random.default_rng(number)
            words = [(name, "SPINE", VENDORS[number]) for name in ("T1w", "T2w", "Dixon fat")]
            file = tmp_path / profile / f"{number}.npz"
            np.savez(file, volume_images=rng.integers(0, 255, (3, *VOLUME_SHAPE)).astype(np.uint8), volume_words=words)
            files.append(file)
    made = Job.options

    def options(job: Job, recipe: Mapping[str, Any], examples: int) -> fit.FitOptions:
        return replace(made(job, recipe, examples), workers=0)

    monkeypatch.setattr(Job, "options", options)
    monkeypatch.setattr(volumes, "studies", lambda *given: files)
    monkeypatch.setattr(runs.open_images, "find_root", lambda given: None)
    return files


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_a_classifier_of_volumes_is_trained_opened_and_exported(harvested: list[Path], tmp_path: Path) -> None:
    run = runs.train(Order(recipe="body-series", folder=tmp_path / "run", changes=SMALL, accelerator="cpu"))
    found = runs.open_run(run)
    assert found.text.settings["training_studies"] == 4
    assert "8 series of 4 simulated studies" in found.text.training_data[0]
    assert "scanners: all" in found.text.training_data
    assert "ADC" in found.text.limits[-1]
    pack = load_pack(runs.export(run, tmp_path / "pack"))
    assert pack.info.task == "body-series"
    given = volumes.read(harvested, recipes.load("body-series")["types"])
    logits = pack.run(volumes=np.stack([volumes.network_input(item.voxels, 32, 32) for item in given]))["type"]
    assert logits.shape == (8, 8)
    assert logits.argmax(axis=1).tolist() == volumes.answers(found.network, given, 32, 32).tolist()


def test_volumes_are_those_of_a_type(harvested: list[Path]) -> None:
    found = volumes.read(harvested, TYPES)
    assert [item.label for item in found] == [0, 1] * 4
    assert found[0].study == "cervical/0"
    assert found[0].manufacturer == VENDORS[0]
    with pytest.raises(RecipeError, match="expected each contrast once, got T2w twice"):
        volumes.read(harvested, {**TYPES, "more": ["T2w"]})


def test_shares_are_of_studies_and_scanners_of_families(harvested: list[Path]) -> None:
    found = volumes.read(harvested, TYPES)
    half = volumes.chosen(found, 0.5, [])
    assert {item.study for item in half} == {"cervical/0", "other/0"}
    mine = volumes.chosen(found, 1.0, [VENDORS[1]])
    assert {item.study for item in mine} == {"cervical/1", "other/1"}
    with pytest.raises(RecipeError, match=r"Scanners: expected some of .*, got ESAOTE"):
        volumes.chosen(found, 1.0, ["ESAOTE"])
    with pytest.raises(RecipeError, match="Share: expected a number above 0 and at most 1, got 0"):
        volumes.chosen(found, 0.0, [])


def test_one_type_alone_is_refused(harvested: list[Path], tmp_path: Path) -> None:
    changes = {**SMALL, "types": "{PD: [PD], T1w: [T1w]}"}
    with pytest.raises(RecipeError, match=r"expected volumes of two types or more, got \{'T1w': 4\}"):
        runs.train(Order(recipe="body-series", folder=tmp_path / "run", changes=changes, accelerator="cpu"))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_a_volume(name: str) -> None:
    network = volume_network(name, 5, 32, 32).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 32, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("vgg", 2, 32, 64), "Network: expected one of densenet121, resnet18, efficientnet-b0, got vgg"),
        (("resnet18", 2, 16, 64), "Volume: expected multiples of 32 as depth and size, got 16 and 64"),
        (("resnet18", 2, 0, 64), "Volume: expected multiples of 32"),
    ],
)
def test_wrong_networks_and_shapes_are_told(given: tuple[str, int, int, int], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        volume_network(*given)


def test_slices_are_interpolated_in_between() -> None:
    voxels = np.zeros((3, 8, 8), np.uint8)
    voxels[1], voxels[2] = 100, 200
    found = volumes.network_input(voxels, 5, 8)[0]
    assert found.shape == (5, 8, 8)
    assert found[:, 4, 4].tolist() == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])
    assert volumes.network_input(voxels[:1], 4, 8).shape == (1, 4, 8, 8)


def test_samples_are_volumes_with_their_label(harvested: list[Path]) -> None:
    draw = volumes.draw_from(volumes.read(harvested, TYPES)[:1], 32, 32)
    first, again = (draw(np.random.default_rng(2)) for _ in range(2))
    assert first["volumes"].shape == (1, 32, 32, 32)
    assert (first["volumes"] == again["volumes"]).all()
    assert first["volumes"].min() >= 0
    assert int(first["label"]) == 0


def test_the_shipped_types_are_eight_and_hold_simulated_contrasts() -> None:
    types = recipes.load("body-series")["types"]
    assert len(types) == 8
    assert {name for held in types.values() for name in held} <= {item.value for item in Contrast}
