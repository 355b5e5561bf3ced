import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spinalis.errors import SimulationError
from spinalis.geometry import normal_of, patient_plane, position_along, project
from spinalis.simulate import SimulatedStudy, iterate_studies, simulate_study
from spinalis.simulate import study as study_module
from spinalis.simulate.anatomy import sample_subject
from spinalis.simulate.protocols import sagittal_stack, slab_stack
from spinalis.vocabulary import CONDITIONS, LEVELS, Anatomy, Plane, Region, Sequence, Side


@pytest.fixture(scope="module")
def lumbar() -> SimulatedStudy:
    return simulate_study(5, 1, "lumbar-balanced")


def fingerprint(made: SimulatedStudy) -> str:
    digest = hashlib.sha256()
    for one in made.series:
        digest.update(one.pixels.tobytes())
    digest.update(json.dumps(study_module.study_document(made), sort_keys=True).encode())
    return digest.hexdigest()


def test_the_same_arguments_give_the_same_study_in_another_process(lumbar: SimulatedStudy) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_simulate_study as t;"
        "print(t.fingerprint(t.simulate_study(5, 1, 'lumbar-balanced')))"
    )
    here = str(Path(__file__).parent)
    other = subprocess.run([sys.executable, "-c", code, here], check=True, capture_output=True, text=True)
    assert other.stdout.strip() == fingerprint(lumbar)


def test_another_number_gives_another_study(lumbar: SimulatedStudy) -> None:
    other = next(iterate_studies(5, 2, 1, "lumbar-balanced"))
    assert fingerprint(other) != fingerprint(lumbar)
    assert other.study.key != lumbar.study.key


@pytest.mark.parametrize(
    ("seed", "number", "profile", "message"),
    [(1, 0, "knee", "expected one of"), (-1, 0, "lumbar", "expected seed"), (1, -2, "lumbar", "expected seed")],
    ids=["profile", "seed", "number"],
)
def test_wrong_arguments_are_refused(seed: int, number: int, profile: str, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate_study(seed, number, profile)


def test_without_numba_the_call_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(SimulationError, match=r"spinalis\[simulate\]"):
        simulate_study(1, 0)


def test_importing_the_package_does_not_import_numba() -> None:
    code = "import sys, spinalis.simulate; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_slices_stand_in_the_order_of_their_position(lumbar: SimulatedStudy) -> None:
    for one in lumbar.series:
        planes = [item.plane for item in one.series.slices]
        normal = normal_of(planes[0])
        assert np.all(np.diff([position_along(plane, normal) for plane in planes]) > 1)
        assert patient_plane(planes[0]) is one.plane


def test_pixels_records_and_truth_have_one_shape(lumbar: SimulatedStudy) -> None:
    for one in lumbar.series:
        assert one.pixels.shape == (len(one.series.slices), one.series.rows, one.series.columns)
        assert len(one.cord) == len(one.series.slices)
        image = one.series.load(0)
        assert image.dtype == np.float32
        np.testing.assert_array_equal(image, one.pixels[0])


def test_the_protocol_has_sagittal_and_axial_series(lumbar: SimulatedStudy) -> None:
    kinds = {(one.plane, one.sequence) for one in lumbar.series}
    assert (Plane.SAGITTAL, Sequence.T1W) in kinds
    assert (Plane.AXIAL, Sequence.T2W) in kinds


def test_levels_descend_and_lie_in_the_sagittal_pictures(lumbar: SimulatedStudy) -> None:
    truth = lumbar.truth
    chain = [truth.landmarks["T11/T12"], truth.landmarks["T12/L1"], *(truth.levels[level] for level in LEVELS)]
    chain.append(truth.landmarks["S1/S2"])
    assert np.all(np.diff([point[2] for point in chain]) < -10)
    stacks = [one.series for one in lumbar.series if one.plane is Plane.SAGITTAL]
    sagittal = max(stacks, key=lambda series: len(series.slices))
    for level in LEVELS:
        found = project(truth.levels[level], sagittal, tolerance_mm=5)
        assert found is not None
        assert abs(found.slice_index - len(sagittal.slices) // 2) <= 3


def test_axial_pictures_cut_every_level(lumbar: SimulatedStudy) -> None:
    axial = [one.series for one in lumbar.series if one.plane is Plane.AXIAL]
    for point in lumbar.truth.levels.values():
        assert any(project(point, series, tolerance_mm=3) for series in axial)


def test_every_level_has_grades_points_and_measurements(lumbar: SimulatedStudy) -> None:
    truth = lumbar.truth
    assert set(truth.grades) == {(condition, level) for condition in CONDITIONS for level in LEVELS}
    for level in LEVELS:
        middle = truth.levels[level][0]
        for places in (truth.foramina, truth.recesses):
            assert places[level, Side.LEFT][0] > middle + 4
            assert places[level, Side.RIGHT][0] < middle - 4
        assert truth.measurements["sac_area_mm2", level, None] > 0


def test_the_cord_is_seen_in_every_axial_slice_of_the_neck_and_in_few_of_the_loin(lumbar: SimulatedStudy) -> None:
    neck = simulate_study(5, 1, "cervical")
    for one in neck.series:
        assert one.region is Region.CERVICAL
        if one.plane is Plane.AXIAL:
            assert all(one.cord)
    stacks = [one for one in lumbar.series if one.plane is Plane.SAGITTAL]
    sagittal = max(stacks, key=lambda one: len(one.cord))
    seen = np.flatnonzero(sagittal.cord)
    assert 1 <= len(seen) <= 6
    assert np.all(np.diff(seen) == 1)


def test_other_anatomy_is_no_spine_and_has_no_truth() -> None:
    made = simulate_study(5, 4, "other")
    assert {one.anatomy for one in made.series} == {Anatomy.OTHER}
    assert not made.truth.levels
    assert not any(any(one.cord) for one in made.series)


def test_a_slab_is_rendered_in_thin_slices_that_fill_it() -> None:
    subject = sample_subject(np.random.default_rng(0))
    slab = slab_stack(np.random.default_rng(0), subject, Region.LUMBAR)
    thin = study_module.thin_slices(slab)
    assert thin.count * thin.thickness_mm == pytest.approx(slab.thickness_mm)
    assert 1.0 < thin.spacing_mm <= 1.5
    depth = thin.origins() @ thin.axes[2]
    assert depth.mean() == pytest.approx(float(slab.origins()[0] @ slab.axes[2]))
    other = sagittal_stack(np.random.default_rng(0), subject, Region.LUMBAR)
    assert study_module.thin_slices(other) is other
