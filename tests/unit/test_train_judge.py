from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spinalis.records import FloatArray, Judgement
from spinalis.train import judge, judge_real
from spinalis.train.data import spider
from spinalis.train.data.real_slice import Labels
from spinalis.vocabulary import Anatomy, Plane, Region
from spinalis.vocabulary import Sequence as Contrast
from tests.unit.test_localize_levels import pack_with
from tests.unit.test_train_data import tree  # noqa: F401  a fixture


def answers(truth: np.ndarray, sure: float) -> FloatArray:
    """Probabilities that put `sure` on the truth."""
    found = np.full((*truth.shape, 3), (1 - sure) / 2)
    np.put_along_axis(found, truth[..., None], sure, axis=-1)
    return found


@pytest.fixture
def truth() -> np.ndarray:
    return np.random.default_rng(5).choice(3, (30, 5, 5), p=(0.7, 0.2, 0.1))


def test_right_answers_are_perfect_and_level_alone_is_not(truth: np.ndarray) -> None:
    perfect = judge.grade_rows(truth, answers(truth, 0.98))
    table = judge.grade_table(truth, answers(truth, 0.98))
    assert perfect["canal"][1] == "1.00 / 1.00 / 1.00"
    assert perfect["foraminal"][5] == "1.00"
    assert perfect["canal"][3].startswith("1.000 (")
    floor = next(row for row in table.rows if row[0].startswith("canal, level alone"))
    assert floor[5] == "0.500"
    assert float(floor[6]) < 0.2


def test_the_rsna_table_sets_the_score_beside_its_floors(truth: np.ndarray) -> None:
    rows = {row[0]: [float(cell) for cell in row[1:]] for row in judge.rsna_table(truth, answers(truth, 0.98)).rows}
    assert rows["packs"][0] < rows["per-level weighted prior (no skill)"][0]
    assert rows["uniform (no skill)"][1:4] == pytest.approx([np.log(3)] * 3, abs=1e-3)


def test_real_levels_are_judged_on_the_asked_patients_only(tree) -> None:  # noqa: F811
    items = [item for item in spider.read(tree) if item.points is not None]
    points = judge_real.located(items, pack_with())
    assert points.shape == (2, 5, 2)
    assert (np.diff(points[..., 1], axis=1) > 0).all()


def test_a_picture_without_levels_is_missing_not_guessed(tree) -> None:  # noqa: F811
    items = [item for item in spider.read(tree) if item.points is not None]
    faint = pack_with({0: 0.0})
    assert np.isnan(judge_real.located(items, faint)).all()


def test_a_vote_and_a_header_mend_what_single_slices_get_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def judgement(label: object) -> Judgement:
        return Judgement(label=label, probability=0.9, source="pixels")

    def answer(contrast: Contrast, slices: tuple[Contrast, ...]) -> SimpleNamespace:
        known = {
            "anatomy": judgement(Anatomy.MR_SPINE),
            "region": judgement(Region.LUMBAR),
            "plane": judgement(Plane.AXIAL),
        }
        single = tuple(SimpleNamespace(sequence=judgement(each), **known) for each in slices)
        return SimpleNamespace(sequence=judgement(contrast), slices=single, **known)

    labels = Labels(anatomy=Anatomy.MR_SPINE, region=Region.CERVICAL, plane=Plane.AXIAL, sequence=Contrast.T1W)
    item = SimpleNamespace(pixels="pixels", series="series", labels=(labels, labels))
    voted, fused = Contrast.T2W, Contrast.T1W
    given = {"pixels": answer(voted, (Contrast.T1W, Contrast.T2W)), "series": answer(fused, ())}
    monkeypatch.setattr(judge_real.open_images, "read_series", lambda *_: [item])
    monkeypatch.setattr(judge_real, "select", lambda _, task: task)
    monkeypatch.setattr(judge_real, "label_series", lambda series, *_: given[series])
    rows = {row[0]: [cell.split(" %")[0] for cell in row[1:]] for row in judge_real.series_table(Path(), ()).rows}
    assert rows["each slice alone"] == ["100.0", "0.0", "100.0", "50.0", "50.0"]
    assert rows["vote of the series"] == ["100.0", "0.0", "100.0", "0.0", "0.0"]
    assert rows["vote, geometry, header"] == ["100.0", "0.0", "100.0", "100.0", "100.0"]
