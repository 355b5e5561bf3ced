from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.grade.crops import SLOTS
from spinalis.grade.grade import VIEWS_OF
from spinalis.models import load_pack
from spinalis.models.prepare import InputSpec
from spinalis.train import adapt, curve_figures, curve_sets, curve_steps, fit, learning_curve
from spinalis.train.curve_figures import Answers, answers, exactly, level_alone
from spinalis.train.curve_sets import Plan
from spinalis.train.curve_tables import Row, bounded, curve, tables
from spinalis.train.data import other_site
from spinalis.train.grade import Bags
from spinalis.train.job import Job
from tests.tiny_grader import export_grader

SPEC = InputSpec(height=16, width=16, spacing_mm=3.2)
POINTS = {"abnormal": [0.5] * 5, "severe": [0.5] * 5}
SETTINGS = {
    "calibration": {name: {"temperature": 1.0, "bias": [0.0] * 3, "level_bias": [[0.0] * 3] * 5} for name in VIEWS_OF},
    "operating_points": {"by": "hand", **dict.fromkeys(VIEWS_OF, POINTS)},
    "level_prior": False,
}


def bags_of(studies: int, seed: int = 0) -> Bags:
    rng = np.random.default_rng(seed)
    count = studies * 10
    return Bags(
        crops=rng.integers(0, 200, (count, len(SLOTS), 1, 16, 16), np.uint8),
        mask=np.ones((count, len(SLOTS)), np.float32),
        grades=np.repeat(rng.integers(0, 3, (count // 2, 3)), 2, axis=0).astype(np.int8),
        levels=np.tile(np.repeat(np.arange(5), 2), studies).astype(np.int8),
        studies=np.repeat(np.arange(studies), 10),
    )


def told(bags: Bags) -> dict[str, np.ndarray]:
    """Logits that are sure of the grades of the bags."""
    return {name: 20.0 * np.eye(3)[bags.grades[:, column]] for column, name in enumerate(VIEWS_OF)}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_grader(tmp_path_factory.mktemp("pack") / "grade", 16, SETTINGS)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_figures, "REPEATS", 4)


@pytest.fixture
def plan(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A curve at two and three graded studies, two unseen ones, on bags of noise."""
    made = Job.options

    def options(job: Job, recipe: Mapping[str, Any], examples: int) -> fit.FitOptions:
        return replace(made(job, recipe, examples), workers=0, checkpoint_every=1)

    def keep(folder: Path, crops: InputSpec, count: int, jobs: int) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number in range(count):
            bags = bags_of(1, number)
            files.append(folder / f"{number:05d}.npz")
            parts = {f"bag_{name}": getattr(bags, name) for name in ("crops", "mask", "grades", "levels")}
            np.savez(files[-1], read_grades=bags.grades[::-1], **parts)
        return files

    monkeypatch.setattr(Job, "options", options)
    monkeypatch.setattr(other_site, "keep_studies", keep)
    monkeypatch.setattr(adapt, "harvest", lambda wanted, folder, crops, jobs: keep(folder, crops, wanted.studies, jobs))
    changes = {"steps": "2", "batch": "2", "folds": "2", "replay_studies": "2"}
    return Plan(
        runs=tmp_path / "runs",
        pack=load_pack(pack),
        counts=(2, 3),
        unseen=2,
        changes=changes,
        scratch_steps=4,
        jobs=1,
        accelerator="cpu",
    )


def test_the_other_look_changes_every_crop_alike_each_time_and_leaves_empty_places_empty() -> None:
    bags = bags_of(1)
    mask = bags.mask.copy()
    mask[3, 2] = 0.0
    looks = [other_site.other_look(bags.crops, mask, SPEC) for _ in range(2)]
    assert np.array_equal(*looks)
    changed = (looks[0] != bags.crops).any(axis=(2, 3, 4))
    assert changed[mask > 0].all()
    assert not looks[0][3, 2].any()


def test_the_other_look_burns_out_what_is_bright_and_shows_no_detail_of_one_pixel() -> None:
    crop = np.zeros((1, len(SLOTS), 1, 16, 16), np.uint8)
    crop[..., ::2] = 160
    crop[:, 1] = np.linspace(0, 160, 16).astype(np.uint8)
    look = other_site.other_look(crop, np.ones((1, len(SLOTS)), np.float32), SPEC)
    assert np.abs(np.diff(crop[0, 0, 0].astype(int), axis=1)).min() == 160
    assert np.abs(np.diff(look[0, 0, 0].astype(int), axis=1)).mean() < 60
    bright = look[0, 1, 0][:, -4:]
    assert bright.std() < look[0, 1, 0][:, :8].std() / 4


def test_right_answers_agree_wholly_and_the_level_alone_does_not() -> None:
    bags = bags_of(6)
    found, every = answers(bags, told(bags), SETTINGS), np.arange(6)
    assert found.truth.shape == (6, 5, 5)
    assert found.mean_kappa(every) == pytest.approx(1.0)
    assert found.mean_auc(every) == pytest.approx(1.0)
    score, floor = found.score(every), level_alone(found.truth)
    assert score is not None
    assert floor.score(every) > score
    assert floor.mean_kappa(every) < 0.5
    assert curve_figures.gain(found, floor)(every) == pytest.approx(1.0 - floor.mean_kappa(every))


def test_left_and_right_go_to_their_conditions_and_share_the_canal() -> None:
    bags = bags_of(1)
    sides = np.tile([0, 2], 5).astype(np.int8)  # left normal, right severe
    bags = replace(bags, grades=np.stack([np.ones(10, np.int8), sides, sides], axis=1))
    found = answers(bags, told(bags), SETTINGS)
    assert found.truth[0, :, 0].tolist() == [1, 0, 2, 0, 2]
    assert found.called[0, :, 4].tolist() == [1, 0, 2, 0, 2]
    halves = {**told(bags), "canal": np.tile([[20.0, 0, 0], [0, 0, 20.0]], (5, 1))}
    assert answers(bags, halves, SETTINGS).probabilities[0, 0, 2] == pytest.approx([0.5, 0, 0.5], abs=1e-6)


def test_a_place_that_nothing_shows_takes_the_known_prevalence_and_is_called_normal() -> None:
    bags = bags_of(1)
    found = answers(replace(bags, mask=np.zeros_like(bags.mask)), told(bags), SETTINGS)
    assert not found.called.any()
    assert found.probabilities[0, 0, 0] == pytest.approx([0.9549, 0.0341, 0.0110], abs=1e-4)


def test_the_first_studies_of_a_site_are_nested_and_no_more_than_there_are(plan: Plan) -> None:
    sets = curve_sets.sets_of(plan)
    two, three = sets.first(2), sets.first(3)
    assert two.names == three.names[:2] == ("00002", "00003")
    assert np.array_equal(two.bags.crops, three.bags.crops[:20])
    assert np.unique(two.bags.studies).tolist() == [0, 1]
    assert not (sets.unseen.grades == sets.ordinary.grades).all()  # the site's reader
    with pytest.raises(RecipeError, match="expected counts up to 3 graded studies, got 4"):
        sets.first(4)


def test_a_curve_is_made_once_and_gone_on_with_where_it_was_cut_short(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(plan, counts=(2,))
    sets = curve_sets.sets_of(plan)
    found = learning_curve.rows(plan, sets)
    names = [row.name for row in found[0]]
    assert names[:2] == [learning_curve.NO_SKILL, learning_curve.AS_IS]
    assert names[-1] == learning_curve.EXACT
    assert [(row.name, row.count) for row in found[1][2:]] == [(name, 2) for name in curve_sets.METHODS]
    assert all(row.cpu_s is not None and row.cpu_s > 0 for row in found[0][2:-1])
    kept = plan.folder / "adapted-nothing-mixed-in-2" / "answers.npz"
    kept.unlink()  # as if it had been cut short while it was judged
    made: list[str] = []
    train = adapt.adapt_to
    monkeypatch.setattr(adapt, "adapt_to", lambda job, *rest: made.append(job.folder.name) or train(job, *rest))
    again = learning_curve.rows(plan, sets)
    assert made == ["adapted-nothing-mixed-in-2"]
    for before, after in zip(found[0], again[0], strict=True):
        assert np.array_equal(before.answers.probabilities, after.answers.probabilities)
    assert [row.name for row in again[0][2:-1] if row.cpu_s is None] == [curve_sets.NO_REPLAY]  # not timed as a whole
    page = learning_curve.page(plan, again, "curve.svg")
    assert "Research use only" in page
    assert page.count("| level alone (no skill) |") == 2
    assert "](curve.svg)" in page


def test_what_is_mixed_in_moves_the_weights_elsewhere(plan: Plan) -> None:
    sets = curve_sets.sets_of(plan)
    with_replay, without = (
        curve_steps.outcome(plan, sets, method, 2) for method in (curve_sets.ADAPTED, curve_sets.NO_REPLAY)
    )
    before = curve_steps.as_is(plan)[1](sets.unseen)
    for one, other in ((with_replay.unseen, before), (without.unseen, before), (with_replay.unseen, without.unseen)):
        assert not np.allclose(one["canal"], other["canal"], atol=1e-5)


def test_tables_and_picture_hold_every_row_its_floor_and_its_interval() -> None:
    bags = bags_of(4)
    right = answers(bags, told(bags), SETTINGS)
    floor = level_alone(right.truth)
    rows = [
        Row(name="floor", answers=floor),
        Row(name="pack", answers=floor),
        Row(name="adapted", answers=right, count=5, cpu_s=90.0),
        Row(name="exact", answers=exactly(floor, right.truth), calls_only=True),
    ]
    site, ordinary = tables(rows, rows)
    lines = site.splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][2:] == [
        f"| {name}" for name in ("floor", "pack", "adapted", "exact")
    ]
    assert "| 1.00 (1.00 to 1.00) |" in lines[6]
    assert lines[6].endswith("| 1.5 |")
    assert lines[7].split(" | ")[2] == "1.00 (1.00 to 1.00)"
    assert lines[7].split(" | ")[7:9] == ["–", "–"]
    assert "CPU min" not in ordinary
    picture = curve(rows)
    assert picture.count("<circle") == 1
    assert "Research use only" in picture
    assert all(f">{name}<" in picture for name in ("floor", "pack", "exact"))


@pytest.mark.parametrize(
    ("value", "interval", "signed", "text"),
    [(None, None, False, "–"), (0.5, None, False, "0.50"), (0.1, (-0.04, 0.2), True, "+0.10 (-0.04 to +0.20)")],
    ids=["undefined", "without-interval", "difference"],
)
def test_a_figure_is_printed_with_its_interval(
    value: float | None, interval: tuple[float, float] | None, signed: bool, text: str
) -> None:
    assert bounded(value, interval, signed=signed) == text


def test_answers_are_compared_study_by_study() -> None:
    truth = np.zeros((2, 5, 5), np.int64)
    truth[:, :, 2] = 2
    wrong = truth.copy()
    wrong[1] = 2 - wrong[1]
    found = Answers(truth=truth, called=wrong, probabilities=np.full((2, 5, 5, 3), 1 / 3))
    assert found.mean_kappa(np.array([0, 0])) == pytest.approx(1.0)
    assert found.mean_kappa(np.array([1])) < 0
