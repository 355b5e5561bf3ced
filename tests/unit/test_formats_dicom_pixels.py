"""Pixels come out as float32 values with bright as bright, whatever way they are stored."""

import pickle
import random
import struct
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from spinalis.errors import InputError, UnreadableFileError
from spinalis.formats import read_studies
from spinalis.formats.dicom import isolated
from spinalis.records import Series
from tests.dicoms import SYNTAXES, classic, enhanced, picture, save


def one_series(path: Path) -> Series:
    ((series,),) = (study.series for study in read_studies(path))
    return series


def compressed(dataset: Dataset, syntax: str) -> Dataset:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.compress(syntax, generate_instance_uid=False)
    return dataset


def write(syntax: str, path: Path) -> Path:
    if syntax in (RLELossless, JPEGLSLossless, JPEG2000Lossless):
        return save(compressed(classic(0), syntax), path, syntax)
    if syntax == ExplicitVRBigEndian:
        return save(classic(0, PixelData=picture(100).astype(">u2").tobytes()), path, syntax)
    return save(classic(0), path, syntax)


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_every_transfer_syntax_gives_the_same_pixels(syntax: str, tmp_path: Path) -> None:
    image = one_series(write(syntax, tmp_path / "a.dcm")).load(0)
    assert image.dtype == np.float32
    assert np.array_equal(image, picture(100))


@pytest.mark.parametrize(
    ("syntax", "order"),
    [(ImplicitVRLittleEndian, "<"), (ExplicitVRLittleEndian, "<"), (ExplicitVRBigEndian, ">")],
    ids=["implicit", "explicit", "big endian"],
)
def test_files_without_preamble_and_meta_header_are_read(syntax: str, order: str, tmp_path: Path) -> None:
    dataset = classic(0, PixelData=picture(100).astype(f"{order}u2").tobytes())
    dataset["PixelData"].VR = "OW"
    assert np.array_equal(one_series(save(dataset, tmp_path / "a", syntax, preamble=False)).load(0), picture(100))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=["native", "RLE"])
def test_one_frame_of_many_is_decoded_alone(syntax: str, tmp_path: Path) -> None:
    dataset = enhanced()
    if syntax == RLELossless:
        compressed(dataset, syntax)
    series = one_series(save(dataset, tmp_path / "e.dcm", syntax))
    assert np.array_equal(series.load(2), picture(22).astype(np.float32) * 3 - 2)


def test_rescale_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    series = one_series(save(classic(0, RescaleSlope=0.5, RescaleIntercept=-100), tmp_path / "a.dcm"))
    assert np.array_equal(series.load(0), picture(100) * np.float32(0.5) - 100)


def test_a_slope_of_zero_counts_as_none(tmp_path: Path) -> None:
    series = one_series(save(classic(0, RescaleSlope=0.0), tmp_path / "a.dcm"))
    assert np.array_equal(series.load(0), picture(100))


def test_a_modality_table_is_applied(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4000, 0, 16], "US"
    table.LUTData = list(range(8000, 4000, -1))
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    series = one_series(save(classic(0, ModalityLUTSequence=[table]), tmp_path / "a.dcm"))
    assert np.array_equal(series.load(0), 8000 - picture(100).astype(np.float32))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"BitsStored": 12, "HighBit": 11}, 4095 - picture(100).astype(np.float32)),
        ({"PixelRepresentation": 1}, -1 - picture(100).astype(np.float32)),
    ],
    ids=["unsigned 12 bit", "signed"],
)
def test_monochrome1_is_mirrored_in_its_range(change: dict[str, Any], expected: np.ndarray, tmp_path: Path) -> None:
    dataset = classic(0, PhotometricInterpretation="MONOCHROME1", **change)
    assert np.array_equal(one_series(save(dataset, tmp_path / "a.dcm")).load(0), expected)


def test_signed_values_keep_their_sign(tmp_path: Path) -> None:
    values = picture(3, "<i2") - 2000
    dataset = classic(0, PixelRepresentation=1, PixelData=values.astype("<i2").tobytes())
    assert np.array_equal(one_series(save(dataset, tmp_path / "a.dcm")).load(0), values)


def colour_dataset() -> Dataset:
    red_green_blue = np.stack([picture(n, "u1", 256) for n in range(3)], axis=-1)
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PlanarConfiguration": 0, "SamplesPerPixel": 3}
    return classic(0, PhotometricInterpretation="RGB", PixelData=red_green_blue.tobytes(), **bits)


def palette_dataset() -> Dataset:
    colours = ("Red", "Green", "Blue")
    tables = {f"{name}PaletteColorLookupTableData": bytes(range(256)) for name in colours}
    tables |= {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in colours}  # type: ignore[misc]
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    pixels = picture(0, "u1", 256).tobytes()
    return classic(0, PhotometricInterpretation="PALETTE COLOR", PixelData=pixels, **bits, **tables)


def test_colour_becomes_luminance(tmp_path: Path) -> None:
    series = one_series(save(colour_dataset(), tmp_path / "a.dcm"))
    red, green, blue = (picture(n, "u1", 256).astype(float) for n in range(3))
    assert series.flags == ("colour", "single_slice")
    assert series.load(0) == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue, abs=1e-3)


