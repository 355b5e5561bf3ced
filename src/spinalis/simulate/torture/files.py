"""Kinds of torture: damaged files, files that are no images, and how the study is packed."""

import io
import zipfile

from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from spinalis.simulate.torture.draft import Draft, Sheet
from spinalis.simulate.torture.expectation import FAILURE, PARTIAL, Likeness
from spinalis.simulate.torture.order import copied, halved

Files = list[tuple[str, bytes]]

NEAR = Likeness(within_mm=12.0, grades="free")

ZIP_DATE = (2000, 1, 1, 0, 0, 0)
"""The date of every member, so that the same study gives the same archive."""


def cut_in_the_pixels(draft: Draft) -> None:
    """Two files were cut off in their pixels: they are lost and it is said."""
    lose(draft, draft.sagittal_t2[:1] + draft.axial[:1])


def cut_in_the_header(draft: Draft) -> None:
    """One file was cut off in its header."""
    sheet = draft.sagittal_t1[0]
    sheet.damage = lambda content: content[:420]
    gone(draft, [sheet])
    draft.expect(like=NEAR, codes=(PARTIAL,), notices=("files_lost",))


def short_pixels(draft: Draft) -> None:
    """The pixel element of one file is shorter than rows times columns."""
    sheet = draft.sagittal_t1[0]
    sheet.dataset.PixelData = sheet.dataset.PixelData[: len(sheet.dataset.PixelData) // 4 * 2]
    gone(draft, [sheet])
    draft.expect(like=NEAR, codes=(PARTIAL,), notices=("files_lost",))


def empty_file(draft: Draft) -> None:
    """One file has no bytes at all: a transfer broke off before it began, and it is said."""
    draft.extras.append(("002/9999.dcm", b""))
    draft.expect(codes=(PARTIAL,), notices=("files_lost",))


def text_as_dicom(draft: Draft) -> None:
    """A text file is called `.dcm`, and others lie about: none of them is an image, and nothing is lost."""
    draft.extras += [
        ("readme.dcm", b"This is no image. " * 40),
        ("002/notes.txt", b"nothing"),
        ("viewer/viewer.exe", b"MZ" + bytes(2000)),
    ]
    draft.expect(notices=("files_of_another_kind",))


def noise_as_dicom(draft: Draft) -> None:
    """A file has the preamble of DICOM and nothing but noise behind it."""
    draft.extras.append(("002/9998.dcm", bytes(128) + b"DICM" + draft.rng.bytes(3000)))
    draft.expect(codes=(PARTIAL,), notices=("files_lost",))


def objects_without_images(draft: Draft) -> None:
    """A structured report, a presentation state and a PDF lie beside the images: nothing is lost."""
    for count, (modality, uid) in enumerate(
        (
            ("SR", "1.2.840.10008.5.1.4.1.1.88.11"),
            ("PR", "1.2.840.10008.5.1.4.1.1.11.1"),
            ("DOC", "1.2.840.10008.5.1.4.1.1.104.1"),
        )
    ):
        sheet = copied(draft.sheets[0], f"objects/{modality}.dcm")
        dataset = sheet.dataset
        for keyword in ("PixelData", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel"):
            delattr(dataset, keyword)
        dataset.Modality, dataset.SOPClassUID = modality, uid
        dataset.SeriesNumber, dataset.SeriesInstanceUID = 200 + count, f"2.25.20{count}"
        dataset.SOPInstanceUID = f"2.25.21{count}"
        if modality == "SR":
            item = Dataset()
            item.ValueType, item.TextValue = "TEXT", "nothing"
            dataset.ContentSequence = Items([item])
        if modality == "DOC":
            dataset.EncapsulatedDocument = b"%PDF-1.4 nothing"
        draft.sheets.append(sheet)
    draft.expect(notices=("files_of_another_kind",))


def picture_beside(draft: Draft) -> None:
    """A JPEG lies beside the DICOM files: it is no part of the study, and nothing is lost."""
    draft.extras.append(("cover.jpg", b"\xff\xd8\xff\xe0" + bytes(500)))
    draft.expect(notices=("files_of_another_kind",))


def nothing_readable(draft: Draft) -> None:
    """All files are cut off in their header: a failure with a reason."""
    for sheet in draft.sheets:
        sheet.damage = lambda content: content[:200]
    draft.expect(like=None, codes=(FAILURE,), studies=0, series=())


def long_path(draft: Draft) -> None:
    """Folders with long names lie within each other."""
    folders = "/".join("long" * 25 for _ in range(6))
    for sheet in draft.sheets:
        sheet.name = f"{folders}/{sheet.name}"


def deep_folders(draft: Draft) -> None:
    """Every file lies in a folder of its own."""
    for count, sheet in enumerate(draft.sheets):
        sheet.name = f"{count % 7}/{count}/a/image"


def hidden_files(draft: Draft) -> None:
    """Systems left their own files behind, and copies of the first bytes of images."""
    draft.extras += [(".DS_Store", b"x"), ("__MACOSX/002/._0001.dcm", b"y" * 300), ("002/._0001.dcm", b"y" * 300)]


def zipped(draft: Draft) -> None:
    """The study comes as a zip."""
    draft.pack, draft.entry = _zipped, "study.zip"


def zip_in_a_zip(draft: Draft) -> None:
    """The study comes as a zip within a zip: it is not opened, and the failure says why."""
    draft.pack, draft.entry = lambda files: _zipped(_zipped(files)), "study.zip"
    draft.expect(like=None, codes=(FAILURE,), studies=0, series=())


def zip_in_the_folder(draft: Draft) -> None:
    """The axial series lies in a zip beside the others: what is in it is not read, and it is said."""
    axial = draft.axial
    draft.extras.append(("axial.zip", _zipped([(sheet.name, sheet.encoded()) for sheet in axial])[0][1]))
    draft.drop(axial)
    draft.expect(like=Likeness(grades="free"), codes=(PARTIAL,), notices=("files_lost",))


def cut_zip(draft: Draft) -> None:
    """The zip was cut off: a failure with a reason."""
    draft.pack = lambda files: [(name, halved(content)) for name, content in _zipped(files)]
    draft.entry = "study.zip"
    draft.expect(like=None, codes=(FAILURE,), studies=0, series=())


def dicomdir(draft: Draft) -> None:
    """The study is read by its DICOMDIR."""
    draft.pack, draft.entry = _with_dicomdir, "DICOMDIR"


def stale_dicomdir(draft: Draft) -> None:
    """The DICOMDIR names a file that is not there: it is lost and it is said."""

    def pack(files: Files) -> Files:
        packed = _with_dicomdir(files)
        images = [index for index, (name, _) in enumerate(packed) if name != "DICOMDIR"]
        return [item for index, item in enumerate(packed) if index != images[0]]

    gone(draft, draft.sheets[:1])
    draft.pack, draft.entry = pack, "DICOMDIR"
    draft.expect(like=NEAR, codes=(PARTIAL,), notices=("files_lost",))


def one_file(draft: Draft) -> None:
    """A single file is given, not a folder."""
    sheet = draft.sagittal_t2[3]
    draft.drop([other for other in draft.sheets if other is not sheet])
    draft.entry = sheet.name
    draft.expect(like=None, codes=(0, 4))


def lose(draft: Draft, sheets: list[Sheet]) -> None:
    """Cut files in half, and expect the rest and that the loss is told."""
    for sheet in sheets:
        sheet.damage = halved
    gone(draft, sheets)
    for number in {sheet.number for sheet in sheets}:
        draft.expect_series(number, flags=("missing_pixels",))
    draft.expect(like=NEAR, codes=(PARTIAL,), notices=("files_lost",))


def gone(draft: Draft, sheets: list[Sheet]) -> None:
    """Expect no slice of these files, which are still written."""
    for one in draft.expected.series:
        lost = sum(sheet.number == one.number for sheet in sheets)
        if lost:
            draft.expect_series(one.number, slices=one.slices - lost)


def _zipped(files: Files) -> Files:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), content, zipfile.ZIP_DEFLATED, compresslevel=1)
    return [("study.zip", stream.getvalue())]


