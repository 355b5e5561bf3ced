"""Turns the slices of a series into one enhanced multi-frame MR image.

Source:
    DICOM PS3.3 A.36.2 (the object), C.7.6.16 (functional groups), C.7.6.17 (dimensions), C.8.13 (enhanced MR).
"""

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, EnhancedMRImageStorage

TIME = "20000101000000"
"""Acquisition times are demanded; simulated ones say nothing."""

PASSED_ON = (
    *("SpecificCharacterSet", "StudyInstanceUID", "SeriesInstanceUID", "PatientName", "PatientID", "PatientBirthDate"),
    *("PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName"),
    *("StudyDescription", "SeriesNumber", "FrameOfReferenceUID", "PositionReferenceIndicator", "Modality"),
    *("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "SeriesDescription", "ProtocolName"),
    *("BodyPartExamined", "PatientPosition", "Rows", "Columns", "SamplesPerPixel"),
    *("PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("MagneticFieldStrength", "ContrastBolusAgent"),
)
"""Attributes that the enhanced object holds at the same place as the classic one."""

CONTRASTS = {"T1": "T1", "T2": "T2", "PD": "PROTON_DENSITY", "STIR": "STIR", "ADC": "DIFFUSION", "DWI": "DIFFUSION"}


def merged(slices: list[Dataset]) -> Dataset:
    """One enhanced MR image of classic ones.

    Args:
        slices: MR images of one series, of one shape and one scale, in the order of the frames.

    Returns:
        The object, not compressed; private elements are those of the first slice.
    """
    first = slices[0]
    made = Dataset()
    made.file_meta = first.file_meta
    made.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    made.SOPClassUID, made.SOPInstanceUID = EnhancedMRImageStorage, first.SOPInstanceUID
    for keyword in PASSED_ON:
        if keyword in first:
            made[keyword] = first[keyword]
    for element in first:
        if element.tag.is_private:
            made.add(element)
    _add_demanded(made, first)
    _add_dimensions(made, UID(str(first.SOPInstanceUID)))
    made.SharedFunctionalGroupsSequence = Items([_shared(first)])
    stacks: list[list[float]] = []
    frames = []
    for number, item in enumerate(slices, start=1):
        orientation = [float(value) for value in item.get("ImageOrientationPatient", ())]
        if orientation not in stacks:
            stacks.append(orientation)
        frames.append(_frame(item, stacks.index(orientation) + 1, number))
    made.PerFrameFunctionalGroupsSequence = Items(frames)
    made.NumberOfFrames = len(slices)
    made.PixelData = b"".join(item.PixelData for item in slices)
    made["PixelData"].VR = "OW"
    return made


def _add_demanded(made: Dataset, first: Dataset) -> None:
    """What the object must say and a classic one does not, or says in other words."""
    made.ImageType = _image_type(first)
    made.InstanceNumber = 1
    made.ContentDate, made.ContentTime = TIME[:8], TIME[8:]
    made.AcquisitionDateTime, made.AcquisitionDuration, made.AcquisitionNumber = TIME, 180.0, 1
    made.DeviceSerialNumber = "0"
    made.setdefault("Manufacturer", "Spinalis")
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"):
        if not made.get(keyword):
            setattr(made, keyword, "unknown")
    made.SynchronizationTrigger, made.AcquisitionTimeSynchronized = "NO TRIGGER", "N"
    made.SynchronizationFrameOfReferenceUID = made.FrameOfReferenceUID
    made.AcquisitionContextSequence = Items()
    made.ResonantNucleus, made.ContentQualification = "1H", "RESEARCH"
    made.KSpaceFiltering, made.ApplicableSafetyStandardAgency = "NONE", "IEC"
    made.BurnedInAnnotation, made.LossyImageCompression = "NO", "00"
    made.PresentationLUTShape = "IDENTITY"
    made.PixelPresentation, made.VolumetricProperties = "MONOCHROME", "VOLUME"
    made.VolumeBasedCalculationTechnique = "NONE"
    made.ComplexImageComponent, made.AcquisitionContrast = "MAGNITUDE", _contrast(first)
    made.setdefault("MagneticFieldStrength", "1.5")
    codes = set(_texts(first, "ScanningSequence"))
    gradient = "GR" in codes
    made.PulseSequenceName = first.get("SequenceName", "tse")
    made.MRAcquisitionType = first.get("MRAcquisitionType", "2D")
    made.EchoPulseSequence = "GRADIENT" if gradient else "SPIN"
    made.MultiPlanarExcitation = "YES"
    if not gradient:
        made.MultipleSpinEcho = "NO"
    made.PhaseContrast = made.TimeOfFlightContrast = "NO"
    made.SteadyStatePulseSequence = "NONE"
    made.EchoPlanarPulseSequence = "YES" if "EP" in codes else "NO"
    made.SaturationRecovery = "NO"
    made.SpectrallySelectedSuppression = "FAT" if "FS" in _texts(first, "ScanOptions") else "NONE"
    made.OversamplingPhase = "NONE"
    made.GeometryOfKSpaceTraversal = "RECTILINEAR"
    made.RectilinearPhaseEncodeReordering = "LINEAR"
    made.SegmentedKSpaceTraversal = "PARTIAL"
    if made.MRAcquisitionType == "3D":
        made.CoverageOfKSpace = "FULL"
    made.NumberOfKSpaceTrajectories = 1


def _add_dimensions(made: Dataset, uid: UID) -> None:
    organization = UID(f"2.25.{int(uid.rsplit('.', 1)[1]) ^ 1}")
    item = Dataset()
    item.DimensionOrganizationUID = organization
    made.DimensionOrganizationSequence = Items([item])
    pointers = []
    for keyword, group in (("StackID", "FrameContentSequence"), ("InStackPositionNumber", "FrameContentSequence")):
        pointer = Dataset()
        pointer.DimensionOrganizationUID = organization
        pointer.DimensionIndexPointer, pointer.FunctionalGroupPointer = _tag(keyword), _tag(group)
        pointers.append(pointer)
    made.DimensionIndexSequence = Items(pointers)


def _shared(first: Dataset) -> Dataset:
    """The functional groups that hold for all frames."""
    codes = set(_texts(first, "ScanningSequence"))
    train = int(first.get("EchoTrainLength") or 1)
    phase = str(first.get("InPlanePhaseEncodingDirection", "COL"))
    steps = int(first.get("NumberOfPhaseEncodingSteps", first.Rows))
    return _group(
        PixelMeasuresSequence=_values(
            PixelSpacing=first.get("PixelSpacing"),
            SliceThickness=first.get("SliceThickness") or "3.0",
            SpacingBetweenSlices=first.get("SpacingBetweenSlices"),
        ),
        FrameAnatomySequence=_values(FrameLaterality="U", AnatomicRegionSequence=Items([_spine()])),
        MRImageFrameTypeSequence=_values(
            FrameType=_image_type(first),
            PixelPresentation="MONOCHROME",
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique="NONE",
            ComplexImageComponent="MAGNITUDE",
            AcquisitionContrast=_contrast(first),
        ),
        MRTimingAndRelatedParametersSequence=_values(
            RepetitionTime=first.get("RepetitionTime") or "0",
            FlipAngle=first.get("FlipAngle") or "90",
            EchoTrainLength=train,
            RFEchoTrainLength=0 if "GR" in codes else train,
            GradientEchoTrainLength=1 if codes & {"GR", "EP"} else 0,
            SpecificAbsorptionRateSequence=Items(
                [_values(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=1.0)]
            ),
            OperatingModeSequence=Items(
                _values(OperatingModeType=kind, OperatingMode="IEC_NORMAL")
                for kind in ("STATIC FIELD", "RF", "GRADIENT")
            ),
        ),
        MRFOVGeometrySequence=_values(
            InPlanePhaseEncodingDirection={"COL": "COLUMN"}.get(phase, phase),
            MRAcquisitionFrequencyEncodingSteps=int(first.Columns),
            MRAcquisitionPhaseEncodingStepsInPlane=steps,
            MRAcquisitionPhaseEncodingStepsOutOfPlane=1,
            PercentSampling=first.get("PercentSampling", "100"),
            PercentPhaseFieldOfView=first.get("PercentPhaseFieldOfView", "100"),
        ),
        MREchoSequence=_values(EffectiveEchoTime=float(first.get("EchoTime") or 0)),
        MRModifierSequence=_modifier(first, codes),
        MRImagingModifierSequence=_values(
            MagnetizationTransfer="NONE",
            BloodSignalNulling="NO",
            Tagging="NONE",
            TransmitterFrequency=42.577 * float(first.get("MagneticFieldStrength") or 1.5),
            PixelBandwidth=first.get("PixelBandwidth", "200"),
        ),
        MRReceiveCoilSequence=_values(
            ReceiveCoilName=first.get("ReceiveCoilName", "Spine"),
            ReceiveCoilManufacturerName="",
            ReceiveCoilType="MULTICOIL",
            QuadratureReceiveCoil="NO",
            MultiCoilDefinitionSequence=Items([_values(MultiCoilElementName="1", MultiCoilElementUsed="YES")]),
        ),
        MRTransmitCoilSequence=_values(
            TransmitCoilName="Body", TransmitCoilManufacturerName="", TransmitCoilType="BODY"
        ),
        MRAveragesSequence=_values(NumberOfAverages=first.get("NumberOfAverages", "1")),
        PixelValueTransformationSequence=_values(
            RescaleIntercept=first.get("RescaleIntercept", "0"),
            RescaleSlope=first.get("RescaleSlope", "1"),
            RescaleType="US",
        ),
        FrameVOILUTSequence=_values(WindowCenter=first.WindowCenter, WindowWidth=first.WindowWidth),
        MRDiffusionSequence=_diffusion(first),
    )


def _frame(item: Dataset, stack: int, number: int) -> Dataset:
    """The functional groups of one frame."""
    return _group(
        FrameContentSequence=_values(
            FrameAcquisitionNumber=1,
            FrameReferenceDateTime=TIME,
            FrameAcquisitionDateTime=TIME,
            FrameAcquisitionDuration=180.0,
            StackID=str(stack),
            InStackPositionNumber=number,
            DimensionIndexValues=[stack, number],
        ),
        PlanePositionSequence=_values(ImagePositionPatient=item.get("ImagePositionPatient")),
        PlaneOrientationSequence=_values(ImageOrientationPatient=item.get("ImageOrientationPatient")),
    )


def _modifier(first: Dataset, codes: set[str]) -> Dataset:
    inversion = first.get("InversionTime")
    made = _values(
        InversionRecovery="YES" if inversion and "IR" in codes else "NO",
        FlowCompensation="NONE",
        Spoiling="RF" if "GR" in codes else "NONE",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )
    if made.InversionRecovery == "YES":
        made.InversionTimes = float(inversion)
    return made


def _diffusion(first: Dataset) -> Dataset | None:
    value = first.get("DiffusionBValue")
    return None if value is None else _values(DiffusionBValue=float(value), DiffusionDirectionality="ISOTROPIC")


def _image_type(first: Dataset) -> list[str]:
    """Four values from whatever the vendor wrote. PS3.3 C.8.16.1."""
    words = [str(word) for word in first.ImageType]
    kind = "ADC" if "ADC" in words else "M"
    return [
        words[0],
        "PRIMARY",
        "VOLUME",
        {"ADC": "DIFFUSION_MAP"}.get(kind, "NONE" if words[0] == "ORIGINAL" else "M"),
    ]


def _contrast(first: Dataset) -> str:
    """The contrast as the protocol's name tells it."""
    name = str(first.get("SeriesDescription", "") or first.get("ProtocolName", "")).upper()
    return next((word for part, word in CONTRASTS.items() if part in name), "UNKNOWN")


def _spine() -> Dataset:
    return _values(CodeValue="421060004", CodingSchemeDesignator="SCT", CodeMeaning="Spine")


def _group(**macros: Dataset | None) -> Dataset:
    made = Dataset()
    for keyword, macro in macros.items():
        if macro is not None and len(macro):
            setattr(made, keyword, Items([macro]))
    return made


def _values(**attributes: object) -> Dataset:
    made = Dataset()
    for keyword, value in attributes.items():
        if value is not None:
            setattr(made, keyword, value)
    return made


def _texts(dataset: Dataset, keyword: str) -> list[str]:
    value = dataset.get(keyword) or ()
    return [value] if isinstance(value, str) else [str(item) for item in value] if isinstance(value, Iterable) else []


def _tag(keyword: str) -> int:
    from pydicom.datadict import tag_for_keyword  # noqa: PLC0415

    return int(tag_for_keyword(keyword) or 0)
