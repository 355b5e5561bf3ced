"""What a study holds and how its headers say so: planes placed on the subject, vendor dialects."""

import numpy as np

from spinalis.records import FloatArray, Header
from spinalis.simulate.anatomy import Subject
from spinalis.simulate.elsewhere import ELSEWHERE
from spinalis.simulate.scanner import Stack, turned_axes
from spinalis.simulate.sequence import Protocol
from spinalis.vocabulary import Plane, Region, Sequence

VENDORS = ("SIEMENS", "Philips Medical Systems", "GE MEDICAL SYSTEMS")

DESCRIPTIONS: dict[tuple[Plane, Sequence], tuple[str, ...]] = {
    (Plane.SAGITTAL, Sequence.T1W): ("t1_tse_sag", "SAG T1", "Sag T1 FSE", "T1W_TSE_SAG", "sT1W_TSE", "T1 sag 3mm"),
    (Plane.SAGITTAL, Sequence.T2W): ("t2_tse_sag", "SAG T2", "Sag T2 FSE", "T2W_TSE_SAG", "sT2W_TSE", "T2 sag 3mm"),
    (Plane.SAGITTAL, Sequence.STIR): ("t2_tirm_sag", "SAG STIR", "Sag STIR", "STIR_longTE", "t2_stir_sag", "STIR sag"),
    (Plane.AXIAL, Sequence.T1W): ("t1_tse_tra", "AX T1", "Ax T1 FSE", "T1W_TSE_AX", "T1 tra", "AXIAL T1"),
    (Plane.AXIAL, Sequence.T2W): ("t2_tse_tra", "AX T2", "Ax T2 FSE", "T2W_TSE_AX", "T2 tra msma", "AXIAL T2"),
    (Plane.CORONAL, Sequence.T2W): ("t2_cor loc", "COR T2", "3-pl loc", "SURVEY", "localizer", "Cor T2 HASTE"),
    (Plane.CORONAL, Sequence.T1W): ("t1_tse_cor", "COR T1", "Cor T1", "T1W_COR", "T1 cor", "cor T1 FSE"),
}
BODY_PARTS = {
    Region.LUMBAR: ("LSPINE", "SPINE", "L_SPINE", "LUMBAR SPINE"),
    Region.THORACIC: ("TSPINE", "SPINE", "T_SPINE", "THORACIC SPINE"),
    Region.CERVICAL: ("CSPINE", "SPINE", "C_SPINE", "NECK"),
    Region.UNKNOWN: tuple(anatomy.word for anatomy in ELSEWHERE),
}


def sagittal_stack(rng: np.random.Generator, subject: Subject, region: Region) -> Stack:
    """Sagittal slices over the midline and the foramina of a region."""
    low, high, middle = {
        Region.LUMBAR: (260.0, 345.0, 22.0),
        Region.THORACIC: (300.0, 380.0, 12.8),
        Region.CERVICAL: (210.0, 280.0, 5.2),
    }[region]
    field = rng.uniform(low, high) * (0.5 + 0.5 * subject.size)
    rows = int(rng.choice((256, 320, 320, 384)))
    pixel = field / rows
    columns = rows if rng.random() < 0.65 else int(rows * rng.uniform(0.55, 0.85)) // 2 * 2
    centre = plane_point(subject, middle, 17.0)
    centre += (rng.normal(0, 1.0), rng.normal(-14, 14) * min(1.0, columns / rows), rng.normal(8, 14))
    thickness = rng.uniform(3.0, 4.3)
    return Stack(
        plane=Plane.SAGITTAL,
        centre=centre,
        axes=turned_axes(Plane.SAGITTAL, rng.normal(0, 1.5), rng.normal(0, 1.0)),
        count=int(rng.choice((11, 13, 15, 15, 17))),
        rows=rows,
        columns=columns,
        pixel_mm=pixel,
        thickness_mm=thickness,
        spacing_mm=thickness * rng.uniform(1.0, 1.15),
    )


def axial_stacks(rng: np.random.Generator, subject: Subject, region: Region) -> tuple[Stack, ...]:
    """Axial slices: one straight stack, or (lumbar only) a block along each disc, feet to head."""
    rows = int(rng.choice((256, 320, 320, 384)))
    field = rng.uniform(160, 220) if region is not Region.THORACIC else rng.uniform(180, 260)
    thickness = float(rng.uniform(3, 4))
    offset = np.array((rng.normal(0, 3), rng.normal(4, 7), 0.0))
    turn = rng.normal(0, 1.5)

    def block(centre: FloatArray, tilt_deg: float, count: int, spacing_mm: float) -> Stack:
        axes = turned_axes(Plane.AXIAL, tilt_deg, turn)
        in_plane = offset - (offset @ axes[2]) * axes[2]
        return Stack(
            plane=Plane.AXIAL,
            centre=centre + in_plane,
            axes=axes,
            count=count,
            rows=rows,
            columns=rows,
            pixel_mm=field / rows,
            thickness_mm=thickness,
            spacing_mm=spacing_mm,
        )

    if region is Region.LUMBAR and rng.random() < 0.6:
        count = int(rng.choice((4, 5, 5, 6)))
        blocks = []
        for k in sorted(subject.plane_of_level.values(), reverse=True):
            centre = plane_point(subject, k, 17.0) + np.array((0, 0, rng.normal(0, 1.0)))
            blocks.append(block(centre, disc_tilt(subject, k) + rng.normal(0, 2), count, thickness * 1.1))
        return tuple(blocks)
    first, last = {Region.LUMBAR: (24.2, 19.8), Region.THORACIC: (18.5, 10.0), Region.CERVICAL: (8.0, 2.0)}[region]
    first, last = first + rng.uniform(0, 0.3), last + rng.uniform(-0.3, 0.1)
    low, high = plane_point(subject, first, 17.0), plane_point(subject, last, 17.0)
    length = float(high[2] - low[2])
    count = int(np.clip(length / (thickness * 1.15), 18, 36))
    tilt = disc_tilt(subject, 0.5 * (first + last)) + rng.normal(0, 2.5)
    return (block((low + high) / 2, tilt, count, length / (count - 1)),)


