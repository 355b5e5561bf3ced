"""The priors of the spine from C1 to the coccyx, and the drawing of one subject from them.

The spine is a chain of 30 vertebrae between 31 planes: plane `j` cuts the disc between vertebra `j - 1` and vertebra
`j` at mid-height. A point of the patient is written in the coordinates of its vertebra: `u` to the left, `v` to the
back (0 in the centre of the body), and distances to the two planes. All lengths are millimetres, angles degrees.

Source:
    Body and disc heights, depths and widths: Panjabi et al., Spine 1991-1992 (human cervical, thoracic and lumbar
    vertebrae); Zhou et al., Eur Spine J 2000 (lumbar CT); checked against the medians of the SPIDER set (bodies
    34 x 27 mm, 36 mm apart, discs 31 x 8 mm). Lordosis and sacral slope: Roussouly et al., Spine 2005, less the 5 to
    10 degrees lost when supine. Conus: Saifuddin et al., Spine 1998. Cord: Ko et al., Spinal Cord 2004. Canal:
    Ullrich et al., Radiology 1980. What has no source there was fitted beside real images.
    The papers are cited from memory: look a value up before relying on it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spinalis.records import FloatArray
from spinalis.simulate.junction import Junction, planes_of_levels, sample_junction, shifted
from spinalis.simulate.midline import draw_midline
from spinalis.vocabulary import Level

VERTEBRAE = 30
PLANES = VERTEBRAE + 1
NAMES = (
    *(f"C{i}" for i in range(1, 8)),
    *(f"T{i}" for i in range(1, 13)),
    *(f"L{i}" for i in range(1, 6)),
    *(f"S{i}" for i in range(1, 6)),
    "Co",
)
T8, L1, L2, L3, L5, S1, COCCYX = 14, 19, 20, 21, 23, 24, 29

BODY_HEIGHT = (
    *(10, 22, 13, 13, 13, 13.5, 14.5),
    *(16, 17, 17.5, 18, 18.5, 19, 19.5, 20, 20.5, 21.5, 22.5, 24),
    *(26.8, 27.4, 27.6, 27.2, 26.8),
    *(29, 24, 19, 16, 14, 24),
)
# Per plane from above C1 to below the coccyx.
DISC_HEIGHT = (
    *(1, 1, 4.8, 5, 5, 5.3, 5.3, 4.8),
    *(4, 3.8, 3.8, 3.8, 4, 4.2, 4.5, 4.8, 5.2, 5.6, 6.2, 6.8),
    *(8.2, 9.4, 10.4, 10.9, 10.2),
    *(1.9, 1.3, 1.1, 1, 2.5, 1),
)
DEPTH = (
    *(10, 12, 15.5, 16, 16, 16, 16.5, 17),
    *(18, 19.5, 21, 22.5, 24, 25.5, 26.5, 27.5, 28.5, 29.5, 30.5, 31),
    *(32.5, 33.5, 34, 34.5, 34.5),
    *(24, 19, 15.5, 13, 10, 5),
)
WIDTH = (
    *(12, 14, 18, 19, 20, 21, 23, 27),
    *(27, 27, 27, 27, 28, 29, 31, 33, 35, 37.5, 40, 42),
    *(43.5, 45.5, 48, 50.5, 52),
    *(44, 34, 28, 24, 18, 10),
)
CANAL_DEPTH = (
    *(22, 20, 17, 16, 15.5, 15.5, 15.5, 15.5),
    *(15.5, 15.5, 15.5, 15.5, 15.5, 15.5, 15.5, 15.5, 15.5, 16, 16.5, 17),
    *(17, 16.8, 16.6, 17, 17.5),
    *(12.5, 8.5, 6, 5, 4, 3),
)
CANAL_HALF_WIDTH = (
    *(14, 13, 12, 12.3, 12.6, 12.8, 12.6, 12),
    *(10.5, 9.5, 9, 9, 9, 9, 9, 9, 9.2, 9.6, 10.2, 10.8),
    *(11.2, 11.5, 12, 12.8, 14.2),
    *(13.5, 11, 9, 7, 5, 4),
)
SAC_HALF_WIDTH = (
    *(12, 11, 9.6, 9.6, 9.8, 9.8, 9.6, 9),
    *(8, 7.4, 7.2, 7.2, 7.2, 7.2, 7.2, 7.3, 7.6, 8, 8.4, 8.8),
    *(9.2, 9.2, 9.1, 9.2, 8.8),
    *(6.4, 3.6, 1, 1, 1, 1),
)
SAC_HALF_DEPTH = (
    *(9, 8.5, 6.6, 6.2, 6, 6, 6, 6),
    *(6, 6, 6, 6, 6, 6, 6, 6.1, 6.3, 6.6, 6.9, 7.2),
    *(7.3, 7.1, 6.9, 6.9, 6.5),
    *(4.4, 2.6, 1, 1, 1, 1),
)
CORD_HALF_WIDTH = (
    *(6, 6, 6.2, 6.4, 6.8, 6.9, 6.6, 5.8),
    *(5, 4.4, 4.2, 4.1, 4.1, 4.1, 4.1, 4.1, 4.2, 4.4, 4.7, 4.8),
    *(4.4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4),
)
CORD_HALF_DEPTH = (
    *(4.4, 4.2, 4.1, 4, 3.9, 3.8, 3.7, 3.5),
    *(3.3, 3.2, 3.1, 3.1, 3.1, 3.1, 3.1, 3.2, 3.3, 3.5, 3.8, 4),
    *(3.7, 3.4, 3, 3, 3, 3, 3, 3, 3, 3, 3),
)
PEDICLE_HEIGHT = (
    5,
    8,
    7,
    7,
    7,
    7,
    7.5,
    *(9, 11, 11.5, 12, 12, 12, 12.5, 13, 14, 15, 16, 16),
    15.5,
    15,
    14.5,
    14.5,
    14,
    *(22, 18, 14, 12, 10, 16),
)
PEDICLE_WIDTH = (
    6,
    6,
    5,
    5,
    5,
    5.5,
    6.5,
    *(7.5, 6, 5, 4.5, 4.5, 5, 5, 5.5, 6, 6.5, 7.5, 7.5),
    7.5,
    8,
    9.5,
    11.5,
    15,
    *(14, 12, 10, 8, 4, 0),
)
SPINOUS_LENGTH = (
    6,
    20,
    14,
    14,
    17,
    24,
    30,
    *(32, 30, 28, 27, 27, 27, 27, 27, 26, 25, 25, 26),
    29,
    31,
    32,
    30,
    24,
    *(10, 8, 6, 3, 0, 0),
)
# Tilt of the planes: wedge of each disc and of each body; positive opens to the front (lordosis).
DISC_WEDGE = (0, 0, 3, 4, 5, 5, 5, 3, *(0,) * 10, 0.5, 1, 2.5, 4, 7, 10.5, 14.5, *(0,) * 6)
BODY_WEDGE = (
    0,
    0,
    0,
    0,
    0,
    0,
    -1,
    *(-3,) * 4,
    *(-4.5,) * 5,
    *(-2.8,) * 3,
    -2,
    -1,
    2.5,
    3,
    8,
    *(12, 0, -10, -16, -18, -24),
)
WEDGE_SPREAD = np.interp(np.arange(PLANES), (20, 23, 24, 25), (1.4, 2.8, 3.0, 1.0))
"""The wedge of a disc varies more towards the sacrum."""

UPPER_LUMBAR_TILT = -7.0
"""Mean tilt of L1/L2 and L2/L3, lying on the table."""

MEAN_LORDOSIS = 41.0
BACKWARD_LEAN = 0.29
"""A hollow back is shared between a steeper sacrum and an upper lumbar spine that leans back by this much per degree of
lordosis (L5/S1 against L1 to L3) over the mean. Fitted: in the SPIDER points the lowest and the uppermost line between
discs do not go together."""

SHEAR_DEG = np.interp(np.arange(VERTEBRAE), (15, 19, 22, 23, 24), (0, 5, 5, 8, 0))
"""How much less a vertebra leans than its end-plates: lumbar bodies are no rectangles.

