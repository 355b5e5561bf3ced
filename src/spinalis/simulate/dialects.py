"""How scanners write a header: each vendor's words, habits and private noise, with tags missing and wrong.

Source:
    Attributes and defined terms: DICOM PS3.3 C.8.3.1 (MR image). Descriptions, image types, scan options, sequence
    names and private creators are typical ones, from memory; the shares of missing and wrong tags are assumptions.
"""

from dataclasses import dataclass

import numpy as np

from spinalis.formats.dicom.form import FileForm, Private
from spinalis.records import Header
from spinalis.simulate.elsewhere import ELSEWHERE
from spinalis.simulate.scanner import Stack
from spinalis.simulate.sequence import Contrast, Protocol
from spinalis.vocabulary import Plane, Region

VENDORS = ("SIEMENS", "Philips Medical Systems", "GE MEDICAL SYSTEMS", "CANON_MEC", "UIH")
SIEMENS, PHILIPS, GE, CANON, UNITED = range(5)
VENDOR_SHARES = (0.33, 0.24, 0.25, 0.1, 0.08)
"""An assumption."""

MISSING = {"body_part": 0.25, "description": 0.15, "protocol": 0.4, "echo": 0.05, "repetition": 0.05, "inversion": 0.1}
"""How often a tag is left out."""

WRONG = {"body_part": 0.03, "description": 0.02}
"""How often a tag speaks of another region, or of another sequence."""

LANGUAGES = ("en", "de", "fr", "es")
LANGUAGE_SHARES = (0.7, 0.14, 0.08, 0.08)

NAMES: dict[Contrast, tuple[str, str, str, str, str]] = {
    Contrast.T1W: ("t1_tse", "T1W_TSE", "T1 FSE", "T1 FSE", "t1_fse"),
    Contrast.T1_FLAIR: ("t1_tirm_dark-fl", "T1W_FLAIR", "T1 FLAIR", "T1 FLAIR", "t1_fse_flair"),
    Contrast.T1_POST: ("t1_tse_km", "T1W_TSE +C", "T1 FSE +C", "T1 +C", "t1_fse_post"),
    Contrast.T2W: ("t2_tse", "T2W_TSE", "T2 FSE", "T2 FSE", "t2_fse"),
    Contrast.T2W_FS: ("t2_tse_fs", "T2W_SPAIR", "T2 FS", "T2 FatSAT", "t2_fse_fs"),
    Contrast.T2_SPACE: ("t2_spc_iso", "VISTA_T2", "3D T2 CUBE", "3D T2 mVox", "t2_matrix3d"),
    Contrast.STIR: ("t2_tirm", "STIR_longTE", "STIR", "T2 STIR", "t2_stir"),
    Contrast.PD: ("pd_tse", "PDW_TSE", "PD FSE", "PD FSE", "pd_fse"),
    Contrast.GRE: ("t2_me2d", "mFFE", "MERGE", "T2* FE", "t2s_gre"),
    Contrast.DIXON_WATER: ("t2_tse_dixon_W", "T2W_mDIXON_W", "WATER: T2 Flex", "T2 WFOP water", "t2_fse_dixon_W"),
    Contrast.DIXON_FAT: ("t2_tse_dixon_F", "T2W_mDIXON_F", "FAT: T2 Flex", "T2 WFOP fat", "t2_fse_dixon_F"),
    Contrast.DIXON_IN: ("t2_tse_dixon_in", "T2W_mDIXON_IP", "InPhase: T2 Flex", "T2 WFOP in", "t2_fse_dixon_IP"),
    Contrast.DIXON_OPPOSED: (
        *("t2_tse_dixon_opp", "T2W_mDIXON_OP", "OutPhase: T2 Flex", "T2 WFOP out", "t2_fse_dixon_OP"),
    ),
    Contrast.MYELOGRAPHY: ("t2_haste_myelo", "MYELO_SSH", "MYELO", "MR Myelo", "myelo_ssfse"),
    Contrast.DWI: ("ep2d_diff", "DWI", "DWI", "DWI", "epi_dwi"),
    Contrast.ADC: ("ep2d_diff_ADC", "dADC", "ADC", "ADC", "epi_dwi_ADC"),
}
"""The middle of a description, by vendor."""

