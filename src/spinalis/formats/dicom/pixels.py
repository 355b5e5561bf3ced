"""Decodes the pixels of one frame when a stage asks for them."""

import zlib
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from spinalis.errors import UnreadableFileError
from spinalis.formats.dicom.headers import PixelRule
from spinalis.formats.dicom.quiet import quiet
from spinalis.formats.source import MAX_MEMBER_BYTES
from spinalis.records import FloatArray, Image

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue. Source: ITU-R BT.601-7, 2.5.1."""


@dataclass(frozen=True, slots=True)
class FramePixels:
    """The pixel loader of a DICOM series. It holds no pixels and can be sent to another process."""

    title: str
    shape: tuple[int, int]
    rules: tuple[PixelRule, ...]

    def __call__(self, index: int) -> Image:
        """Decode slice `index`: (rows, columns) float32 after the rescale slope, bright is bright.

        Raises:
            UnreadableFileError: the file is gone or damaged, its codec is unknown, or its pixels have another shape.
        """
        try:
            image = read_pixels(self.rules[index])
        except Exception as error:  # codecs raise nearly anything on damaged data
            raise UnreadableFileError(
                f"{self.title}, slice {index}: expected pixels that can be decoded, got {type(error).__name__}. "
                "Send the series again or leave it out."
            ) from error
        if image.shape != self.shape:
            raise UnreadableFileError(
                f"{self.title}, slice {index}: expected {self.shape[0]} x {self.shape[1]} pixels, "
                f"got {image.shape}. Send the series again or leave it out."
            )
        return image


def read_pixels(rule: PixelRule) -> Image:
    """Decode one frame to (rows, columns) float32; whatever goes wrong in the codecs is raised as it is."""
    with quiet, rule.source.open() as stream:
        if rule.syntax == DeflatedExplicitVRLittleEndian:
            check_inflated_size(stream)
            dataset: Dataset = dcmread(stream)
            stored = pixel_array(dataset, index=rule.frame)
        else:
            dataset = Dataset()
            stored = pixel_array(stream, ds_out=dataset, index=rule.frame, transfer_syntax_uid=rule.syntax)
        return np.ascontiguousarray(_values(stored, dataset, rule), np.float32)


def check_inflated_size(stream: BinaryIO) -> None:
    """Refuse a deflated file that would grow beyond `MAX_MEMBER_BYTES`; the stream stands at its start afterwards.

    Raises:
        UnreadableFileError: it would grow too large.
    """
    stream.seek(140)
    start = 144 + int.from_bytes(stream.read(4), "little")  # (0002,0000) gives the length of the meta header
    stream.seek(start)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while chunk := inflater.unconsumed_tail or stream.read(2**16):
        size += len(inflater.decompress(chunk, 2**20))
        if size > MAX_MEMBER_BYTES:
            raise UnreadableFileError(
                f"Deflated file: expected at most {MAX_MEMBER_BYTES} bytes, got more. Leave the file out."
            )
    stream.seek(0)


def _values(stored: np.ndarray, dataset: Dataset, rule: PixelRule) -> FloatArray:
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
    if stored.ndim == 3:
        return cast(FloatArray, stored[..., :3] @ np.asarray(LUMINANCE))
    if photometric == "MONOCHROME1":
        stored = _inverted(stored, dataset)
    if "ModalityLUTSequence" in dataset:
        return cast(FloatArray, apply_modality_lut(stored, dataset))
    return stored * rule.slope + rule.intercept


def _inverted(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Mirror stored values in their range, the same for all slices of a series."""
    bits = int(dataset.BitsStored)
    both_ends = -1 if dataset.PixelRepresentation == 1 else 2**bits - 1
    return both_ends - stored.astype(np.int64)
