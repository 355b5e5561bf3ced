"""Bring chosen series and slices to their place: copied, linked, or as pictures and volumes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from spinalis.apps.select import Form, Link
from spinalis.errors import GeometryError, UnreadableFileError
from spinalis.formats import bids, image, nifti, png, volume
from spinalis.formats.atomic import link_new, write_new
from spinalis.formats.selection_manifest import Delivered
from spinalis.formats.source import DiskFile, Source
from spinalis.records import Series, Study
from spinalis.triage.choose import Choice

CHUNK_BYTES = 2**20


Delivery = tuple[list[Delivered], str]
"""The files, and a note: what was left out and why, or nothing."""


class Courier:
    """Delivers what is chosen of one study.

    Names are made of the study's key, the series' key and the index of the slice: they identify nobody, and
    are the same every time. Nothing is overwritten.
    """

    def __init__(
        self, *, study: Study, sources: Mapping[str, Source], output: Path, form: Form, link: Link | None
    ) -> None:
        self._study, self._sources, self._output, self._link = study, sources, output, link
        self._deliver: Callable[[Choice], Delivery] = {
            Form.ORIGINAL: self._original,
            Form.PNG: self._png,
            Form.NIFTI: self._nifti,
            Form.BIDS: self._bids,
        }[form]
        self._targets: dict[str, str] = {}
        self._windows: dict[str, tuple[float, float]] = {}
        self._runs: Counter[tuple[str, str]] = Counter()

    def deliver(self, choice: Choice) -> Delivery:
        """Write the files of a chosen unit; a file that cannot be read or made is left out and noted.

        Raises:
            OutputError: the output cannot be written, or another file has its name.
        """
        return self._deliver(choice)

    @staticmethod
    def kept_back(choice: Choice) -> list[Delivered]:
        """The files of a unit that is not chosen."""
        slices = [choice.series.slices[index] for index in choice.indices]
        frame = None if choice.index is None else slices[0].frame
        return [Delivered(source=name, target=None, frame=frame) for name in dict.fromkeys(one.file for one in slices)]

    def _original(self, choice: Choice) -> Delivery:
        """Each file once, as it is; one with several frames goes whole, whichever of them are chosen."""
        series = choice.series
        files, lost = [], len(choice.indices) - len(choice.readable)
        for name in dict.fromkeys(series.slices[index].file for index in choice.readable):
            frame = None if choice.index is None else series.slices[choice.index].frame
            try:
                self._targets[name] = self._targets.get(name) or self._bring(name, series, choice)
            except UnreadableFileError:
                lost += sum(series.slices[index].file == name for index in choice.readable)
            target = self._targets.get(name)
            files.append(Delivered(source=name, target=target, frame=frame))
        return files, _left_out(lost, len(choice.indices))

    def _bring(self, name: str, series: Series, choice: Choice) -> str:
        first = next(index for index in choice.readable if series.slices[index].file == name)
        target = f"{self._study.key}/{series.key}/{first:04d}{_ending(name)}"
        source = self._sources[name]
        if self._link is None:
            write_new(self._output / target, _chunks(source))
        else:  # `jobs_of` saw to it that all files are on disk
            link_new(self._output / target, cast(DiskFile, source).path, hard=self._link is Link.HARD)
        return target

    def _png(self, choice: Choice) -> Delivery:
        series = choice.series
        files, lost = [], len(choice.indices) - len(choice.readable)
        if series.key not in self._windows:
            self._windows[series.key] = png.window_of(series)
        for index in choice.readable:
            target = f"{self._study.key}/{series.key}/{index:04d}.png"
            write_new(self._output / target, (png.to_png(series, index, self._windows[series.key]),))
            item = series.slices[index]
            spacing = png.upright_spacing_mm(series, index)
            files.append(Delivered(source=item.file, target=target, frame=item.frame, spacing_mm=spacing))
        return files, _left_out(lost, len(choice.indices))

    def _nifti(self, choice: Choice) -> Delivery:
        name = f"{self._study.key}/{choice.series.key}"
        return self._volume(choice, name if choice.index is None else f"{name}/{choice.index:04d}")

    def _bids(self, choice: Choice) -> Delivery:
        kind = bids.kind(choice.label)
        if kind is None:
            return self.kept_back(choice), f"not written: BIDS has no name for sequence {choice.label.sequence.label}"
        run = self._runs[kind] + 1
        name = bids.path(self._study.key, kind, run)
        files, note = self._volume(choice, name)
        if files and files[0].target is not None:
            self._runs[kind] = run
            write_new(self._output / f"{name}.json", (bids.sidecar(choice.series, choice.label),))
        return files, note

    def _volume(self, choice: Choice, name: str) -> Delivery:
        try:
            data = volume.to_nifti(choice.series, choice.indices)
        except (GeometryError, UnreadableFileError) as error:
            return self.kept_back(choice), f"not written: {error}"
        target = f"{name}.nii.gz"
        write_new(self._output / target, (data,))
        slices = [choice.series.slices[index] for index in choice.indices]
        frame = None if choice.index is None else slices[0].frame
        names = dict.fromkeys(item.file for item in slices)
        return [Delivered(source=source, target=target, frame=frame) for source in names], ""


def _chunks(source: Source) -> Iterator[bytes]:
    try:
        with source.open() as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
    except Exception as error:  # zipfile raises nearly anything on damaged bytes
        raise UnreadableFileError(
            f"File: expected bytes that can be read, got {type(error).__name__}. Send it again."
        ) from error


def _ending(name: str) -> str:
    """That of a picture or volume; whatever else was read is DICOM."""
    known = (*nifti.SUFFIXES[::-1], *image.SUFFIXES)
    return next((ending for ending in known if name.lower().endswith(ending)), ".dcm")


def _left_out(lost: int, count: int) -> str:
    return f"{lost} of {count} slices could not be read and were left out" if lost else ""
