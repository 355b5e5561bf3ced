from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinalis.evaluate.tables import Table
from spinalis.simulate.dialects import VENDORS
from spinalis.train import recipes, triage_papers, volume_tables
from spinalis.train.networks.volume_network import NETWORKS
from spinalis.train.volumes import Volume

TABLE = Table(title="made", columns=("a",), rows=(("1",),))
PAGE = "above\n<!-- chains -->\nold\n<!-- end of chains -->\nbetween\n<!-- volumes -->\nold\n<!-- end of volumes -->\n"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Orders that were given; a run is finished at once."""
    given: list[Any] = []

    def train(order: Any) -> Path:
        given.append(order)
        order.folder.mkdir(parents=True)
        (order.folder / "network.pt").touch()
        return Path(order.folder)

    monkeypatch.setattr(triage_papers.runs, "train", train)
    monkeypatch.setattr(triage_papers.open_images, "find_root", lambda given: None)
    return given


def test_chains_are_trained_once_each_node_from_its_anatomy(
    trained: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "triage.md"
    page.write_text(PAGE)
    report = SimpleNamespace(tables=(TABLE,), pages=())
    monkeypatch.setattr(triage_papers.triage_report, "report", lambda wanted: report)
    arguments = ["chains", "--runs", str(tmp_path), "--page", str(page), "--backbones", "resnet18", "repvit_m1_1"]
    triage_papers.main([*arguments, "--scale", "0.1", "--set", "epochs=2"])
    assert [order.recipe for order in trained] == [*recipes.NODES] * 2
    assert {order.scale for order in trained} == {0.1}
    assert trained[0].changes == {"backbone": "resnet18", "epochs": "2"}
    assert trained[5].changes["start"] == str(tmp_path / "repvit_m1_1-triage-anatomy")
    triage_papers.main([*arguments, "--scale", "0.1", "--set", "epochs=2"])
    assert len(trained) == 8, "finished runs stay"
    text = page.read_text()
    assert "Made by `--scale 0.1 --set epochs=2`; trained on simulation alone. Research use only." in text
    assert text.count("### made") == 1
    assert text.endswith("between\n<!-- volumes -->\nold\n<!-- end of volumes -->\n")
    assert (tmp_path / "judged" / "errors.html").exists()


def test_a_setting_is_of_every_node_or_of_one() -> None:
    given = ["epochs=2", "triage-cord:epochs=9", "size=96"]
    assert triage_papers._settings(given, "triage-cord") == {"epochs": "9", "size": "96"}
    assert triage_papers._settings(given, "triage-view") == {"epochs": "2", "size": "96"}


def test_a_page_without_marks_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- chains -->\nno end")
    with pytest.raises(ValueError, match=r"page\.md: expected the marks of chains, got none"):
        triage_papers.write(page, "chains", [TABLE], "")


def test_the_page_of_the_docs_has_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "triage.md"
    page.write_text((Path(__file__).parents[2] / triage_papers.PAGE).read_text())
    for part in triage_papers.PARTS:
        triage_papers.write(page, part, [TABLE], "note")
    assert page.read_text().count("### made") == 2


class Says:
    """A network that knows the type of a volume from its first voxel, or always says 0."""

    def __init__(self, knows: bool) -> None:
        self.knows = knows


@pytest.fixture
def given() -> list[Volume]:
    random = np.random.default_rng(0)
    return [
        Volume(
            voxels=np.full((2, 4, 4), int(random.integers(0, 3)), np.uint8),
            label=0,
            manufacturer=VENDORS[number % 3],
            study=f"s{number}",
        )
        for number in range(30)
    ]


def test_paper_2_is_three_comparisons_each_with_its_floor(
    trained: list[Any], given: list[Volume], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelled = [
        Volume(voxels=one.voxels, label=int(one.voxels[0, 0, 0]), manufacturer=one.manufacturer, study=one.study)
        for one in given
    ]

    def opened(folder: Path) -> Any:
        text = SimpleNamespace(
            settings={"depth": 32, "training_studies": len(folder.name)},
            inputs={"volumes": SimpleNamespace(height=32)},
            labels={"type": ["a", "b", "c"]},
        )
        return SimpleNamespace(network=Says("densenet121" in folder.name), text=text)

    def answers(network: Says, volumes: list[Volume], depth: int, size: int) -> Any:
        return np.array([one.label if network.knows else 0 for one in volumes])

    monkeypatch.setattr(volume_tables.runs, "open_run", opened)
    monkeypatch.setattr(volume_tables.volumes, "answers", answers)
    orders = volume_tables.orders(tmp_path, 0.5, 1, "cpu", {"epochs": "3"})
    assert len(orders) == 8
    assert orders["one-family"].changes == {"epochs": "3", "network": "densenet121", "scanners": "[SIEMENS]"}
    found = {name: order.folder for name, order in orders.items()}
    networks, types, amounts, own, others = volume_tables.tables(found, labelled, repeats=20)
    assert [row[0] for row in networks.rows[:3]] == list(NETWORKS)
    assert networks.rows[0][1].startswith("1.000")
    assert networks.rows[0][4:] == ("0.972", "0.966")
    assert networks.rows[1][3].startswith("p < 0.001 (")
    assert [row[0] for row in types.rows] == ["a", "b", "c"]
    assert [row[-1] for row in types.rows].count("1") == 1
    assert "(50 %)" in amounts.rows[1][0]
    assert "729 studies" in amounts.notes[-1]
    assert "10 series of 10 studies" in own.notes[0]
    assert "20 series of 20 studies" in others.notes[0]
    assert all(table.rows[-1][0].startswith("no skill") for table in (networks, amounts, own, others))
