"""Decodes the pixels of one frame when a stage asks for them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import as_pixel_options, pixel_array
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from spinalis.errors import UnreadableFileError
from spinalis.formats.dicom.headers import PixelRule
from spinalis.formats.dicom.isolated import call_isolated
from spinalis.formats.dicom.quiet import quiet
from spinalis.records import FloatArray, Image

PLUGINS: dict[str, str] = {
    RLELossless: "pydicom",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
}
"""Codecs that answer damaged data with an error; what is not in this table only GDCM decodes: see `isolated`."""

MAX_INFLATED_BYTES = 256 * 2**20

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue. Source: ITU-R BT.601-7, 2.5.1."""


@dataclass(frozen=True, slots=True)
class FramePixels:
    """The pixel loader of a DICOM series. It holds no pixels and can be sent to another process."""

    title: str
    rules: tuple[PixelRule, ...]

    def __call__(self, index: int) -> Image:
        """Decode slice `index`: (rows, columns) float32 after the rescale slope, bright is bright.

        Raises:
            UnreadableFileError: the file is gone or damaged, or its codec is unknown.
        """
        try:
            return read_pixels(self.rules[index])
        except Exception as error:  # codecs raise nearly anything on damaged data
            raise UnreadableFileError(
                f"{self.title}, slice {index}: expected pixels that can be decoded, got {type(error).__name__}. "
                "Send the series again or leave it out."
            ) from error


def read_pixels(rule: PixelRule) -> Image:
    """Decode one frame to (rows, columns) float32; whatever goes wrong in the codecs is raised as it is."""
    alone = rule.syntax in PLUGINS or not UID(rule.syntax).is_encapsulated
    return decode(rule) if alone else cast(Image, call_isolated(decode, rule))


def decode(rule: PixelRule) -> Image:
    """Decode in this process, which GDCM may end."""
    plugin = PLUGINS.get(rule.syntax, "")
    with quiet, rule.source.open() as stream:
        if rule.element.offset is None:
            values = _from_whole_file(stream, rule, plugin)
        else:
            stream.seek(rule.element.offset)
            decoder, options = get_decoder(UID(rule.syntax)), rule.element.options
            stored, _ = decoder.as_array(stream, index=rule.frame, decoding_plugin=plugin, **options)
            values = _values(stored, options, rule)
        return np.ascontiguousarray(values, np.float32)


def check_inflated_size(stream: BinaryIO) -> None:
    """Refuse a deflated file that would grow beyond `MAX_INFLATED_BYTES`; the stream stands at its start afterwards.

    Raises:
        UnreadableFileError: it would grow too large.
    """
    stream.seek(140)
    start = 144 + int.from_bytes(stream.read(4), "little")  # (0002,0000) gives the length of the meta header
    stream.seek(start)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while chunk := inflater.unconsumed_tail or stream.read(2**16):
        size += len(inflater.decompress(chunk, 2**20))
        if size > MAX_INFLATED_BYTES:
            raise UnreadableFileError(
                f"Deflated file: expected at most {MAX_INFLATED_BYTES} bytes, got more. Leave the file out."
            )
    stream.seek(0)


def _from_whole_file(stream: BinaryIO, rule: PixelRule, plugin: str) -> FloatArray:
    """Decode a file that is deflated or has tables: a palette, or a modality table in place of the slope."""
    if rule.syntax == DeflatedExplicitVRLittleEndian:
        check_inflated_size(stream)
    dataset = dcmread(stream, force=True)
    dataset.file_meta.TransferSyntaxUID = UID(rule.syntax)
    stored = pixel_array(dataset, index=rule.frame, decoding_plugin=plugin)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
    if "ModalityLUTSequence" in dataset:
        values = apply_modality_lut(stored, dataset)
        return -values if dataset.PhotometricInterpretation == "MONOCHROME1" else values
    return _values(stored, as_pixel_options(dataset), rule)


def _values(stored: np.ndarray, options: Mapping[str, Any], rule: PixelRule) -> FloatArray:
    """Stored values to luminance, or to the scale of the modality with bright as high values."""
    if stored.ndim == 3:
        return cast(FloatArray, stored[..., :3] @ np.asarray(LUMINANCE))
    padded = _padded(stored, rule)
    if options["photometric_interpretation"] == "MONOCHROME1":
        both_ends = -1 if options["pixel_representation"] == 1 else 2 ** options["bits_stored"] - 1
        stored = both_ends - stored.astype(np.int64)  # mirrored in the range, which all slices of a series share
    values: FloatArray = stored * rule.slope + rule.intercept
    if padded is not None and not padded.all():
        values[padded] = values[~padded].min()
    return values


def _padded(stored: np.ndarray, rule: PixelRule) -> NDArray[np.bool_] | None:
    """Where the values only fill the picture up; None where nothing does. Padding is shown as dark as the darkest."""
    if rule.padding is None:
        return None
    found = (stored >= rule.padding[0]) & (stored <= rule.padding[1])
    return found if found.any() else None
