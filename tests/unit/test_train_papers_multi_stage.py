import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spinalis.errors import RecipeError
from spinalis.train import recipes, runs
from spinalis.train.data.whole import Whole
from spinalis.train.job import Job
from spinalis.train.networks.convnext3d import SLICES, InstanceNumber
from spinalis.train.networks.coordinates import Coordinates
from spinalis.train.networks.lstm_mil import LstmMil
from spinalis.train.networks.per_view import PerView
from spinalis.train.papers import axial, coordinates, instance_number, multi_stage, severity, stage1_errors
from spinalis.train.papers.places import crop_ranges, cut, no_places, pixel_mm, range_of, true_places
from spinalis.train.papers.severity import Bags, Case
from spinalis.train.papers.stage1_errors import USED, Miss
from spinalis.vocabulary import CONDITIONS
from tests.whole import SIZE, keep, make

RECIPE: dict[str, Any] = {
    **recipes.load("multi-stage-mil"),
    **runs.RUN_SETTINGS,
    "folds": 2,
    "batch": 6,
    "volume_size": 32,
    "volume_widths": [4, 6],
    "volume_epochs": 1,
    "coordinate_encoders": ["test_resnet"],
    "coordinate_size": 32,
    "coordinate_epochs": 1,
    "pretraining": False,
    "encoders": {"test_resnet": 1},
    "crop_size": 32,
    "instances": 3,
}


def missed(slices: int | None = 0, x_mm: float | None = 0.0, view: str = "sagittal_t2", method: str = USED) -> Miss:
    return Miss(study="1", view=view, condition="c", level="L1/L2", method=method, slices=slices, x_mm=x_mm, y_mm=x_mm)


def how(group: str = "canal", misses: np.ndarray | None = None) -> Bags:
    found = np.zeros((0, 3)) if misses is None else misses
    return Bags(
        group=group, size=32, instances=5, misses={"sagittal_t2": found, "sagittal_t1": found, "axial_t2": found}
    )


def test_table_1_is_kept_in_pixels_and_millimetres() -> None:
    lines = crop_ranges()
    assert len(lines) == 7
    for line in lines:
        assert line.mm == pytest.approx(np.array(line.px) * pixel_mm(line.view))
    right = range_of(CONDITIONS[4], "axial_t2")
    left = range_of(CONDITIONS[3], "axial_t2")
    assert (right.px, left.px) == ((144, 48, 96, 96), (48, 144, 96, 96))


def test_a_crop_shows_its_point_where_its_reach_says() -> None:
    study = make(2)
    stack = study.views["sagittal_t2"]
    place = true_places(study)["sagittal_t2"][0, 2]
    picture = np.zeros_like(stack.pixels)
    picture[int(place[0]), round(place[2]) - 1 : round(place[2]) + 2, round(place[1]) - 1 : round(place[1]) + 2] = 200
    reach = range_of(CONDITIONS[0], "sagittal_t2")
    crop = cut(type(stack)(pixels=picture, frames=stack.frames), place, reach, 64, severity.STILL)
    rows, columns = np.nonzero(crop > 0.7 * crop.max())
    assert columns.mean() == pytest.approx(64 * 96 / 128, abs=3)
    assert rows.mean() == pytest.approx(64 / 2, abs=3)


def test_canal_and_foramina_look_at_the_recesses_in_axial_slices() -> None:
    places = true_places(make(2))["axial_t2"]
    assert np.array_equal(places[1], places[3])
    assert np.array_equal(places[2], places[4])
    assert places[0] == pytest.approx((places[3] + places[4]) / 2)


def test_a_bag_is_centred_on_its_place_and_names_the_readers_slice() -> None:
    study = make(2)
    case = Case(study=study, places=true_places(study), row=0, column=2)
    crops, mask, target = severity.bag(case, how(), None)
    assert crops.shape == (10, 1, 32, 32)
    assert mask.tolist() == [1.0] * 10
    assert target == 2
    shifted = severity.bag(case, how(misses=np.array([[2.0, 0.0, 0.0]])), np.random.default_rng(0))
    assert shifted[2] == 0
    lost = severity.bag(case, how(misses=np.array([[5.0, 0.0, 0.0]])), np.random.default_rng(0))
    assert (lost[1][:5].tolist(), lost[2]) == ([1.0] * 2 + [0.0] * 3, -1)  # beyond the last slice of the stack


def test_a_place_that_was_not_found_leaves_its_view_empty() -> None:
    study, places = make(2), no_places()
    places["axial_t2"] = true_places(study)["axial_t2"]
    crops, mask, target = severity.bag(Case(study=study, places=places, row=0, column=2), how(), None)
    assert mask.tolist() == [0.0] * 5 + [1.0] * 5
    assert not crops[:5].any()
    assert target == -1


