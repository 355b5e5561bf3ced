from pathlib import Path

import h5py
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train.data import m4raw
from spinalis.train.data.real_slice import Labels, subset_of
from spinalis.vocabulary import Anatomy, Plane, Sequence

HEADER = """<?xml version="1.0"?><ns0:ismrmrdHeader xmlns:ns0="http://www.ismrm.org/ISMRMRD"><ns0:encoding>
<ns0:encodedSpace><ns0:matrixSize><ns0:x>16</ns0:x><ns0:y>12</ns0:y><ns0:z>1</ns0:z></ns0:matrixSize></ns0:encodedSpace>
<ns0:reconSpace><ns0:matrixSize><ns0:x>{x}</ns0:x><ns0:y>12</ns0:y><ns0:z>1</ns0:z></ns0:matrixSize></ns0:reconSpace>
</ns0:encoding></ns0:ismrmrdHeader>"""


def phantom(seed: int) -> np.ndarray:
    """A picture, (16, 12)."""
    return np.random.default_rng(seed).uniform(1, 2, (16, 12))


def coils(picture: np.ndarray) -> np.ndarray:
    """K-space of two coils with phase, whose squared sensitivities sum to 1: (2, 16, 12)."""
    angle = np.linspace(0, 1.5, picture.shape[0])[:, None]
    seen = np.stack([picture * np.cos(angle) * 1j, picture * np.sin(angle) * np.exp(0.3j)])
    axes = (-2, -1)
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(seen, axes), norm="ortho"), axes).astype(np.complex64)


def write(file: Path, x: int = 16) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(file, "w") as handle:
        handle["kspace"] = np.stack([coils(phantom(seed)) for seed in range(3)])
        handle["ismrmrd_header"] = HEADER.format(x=x)
    return file


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("2022061003_T101", "2022061003_T201", "2022061003_FLAIR01"):
        write(tmp_path / "multicoil_train" / f"{name}.h5")
    write(tmp_path / "multicoil_val" / "2022061204_T203.h5", x=10)
    return tmp_path


def test_the_picture_comes_back_from_the_raw_data(tree: Path) -> None:
    items = [item for item in m4raw.read(tree) if item.labels.sequence is Sequence.T1W]
    for seed, item in enumerate(items):
        assert item.image.shape == (16, 12)
        np.testing.assert_allclose(item.image, phantom(seed), rtol=1e-4)


def test_the_picture_is_cut_to_the_matrix_of_the_header(tree: Path) -> None:
    item = next(item for item in m4raw.read(tree) if item.patient == "m4raw-2022061204")
    np.testing.assert_allclose(item.image, phantom(0)[3:13], rtol=1e-4)


def test_names_give_contrast_and_subject(tree: Path) -> None:
    items = list(m4raw.read(tree))
    contrasts = [item.labels.sequence for item in items[::3]]
    assert contrasts == [Sequence.OTHER, Sequence.T1W, Sequence.T2W, Sequence.T2W]
    assert {(item.labels.anatomy, item.labels.plane) for item in items} == {(Anatomy.OTHER, Plane.AXIAL)}
    assert items[0].labels == Labels(anatomy=Anatomy.OTHER, plane=Plane.AXIAL, sequence=Sequence.OTHER, part="BRAIN")
    assert [item.patient for item in items] == ["m4raw-2022061003"] * 9 + ["m4raw-2022061204"] * 3
    assert all(item.subset == subset_of(item.patient) for item in items)


def test_what_is_missing_or_unknown_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"M4Raw: expected one \.h5 file per scan"):
        list(m4raw.read(tmp_path))
    file = write(tmp_path / "set" / "2022061003_PD01.h5")
    with pytest.raises(RecipeError, match=r"set/2022061003_PD01\.h5: expected a name like 2022061003_T201\.h5"):
        list(m4raw.read(tmp_path))
    file = file.rename(file.with_name("2022061003_T101.h5"))
    with h5py.File(file, "a") as handle:
        del handle["ismrmrd_header"]
    with pytest.raises(RecipeError, match=r"T101\.h5: expected ismrmrd_header in XML"):
        next(m4raw.read(tmp_path)).load()
    with h5py.File(file, "a") as handle:
        handle["ismrmrd_header"] = "<a></b>"
    with pytest.raises(RecipeError, match=r"T101\.h5: expected ismrmrd_header in XML"):
        next(m4raw.read(tmp_path)).load()
    with h5py.File(file, "a") as handle:
        del handle["kspace"]
        handle["kspace"] = np.zeros((3, 16, 12), np.complex64)
    with pytest.raises(
        RecipeError, match=r"expected an array kspace \(slice, coil, row, column\), got shape \(3, 16, 12\)"
    ):
        list(m4raw.read(tmp_path))
