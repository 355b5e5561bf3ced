from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from spinalis.errors import RecipeError
from spinalis.models import load_pack
from spinalis.train import fit, node, recipes, runs
from spinalis.train.data.node_slices import NodeSlice, facts_of
from spinalis.train.data.real_slice import Labels
from spinalis.train.job import Job
from spinalis.train.networks.node_network import node_network, transfer
from spinalis.train.runs import Order
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

SMALL = {"studies": "{}", "epochs": "2", "batch": "2", "size": "32", "backbone": "resnet10t", "precision": "32-true"}
CLASSES = ("spine_cervical_sagittal_t2w_cord", "spine_cervical_sagittal_t2w_nocord", "elsewhere_axial")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are drawn in this process, and the open images stay out."""
    made = Job.options

    def options(job: Job, recipe: Mapping[str, Any], examples: int) -> fit.FitOptions:
        return replace(made(job, recipe, examples), workers=0)

    monkeypatch.setattr(Job, "options", options)
    monkeypatch.setattr(runs.open_images, "find_root", lambda given: None)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder per class, three patients each whose names fall into the training subset."""
    root = tmp_path / "pictures"
    for place, name in enumerate(CLASSES):
        for patient in "abcdef":
            (root / name / patient).mkdir(parents=True)
            image = np.random.default_rng(place).integers(0, 60 * place + 60, (40, 30)).astype(np.uint8)
            cv2.imwrite(str(root / name / patient / "1.png"), image)
    return root


def order(pictures: Path, name: str, folder: Path, **changes: str) -> Order:
    return Order(
        recipe=name, folder=folder, changes={**SMALL, **changes}, accelerator="cpu", sources=[("folder", pictures)]
    )


@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_nodes_are_trained_from_a_folder_transferred_and_exported(pictures: Path, tmp_path: Path) -> None:
    first = runs.train(order(pictures, "triage-anatomy", tmp_path / "anatomy"))
    run = runs.train(order(pictures, "triage-cord", tmp_path / "cord", start=str(first)))
    used = yaml.safe_load((run / "recipe.yaml").read_text())
    assert used["sources"] == [f"folder={pictures}"]
    text = runs.open_run(run).text
    assert text.labels == {"answer": ["no cord", "cord"]}
    assert text.settings["training_seconds"] > 0
    trained_on = " ".join(text.training_data)
    assert "real slices: folder-pictures" in trained_on
    assert "started from the weights of anatomy" in trained_on
    pack = load_pack(runs.export(run, tmp_path / "pack"))
    spec = pack.manifest.input("images")
    assert (spec.height, spec.percentiles, spec.ceiling) == (32, (0.0, 100.0), 1.0)
    found = pack.run(images=np.random.default_rng(0).random((3, 1, 32, 32), np.float32))
    assert found["answer"].shape == (3, 2)


def test_classes_without_slices_are_told_in_the_limits(pictures: Path, tmp_path: Path) -> None:
    run = runs.train(order(pictures, "triage-anatomy", tmp_path / "run"))
    assert "MR knee" in runs.open_run(run).text.limits[-1]
    assert "MR spine" not in runs.open_run(run).text.limits[-1]


def test_one_class_alone_is_refused(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"Recipe triage-view: expected slices of two classes or more, got \{'cerv"):
        runs.train(order(pictures, "triage-view", tmp_path / "run"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet17"}, "Backbone: expected a model of timm, got resnet17"),
        ({"start": "nowhere"}, "expected a finished run as start, got none in nowhere"),
        ({"node": "contrast"}, "expected a node among"),
    ],
)
def test_wrong_settings_are_told(changes: dict[str, str], message: str, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        runs.train(order(pictures, "triage-cord", tmp_path / "run", **changes))


def test_only_triage_takes_a_source(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Recipe levels: expected no public set, got folder"):
        runs.train(Order(recipe="levels", folder=tmp_path / "run", sources=[("folder", pictures)]))


def test_weights_of_another_backbone_are_not_transferred() -> None:
    weights = node_network("resnet10t", 3, 32).state_dict()
    network = node_network("resnet10t", 2, 32)
    assert transfer(weights, network) == len(weights) - 2, "all but the classifier's"
    assert all(
        torch.equal(value, weights[name]) for name, value in network.state_dict().items() if not name.startswith("fc")
    )
    with pytest.raises(RecipeError, match="expected the weights of the same backbone and size"):
        transfer(weights, node_network("repvit_m0_9", 2, 32))


@pytest.mark.parametrize("backbone", ["efficientvit_m0", "mobilenetv4_conv_small_035", "repvit_m0_9", "resnet10t"])
def test_every_family_answers_for_any_size(backbone: str) -> None:
    network = node_network(backbone, 4, 64).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 4)


@pytest.fixture
def example() -> NodeSlice:
    picture = np.zeros((64, 48), np.uint8)
    picture[20:44, 6:12] = 255
    return NodeSlice(picture=picture, facts={}, series="s", patient="p")


def test_augmentations_are_the_named_ones_and_stay_in_range(example: NodeSlice) -> None:
    spec, rng = node.input_spec(64), np.random.default_rng(3)
    found = np.stack([node.augmented(rng, example.picture, spec)[0] for _ in range(200)])
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    left = (found[:, :, :32].mean((1, 2)) > found[:, :, 32:].mean((1, 2))).mean()
    assert 0.4 < left < 0.6, "half of them are flipped"
    assert np.std(found.mean((1, 2))) > 0.02, "brightness"


def test_samples_repeat_by_their_seed(example: NodeSlice) -> None:
    draw = node.draw_from([example, example], [0, 1], node.input_spec(32))
    first, second = (draw(np.random.default_rng(5)) for _ in range(2))
    assert (first["images"] == second["images"]).all()
    assert first["label"] == second["label"]


def test_facts_say_what_labels_know_and_no_more() -> None:
    spine = Labels(
        anatomy=Anatomy.MR_SPINE, region=Region.LUMBAR, plane=Plane.UNKNOWN, sequence=Sequence.T1W, cord=True
    )
    assert facts_of(spine) == {"part": "SPINE", "region": "lumbar", "sequence": "T1w", "cord": "cord"}
    assert facts_of(Labels(anatomy=Anatomy.OTHER)) == {"part": "ELSEWHERE"}
    assert facts_of(Labels(anatomy=Anatomy.OTHER, part="KNEE")) == {"part": "KNEE"}
    assert facts_of(Labels()) == {}


@pytest.mark.parametrize("name", recipes.NODES)
def test_the_shipped_recipes_are_those_of_the_paper(name: str) -> None:
    recipe = recipes.load(name)
    assert recipe["epochs"] == (50 if name == "triage-anatomy" else 25)
    assert (recipe["learning_rate"], recipe["node"]) == (0.001, name.removeprefix("triage-"))
    assert node.hierarchy_of(recipe).node(recipe["node"]).name == recipe["node"]


@pytest.mark.parametrize(
    ("wanted", "accelerator", "gpu", "found"),
    [
        ("auto", "auto", True, "16-mixed"),
        ("auto", "cpu", True, "32-true"),
        ("auto", "auto", False, "32-true"),
        ("bf16-mixed", "cpu", False, "bf16-mixed"),
    ],
)
def test_sixteen_bits_are_used_where_a_gpu_is(
    wanted: str, accelerator: str, gpu: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert node.precision_of(wanted, accelerator) == found