Source: disc planes against disc centres of 14 SPIDER patients (5 degrees, 8 at L5). The sacrum breaks backwards
by its taper instead.
"""

JOINT_TURN_DEG = ((0, 7, 10, 17, 19, 20, 22, 23, 24), (75, 75, 70, 65, 32, 28, 36, 42, 50))
"""Angle of the facet joints to the sagittal plane, by plane.

Source: Boden et al., J Bone Joint Surg Am 1996 (about 40 degrees at L4/L5, more at L5/S1); Panjabi et al., Spine 1993.
"""

THIN_RIM_SHARE = 0.25
"""Share of foramina with but a thin rim of fat around the root, whatever their grade. Judgement."""

PLANE_FIELDS = [
    *("half_height", "wedge", "half_depth", "half_width", "concavity"),
    *("canal_depth", "canal_half_width", "sac_gap", "sac_half_width", "sac_half_depth", "cord_half_width"),
    *("cord_half_depth", "flavum", "bulge", "reach", "degeneration", "front_bulge", "cleft"),
    *("slip", "first_lesion", "end_lesion"),
    *("remnant", "lean", "pad", "pad_apex"),
]
SIDE_FIELDS = [
    *("facet", "recess_bulge", "foramen_bulge", "bulge_up", "process_forward", "process_up", "roof_down", "root"),
    *("fluid", "fibrous", "veins", "rim", "root_back", "root_up", "root_tall"),
    *("process_lean", "joint_u", "joint_v", "joint_slope", "joint_bend"),
]
LESION_FIELDS = [
    *("form", "label", "rim", "u", "v", "q", "radius_u", "radius_v", "radius_q", "rough", "to_u", "to_v", "to_q"),
]
VERTEBRA_FIELDS = [
    *("height", "waist", "front_lip", "pedicle_low", "pedicle_high", "pedicle_width", "spinous_length", "spinous_low"),
    *("spinous_high", "spinous_drop", "lamina", "transverse", "marrow", "vein", "tilted"),
    *("ala", "hollow", "tone"),
]
WHOLE_FIELDS = [
    *("last_disc",),
    *("conus", "sac_end", "infiltration", "bowel", "gas", "vessel", "psoas", "warp", "fine_warp", "heart_side"),
    *("z_l1", "z_l4", "z_s1", "female", "bladder", "grain", "liver", "slow_veins", "z_heart"),
    *("head_x", "head_y", "head_z", "head_nod", "head_lean", "head_size", "scalp", "ventricle", "cord_x", "cord_y"),
    *("y_hip", "z_hip", "hip_size", "sheaf", "strands"),
]
PLANE_TYPE = np.dtype([(name, np.float64) for name in PLANE_FIELDS])
SIDE_TYPE = np.dtype([(name, np.float64) for name in SIDE_FIELDS])
VERTEBRA_TYPE = np.dtype([(name, np.float64) for name in VERTEBRA_FIELDS])
LESION_TYPE = np.dtype([(name, np.float64) for name in LESION_FIELDS])
WHOLE_TYPE = np.dtype([(name, np.float64) for name in WHOLE_FIELDS])

THIRTEENTH_RIB_MM = 58.0
"""From the midline to the tip of a rudimentary rib of L1. An assumption."""

CONTOUR_STEP_MM = 2.0
WHOLE_DISC = 2.0
"""`remnant` of a disc that is no remnant; else the share of the end-plate that has not fused, 0..1."""
WHOLE_ALA = 2.0
"""`ala` of the sacrum; else the share of a vertebra's height, from below, that is broadened like it, 0..1."""
NOISE_SIZE = 64
MOST_LESIONS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What rules a body as a whole: `curve` scales the lordosis, `shift` moves the junction (see `junction`)."""

    female: bool
    age: float
    size: float
    curve: float
    junction: Junction
    shift: float

    def read(self, table: ArrayLike) -> FloatArray:
        """A prior of this file, with the junction where this body has it."""
        return shifted(table, self.shift)

    @property
    def sacrum(self) -> int:
        """The first sacral vertebra, and so the plane of the last well-formed disc."""
        return S1 + self.junction.extra


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """One drawn body; the arrays are what the kernel reads.

    Attributes:
        frames: (31, 4, 3) per plane: centre of the body axis, and the unit vectors u (left), v (back), n (head).
        planes: (31,) of `PLANE_TYPE`; vertebrae: (30,) of `VERTEBRA_TYPE`.
        sides: (31, 2) of `SIDE_TYPE`: right, left.
        rootlets: (N, 6): position across, position front to back (both -1..1 in the sac), sway, phase, the level
            (in planes from the top) where it leaves, radius mm.
        contour: (Z, 9) by `CONTOUR_STEP_MM` from `contour_z`: spine x, spine y, back skin y, front skin y, half
            width, thickness of the back fat, of the front fat, level in planes from the top, how square (0..1). In
            the head, which has its own outline, spine and skin only say that nothing there breathes.
        whole: (1,) of `WHOLE_TYPE`.
        lesions: (64,) of `LESION_TYPE`, those of plane `k` from `first_lesion` to `end_lesion`; see `lesions`.
        noise: (64, 64, 64) periodic smooth noise of unit variance.
        junction: how the lumbar spine meets the sacrum.
    """

    frames: FloatArray
    planes: NDArray[np.void]
    sides: NDArray[np.void]
    vertebrae: NDArray[np.void]
    rootlets: FloatArray
    contour: FloatArray
    contour_z: float
    whole: NDArray[np.void]
    lesions: NDArray[np.void]
    noise: NDArray[np.float32]
    age: float
    size: float
    junction: Junction

    @property
    def plane_of_level(self) -> dict[Level, int]:
        """The plane of every lumbar disc, counted from the sacrum."""
        return planes_of_levels(S1 + self.junction.extra)

    @property
    def plane_of_landmark(self) -> dict[str, int]:
        """The planes of the discs next to the lumbar ones, counted from the sacrum like them."""
        last = self.plane_of_level[Level.L5_S1]
        return {"T11/T12": last - 6, "T12/L1": last - 5, "S1/S2": last + 1}

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The arguments of the kernel, in its order."""
        return (
            *(self.frames, self.planes, self.sides, self.vertebrae, self.rootlets, self.contour, self.contour_z),
            *(self.whole, self.lesions, self.noise),
        )


