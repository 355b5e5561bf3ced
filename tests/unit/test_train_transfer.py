from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.models import Pack
from spinalis.models.prepare import InputSpec
from spinalis.train import transfer
from spinalis.train.data.real_slice import Labels, RealSlice
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence
from tests.fakes import FakePack, manifest
from tests.unit.test_localize_levels import pack_with
from tests.unit.test_train_data import tree  # noqa: F401  a fixture
from tests.unit.test_train_slabs import drawn_mask, write_slab


def simulated_only(pack: Pack, *training_data: str) -> Pack:
    return replace(pack, manifest=replace(pack.manifest, training_data=training_data))


def real_slice(sequence: Sequence, patient: str, *, cord: bool | None = None) -> RealSlice:
    labels = Labels(anatomy=Anatomy.MR_SPINE, region=Region.LUMBAR, plane=Plane.SAGITTAL, sequence=sequence, cord=cord)
    image = np.zeros((8, 8), np.float32)
    return RealSlice(load=lambda: image, labels=labels, source="spider", patient=f"spider-{patient}", subset="training")


def one_hot(words: tuple[object, ...], said: list[object], sure: float = 0.9) -> np.ndarray:
    found = np.full((len(said), len(words)), (1 - sure) / (len(words) - 1))
    found[np.arange(len(said)), [words.index(word) for word in said]] = sure
    return found


@pytest.fixture
def slices() -> list[RealSlice]:
    return [real_slice(Sequence.T1W if i % 2 else Sequence.T2W, str(i // 2), cord=i < 4) for i in range(12)]


def answers(sequences: list[object]) -> dict[str, np.ndarray]:
    count = len(sequences)
    return {
        "anatomy": one_hot(ANATOMIES, [Anatomy.MR_SPINE] * count),
        "region": one_hot(REGIONS, [Region.LUMBAR] * 9 + [Region.CERVICAL] * (count - 9)),
        "plane": one_hot(PLANES, [Plane.SAGITTAL] * count),
        "sequence": one_hot(SEQUENCES, sequences),
        "cord": np.array([0.9, 0.9, 0.9, 0.1] + [0.9] * (count - 4)),
    }


def test_shares_by_head_and_the_cord_where_it_is_known_to_be(slices: list[RealSlice]) -> None:
    table = transfer.triage_table(slices, answers([item.labels.sequence for item in slices]))
    rows = {row[0]: row[1:] for row in table.rows}
    source = rows["spider, development"]
    assert source[0].startswith("100.0 % (12/12")
    assert source[1].startswith("75.0 % (9/12")
    assert source[4].startswith("75.0 % (3/4")
    assert rows["all, mean over patients"][1] == "75.0 % (6 patients)"
    assert rows["no skill (most frequent class)"][3].startswith("50.0 % (6/12")


def test_t1w_against_t2w_counts_each_contrast_apart(slices: list[RealSlice]) -> None:
    said = answers([Sequence.T2W] * 12)
    rows = {row[0]: row[1:] for row in transfer.contrast_table(slices, said).rows}
    assert rows["SPIDER, development"][0].startswith("0.0 % (0/6")
    assert rows["SPIDER, development"][1].startswith("100.0 % (6/6")
    assert rows["SPIDER, development"][2] == "0.500"
    assert rows["SPIDER, development"][3].startswith("0.500")
    perfect = transfer.contrast_table(slices, answers([item.labels.sequence for item in slices]))
    assert perfect.rows[0][3:] == ("1.000", "1.000 (1.000–1.000)")


def test_levels_are_judged_by_contrast_and_subset(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "8", range(61, 62), drawn_mask())
    cases = transfer.level_cases(tree)
    assert [(case.contrast, case.subset) for case in cases] == [
        ("T2w", "training"),
        ("T2w SPACE", "validation"),
        ("T2w SPACE", "validation"),
    ]
    rows = {row[0]: row[1:] for row in transfer.levels_table(cases, pack_with()).rows}
    assert set(rows) == {
        "T2w, development",
        "T2w, development: no skill (mean position)",
        "T2w SPACE, report",
        "T2w SPACE, report: no skill (mean position)",
    }
    assert rows["T2w, development: no skill (mean position)"][0].startswith("100.0 % (1/1")


def test_a_pack_that_saw_real_pictures_is_refused() -> None:
    simulation = "1308 slices of simulated studies by spinalis.simulate (no patient)"
    transfer.refuse_real([simulated_only(pack_with(), simulation)])
    with pytest.raises(RecipeError, match="got 300 SPIDER slices"):
        transfer.refuse_real([simulated_only(pack_with(), simulation, "300 SPIDER slices")])
    with pytest.raises(RecipeError, match="no word on its training data"):
        transfer.refuse_real([simulated_only(pack_with())])


def test_no_fitting_pack_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="expected a levels or a triage pack"):
        transfer.tables([], tmp_path)


def test_only_the_heads_of_a_pack_are_probabilities() -> None:
    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        widths = {name: len(words) for name, words in transfer.HEADS.items()}
        heads = {name: np.zeros((len(images), width), np.float32) for name, width in (*widths.items(), ("cord", 1))}
        return {**heads, "distance": np.ones(len(images), np.float32)}

    pack = FakePack(manifest("triage", {"images": InputSpec(height=32, width=32)}), answer)
    said = transfer.probabilities([np.eye(20, dtype=np.float32)] * 3, pack)
    assert {name: values.shape for name, values in said.items()} == {
        **{name: (3, len(words)) for name, words in transfer.HEADS.items()},
        "cord": (3,),
    }
    assert said["anatomy"] == pytest.approx(1 / len(ANATOMIES))
