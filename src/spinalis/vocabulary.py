"""Every word of the field once, with its spelling elsewhere.

The values of the enums are what is printed in tables and written to `reading.json`.
"""

from enum import StrEnum


class Anatomy(StrEnum):
    """Is this a magnetic resonance image of the spine?"""

    MR_SPINE = "MR spine"
    OTHER = "not MR spine"
    UNKNOWN = "unknown"


class Region(StrEnum):
    """The part of the spine in view."""

    CERVICAL = "cervical"
    THORACIC = "thoracic"
    LUMBAR = "lumbar"
    UNKNOWN = "unknown"


class Plane(StrEnum):
    """The patient plane of a slice."""

    SAGITTAL = "sagittal"
    AXIAL = "axial"
    CORONAL = "coronal"
    UNKNOWN = "unknown"


class Sequence(StrEnum):
    """The contrast of a slice."""

    T1W = "T1w"
    T2W = "T2w"
    STIR = "STIR"
    OTHER = "other"
    UNKNOWN = "unknown"


class Detail(StrEnum):
    """The contrast of a series, finer than `Sequence`; pixels are not asked for it, only headers."""

    T1W = "T1w"
    T1_POST = "T1w post contrast"
    T1_FLAIR = "T1 FLAIR"
    T2W = "T2w"
    T2W_FS = "T2w fat-saturated"
    T2_SPACE = "T2w SPACE"
    STIR = "STIR"
    PD = "PD"
    GRE = "T2*w"
    DIXON_WATER = "Dixon water"
    DIXON_FAT = "Dixon fat"
    DIXON_IN = "Dixon in phase"
    DIXON_OPPOSED = "Dixon opposed phase"
    MYELOGRAPHY = "myelography"
    DWI = "DWI"
    ADC = "ADC"


class Level(StrEnum):
    """A lumbar motion segment, named by its disc, from head to feet."""

    L1_L2 = "L1/L2"
    L2_L3 = "L2/L3"
    L3_L4 = "L3/L4"
    L4_L5 = "L4/L5"
    L5_S1 = "L5/S1"

    @property
    def column(self) -> str:
        """The level as in the columns of the RSNA 2024 tables: `l4_l5`."""
        return self.value.lower().replace("/", "_")


class Side(StrEnum):
    """A side of the patient, never of the picture."""

    LEFT = "left"
    RIGHT = "right"


class Condition(StrEnum):
    """The five graded conditions, spelled as in the RSNA 2024 label coordinates."""

    SPINAL_CANAL_STENOSIS = "Spinal Canal Stenosis"
    LEFT_NEURAL_FORAMINAL_NARROWING = "Left Neural Foraminal Narrowing"
    RIGHT_NEURAL_FORAMINAL_NARROWING = "Right Neural Foraminal Narrowing"
    LEFT_SUBARTICULAR_STENOSIS = "Left Subarticular Stenosis"
    RIGHT_SUBARTICULAR_STENOSIS = "Right Subarticular Stenosis"

    @property
    def side(self) -> Side | None:
        """The patient's side, or None for the canal."""
        first = self.value.split()[0].lower()
        return Side(first) if first in (Side.LEFT, Side.RIGHT) else None

    @property
    def column(self) -> str:
        """The condition as in the columns of the RSNA 2024 tables: `left_subarticular_stenosis`."""
        return self.value.lower().replace(" ", "_")


class Severity(StrEnum):
    """The three grades of the RSNA 2024 set, spelled as in its tables."""

    NORMAL_MILD = "Normal/Mild"
    MODERATE = "Moderate"
    SEVERE = "Severe"

    @property
    def column(self) -> str:
        """The grade as in the RSNA 2024 prediction columns: `normal_mild`."""
        return self.value.lower().replace("/", "_")


class NoticeKind(StrEnum):
    """What a warning is about, so that a program need not understand its sentence."""

    FILES_LOST = "files_lost"
    """Files or folders that may hold images could not be read."""
    FILES_OF_ANOTHER_KIND = "files_of_another_kind"
    """Files that hold no image were left out; nothing is lost."""
    CONTRADICTION = "contradiction"
    """Header and pixels of a series are each sure of another answer."""
    LEVELS_MISSING = "levels_missing"
    NUMBERING_DOUBT = "numbering_doubt"
    """Levels may be off by one."""
    TRANSITIONAL_JUNCTION = "transitional_junction"
    """Two discs share the looks of L5/S1."""
    IMPLAUSIBLE = "implausible"
    """A measurement is not one of a patient."""
    REFUSED = "refused"
    """The study is not what can be graded."""


LEVELS: tuple[Level, ...] = tuple(Level)
CONDITIONS: tuple[Condition, ...] = tuple(Condition)
SEVERITIES: tuple[Severity, ...] = tuple(Severity)