def sample_subject(rng: np.random.Generator, junction: Junction | str | None = None) -> Subject:
    """Draw a healthy body: sizes, curves, soft tissue. Discs age with the subject but narrow nothing yet.

    Args:
        rng: every draw comes from it; forcing a junction changes what depends on it, and the skin, which is drawn last.
        junction: forces the kind of the lumbosacral junction.

    Raises:
        SimulationError: an unknown junction.
    """
    build = _sample_build(rng, junction)
    planes = _sample_planes(rng, build)
    vertebrae = _sample_vertebrae(rng, build, planes)
    frames = _sample_frames(rng, build, planes, vertebrae)
    whole = _sample_whole(rng, frames, planes, build)
    draw_midline(rng.spawn(1)[0], planes, vertebrae, whole, build.sacrum)
    sides = _sample_sides(rng, planes)
    rootlets = _sample_rootlets(rng)
    noise = smooth_noise(rng)
    contour, contour_z = _sample_contour(rng, frames, planes, vertebrae, build.female)
    return Subject(
        frames=frames,
        planes=planes,
        sides=sides,
        vertebrae=vertebrae,
        rootlets=rootlets,
        contour=contour,
        contour_z=contour_z,
        whole=whole,
        lesions=np.zeros(MOST_LESIONS, LESION_TYPE),
        noise=noise,
        age=build.age,
        size=build.size,
        junction=build.junction,
    )