PLANE_WORDS: dict[str, dict[Plane, tuple[str, ...]]] = {
    "en": {Plane.SAGITTAL: ("sag", "SAG", "Sag"), Plane.AXIAL: ("tra", "AX", "Axial"), Plane.CORONAL: ("cor", "COR")},
    "de": {Plane.SAGITTAL: ("sag", "sagittal"), Plane.AXIAL: ("tra", "transversal"), Plane.CORONAL: ("cor", "coronar")},
    "fr": {Plane.SAGITTAL: ("SAG", "sagittale"), Plane.AXIAL: ("AX", "axiale"), Plane.CORONAL: ("COR", "coronale")},
    "es": {Plane.SAGITTAL: ("SAG", "sagital"), Plane.AXIAL: ("AX", "transv"), Plane.CORONAL: ("COR", "coronal")},
}
REGION_WORDS: dict[str, dict[Region, tuple[str, ...]]] = {
    "en": {Region.LUMBAR: ("L-SPINE", "lumbar"), Region.THORACIC: ("T-SPINE",), Region.CERVICAL: ("C-SPINE", "neck")},
    "de": {Region.LUMBAR: ("LWS",), Region.THORACIC: ("BWS",), Region.CERVICAL: ("HWS",)},
    "fr": {Region.LUMBAR: ("rachis lomb", "LOMBAIRE"), Region.THORACIC: ("DORSAL",), Region.CERVICAL: ("CERV",)},
    "es": {Region.LUMBAR: ("COL LUMBAR",), Region.THORACIC: ("COL DORSAL",), Region.CERVICAL: ("COL CERVICAL",)},
}
WHOLE_WORDS = {"en": "WHOLE SPINE", "de": "GANZE WS", "fr": "RACHIS ENTIER", "es": "COLUMNA TOTAL"}
LOCALIZER_NAMES = ("localizer", "SURVEY", "3-pl loc", "Locator", "scout")
BODY_PARTS = {
    Region.LUMBAR: ("LSPINE", "SPINE", "L_SPINE", "LUMBAR SPINE"),
    Region.THORACIC: ("TSPINE", "SPINE", "T_SPINE", "THORACIC SPINE"),
    Region.CERVICAL: ("CSPINE", "SPINE", "C_SPINE", "NECK"),
}
WHOLE_PARTS = ("SPINE", "WHOLESPINE", "TLSPINE")

OPTIONS = {
    SIEMENS: ("PFP", "SAT1", "PFP\\SAT1"),
    PHILIPS: ("OTHER", "SAT", "PFP"),
    GE: ("FAST_GEMS\\NPW\\TRF_GEMS", "FAST_GEMS\\EDR_GEMS\\TRF_GEMS\\FILTERED_GEMS"),
    CANON: ("SAT", "PFP"),
    UNITED: ("PFP", "FC"),
}
"""Scan options, more than one joined by a backslash."""

SOFTWARE = {
    SIEMENS: ("syngo MR B17", "syngo MR E11", "syngo MR XA30"),
    PHILIPS: ("3.2.3", "5.3.1", "5.7.1"),
    GE: ("15\\LX\\MR Software release:15.0", "27\\LX\\MR Software release:DV26.0"),
    CANON: ("V2.50", "V6.0"),
    UNITED: ("uMR_V9", "R003"),
}
MODELS = {
    SIEMENS: ("Avanto", "Skyra", "Aera"),
    PHILIPS: ("Ingenia", "Achieva"),
    GE: ("Signa HDxt", "DISCOVERY MR750", "SIGNA Artist"),
    CANON: ("Vantage Titan", "Vantage Orian"),
    UNITED: ("uMR 780", "uMR 570"),
}
CREATORS = {
    SIEMENS: ((0x0019, "SIEMENS MR HEADER"), (0x0051, "SIEMENS MR HEADER"), (0x0029, "SIEMENS CSA HEADER")),
    PHILIPS: ((0x2001, "Philips Imaging DD 001"), (0x2005, "Philips MR Imaging DD 001")),
    GE: ((0x0019, "GEMS_ACQU_01"), (0x0025, "GEMS_SERS_01"), (0x0043, "GEMS_PARM_01")),
    CANON: ((0x700D, "TOSHIBA_MEC_MR3"),),
    UNITED: ((0x0065, "Image Private Header"),),
}

ENHANCED_SHARE = {SIEMENS: 0.12, PHILIPS: 0.3, GE: 0.0, CANON: 0.0, UNITED: 0.0}
"""Series written as one enhanced multi-frame file: Siemens from XA on, Philips by choice of the site."""

SYNTAXES = (
    ("1.2.840.10008.1.2.1", 0.62),
    ("1.2.840.10008.1.2", 0.1),
    ("1.2.840.10008.1.2.4.80", 0.1),
    ("1.2.840.10008.1.2.4.90", 0.09),
    ("1.2.840.10008.1.2.5", 0.06),
    ("1.2.840.10008.1.2.1.99", 0.03),
)
"""Explicit and implicit VR, JPEG-LS, JPEG 2000, RLE and deflated, all without loss, as archives hand them out."""