def _with_dicomdir(files: Files) -> Files:
    """The files under names of a disc, and a DICOMDIR that lists them without offsets, as some discs do."""
    stream = io.BytesIO()
    names = [f"DICOM/IM{index:06d}" for index in range(len(files))]
    directory = Dataset()
    directory.FileSetID = "TORTURE"
    directory.DirectoryRecordSequence = Items([_record(name) for name in names])
    directory.file_meta = FileMetaDataset()
    directory.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    directory.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    directory.file_meta.MediaStorageSOPInstanceUID = UID("2.25.99")
    dcmwrite(stream, directory, enforce_file_format=True)
    return [("DICOMDIR", stream.getvalue()), *((n, content) for n, (_, content) in zip(names, files, strict=True))]


def _record(name: str) -> Dataset:
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord = record.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    record.RecordInUseFlag, record.DirectoryRecordType = 0xFFFF, "IMAGE"
    record.ReferencedFileID = name.split("/")
    return record


KINDS = (
    cut_in_the_pixels,
    cut_in_the_header,
    short_pixels,
    empty_file,
    text_as_dicom,
    noise_as_dicom,
    objects_without_images,
    picture_beside,
    nothing_readable,
    long_path,
    deep_folders,
    hidden_files,
    zipped,
    zip_in_a_zip,
    zip_in_the_folder,
    cut_zip,
    dicomdir,
    stale_dicomdir,
    one_file,
)