def test_shifts_are_the_measured_misses_within_the_limits() -> None:
    rows = [
        missed(3, 1.0),
        missed(-1, 9.0),
        missed(None, None),
        missed(1, 1.0, method="regression"),
        missed(1, view="axial_t2"),
    ]
    found = stage1_errors.shifts(rows, "sagittal_t2", 2, 10.0)
    assert found.tolist() == [[2.0, 1.0, 1.0], [-1.0, pytest.approx(5.5), pytest.approx(5.5)]]
    assert len(stage1_errors.shifts([], "sagittal_t2", 2, 10.0)) == 0


def test_no_error_is_imitated_where_it_is_switched_off() -> None:
    rows = [missed(1, 1.0)]
    assert len(severity._bags(RECIPE, "canal", rows).misses["sagittal_t2"]) == 1
    assert len(severity._bags({**RECIPE, "stage1_error": False}, "canal", rows).misses["sagittal_t2"]) == 0


def test_misses_are_counted_as_in_table_2(tmp_path: Path) -> None:
    study = make(2)
    found = true_places(study)
    found["sagittal_t2"][0, :, 0] += [0, 1, -1, 2, 4]
    found["sagittal_t2"][0, 0, 1] += 0.5
    found["sagittal_t1"][1, 0] = np.nan
    stage1_errors.write(stage1_errors.misses(study, USED, found), tmp_path)
    rows = stage1_errors.read(tmp_path)
    assert len(rows) == 25
    canal = [row for row in rows if row.view == "sagittal_t2"]
    assert [row.slices for row in canal] == [0, 1, -1, 2, 4]
    assert canal[0].x_mm == pytest.approx(2.0)
    table = stage1_errors.table_2(rows)
    (line,) = [line for line in table.rows if line[0] == "sagittal_t2, used"]
    assert [cell.split()[0] for cell in line[2:7]] == ["20.0", "40.0", "20.0", "20.0", "0.0"]
    (line,) = [line for line in table.rows if line[0] == "sagittal_t1, used"]
    assert line[6].startswith("10.0 % (1/10")


def test_a_volume_is_padded_alike_on_both_sides() -> None:
    stack = make(1).views["sagittal_t2"]
    filled, first = instance_number.volume(stack, 16)
    assert (filled.shape, first) == ((SLICES, 16, 16), 11)
    assert filled.any(axis=(1, 2)).tolist() == [11 <= depth < 20 for depth in range(SLICES)]
    many = type(stack)(pixels=np.repeat(stack.pixels, 5, axis=0), frames=np.repeat(stack.frames, 5, axis=0))
    assert instance_number.volume(many, 16)[0].any(axis=(1, 2)).all()


def test_the_number_network_learns_which_slice_is_bright() -> None:
    torch.manual_seed(0)
    network = InstanceNumber(targets=2, widths=(4, 6), depth=1)
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    volumes, slices = torch.zeros(4, 1, SLICES, 16, 16), torch.tensor([4, 12, 20, 28])
    for row, index in enumerate(slices):
        volumes[row, 0, index] = 1.0
    batch = {"volume": volumes, "slice": slices[:, None].repeat(1, 2), "point": torch.rand(4, 2, 3)}
    for _ in range(25):
        optimizer.zero_grad()
        instance_number.loss(network, batch).backward()
        optimizer.step()
    assert network(volumes)[0].argmax(dim=2)[:, 0].tolist() == slices.tolist()


@pytest.mark.parametrize("shared", [False, True], ids=["two attentions", "one attention"])
@pytest.mark.parametrize("bilstm", [True, False], ids=["bilstm", "no bilstm"])
def test_a_crop_that_is_not_there_changes_nothing(bilstm: bool, shared: bool) -> None:
    torch.manual_seed(0)
    network = LstmMil("test_resnet", bilstm=bilstm, shared_attention=shared).eval()
    crops, mask = torch.rand(1, 4, 1, 32, 32), torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    with torch.inference_mode():
        logits, auxiliary, attention = network(crops, mask)
        crops[0, 3] = 9.0
        again, _, _ = network(crops, mask)
    assert torch.allclose(logits, again)
    assert float(attention[0, 3]) == 0.0
    assert float(attention.sum()) == pytest.approx(1.0)
    assert torch.equal(torch.softmax(auxiliary, dim=1), attention) is shared
    assert (network.lstm is None) is not bilstm