def coronal_stack(rng: np.random.Generator, subject: Subject, region: Region) -> Stack:
    """A few coarse coronal slices, as a localizer."""
    middle = {Region.LUMBAR: 21.8, Region.THORACIC: 13.0, Region.CERVICAL: 4.5}[region]
    return Stack(
        plane=Plane.CORONAL,
        centre=plane_point(subject, middle, 10.0) + rng.normal(0, (6, 4, 15)),
        axes=turned_axes(Plane.CORONAL, rng.normal(0, 2), rng.normal(0, 2)),
        count=int(rng.integers(3, 8)),
        rows=256,
        columns=256,
        pixel_mm=rng.uniform(300, 400) / 256,
        thickness_mm=float(rng.uniform(4, 8)),
        spacing_mm=float(rng.uniform(8, 14)),
    )


def other_stack(rng: np.random.Generator, subject: Subject, kind: int) -> Stack:
    """Slices through an anatomy of `elsewhere.ELSEWHERE`: about 0 where it is made of parts, else in the body."""
    anatomy = ELSEWHERE[kind]
    plane = anatomy.planes[int(rng.integers(0, len(anatomy.planes)))]
    centre = rng.normal(0, 6, 3)
    if anatomy.place:
        centre += anatomy.place(rng, subject)
    rows = int(rng.choice((224, 256, 320)))
    count = int(rng.integers(8, 16))
    thickness = rng.uniform(3, 6)
    return Stack(
        plane=plane,
        centre=centre,
        axes=turned_axes(plane, rng.normal(0, 6), rng.normal(0, 6)),
        count=count,
        rows=rows,
        columns=rows,
        pixel_mm=rng.uniform(*anatomy.field_mm) / rows,
        thickness_mm=thickness,
        spacing_mm=max(thickness, anatomy.reach_mm / count),
    )


def plane_point(subject: Subject, level: float, behind_mm: float) -> FloatArray:
    """The point `behind_mm` behind the axis of the bodies at a level (in planes from the top), LPS mm."""
    frames = subject.frames
    i = int(np.clip(np.floor(level), 0, len(frames) - 2))
    f = level - i
    at = frames[:, 0] + behind_mm * frames[:, 2]
    return np.asarray(at[i] + f * (at[i + 1] - at[i]), float)


def disc_tilt(subject: Subject, level: float) -> float:
    """Tilt of a disc's plane about the left-right axis, degrees; positive where its front lies lower."""
    normal = subject.frames[:, 3]
    i = int(np.clip(np.floor(level), 0, len(normal) - 2))
    n = normal[i] + (level - i) * (normal[i + 1] - normal[i])
    return float(np.degrees(np.arctan2(-n[1], n[2])))


def header(rng: np.random.Generator, protocol: Protocol, plane: Plane, region: Region, vendor: int) -> Header:
    """A header in a vendor's words, with tags missing now and then, and rarely wrong ones."""

    def known(share: float) -> bool:
        return bool(rng.random() < share)

    names = DESCRIPTIONS.get((plane, protocol.sequence), ("SERIES",))
    name = names[(2 * vendor + int(rng.integers(0, 3))) % len(names)]
    inversion = protocol.kind == "ir"
    siemens = vendor == 0
    return Header(
        modality="MR",
        body_part=str(rng.choice(BODY_PARTS[region])) if known(0.75) else None,
        description=name if known(0.85) else None,
        protocol=name if known(0.6) else None,
        image_type=("ORIGINAL", "PRIMARY", "M", "ND") if siemens else ("ORIGINAL", "PRIMARY"),
        scanning_sequence=("SE", "IR") if inversion else ("SE",),
        sequence_variant=("SK", "SP") if siemens else ("SK",),
        echo_time_ms=round(protocol.echo_ms, 2) if known(0.95) else None,
        repetition_time_ms=round(protocol.repetition_ms, 1) if known(0.95) else None,
        inversion_time_ms=round(protocol.inversion_ms, 1) if protocol.inversion_ms and known(0.9) else None,
        flip_angle_deg=float(rng.choice((90, 120, 150, 160))),
        field_strength_t=protocol.field_t,
        manufacturer=VENDORS[vendor],
    )