FEET_FIRST = 0.06
DIXON_LETTERS = {
    Contrast.DIXON_WATER: "W",
    Contrast.DIXON_FAT: "F",
    Contrast.DIXON_IN: "IP",
    Contrast.DIXON_OPPOSED: "OP",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is the same in all series of a study: the vendor, the language, the table, the archive."""

    vendor: int
    language: str
    upper: bool
    names_region: bool
    model: str
    software: str
    position: str
    transfer_syntax: str
    enhanced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """What a header tells of one series: `other` is a place in `elsewhere.ELSEWHERE`, `localizer` has three planes."""

    stack: Stack
    protocol: Protocol
    region: Region
    localizer: bool = False
    other: int | None = None


def sample_site(rng: np.random.Generator) -> Site:
    """Draw the site of a study."""
    vendor = int(rng.choice(len(VENDORS), p=VENDOR_SHARES))
    syntaxes, shares = zip(*SYNTAXES, strict=True)
    return Site(
        vendor=vendor,
        language=str(rng.choice(LANGUAGES, p=LANGUAGE_SHARES)),
        upper=bool(rng.random() < 0.3),
        names_region=bool(rng.random() < 0.35),
        model=str(rng.choice(MODELS[vendor])),
        software=str(rng.choice(SOFTWARE[vendor])),
        position="FFS" if rng.random() < FEET_FIRST else "HFS",
        transfer_syntax=str(rng.choice(syntaxes, p=shares)),
        enhanced=bool(rng.random() < ENHANCED_SHARE[vendor]),
    )


def write_header(rng: np.random.Generator, site: Site, acquired: Acquired) -> Header:
    """A header in a vendor's words, with tags missing as often as `MISSING` says and wrong as often as `WRONG`."""
    protocol = acquired.protocol

    def kept(name: str) -> bool:
        return bool(rng.random() >= MISSING[name])

    described = mistaken(rng, protocol.contrast) if rng.random() < WRONG["description"] else protocol.contrast
    name = description(rng, site, acquired, described)
    sequence, variant = sequence_codes(site, protocol)
    refocusing = float(rng.choice((90, 120, 150, 160)))
    return Header(
        modality="MR",
        body_part=body_part(rng, acquired) if kept("body_part") else None,
        description=name if kept("description") else None,
        protocol=name if kept("protocol") else None,
        image_type=image_type(site, acquired),
        scanning_sequence=sequence,
        sequence_variant=variant,
        echo_time_ms=round(protocol.echo_ms, 2) if kept("echo") else None,
        repetition_time_ms=round(protocol.repetition_ms, 1) if kept("repetition") else None,
        inversion_time_ms=round(protocol.inversion_ms, 1) if protocol.inversion_ms and kept("inversion") else None,
        flip_angle_deg=round(protocol.flip_deg, 1) if protocol.contrast is Contrast.GRE else refocusing,
        field_strength_t=protocol.field_t,
        manufacturer=VENDORS[site.vendor],
    )


def description(rng: np.random.Generator, site: Site, acquired: Acquired, contrast: Contrast) -> str:
    """A series description as a technologist of the site's language leaves it, at most 64 characters."""
    if acquired.localizer:
        return str(rng.choice(LOCALIZER_NAMES))
    words = [str(rng.choice(PLANE_WORDS[site.language][acquired.stack.plane])), NAMES[contrast][site.vendor]]
    if site.vendor in {SIEMENS, UNITED} or rng.random() < 0.3:
        words.reverse()
    if site.names_region and acquired.other is None:
        regions = REGION_WORDS[site.language].get(acquired.region)
        words.append(str(rng.choice(regions)) if regions else WHOLE_WORDS[site.language])
    if rng.random() < 0.15:
        words.append(f"{acquired.stack.thickness_mm:.0f}mm")
    joined = ("_" if site.vendor in {SIEMENS, UNITED} and rng.random() < 0.7 else " ").join(words)
    return (joined.upper() if site.upper else joined)[:64]


def mistaken(rng: np.random.Generator, contrast: Contrast) -> Contrast:
    """T1w called T2w and the reverse: a protocol that was copied and renamed in part."""
    return Contrast.T2W if contrast.value.startswith("T1") or rng.random() < 0.3 else Contrast.T1W


def body_part(rng: np.random.Generator, acquired: Acquired) -> str:
    """The part examined; now and then that of another region."""
    if acquired.other is not None:
        return ELSEWHERE[acquired.other].word
    if acquired.region is Region.UNKNOWN:
        return str(rng.choice(WHOLE_PARTS))
    if rng.random() < WRONG["body_part"]:
        others = [region for region in BODY_PARTS if region is not acquired.region]
        return BODY_PARTS[others[int(rng.integers(0, len(others)))]][0]
    return str(rng.choice(BODY_PARTS[acquired.region]))


def image_type(site: Site, acquired: Acquired) -> tuple[str, ...]:
    """The image type in the vendor's habit; what is computed from other images is derived."""
    contrast = acquired.protocol.contrast
    letter = DIXON_LETTERS.get(contrast)
    if contrast is Contrast.ADC:
        return ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")
    if acquired.localizer and site.vendor in {PHILIPS, CANON}:
        return ("ORIGINAL", "PRIMARY", "LOCALIZER")
    kind = "FFE" if contrast is Contrast.GRE else "IR" if acquired.protocol.inversion_ms else "SE"
    plain, dixon = {
        SIEMENS: (("M", "NORM", "DIS2D") if acquired.stack.rows > 300 else ("M", "ND"), ("M", "DIXON")),
        PHILIPS: ((f"M_{kind}", "M", kind), ("M", kind)),
        GE: (("OTHER",), ("DIXON",)),
    }.get(site.vendor, (("OTHER",), ()))
    if letter:
        return ("DERIVED" if site.vendor in {SIEMENS, GE} else "ORIGINAL", "PRIMARY", *dixon, letter)
    return ("ORIGINAL", "PRIMARY", *plain)


def sequence_codes(site: Site, protocol: Protocol) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """ScanningSequence and SequenceVariant. PS3.3 C.8.3.1.1.1."""
    if protocol.contrast in {Contrast.DWI, Contrast.ADC}:
        return ("EP", "SE"), ("SK", "SP") if site.vendor == SIEMENS else ("SK",)
    if protocol.contrast is Contrast.GRE:
        return ("GR",), ("SP", "OSP") if site.vendor == SIEMENS else ("SP",)
    sequence = ("SE", "IR") if protocol.inversion_ms else ("SE",)
    return sequence, ("SK", "SP", "OSP") if site.vendor == SIEMENS else ("SK",)


def file_form(rng: np.random.Generator, site: Site, acquired: Acquired, group: str) -> FileForm:
    """What stands in the files beside the header that a reader looks at: tags, private noise, kind of file."""
    protocol, stack = acquired.protocol, acquired.stack
    options = "FS" if protocol.fat_saturated else str(rng.choice(OPTIONS[site.vendor])) if rng.random() < 0.8 else ""
    train = 1 if protocol.contrast is Contrast.GRE else int(rng.choice((3, 5, 9, 15, 17, 24)))
    attributes: dict[str, object] = {
        "ScanOptions": options.split("\\") if options else "",
        "MRAcquisitionType": "3D" if protocol.contrast is Contrast.T2_SPACE else "2D",
        "EchoTrainLength": train,
        "PatientPosition": site.position,
        "ManufacturerModelName": site.model,
        "SoftwareVersions": site.software.split("\\"),
        "NumberOfAverages": str(int(rng.choice((1, 2, 2, 3, 4)))),
        "PixelBandwidth": f"{rng.uniform(100, 300):.0f}",
        "InPlanePhaseEncodingDirection": "COL" if stack.plane is not Plane.AXIAL else "ROW",
        "NumberOfPhaseEncodingSteps": int(stack.rows * rng.uniform(0.6, 1.0)),
        "PercentSampling": f"{rng.uniform(60, 100):.0f}",
        "PercentPhaseFieldOfView": f"{100 * stack.columns / stack.rows:.0f}",
        "ReceiveCoilName": str(rng.choice(("Spine_32", "SENSE-Spine", "CTL456", "Body", "SP1-4"))),
    }
    if site.vendor in {SIEMENS, UNITED}:
        attributes["SequenceName"] = f"*tse2d1_{train}" if protocol.contrast is not Contrast.GRE else "*fl2d1"
    if protocol.b_value is not None:
        attributes["DiffusionBValue"] = protocol.b_value
    if protocol.contrast is Contrast.T1_POST and rng.random() < 0.5:
        attributes["ContrastBolusAgent"] = "Gd"
    return FileForm(
        group=group,
        attributes=tuple(attributes.items()),
        private=_private(rng, site.vendor),
        enhanced=site.enhanced and not acquired.localizer,
        transfer_syntax=site.transfer_syntax,
    )


def _private(rng: np.random.Generator, vendor: int) -> tuple[Private, ...]:
    """Private elements with noise in them: what a reader must step over."""
    elements = []
    for group, creator in CREATORS[vendor]:
        for offset in sorted(rng.choice(np.arange(1, 120), 3, replace=False)):
            kind = ("LO", "DS", "OB")[int(rng.integers(0, 3))]
            value: object = {
                "LO": f"p{int(rng.integers(0, 10**6))}",
                "DS": f"{rng.normal():.4f}",
                "OB": rng.bytes(32),
            }[kind]
            elements.append(Private(group=group, creator=creator, offset=int(offset), vr=kind, value=value))
    return tuple(elements)