def test_projection_finds_the_recesses_of_a_straight_spine() -> None:
    studies = [make(number) for number in range(2)]
    offsets = axial.mean_offsets(studies)
    assert offsets == pytest.approx(np.array([[8.0, 0.0, 0.0], [-8.0, 0.0, 0.0]]))
    found = axial.by_projection(studies[0].views["axial_t2"], studies[0].points[0], offsets)
    assert found == pytest.approx(true_places(studies[0])["axial_t2"][3:5])
    assert np.isnan(axial.by_projection(studies[0].views["axial_t2"], studies[0].points[0] + 300.0, offsets)).all()


def test_axial_slices_are_taught_their_level_and_what_lies_between() -> None:
    found = axial.slices([make(1)])
    assert sorted(item.classes for item in found) == [0, 1, 2, 3, 4, *[axial.BETWEEN] * 4]
    assert all(np.isfinite(item.points).all() == (item.classes != axial.BETWEEN) for item in found)


def test_a_perfect_network_would_give_the_points_back() -> None:
    study = make(3)
    (item,) = coordinates.pointed_slices([study], "sagittal_t2")
    drawn = coordinates._Draw(slices=[item], size=SIZE)(np.random.default_rng(0))
    bright = drawn["images"][1]
    for x, y in drawn["points"] * SIZE:
        assert bright[round(float(y)), round(float(x))] > 0.9 * bright.max()


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[Whole]:
    return keep(6, tmp_path_factory.mktemp("kept"))


def job(folder: Path) -> Job:
    return Job(data=None, runs=folder.parent, out=folder, jobs=1, accelerator="cpu", folder=folder)


def test_all_stages_are_trained_measured_and_asked(
    studies: list[Whole], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parted = multi_stage.Material(
        train=tuple(studies[:4]), validate=(studies[4],), calibrate=(studies[4],), test=(studies[5],)
    )
    folder = tmp_path / "run"
    folder.mkdir()
    multi_stage.train(parted, RECIPE, job(folder), folder)
    rows = stage1_errors.read(folder)
    assert {row.method for row in rows} == {"classification", "regression", USED, "projection", "network"}
    assert {row.view for row in rows if row.method == "network"} == {"axial_t2"}
    assert {row.study for row in rows} == {item.name for item in studies[:4]}
    found = multi_stage.predict(RECIPE, folder, parted.test)
    assert found.shape == (1, 5, 5, 3)
    known = np.isfinite(found).all(axis=-1)
    assert found[known].sum(axis=-1) == pytest.approx(1.0)
    assert known[0, :3].all()  # the sagittal views always have a place
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("network.pt")}
    assert len(before) == 2 * 2 + 2 * 2 + 2 + 3 * 2
    given: list[Any] = []
    monkeypatch.setattr(multi_stage.severity, "train", lambda *arguments: given.extend(arguments))
    other = tmp_path / "other"
    multi_stage.train(parted, {**RECIPE, "bilstm": False, "stage1_from": str(folder)}, job(other), other)
    assert given[1] == rows
    assert not other.exists()
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("network.pt")} == before


def test_a_wrong_axial_method_is_refused(studies: list[Whole], tmp_path: Path) -> None:
    parted = multi_stage.Material(
        train=tuple(studies), validate=(studies[0],), calibrate=(studies[0],), test=(studies[0],)
    )
    with pytest.raises(RecipeError, match="expected axial_points as projection or network, got both"):
        multi_stage.train(parted, {**RECIPE, "axial_points": "both"}, job(tmp_path), tmp_path)


def test_the_coordinate_networks_start_where_pre_training_left_them(
    studies: list[Whole], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multi_stage, "simulated_training", lambda _: studies[:2])
    monkeypatch.setattr(multi_stage.open_images, "find_root", lambda _: None)
    recipe = {**RECIPE, "pretraining": True, "pretraining_epochs": 1}
    multi_stage.pretrain(recipe, job(tmp_path), tmp_path)
    pretrained = coordinates.started(recipe, "test_resnet", tmp_path / "stage1b").state_dict()
    fresh = coordinates.started(RECIPE, "test_resnet", tmp_path / "stage1b").state_dict()
    assert not torch.equal(pretrained["point.0.weight"], fresh["point.0.weight"])


def test_table_2_is_printed_by_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage1_errors.write([missed(0, 1.0), missed(1, 2.0)], tmp_path)
    with (tmp_path / stage1_errors.FILE).open() as file:
        assert len(list(csv.reader(file))) == 3
    monkeypatch.setattr("sys.argv", ["stage1_errors", str(tmp_path)])
    stage1_errors.main()
    assert "| sagittal_t2, used | 2 | 50.0 % (1/2;" in capsys.readouterr().out


