import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from spinalis.models.prepare import InputSpec
from spinalis.train import triage_doubt
from spinalis.train.data import oddities
from spinalis.train.data.real_slice import picture
from spinalis.train.triage_doubt import Seen
from spinalis.triage.unknown import DISTANCE
from tests.fakes import FakePack, manifest

SURE = {"anatomy": (3.0, 0.0), "region": (0.0, 0.0, 3.0), "plane": (3.0, 0.0, 0.0), "sequence": (0.0, 3.0, 0.0, 0.0)}


def answer(images: np.ndarray) -> dict[str, np.ndarray]:
    """Sure answers; the rougher a picture, the farther it is."""
    said = {name: np.tile(np.array(values, np.float32), (len(images), 1)) for name, values in SURE.items()}
    rough = np.abs(np.diff(images[:, 0], axis=2)).mean(axis=(1, 2))
    return {**said, "cord": np.zeros((len(images), 1), np.float32), DISTANCE: 10 * rough}


PACK = FakePack(manifest("triage", {"images": InputSpec(height=64, width=64)}, novelty_limit=1.0), answer)


def some(source: str, novelties: list[float], sure: float = 0.9, right: float = 0.9) -> list[Seen]:
    """Slices of which the first share `right` is answered right."""
    return [
        Seen(
            source=source,
            patient=f"{source}{place}",
            novelty=value,
            unknown=value > 1,
            spine=True,
            heads={"plane": (sure, place < right * len(novelties))},
        )
        for place, value in enumerate(novelties)
    ]


@pytest.mark.parametrize("kind", oddities.KINDS)
def test_oddities_are_drawn_from_their_generator_alone(kind: str) -> None:
    first, again, other = (oddities.KINDS[kind](np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (oddities.SIZE, oddities.SIZE)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.std() > 0


def test_a_sheet_holds_slices_side_by_side() -> None:
    white = np.full((192, 192), 200, np.uint8)
    made = oddities.sheet(np.random.default_rng(0), [white])
    assert np.unique(made).tolist() in ([200.0], [0.0, 200.0])
    assert (made > 0).mean() > 0.9


def test_a_slice_is_seen_with_its_novelty_and_what_is_right() -> None:
    flat = picture(np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1)))
    found = triage_doubt.seen(flat, {"anatomy": "MR spine", "plane": "axial"}, PACK, "s", "p")
    assert (found.unknown, found.spine) == (False, True)
    assert {head: right for head, (_, right) in found.heads.items()} == {"anatomy": True, "plane": False}
    noise = picture(oddities.noise(np.random.default_rng(0)))
    assert triage_doubt.seen(noise, {"anatomy": "MR spine"}, PACK, "s", "p").unknown


def test_novelty_is_judged_by_auroc_and_by_who_is_unknown() -> None:
    near = some("near", [0.1, 0.2, 0.3, 2.0])
    table = triage_doubt.novelty_table({"near": near}, some("far", [3.0, 4.0, 0.25, 9.0]))
    assert table.rows[0][:2] == ("far", next(iter(table.rows))[1])
    assert table.rows[0][1].startswith("0.875 (")
    assert table.rows[0][2].startswith("75.0 % (3/4")
    assert table.rows[1][2].startswith("25.0 % (1/4")


def test_a_pack_that_does_not_measure_has_no_auroc() -> None:
    table = triage_doubt.novelty_table({"near": some("near", [0.1])}, some("far", [float("nan")]))
    assert table.rows[0][1] == "–"


def test_the_calibration_error_is_the_gap_of_probability_and_truth() -> None:
    sure = np.repeat([0.95, 0.55], 100)
    right = np.concatenate([np.arange(100) < 75, np.arange(100) < 55])
    assert triage_doubt.calibration_error(sure, right) == pytest.approx(0.1)


def test_the_table_of_calibration_sets_the_floor_beside_the_error() -> None:
    table = triage_doubt.calibration_table(
        {"honest": some("a", [0.0] * 100), "proud": some("b", [0.0] * 100, right=0.5)}
    )
    honest, proud = table.rows
    assert honest[:4] == ("honest: plane", "100", "0.900", "0.900")
    assert proud[4].startswith("0.400 (")
    assert float(proud[5]) < 0.1


def test_the_diagram_draws_a_dot_for_every_bin_of_five() -> None:
    drawn = ET.fromstring(triage_doubt.diagram({"a": some("a", [0.0] * 20), "b": some("b", [0.0] * 4)}))
    dots = drawn.findall(".//{http://www.w3.org/2000/svg}circle")
    assert [(dot.get("cx"), dot.get("cy")) for dot in dots] == [("144.0", "16.0")]


def test_simulated_slices_are_read_from_a_harvest(tmp_path: Path) -> None:
    file = tmp_path / "lumbar-1" / "00000.npz"
    file.parent.mkdir()
    images = np.tile(np.linspace(0, 255, 192).astype(np.uint8), (3, 192, 1))
    np.savez(file, triage_images=images, triage_labels=np.array([[0, 2, 0, 1, 1], [0, -1, 1, 0, 0], [1, -1, 0, 3, 0]]))
    found = list(triage_doubt.simulated([file], PACK))
    assert [item.patient for item in found] == ["lumbar-1/00000"] * 3
    assert [sorted(item.heads) for item in found] == [
        ["anatomy", "plane", "region", "sequence"],
        *[["anatomy", "plane", "sequence"]] * 2,
    ]
    assert [item.heads["anatomy"][1] for item in found] == [True, True, False]