def test_a_palette_becomes_luminance(tmp_path: Path) -> None:
    series = one_series(save(palette_dataset(), tmp_path / "a.dcm"))
    assert series.flags == ("colour", "single_slice")
    assert series.load(0) == pytest.approx(picture(0, "u1", 256).astype(float), abs=1e-3)


def jpeg_file(path: Path, stream: bytes) -> Path:
    """A file with lossy 8-bit JPEG, which only GDCM decodes."""
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    dataset = classic(0, PixelData=encapsulate([stream]), **bits)
    dataset["PixelData"].is_undefined_length = True
    return save(dataset, path, JPEGBaseline8Bit)


def test_lossy_jpeg_is_read(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(40), np.arange(36)).astype(np.uint8)
    stream = cv2.imencode(".jpg", smooth)[1].tobytes()
    assert one_series(jpeg_file(tmp_path / "a.dcm", stream)).load(0) == pytest.approx(smooth.astype(float), abs=4)


def test_jpeg_that_ends_the_process_of_its_codec_costs_only_its_slice(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(40), np.arange(36)).astype(np.uint8)
    stream = cv2.imencode(".jpg", smooth)[1].tobytes()
    version = stream.index(b"JFIF") + 5
    bad = one_series(jpeg_file(tmp_path / "bad.dcm", stream[:version] + b"\x12" + stream[version + 1 :]))
    good = one_series(jpeg_file(tmp_path / "good.dcm", stream))
    with pytest.raises(UnreadableFileError, match=r"Series 1, slice 0: .* got ChildProcessError"):
        bad.load(0)
    assert good.load(0).shape == (40, 36)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=["RLE", "JPEG-LS", "JPEG 2000"])
def test_no_damage_to_compressed_pixels_ends_the_process(syntax: str, tmp_path: Path) -> None:
    content = write(syntax, tmp_path / "a.dcm").read_bytes()
    first = content.rindex(b"\xe0\x7f\x10\x00") + 20
    for seed in range(40):
        damage, damaged = random.Random(seed), bytearray(content)
        for _ in range(damage.choice((1, 3, 20))):
            damaged[damage.randrange(first, len(content))] = damage.randrange(256)
        (tmp_path / "a.dcm").write_bytes(damaged)
        with suppress(InputError):
            assert one_series(tmp_path / "a.dcm").load(0).shape == (40, 36)


def test_damaged_pixels_are_an_error_that_names_series_and_slice(tmp_path: Path) -> None:
    path = write(JPEGLSLossless, tmp_path / "a.dcm")
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\xd8\xff")
    data[start : start + 40] = b"\0" * 40
    path.write_bytes(data)
    series = one_series(path)
    with pytest.raises(UnreadableFileError, match=r"Series 1, slice 0: expected pixels that can be decoded"):
        series.load(0)


def test_a_file_that_went_away_is_an_error(tmp_path: Path) -> None:
    series = one_series(save(classic(0), tmp_path / "a.dcm"))
    (tmp_path / "a.dcm").unlink()
    with pytest.raises(UnreadableFileError, match="FileNotFoundError"):
        series.load(0)


def test_fewer_compressed_pixels_than_the_header_says_are_an_error(tmp_path: Path) -> None:
    dataset = compressed(classic(0), JPEGLSLossless)
    dataset.Rows = 50
    series = one_series(save(dataset, tmp_path / "a.dcm", JPEGLSLossless))
    with pytest.raises(UnreadableFileError, match="Series 1, slice 0: expected"):
        series.load(0)


def test_implicit_content_under_an_explicit_syntax_is_read(tmp_path: Path) -> None:
    path = save(classic(0), tmp_path / "a.dcm", ImplicitVRLittleEndian)
    content = path.read_bytes()
    syntaxes = [f"{uid}\0".encode() for uid in (ImplicitVRLittleEndian, ExplicitVRLittleEndian)]
    old, new = (struct.pack("<HH2sH", 2, 0x10, b"UI", len(uid) + len(uid) % 2) for uid in syntaxes)
    assert old in content
    start = content.index(old)
    changed = content[:start] + new + b"1.2.840.10008.1.2.1\0" + content[start + 8 + 18 :]
    changed = changed[:140] + struct.pack("<L", struct.unpack("<L", content[140:144])[0] + 2) + changed[144:]
    path.write_bytes(changed)
    assert np.array_equal(one_series(path).load(0), picture(100))


def test_a_loader_works_in_another_process(tmp_path: Path) -> None:
    load = pickle.loads(pickle.dumps(one_series(save(classic(0), tmp_path / "a.dcm")).load))
    assert np.array_equal(load(0), picture(100))


def test_a_call_after_an_interrupted_one_gets_its_own_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    helper = isolated.Helper()
    assert helper(abs, -1) == 1
    fake = SimpleNamespace(dump=pickle.dump, load=interrupt, UnpicklingError=pickle.UnpicklingError)
    with monkeypatch.context() as patch:
        patch.setattr(isolated, "pickle", fake)
        with pytest.raises(KeyboardInterrupt):
            helper(abs, -2)
    assert helper(abs, -3) == 3
    helper.stop()


def test_the_helper_imports_nothing_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spinalis.py").write_text("raise SystemExit")
    monkeypatch.chdir(tmp_path)
    helper = isolated.Helper()
    assert helper(abs, -1) == 1
    helper.stop()