def test_a_level_that_meets_no_axial_slice_has_no_axial_place(monkeypatch: pytest.MonkeyPatch) -> None:
    study = make(4)
    truth, axial_stack = true_places(study), study.views["axial_t2"]
    lower = type(axial_stack)(pixels=axial_stack.pixels[:5], frames=axial_stack.frames[:5])  # L3/L4 and below
    study = replace(study, views={**study.views, "axial_t2": lower})

    def number(_: object, stack: object, size: int) -> instance_number.Found:
        view = next(name for name, item in study.views.items() if item is stack)
        own = truth[view][1:3] if view == "sagittal_t1" else truth[view][:1]
        return instance_number.Found(
            classified=own[:, :, 0], regressed=own[:, :, 0] + 0.3, columns=own[:, :, 1], rows=own[:, :, 2]
        )

    def points(_: object, stack: object, indices: list[int], size: int) -> tuple[np.ndarray, np.ndarray]:
        view = next(name for name, item in study.views.items() if item is stack)
        own = truth[view][1 if view == "sagittal_t1" else 0, :, 1:]
        return np.repeat(own[None], len(indices), axis=0), np.zeros((len(indices), 0))

    monkeypatch.setattr(multi_stage.instance_number, "ask", number)
    monkeypatch.setattr(multi_stage.coordinates, "ask", points)
    named = np.zeros((2, 5, 3))
    monkeypatch.setattr(multi_stage.axial, "by_network", lambda *_: (named, np.full((5, 2, 2), 7.0)))
    every = {view: [None] for view in multi_stage.SAGITTAL}
    locator = multi_stage.Locator(
        recipe=RECIPE, numbers=every, points=every, axial=[], offsets_mm=axial.mean_offsets([study])
    )
    found = locator.locate(study)
    used = found[USED]["axial_t2"][3:5]
    assert np.isnan(used[:, :2]).all()
    assert used[:, 2:, 0] == pytest.approx(truth["axial_t2"][3:5, 2:, 0])
    assert (used[:, 2:, 1:] == 7.0).all()
    assert found["projection"]["axial_t2"][3:5, 2:] == pytest.approx(truth["axial_t2"][3:5, 2:])
    assert found[USED]["sagittal_t2"][0] == pytest.approx(truth["sagittal_t2"][0])
    blind = replace(study, views={"axial_t2": lower})
    assert (locator.locate(blind)[USED]["axial_t2"][3:5, :, 0] == 0.0).all()


def test_the_heads_for_points_see_where_something_is() -> None:
    """A linear head can tell places from the fields of even an untrained encoder."""
    rng = np.random.default_rng(1)
    points = rng.uniform(0.2, 0.8, (160, 2))
    columns, rows = np.arange(128) / 128 - points[:, 0, None], np.arange(128) / 128 - points[:, 1, None]
    spots = np.exp(-(columns[:, None, :] ** 2 + rows[:, :, None] ** 2) / 0.005).astype(np.float32)
    torch.manual_seed(1)
    network = Coordinates("test_resnet", targets=1).eval()
    with torch.inference_mode():
        fields = network.fields(network.encoder(torch.from_numpy(np.repeat(spots[:, None], 3, axis=1)))).double()
    seen, unseen = fields[:120] - fields[:120].mean(dim=0), fields[120:] - fields[:120].mean(dim=0)
    gram = seen @ seen.T
    share = unseen @ seen.T @ torch.linalg.inv(gram + 1e-3 * gram.trace() / 120 * torch.eye(120))
    answers = points[:120].mean(axis=0) + share.numpy() @ (points[:120] - points[:120].mean(axis=0))
    always_the_mean = np.abs(points[120:] - points[:120].mean(axis=0)).mean()
    assert np.abs(answers - points[120:]).mean() < 0.3 * always_the_mean


@pytest.mark.parametrize("encoder", ["convnext_atto", "tf_efficientnetv2_b0", "mobilenetv4_conv_small", "resnet18"])
def test_any_encoder_of_timm_serves(encoder: str) -> None:
    images = torch.rand(2, 3, 64, 64)
    points, logits = Coordinates(encoder, targets=2, classes=6).eval()(images)
    assert points.shape == (2, 2, 2)
    assert logits.shape == (2, 6)
    grades, _, attention = LstmMil(encoder).eval()(images[:, :, None], torch.ones(2, 3))
    assert grades.shape == (2, 3)
    assert attention.shape == (2, 3)
    assert PerView(encoder, conditions=2, outputs=3).eval()(images[:, :1]).shape == (2, 2, 5, 3)
