"""PNG and JPEG pictures become series without geometry."""

import pickle
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from spinalis.errors import EmptyInputError, UnreadableFileError
from spinalis.formats import image, read_studies
from spinalis.records import Study
from tests.fakes import texts


def grey(seed: int, rows: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (rows, 20)).astype(np.uint8)


def write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def one_study(path: Path) -> Study:
    (study,) = read_studies(path)
    return study


def test_a_single_picture_is_a_series_of_one_slice(tmp_path: Path) -> None:
    (series,) = one_study(write(tmp_path / "a.png", grey(1))).series
    assert (series.key, series.rows, series.columns) == ("s1", 30, 20)
    assert series.flags == ("no_geometry", "single_slice")
    assert series.slices[0].plane is None
    assert series.load(0).dtype == np.float32
    assert np.array_equal(series.load(0), grey(1))


def test_every_folder_is_a_series_in_natural_order(tmp_path: Path) -> None:
    for folder in ("t1", "t2"):
        for name in ("10", "9", "1"):
            write(tmp_path / folder / f"{name}.png", grey(int(name)))
    study = one_study(tmp_path)
    assert [series.key for series in study.series] == ["s1", "s2"]
    series = study.series[1]
    assert [item.file for item in series.slices] == ["t2/1.png", "t2/9.png", "t2/10.png"]
    assert [item.instance_number for item in series.slices] == [1, 2, 3]
    assert np.array_equal(series.load(2), grey(10))
    assert series.flags == ("no_geometry",)


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    picture = grey(1).astype(np.uint16) * 200
    assert np.array_equal(one_study(write(tmp_path / "a.png", picture)).series[0].load(0), picture)


def test_colour_jpeg_becomes_grey(tmp_path: Path) -> None:
    picture = np.full((30, 20, 3), (0, 128, 255), np.uint8)
    image = one_study(write(tmp_path / "a.JPG", picture)).series[0].load(0)
    assert image == pytest.approx(0.587 * 128 + 0.299 * 255, abs=3)


def test_pictures_of_two_shapes_are_split(tmp_path: Path) -> None:
    write(tmp_path / "a.png", grey(1))
    write(tmp_path / "b.png", grey(2, rows=40))
    first, second = one_study(tmp_path).series
    assert (first.rows, second.rows) == (30, 40)
    assert first.flags == ("no_geometry", "single_slice", "split")


def test_damaged_pictures_and_other_files_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.png", grey(1))
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("text")
    assert texts(one_study(tmp_path)) == (
        "2 files that cannot be read were left out.",
        "1 file of another kind was left out.",
    )


def test_pictures_in_a_zip_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", grey(1))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(path, "a.png")
    load = pickle.loads(pickle.dumps(one_study(tmp_path / "a.zip").series[0].load))
    assert np.array_equal(load(0), grey(1))


def test_a_single_damaged_picture_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.jpeg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UnreadableFileError, match="got a damaged picture"):
        read_studies(tmp_path / "a.jpeg")
    with pytest.raises(EmptyInputError):
        read_studies(tmp_path)


def test_a_picture_that_went_away_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", grey(1))
    (series,) = one_study(path).series
    path.unlink()
    with pytest.raises(UnreadableFileError, match="Series 1, slice 0: expected a PNG or JPEG of 30 x 20 pixels"):
        series.load(0)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_picture_that_is_too_large_is_never_decoded(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / f"small.{suffix}", grey(1))
    write(tmp_path / f"large.{suffix}", grey(2, rows=60))
    monkeypatch.setattr(image, "MAX_PIXELS", grey(1).size)
    study = one_study(tmp_path)
    assert [item.file for series in study.series for item in series.slices] == [f"small.{suffix}"]
    assert texts(study) == ("1 file that cannot be read was left out.",)
