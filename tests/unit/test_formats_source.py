"""Zips, DICOMDIRs and folders as sources of a study."""

import gc
import os
import pickle
import shutil
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.fileset import FileSet

from spinalis.errors import ArchiveError, EmptyInputError, InputError, UnreadableFileError
from spinalis.formats import read_studies, source
from spinalis.records import Study
from tests.dicoms import classic, enhanced, picture, save, save_series
from tests.fakes import texts


def one_study(path: Path) -> Study:
    (study,) = read_studies(path)
    return study


def pack(folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder.parent / f"{folder.name}.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflated", "bzip2", "lzma"],
)
def test_a_zip_is_read_like_its_folder(method: int, tmp_path: Path) -> None:
    save_series(tmp_path / "study" / "a", 3)
    save(enhanced(), tmp_path / "study" / "e.dcm")
    (tmp_path / "study" / "readme.txt").write_text("text")
    folder, packed = one_study(tmp_path / "study"), one_study(pack(tmp_path / "study", method))
    assert (packed.key, packed.warnings) == (folder.key, folder.warnings)
    for one, other in zip(folder.series, packed.series, strict=True):
        assert (one.key, one.flags, len(one.slices)) == (other.key, other.flags, len(other.slices))
        for index in range(len(one.slices)):
            assert np.array_equal(one.load(index), other.load(index))
    assert packed.series[0].slices[0].file == "study/a/1_00.dcm"


def test_nothing_is_written_beside_a_zip(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 2)
    path = pack(tmp_path / "study")
    shutil.rmtree(tmp_path / "study")
    one_study(path).series[0].load(0)
    assert list(tmp_path.iterdir()) == [path]


def test_a_loader_of_a_zip_works_in_another_process(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 2)
    load = pickle.loads(pickle.dumps(one_study(pack(tmp_path / "study")).series[0].load))
    assert np.array_equal(load(1), picture(101))


def test_a_damaged_member_costs_only_itself(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 3)
    study = one_study(with_wrong_checksum(pack(tmp_path / "study", zipfile.ZIP_STORED)))
    assert [item.instance_number for item in study.series[0].slices] == [2, 3]
    assert texts(study) == ("1 file that cannot be read was left out.",)


def test_a_large_damaged_member_is_noticed_when_its_pixels_are_loaded(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 2, PixelData=bytes(2 * 512 * 512), Rows=512, Columns=512)
    (series,) = one_study(with_wrong_checksum(pack(tmp_path / "study", zipfile.ZIP_STORED))).series
    with pytest.raises(UnreadableFileError, match=r"Series 1, slice 0: .* got BadZipFile"):
        series.load(0)
    assert series.load(1).max() == 0


def with_wrong_checksum(path: Path) -> Path:
    """Change one byte in the preamble of the first member."""
    data = bytearray(path.read_bytes())
    data[data.index(b"DICM") - 60] ^= 0xFF
    path.write_bytes(data)
    return path


def test_zips_within_a_zip_are_left_out(tmp_path: Path) -> None:
    save_series(tmp_path / "inner", 2)
    save_series(tmp_path / "outer", 2, series=2)
    shutil.move(pack(tmp_path / "inner"), tmp_path / "outer" / "inner.zip")
    study = one_study(pack(tmp_path / "outer"))
    assert [series.key for series in study.series] == ["s2"]
    (lost,) = study.warnings
    assert (lost.kind, lost.text) == ("files_lost", "1 file in the form of a zip within the input was left out.")


def test_hidden_members_are_passed_over(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 1)
    (tmp_path / "study" / "__MACOSX").mkdir()
    (tmp_path / "study" / "__MACOSX" / "._1").write_text("fork")
    assert one_study(pack(tmp_path / "study")).warnings == ()


def test_a_zip_of_text_is_empty_input(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "a.txt").write_text("text")
    with pytest.raises(EmptyInputError, match="got 1 files"):
        read_studies(pack(tmp_path / "study"))


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(40 * 2**20))
    with pytest.raises(ArchiveError, match="at most 200 times the packed size"):
        read_studies(path)


def test_empty_slices_that_pack_well_are_no_bomb(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 2, PixelData=bytes(2 * 512 * 512), Rows=512, Columns=512)
    path = pack(tmp_path / "study")
    assert path.stat().st_size * source.MAX_RATIO < 2 * 2 * 512 * 512
    assert one_study(path).series[0].load(0).shape == (512, 512)


@pytest.mark.parametrize(
    ("cap", "value", "message"),
    [
        ("MAX_MEMBERS", 2, "at most 2 files, got 3"),
        ("MAX_TOTAL_BYTES", 5000, "at most 5000 bytes in all files"),
        ("MAX_MEMBER_BYTES", 3000, "at most 3000 bytes in one file"),
    ],
)
def test_caps_hold(cap: str, value: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_series(tmp_path / "study", 3)
    path = pack(tmp_path / "study")
    monkeypatch.setattr(source, cap, value)
    with pytest.raises(ArchiveError, match=message):
        read_studies(path)


def test_a_directory_that_lies_about_the_unpacked_size_gains_nothing(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(40 * 2**20))
    change_directory(path, offset=24, value=1000)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].file_size == 1000
    with pytest.raises(UnreadableFileError):
        read_studies(path)
    (member,) = source.Archive(path).members()
    with member.open() as stream, pytest.raises(zipfile.BadZipFile):
        stream.read()