def _sample_build(rng: np.random.Generator, junction: Junction | str | None) -> Build:
    female = bool(rng.random() < 0.55)
    kind, shift = sample_junction(rng, female, junction)
    return Build(
        female=female,
        age=float(np.clip(rng.normal(52, 17), 18, 90)),
        size=float(np.clip(rng.normal(0.97 if female else 1.06, 0.045), 0.86, 1.2)),
        curve=float(np.clip(rng.normal(1, 0.32), 0.2, 1.75)),
        junction=kind,
        shift=shift,
    )


def smooth_noise(rng: np.random.Generator) -> NDArray[np.float32]:
    """Periodic noise of unit variance, (64, 64, 64): a hill is about 4 cells wide."""
    spectrum = np.fft.rfftn(rng.standard_normal((NOISE_SIZE,) * 3))
    k = np.fft.fftfreq(NOISE_SIZE) * NOISE_SIZE
    k2 = k[:, None, None] ** 2 + k[None, :, None] ** 2 + k[None, None, : NOISE_SIZE // 2 + 1] ** 2
    field = np.fft.irfftn(spectrum * np.exp(-k2 / (2 * 7.0**2)), s=(NOISE_SIZE,) * 3, axes=(0, 1, 2))
    return np.asarray(field / field.std(), np.float32)


def _walk(rng: np.random.Generator, count: int, spread: float, smooth: float) -> FloatArray:
    """Smooth random variation along the spine: (count,), standard deviation `spread`."""
    length = np.arange(-3 * smooth, 3 * smooth + 1)
    kernel = np.exp(-(length**2) / (2 * smooth**2))
    noise = np.convolve(rng.standard_normal(count + len(kernel) - 1), kernel, "valid")
    return np.asarray(spread * noise / np.sqrt((kernel**2).sum()), float)


def _sample_planes(rng: np.random.Generator, build: Build) -> NDArray[np.void]:
    planes = np.zeros(PLANES, PLANE_TYPE)
    size, last = build.size, build.sacrum

    def jitter(spread: float) -> FloatArray:
        return np.asarray(size * (1 + _walk(rng, PLANES, spread, 2) + rng.normal(0, spread, PLANES)), float)

    canal = 1 + _walk(rng, PLANES, 0.05, 3) + rng.normal(0, 0.05)
    degeneration = np.clip((build.age - 26) / 65 + rng.normal(0, 0.16) + rng.normal(0, 0.18, PLANES), 0, 1)
    degeneration[last - 4 : last + 1] += (0.0, 0.02, 0.05, 0.1, 0.1)
    planes["degeneration"] = np.clip(degeneration, 0, 1)
    planes["half_height"] = build.read(DISC_HEIGHT) / 2 * jitter(0.06)
    worn = planes["degeneration"] ** 1.5 * rng.uniform(0.2, 1.2, PLANES)
    planes["half_height"][1 : last + 1] *= 1 - 0.35 * worn[1 : last + 1]
    planes["half_depth"] = build.read(DEPTH) / 2 * jitter(0.03)
    planes["half_width"] = build.read(WIDTH) / 2 * jitter(0.03)
    planes["concavity"] = rng.uniform(0.3, 0.75, PLANES) * planes["half_height"] * (planes["half_height"] > 1.6)
    planes["canal_depth"] = build.read(CANAL_DEPTH) * canal * (0.6 + 0.4 * size)
    planes["canal_half_width"] = build.read(CANAL_HALF_WIDTH) * (0.5 + 0.5 * canal) * (0.5 + 0.5 * size)
    sac = canal * np.clip(rng.normal(1.0, 0.06), 0.85, 1.15)
    planes["sac_half_width"] = build.read(SAC_HALF_WIDTH) * sac
    planes["sac_half_depth"] = build.read(SAC_HALF_DEPTH) * sac
    gap = np.interp(np.arange(PLANES), (0, 19, 22, 23, 24, 25, 30), (1.2, 1.0, 1.0, 1.4, 3.2, 3.2, 1))
    planes["sac_gap"] = gap * rng.uniform(0.7, 1.3) + rng.normal(0, 0.15, PLANES)
    cord = rng.normal(1, 0.05)
    planes["cord_half_width"] = np.asarray(CORD_HALF_WIDTH) * cord
    planes["cord_half_depth"] = np.asarray(CORD_HALF_DEPTH) * cord
    planes["flavum"] = np.clip(rng.normal(2.6, 0.4, PLANES) + 0.5 * planes["degeneration"], 1.5, 4)
    planes["bulge"] = np.clip(rng.normal(0.4, 0.4, PLANES) + 0.9 * planes["degeneration"], 0, 2)
    planes["bulge"][last + 1 :] = 0
    planes["reach"] = rng.uniform(2.0, 4.5, PLANES)
    planes["front_bulge"] = np.clip(rng.normal(0.8, 0.5, PLANES) + 2.2 * planes["degeneration"] ** 2, 0, 4)
    planes["front_bulge"][last + 1 :] = 0
    planes["cleft"] = rng.uniform(0, 1, PLANES)
    planes["remnant"] = WHOLE_DISC
    _fuse_sacrum(rng, planes[last + 1 :])
    wedge = build.read(DISC_WEDGE) * build.curve + rng.normal(0, 1.2, PLANES) * WEDGE_SPREAD
    planes["wedge"] = np.tan(np.radians(wedge) / 2)
    planes["wedge"][last + 1 :] = 0
    limit = 0.75 * planes["half_height"] / planes["half_depth"]
    planes["wedge"] = np.clip(planes["wedge"], -limit, limit)
    return planes


def _fuse_sacrum(rng: np.random.Generator, planes: NDArray[np.void]) -> None:
    """Leave thin remnants of the discs from S1/S2 down: heights and unfused shares.

    Fitted beside the SPIDER training patients: S1/S2 is a thin line over most of the depth, a small disc in one of
    six; the discs below have fused in about half.
    """
    disc, line = rng.uniform(1.4, 2.2), np.exp(rng.normal(0, 0.25))
    planes["half_height"][0] *= disc if rng.random() < 1 / 6 else line
    share, fused = rng.uniform(0.45, 0.97, PLANES), rng.random(PLANES) < 0.5
    fused[0] = False
    planes["remnant"] = np.where(fused, 0.0, share**2)[: len(planes)]


def _sample_vertebrae(rng: np.random.Generator, build: Build, planes: NDArray[np.void]) -> NDArray[np.void]:
    out = np.zeros(VERTEBRAE, VERTEBRA_TYPE)
    size, age, first = build.size, build.age, build.sacrum
    body = build.read(BODY_HEIGHT) * size * (1 + _walk(rng, VERTEBRAE, 0.025, 2) + rng.normal(0, 0.02, VERTEBRAE))
    low, high = planes["half_height"][1:], planes["half_height"][:-1]
    out["height"] = body + low + high
    out["waist"] = rng.uniform(0.07, 0.17, VERTEBRAE)
    out["front_lip"] = np.clip(rng.normal(0, 0.8, VERTEBRAE) + 2.5 * max(0.0, (age - 45) / 40), 0, 4)
    out["waist"][first:] *= 0.4
    out["front_lip"][first + 1 :] = 0
    tall = build.read(PEDICLE_HEIGHT) * size
    out["pedicle_high"] = low + body - rng.uniform(1, 3, VERTEBRAE)
    out["pedicle_low"] = out["pedicle_high"] - tall
    out["pedicle_width"] = build.read(PEDICLE_WIDTH) * size
    out["spinous_length"] = build.read(SPINOUS_LENGTH) * size * rng.normal(1, 0.06)
    out["spinous_low"] = rng.normal(-0.13, 0.035, VERTEBRAE)
    out["spinous_high"] = rng.normal(0.5, 0.035, VERTEBRAE)
    out["spinous_drop"] = np.interp(np.arange(VERTEBRAE), (0, 6, 8, 15, 18, 30), (0.3, 0.3, 0.7, 0.8, 0.25, 0.05))
    out["lamina"] = rng.normal(6.2, 0.5) * np.interp(np.arange(VERTEBRAE), (0, 6, 19, 24, 29), (0.7, 0.8, 1, 0.8, 0.5))
    out["transverse"] = np.interp(np.arange(VERTEBRAE), (0, 7, 18, 19, 21, 23, 24), (22, 30, 22, 36, 45, 42, 20)) * size
    out["ala"][first:] = WHOLE_ALA
    broad = rng.uniform(0.35, 0.6)
    if build.junction is Junction.SACRALIZED:
        out["ala"][first] = broad
    if build.junction is Junction.THIRTEENTH_RIBS:
        out["transverse"][L1] = THIRTEENTH_RIB_MM * size
    if build.junction is Junction.LUMBARIZED:
        out["transverse"][S1] = max(out["transverse"][S1], 40 * size)
    out["marrow"] = rng.normal(2.7, 0.4) - 1.0 * (age - 20) / 70 + rng.normal(0, 0.15, VERTEBRAE)
    out["vein"] = rng.uniform(0.3, 1.0, VERTEBRAE)
    return out


def _sample_frames(
    rng: np.random.Generator, build: Build, planes: NDArray[np.void], vertebrae: NDArray[np.void]
) -> FloatArray:
    """Stack the planes from the sacrum's slope upwards and downwards; the origin is the centre of L3.

    `curve` scales the sacral slope and the lordosis above it together, as they go together in people. A scoliosis
    turns the vertebrae and wedges the discs (`lean`, written into `planes`).
    """
    tilt = np.radians(_sample_tilt(rng, build, planes))
    coronal, twist = _sample_scoliosis(rng)
    normal = np.stack([np.sin(coronal), -np.sin(tilt) * np.cos(coronal), np.cos(tilt) * np.cos(coronal)], 1)
    back = np.array([0.0, 1.0, 0.0]) - normal[:, 1:2] * normal
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    left = np.cross(back, normal)
    turned = np.cos(twist)[:, None] * back + np.sin(twist)[:, None] * left
    lean = np.zeros(PLANES)
    lean[1:-1] = 0.15 * (coronal[:-2] - coronal[2:])
    limit = 0.5 * planes["half_height"] / planes["half_width"]
    planes["lean"] = np.clip(lean, -limit, limit)
    centre = np.zeros((PLANES, 3))
    taper = 0.9 * np.maximum(planes["half_depth"][:-1] - planes["half_depth"][1:], 0)
    taper[: build.sacrum] = 0
    shear = build.read(SHEAR_DEG)
    for i in range(VERTEBRAE):
        chord = _leaned(normal[i] + normal[i + 1], shear[i])
        centre[i + 1] = centre[i] - chord / np.linalg.norm(chord) * vertebrae["height"][i] + taper[i] * turned[i]
    centre -= (centre[L3] + centre[L3 + 1]) / 2
    return np.stack([centre, np.cross(turned, normal), turned, normal], axis=1)


def _leaned(direction: FloatArray, degrees: float) -> FloatArray:
    """A direction, (3,), turned about the left-right axis: what points to the head leans back."""
    a = np.radians(degrees)
    x, y, z = direction
    return np.array([x, y * np.cos(a) + z * np.sin(a), z * np.cos(a) - y * np.sin(a)])


def _sample_tilt(rng: np.random.Generator, build: Build, planes: NDArray[np.void]) -> FloatArray:
    """(31,) degrees, how far each plane's front lies lower; the wedges of discs and bodies add up along the chain."""
    disc = np.degrees(np.arctan(planes["wedge"]))
    first = build.sacrum
    body = build.read(BODY_WEDGE)
    spread = rng.normal(0, 1.5, VERTEBRAE)
    body[:first] = body[:first] * build.curve + spread[:first]
    body[first:] = body[first:] * rng.normal(1, 0.2) + 2 * spread[first:]
    tilt = np.zeros(PLANES)
    tilt[1:] = np.cumsum(body + disc[:-1] + disc[1:])
    tilt += 36 * build.curve + rng.normal(0, 4) - tilt[first] - disc[first]
    stoop = 13 + 0.2 * max(0.0, build.age - 55)
    posture = (rng.normal(0, 6) - tilt[2], rng.normal(stoop, 7) - tilt[7], 0.0)
    tilt += np.interp(np.arange(PLANES), (2, 7, 19), posture)
    lordosis = tilt[first] - (tilt[L2] + tilt[L2 + 1]) / 2
    lean = rng.normal(UPPER_LUMBAR_TILT, 4.5) - BACKWARD_LEAN * (lordosis - MEAN_LORDOSIS)
    return np.asarray(tilt + lean - (tilt[L2] + tilt[L2 + 1]) / 2, float)


def _sample_scoliosis(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Tilt to the side and turn about the spine's axis, (31,) each, radians.

    Nearly all spines bend a little; one in five visibly (Cobb angle, twice the amplitude, over 10 degrees in about a
    third of these), three in a hundred have a scoliosis of 20 to 35 degrees. The turn is greatest at the apex.
    Fitted to no sample; prevalence of adult scoliosis as in Kebaish et al., Spine 2011 (cited from memory).
    """
    chance = rng.random()
    bow = rng.normal(0, 1.3) if chance < 0.78 else rng.normal(0, 5)
    if chance > 0.97:
        bow = rng.choice((-1, 1)) * rng.uniform(10, 17.5)
    phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(8, 16)
    along = np.arange(PLANES)
    wave = 2 * np.pi * along / period + phase
    coronal = np.radians(bow * np.sin(wave) * np.clip((27 - along) / 3, 0, 1))
    twist = (np.radians(rng.normal(0, 1.5)) + 0.6 * np.radians(bow) * np.cos(wave)) * np.clip((27 - along) / 3, 0.2, 1)
    return coronal, twist


def _sample_sides(rng: np.random.Generator, planes: NDArray[np.void]) -> NDArray[np.void]:
    sides = np.zeros((PLANES, 2), SIDE_TYPE)
    wear = planes["degeneration"][:, None]
    sides["facet"] = np.clip(rng.normal(0, 0.3, (PLANES, 2)) + 0.5 * wear, 0, 1.5)
    sides["foramen_bulge"] = np.clip(rng.normal(0.5, 0.5, (PLANES, 2)) + 0.6 * wear, 0, 2.2)
    sides["recess_bulge"] = np.clip(rng.normal(0, 0.3, (PLANES, 2)) + 0.3 * wear, 0, 1.2)
    sides["root"] = np.interp(np.arange(PLANES), (0, 8, 18, 20, 24, 30), (2.0, 1.9, 2.0, 2.35, 3.15, 1.5))[:, None]
    sides["root"] *= rng.normal(1, 0.08, (PLANES, 2))
    sides["fluid"] = rng.uniform(0, 1, (PLANES, 2))
    sides["fibrous"] = np.clip(rng.normal(0.2, 0.3, (PLANES, 2)) + 0.4 * wear, 0, 0.9)
    sides["veins"] = rng.uniform(-0.3, 0.8, (PLANES, 2))
    sides["root_back"] = rng.normal(0.2, 0.7, (PLANES, 2))
    sides["root_up"] = rng.normal(0, 0.5, (PLANES, 2))
    sides["root_tall"] = np.clip(rng.normal(1.12, 0.12, (PLANES, 2)), 0.9, 1.4)
    sides["process_forward"] = np.clip(rng.normal(0.2, 1.0, (PLANES, 2)), -1.8, 2.4)
    sides["process_up"] = rng.uniform(-1, 2, (PLANES, 2))
    sides["roof_down"] = np.clip(rng.normal(0.2, 0.5, (PLANES, 2)), 0, 1.4)
    sides["process_lean"] = rng.normal(0.0, 0.13, (PLANES, 2))
    thin = rng.random((PLANES, 2)) < THIN_RIM_SHARE
    sides["rim"] = np.where(thin, rng.uniform(1.3, 4.0, (PLANES, 2)), 9.0)
    turn = np.interp(np.arange(PLANES), *JOINT_TURN_DEG)[:, None] + rng.normal(0, 5, PLANES)[:, None]
    turn = np.radians(turn + rng.normal(0, 4, (PLANES, 2)))
    sides["joint_u"], sides["joint_v"] = np.sin(turn), np.cos(turn)
    sides["joint_slope"] = np.clip(rng.normal(0.36, 0.1, (PLANES, 2)), 0.1, 0.6)
    sides["joint_bend"] = np.clip(rng.normal(0.028, 0.014, (PLANES, 2)), 0.0, 0.06)
    return sides


def _sample_rootlets(rng: np.random.Generator) -> FloatArray:
    """Two strands (front and back root) per side for L2 to S3, and the filum; the lower ones lie more central.

    Lying on the back they settle behind, and crowd below L3.
    """
    rows = []
    for order, leaves in enumerate((21.5, 22.5, 23.5, 24.3, 25.0, 25.4, 25.6)):
        for side in (-1.0, 1.0):
            for _ in range(2):
                across = side * np.clip(0.78 - 0.11 * order + rng.normal(0, 0.07), 0.04, 0.9)
                behind = np.clip(0.36 + 0.08 * order + rng.normal(0, 0.15), -0.1, 0.88)
                rows.append((across, behind, rng.normal(0, 0.07), rng.uniform(0, 6.3), leaves, rng.uniform(0.75, 1.15)))
    rows.append((0.0, 0.75, 0.03, 0.0, 25.6, 0.6))
    return np.asarray(rows)


def _sample_contour(
    rng: np.random.Generator, frames: FloatArray, planes: NDArray[np.void], vertebrae: NDArray[np.void], female: bool
) -> tuple[FloatArray, float]:
    """The outline of the body around the spine, as a table over z."""
    centre = frames[:, 0]
    low, high = centre[-1, 2] - 260, centre[0, 2] + 190
    z = np.arange(low, high, CONTOUR_STEP_MM)
    order = slice(None, None, -1)

    def at(values: FloatArray) -> FloatArray:
        return np.asarray(np.interp(z, centre[order, 2], values[order]), float)

    def smooth(values: FloatArray, width_mm: float) -> FloatArray:
        return _smooth(values, width_mm / CONTOUR_STEP_MM)

    spinous = np.append(vertebrae["spinous_length"], 0.0)
    reach = planes["half_depth"] + planes["canal_depth"] + spinous
    tips = centre + frames[:, 2] * reach[:, None]
    rising = np.argsort(tips[:, 2])
    tip = np.interp(z, tips[rising, 2], tips[rising, 1])
    level = at(np.arange(PLANES, dtype=float))
    heavy = float(np.clip(rng.normal(0, 1), -1.8, 2.6))
    knots = (0, 3, 5, 7, 8, 10, 13, 17, 21, 24, 26, 28, 30)
    hips = 1.12 if female else 1.0
    back_fat = np.interp(level, knots, (6, 6, 6, 8, 9, 8, 8, 9, 15, 26, 30, 30, 26)) * np.exp(0.45 * heavy) * hips
    depth = np.interp(level, knots, (112, 112, 122, 138, 160, 195, 215, 222, 212, 218, 224, 222, 200))
    depth *= np.exp(0.13 * heavy)
    half_width = np.interp(level, knots, (64, 60, 64, 104, 176, 208, 182, 164, 158, 178, 186, 188, 182))
    half_width *= np.exp(0.09 * heavy) * np.interp(level, (7, 8, 17, 21, 26), (1, 0.98, 0.98, 1, hips**0.5))
    front_fat = np.interp(level, knots, (5, 4, 4, 6, 8, 12, 14, 15, 22, 26, 28, 26, 20)) * np.exp(0.6 * heavy)
    square = np.interp(level, (5, 8, 12, 24, 30), (0.15, 0.7, 0.75, 0.6, 0.5))
    outermost = np.lib.stride_tricks.sliding_window_view(np.pad(tip, 8, mode="edge"), 17).max(axis=1)
    back = smooth(0.5 * (outermost + tip), 10) + 8
    loin = np.clip((level - 14) / 4, 0, 1)
    back = smooth(back, 12) * (1 - loin) + smooth(back, 32) * loin + back_fat + _smooth(rng.normal(0, 25, len(z)), 12)
    back = smooth(np.maximum(back, outermost + 8), 4)
    buttock = 24 * hips * np.exp(-(((level - 28.6) / 2.2) ** 2))
    front = smooth(back - depth, 40)
    spine = at(centre[:, 1])
    head = foramen_magnum(frames, planes)
    nape = head[1] + 62 - 0.0055 * np.clip(head[2] + 30 - z, 0, 85) ** 2
    back = np.where(z > head[2] - 55, smooth(np.maximum(back, nape), 6), back)
    below = np.clip(centre[-1, 2] - z, 0, None)
    back -= smooth(np.minimum(0.45 * below, 55), 20)
    top = np.clip((z - centre[0, 2] - 6) / 30, 0, 1)
    spine -= 170 * top
    back += 12 * top + buttock
    half_width, back_fat = smooth(half_width, 16), back_fat + 0.6 * buttock
    contour = np.stack((at(centre[:, 0]), spine, back, front, half_width, back_fat, front_fat, level, square), axis=1)
    return contour, float(low)


def foramen_magnum(frames: FloatArray, planes: NDArray[np.void]) -> FloatArray:
    """The middle of the cord where it passes the plane above C1, LPS mm: the origin of the head."""
    top = planes[0]
    behind = top["half_depth"] + top["sac_gap"] + top["sac_half_depth"] - 0.4
    return np.asarray(frames[0, 0] + behind * frames[0, 2], float)


def _smooth(values: FloatArray, sigma: float) -> FloatArray:
    reach = int(3 * sigma) + 1
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    padded = np.pad(values, reach, mode="edge")
    return np.asarray(np.convolve(padded, kernel / kernel.sum(), "valid"), float)


def _sample_whole(
    rng: np.random.Generator, frames: FloatArray, planes: NDArray[np.void], build: Build
) -> NDArray[np.void]:
    whole = np.zeros(1, WHOLE_TYPE)
    top = planes[0]
    head = foramen_magnum(frames, planes)
    values = {
        "conus": float(np.clip(rng.normal(19.55, 0.42), 18.5, 20.6)),
        "sac_end": float(np.clip(rng.normal(25.5, 0.3), 24.8, 26.3)),
        "infiltration": float(np.clip(rng.normal(0.15 + 0.5 * (build.age - 20) / 65, 0.18), 0, 1)),
        "bowel": rng.uniform(-0.3, 0.5),
        "gas": rng.uniform(0.5, 1.6),
        "vessel": rng.normal(1, 0.12),
        "psoas": rng.normal(0.92 if build.female else 1.08, 0.12),
        "warp": rng.uniform(0.5, 1.2),
        "fine_warp": rng.uniform(0.08, 0.22),
        "heart_side": 1.0,
        "z_l1": frames[L1, 0, 2],
        "z_l4": frames[L3 + 2, 0, 2],
        "last_disc": float(build.sacrum),
        "z_s1": frames[build.sacrum, 0, 2],
        "female": float(build.female),
        "bladder": rng.uniform(0.3, 1.2),
        "grain": rng.uniform(0.5, 1.1),
        "liver": rng.uniform(0.8, 1.15),
        "slow_veins": rng.uniform(0, 1),
        "z_heart": frames[T8, 0, 2],
        "head_x": head[0],
        "head_y": head[1],
        "head_z": head[2],
        "head_nod": rng.normal(0, 0.08),
        "head_lean": frames[0, 3, 1] / frames[0, 3, 2],
        "head_size": 0.35 + 0.65 * float(np.clip(build.size, 0.92, 1.1)) * rng.normal(1, 0.02),
        "scalp": rng.uniform(-2, 2.5),
        "ventricle": 0.75 + 0.5 * max(0.0, (build.age - 30) / 60) + rng.uniform(-0.12, 0.25),
        "cord_x": top["cord_half_width"],
        "cord_y": top["cord_half_depth"],
        "y_hip": 0.6 * frames[S1, 0, 1] + 0.4 * frames[COCCYX, 0, 1] - 64 * build.size,
        "z_hip": frames[COCCYX, 0, 2] + 6,
        "hip_size": 0.3 + 0.7 * build.size,
    }
    for name, value in values.items():
        whole[name] = value
    return whole
