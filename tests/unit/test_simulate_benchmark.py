"""The benchmark set is the same set, and says so when it is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinalis.errors import SimulationError
from spinalis.simulate import SimulatedStudy, benchmark, benchmark_studies, simulate_study
from spinalis.simulate.benchmark import Match, describe, make_table, rows_of, verify
from spinalis.simulate.layouts import benchmark_to_folder


@pytest.fixture(scope="module")
def made() -> SimulatedStudy:
    return simulate_study(7, 0, "other")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of one study, with its table."""
    monkeypatch.setitem(benchmark.RECIPES, "tiny", (7, (("other", 1),)))
    path = tmp_path / "benchmark_tiny.csv"
    monkeypatch.setattr(benchmark, "table_path", lambda version: path)
    make_table("tiny", path, 1)
    return path


def test_the_recipe_is_three_hundred_studies_of_a_seed_of_its_own() -> None:
    seed, shares = benchmark.RECIPES["v1"]
    assert dict(shares) == {"lumbar": 200, "cervical": 40, "thoracic": 30, "whole": 10, "other": 20}
    assert seed not in {11, 12}


def test_the_table_in_the_package_fits_the_recipe() -> None:
    assert len(rows_of("v1")) == 300


@pytest.mark.parametrize("place", [0, 280])
def test_the_studies_are_those_of_the_table(place: int) -> None:
    seed, _ = benchmark.recipe("v1")
    row = rows_of("v1")[place]
    assert verify(simulate_study(seed, row.number, row.profile), row) in (Match.EXACT, Match.CLOSE)


def test_the_same_study_agrees_exactly(made: SimulatedStudy) -> None:
    row = describe(made, "other", 0)
    assert verify(simulate_study(7, 0, "other"), row) is Match.EXACT


def changed(made: SimulatedStudy, by: int) -> SimulatedStudy:
    first = made.series[0]
    pixels = (first.pixels.astype(int) + by).clip(0, 4095).astype(np.uint16)
    return replace(made, series=(replace(first, pixels=pixels), *made.series[1:]))


def test_a_difference_as_small_as_rounding_is_accepted_and_told(made: SimulatedStudy) -> None:
    assert verify(changed(made, 1), describe(made, "other", 0)) is Match.CLOSE


def test_another_study_is_an_error_that_names_the_versions(made: SimulatedStudy) -> None:
    row = describe(made, "other", 0)
    with pytest.raises(SimulationError, match="NumPy"):
        verify(changed(made, 300), row)
    with pytest.raises(SimulationError, match="got another one"):
        verify(simulate_study(7, 1, "other"), row)


def test_another_grade_is_an_error_whatever_the_pixels(made: SimulatedStudy) -> None:
    row = replace(describe(made, "other", 0), sha256="", grades="0" * 25)
    with pytest.raises(SimulationError, match="got another one"):
        verify(made, row)


def test_studies_come_checked(tiny: Path) -> None:
    (study,) = benchmark_studies("tiny")
    assert study.study.key == simulate_study(7, 0, "other").study.key
    tiny.write_text(tiny.read_text().replace("other,0,", "other,0,0").replace(",fingerprint", ",fingerprint"))
    lines = tiny.read_text().splitlines()
    cells = lines[1].split(",")
    cells[3] = "ff" * (len(cells[3]) // 2)
    tiny.write_text("\n".join([lines[0], ",".join(cells)]) + "\n")
    with pytest.raises(SimulationError, match="got another one"):
        next(benchmark_studies("tiny"))


def test_a_set_is_written_and_checked_while_it_is_made(tiny: Path, tmp_path: Path) -> None:
    (folder,) = benchmark_to_folder(tmp_path / "out", "tiny")
    assert folder.name == "other-7-00000"
    row = rows_of("tiny")[0]
    tiny.write_text(tiny.read_text().replace(row.sha256, "0" * 64).replace(row.fingerprint, "ff" * 32))
    with pytest.raises(SimulationError, match="got another one"):
        benchmark_to_folder(tmp_path / "again", "tiny")
    assert [path for path in (tmp_path / "again").rglob("*") if path.is_file()] == []


def test_a_table_that_does_not_fit_is_refused(tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace("other,0", "other,5"))
    with pytest.raises(SimulationError, match="expected a table of 1 studies"):
        rows_of("tiny")
    tiny.unlink()
    with pytest.raises(SimulationError, match="got none"):
        rows_of("tiny")


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(SimulationError, match="expected one of v1"):
        next(benchmark_studies("v9"))