def test_a_directory_that_lies_about_the_packed_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(40 * 2**20))
    change_directory(path, offset=20, value=2**20)
    with pytest.raises(ArchiveError, match="the size of the archive"):
        read_studies(path)


def change_directory(path: Path, offset: int, value: int) -> None:
    """Overwrite a 32-bit field of the first entry in the central directory."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + offset : entry + offset + 4] = struct.pack("<L", value)
    path.write_bytes(data)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    save_series(tmp_path / "study", 1)
    path = pack(tmp_path / "study")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="expected no password"):
        read_studies(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"text", b""], ids=["cut", "text", "empty"])
def test_a_broken_zip_is_an_archive_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="expected a readable zip, got BadZipFile"):
        read_studies(path)


def disc(folder: Path) -> Path:
    """A folder with a DICOMDIR and the three files it refers to."""
    files = FileSet()
    for index in range(3):
        dataset = classic(index, StudyDate="20200101", StudyTime="120000", StudyID="1", PatientID="1")
        path = save(dataset, folder.parent / "loose" / f"{index}.dcm")
        files.add(path)
    files.write(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pydicom leaves its staging folder to the collector
        del files
        gc.collect()
    return folder / "DICOMDIR"


def test_a_dicomdir_leads_to_the_files_it_refers_to(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    save_series(tmp_path / "disc" / "beside", 2, series=2)
    study = one_study(path)
    assert [(series.key, len(series.slices)) for series in study.series] == [("s1", 3)]
    assert study.warnings == ()


def test_a_dicomdir_finds_files_copied_to_lower_case(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    for file in [item for item in path.parent.rglob("*") if item.is_file() and item != path]:
        lower = path.parent / str(file.relative_to(path.parent)).lower()
        lower.parent.mkdir(parents=True, exist_ok=True)
        file.rename(lower)
    assert len(one_study(path).series[0].slices) == 3


def test_files_that_a_dicomdir_misses_are_counted(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    next(item for item in sorted(path.parent.rglob("*")) if item.is_file() and item != path).unlink()
    study = one_study(path)
    assert texts(study) == ("DICOMDIR: 1 of 3 referenced files are missing.",)
    assert len(study.series[0].slices) == 2


def test_a_folder_with_a_dicomdir_is_read_file_by_file(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    save_series(path.parent / "beside", 2, series=2)
    study = one_study(path.parent)
    assert [series.key for series in study.series] == ["s1", "s2"]
    assert texts(study) == ("1 file without an image was left out.",)


def test_a_damaged_dicomdir_is_unreadable(tmp_path: Path) -> None:
    path = disc(tmp_path / "disc")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UnreadableFileError, match="DICOMDIR: expected a list of records"):
        read_studies(path)


def test_dicom_wins_over_pictures_in_one_folder(tmp_path: Path) -> None:
    save_series(tmp_path, 2)
    (tmp_path / "key.png").write_bytes(b"\x89PNG")
    (tmp_path / "volume.nii.gz").write_bytes(b"\x1f\x8b")
    study = one_study(tmp_path)
    assert [series.key for series in study.series] == ["s1"]
    assert texts(study) == ("2 files are not DICOM and were left out.",)


def test_names_that_are_not_utf8_are_spelt_out(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"M\xfcller")
    save_series(folder, 2)
    (series,) = one_study(folder.parent).series
    assert series.slices[0].file == "M\\xfcller/1_00.dcm"
    assert one_study(folder).series[0].load(0).shape == (40, 36)


def deny(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_series(tmp_path, 2)
    save_series(tmp_path / "closed", 2, series=2)
    deny("closed", monkeypatch)
    study = one_study(tmp_path)
    assert len(study.series) == 1
    assert texts(study) == ("Folders that cannot be listed: 1. What is in them was left out.",)


def test_an_input_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_series(tmp_path / "closed", 2)
    deny("closed", monkeypatch)
    with pytest.raises(InputError, match="got one that cannot"):
        read_studies(tmp_path / "closed")


def test_a_packed_member_is_unpacked_once_for_all_its_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(enhanced(), tmp_path / "in" / "x.dcm")
    packed = pack(tmp_path / "in")
    (series,) = one_study(tmp_path / "in").series
    opened: list[object] = []
    whole = zipfile.ZipFile.open

    def count(archive: zipfile.ZipFile, *arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        return whole(archive, *arguments, **options)

    monkeypatch.setattr(zipfile.ZipFile, "open", count)
    (again,) = one_study(packed).series
    for index in range(4):
        np.testing.assert_array_equal(again.load(index), series.load(index))
    assert len(opened) == 2, "once to scan it, once to keep it"
