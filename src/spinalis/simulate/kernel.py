"""Which tissue lies at a point: one scalar function, compiled.

A point of the patient is warped, placed in the coordinates of its vertebra (`coordinates`), and asked for its tissue
there (`healthy_tissue`, and what `lesions` lays over it); away from the spine the body outline decides
(`surroundings`). The measurements of the truth sample the same function, so that grade and picture cannot disagree.
"""

# A compiled decision is a chain of early returns over plain numbers; splitting it hides the order of the tissues.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: C901, PLR0911, PLR0912, PLR0913, PLR0917

from typing import Any

import numpy as np

from spinalis.simulate.anatomy import VERTEBRAE, WHOLE_ALA, WHOLE_DISC
from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, mix, noise_at, step, window
from spinalis.simulate.tissue import Tissue

NOTHING, ARCH = -1, -2
"""No tissue of the spine; and ask `arch_tissue`, which is inlined, and so called, at one place only."""
AIR, SKIN, FAT, MUSCLE = int(Tissue.AIR), int(Tissue.SKIN), int(Tissue.FAT), int(Tissue.MUSCLE)
CORTEX, MARROW, ANNULUS, NUCLEUS = (
    *(int(Tissue.CORTEX), int(Tissue.MARROW)),
    *(int(Tissue.ANNULUS), int(Tissue.NUCLEUS_0)),
)
CSF, CORD_WHITE, CORD_GREY = int(Tissue.CSF), int(Tissue.CORD_WHITE), int(Tissue.CORD_GREY)
ROOTLET, ROOT, LIGAMENT, FLAVUM = int(Tissue.ROOTLET), int(Tissue.ROOT), int(Tissue.LIGAMENT), int(Tissue.FLAVUM)
FLOW_VOID, SLOW_BLOOD, LIVER, KIDNEY = (
    *(int(Tissue.FLOW_VOID), int(Tissue.SLOW_BLOOD)),
    *(int(Tissue.LIVER), int(Tissue.KIDNEY)),
)
BODY_VEIN, FLUID, MODIC_2 = int(Tissue.BODY_VEIN), int(Tissue.FLUID), int(Tissue.MODIC_2)
LUNG, BOWEL, INTERSPINOUS, EPIDURAL_FAT = (
    *(int(Tissue.LUNG), int(Tissue.BOWEL)),
    *(int(Tissue.INTERSPINOUS), int(Tissue.EPIDURAL_FAT)),
)
JOINT, BRAIN_WHITE, BRAIN_GREY = int(Tissue.JOINT), int(Tissue.BRAIN_WHITE), int(Tissue.BRAIN_GREY)
PEDICLE, OSTEOPHYTE, CARTILAGE = int(Tissue.PEDICLE), int(Tissue.OSTEOPHYTE), int(Tissue.CARTILAGE)
FIBROUS = int(Tissue.FIBROUS)

FIRST_SACRAL = 24
"""S1 of a regular spine; where bone is concerned, `ala` of the vertebra decides."""


@compiled
def disc_height_at(plane: Any, u: float, v: float) -> float:
    """Half the disc's height at a place: wedged, and biconcave towards the end-plates."""
    r = (u / plane.half_width) ** 2 + (v / plane.half_depth) ** 2
    depth = min(max(v, -plane.half_depth), plane.half_depth)
    h = plane.half_height - plane.wedge * depth - plane.lean * u + plane.concavity * (0.45 - min(r, 1.0))
    return max(h, 0.5)


@compiled
def disc_edge(plane: Any, side: Any, front: float, au: float, q: float) -> float:
    """Where the disc (or its bulge, or the spur that carries it) ends to the back at `au` beside the midline.

    Args:
        plane: the disc.
        side: its side.
        front: the posterior wall of the body at this place.
        au: distance from the midline.
        q: distance above the disc's plane.

    Returns:
        v in mm; `front` away from the disc.
    """
    c = plane.canal_half_width
    bulge = plane.bulge * window(au, 5.8) + side.recess_bulge * window(au - (c - 3), 4.0) * step(au / 4)
    lateral = side.foramen_bulge * window(au - (c + 6), 5.0) * step(au / 4)
    post = max(plane.half_height - plane.wedge * plane.half_depth, 0.8)
    over = abs(q) - post
    if over <= 0:
        return front + bulge * (1 - 0.3 * (q / post) ** 2) + lateral
    bulge *= 0.7
    reach = plane.reach
    central = max(0.0, 1 - (over / reach) ** 2)
    reach += side.bulge_up if q > 0 else 0.0
    return front + bulge * central + lateral * max(0.0, 1 - (over / reach) ** 2)


@compiled
def flavum_at(plane: Any, side: Any, au: float, q: float, h: float) -> float:
    """Thickness of the ligamentum flavum and of the facet behind it, that the canal loses from the back."""
    f = q / h
    spread = step((0.3 - f) / 0.2) * step((f + 0.36) / 0.12)
    if spread <= 0:
        return 0.0
    c = plane.canal_half_width
    lateral = window(au - (c - 2.5), 4.5) * step(au / 4)
    middle = 0.45 + 0.55 * step(au / 4.0)
    return spread * (plane.flavum * middle * (1 - 0.65 * lateral) + side.facet * lateral)


@compiled
def roof_at(wall: float, depth: float, c: float, au: float) -> float:
    """The bony posterior border of the canal: a rounded triangle, and where it is wide, as at L5, a trefoil."""
    m = au / c
    trefoil = min(max((c / depth - 0.72) / 0.12, 0.0), 1.0)
    return wall + depth * (1 - 0.22 * m - 0.33 * m * m - 0.09 * trefoil * window(m - 0.64, 0.2))


@compiled
def cleft_at(plane: Any, f: float, au: float) -> float:
    """How much deeper the canal is in the midline between two laminae, where its posterior fat lies.

    A triangle in the sagittal plane: from beneath the lamina above to the upper edge of the lamina below.
    """
    if au > 8 or f > 0.16 or f < -0.46:
        return 0.0
    apex = plane.pad_apex
    x = (f - apex) / (0.13 - apex) if f > apex else (apex - f) / (apex + 0.44)
    if x >= 1:
        return 0.0
    return plane.pad * (1 - x * x) * window(au, 3.4)


@compiled
def hollow_at(vertebra: Any, s: float) -> float:
    """How far the posterior wall of a body is hollowed between its end-plates (s = 0 and 1), mm."""
    if s <= 0 or s >= 1:
        return 0.0
    return vertebra.hollow * 4 * s * (1 - s)


@compiled
def process_face(plane: Any, side: Any, wall: float, q: float) -> float:
    """The posterior border of the foramen: hollow of the pars above, leaning superior articular process below."""
    tip = 1.0 + side.process_up
    low = 6.4 - side.process_forward + side.process_lean * min(max(tip - q, 0.0), 10.0)
    return wall + mix(low, 9.8 - 0.65 * side.process_forward, step((q - tip + 3.0) / 7.0))


@compiled
def notch_at(low: float, vw: float) -> float:
    """The lower border of a pedicle, the round roof of the foramen: highest in its middle."""
    x = (vw - 4.8) / 5.0
    return low + 2.2 - 3.4 * min(x * x, 1.1)


@compiled
def exiting_root(body: Body, i: int, s: int) -> tuple[float, float, float, float]:
    """The root beneath the pedicle of `i`: centre (v behind the wall, q above the disc), half depth, half height.

    Squeezed from front and back it grows taller before it loses area.
    """
    vertebra, plane, side = body.vertebrae[i], body.planes[i + 1], body.sides[i + 1, s]
    r = side.root
    at = vertebra.pedicle_low - r - 0.9 - 0.5 * side.roof_down + side.root_up
    front = disc_edge(plane, side, 0.0, plane.canal_half_width + 6, at)
    back = process_face(plane, side, 0.0, at)
    centre = min(max(4.6 + side.root_back, front + r), back - r)
    depth = r
    if back - front < 2 * r:
        centre = 0.5 * (front + back)
        depth = max(0.5 * (back - front), 0.4)
    return centre, at, depth, r * min(side.root_tall * r / depth, 1.5)


@compiled
def near_capsule(a: Any, b: Any, p: Any) -> float:
    """Distance of `p` to the segment from `a` to `b`, 3 numbers each."""
    ax, ay, az = a
    dx, dy, dz = b[0] - ax, b[1] - ay, b[2] - az
    px, py, pz = p[0] - ax, p[1] - ay, p[2] - az
    t = min(max((px * dx + py * dy + pz * dz) / (dx * dx + dy * dy + dz * dz), 0.0), 1.0)
    px, py, pz = px - t * dx, py - t * dy, pz - t * dz
    return np.sqrt(px * px + py * py + pz * pz)


@compiled
def in_exiting_root(body: Body, i: int, s: int, au: float, vw: float, q: float) -> bool:
    """Is the point in the root that leaves beneath the pedicle of vertebra `i`? `q` is above the disc below `i`."""
    vertebra, plane, side = body.vertebrae[i], body.planes[i + 1], body.sides[i + 1, s]
    low = vertebra.pedicle_low
    if q > low + 8 or q < -14 or vw < -14 or vw > 14 or au > 42:
        return False
    centre, at, depth, tall = exiting_root(body, i, s)
    r = side.root
    c = plane.canal_half_width
    p = (au, vw, q)
    start, neck = (c - 2.4, 4.2, low + 8), (c + 1.5, 0.5 * (4.4 + centre), at + 2.2)
    if near_capsule(start, neck, p) < 0.7 * r:
        return True
    middle, end = (c + 4.5, centre, at + 0.3), (c + 8.5, centre, at - 1.0)
    if near_capsule(neck, middle, p) < min(0.9 * r, depth + 0.3):
        return True
    slope = at + 0.3 - 1.3 * (au - c - 4.5) / 4.0
    if c + 2 < au < c + 9.5 and ((vw - centre) / depth) ** 2 + ((q - slope) / tall) ** 2 < 1:
        return True
    out = (c + 20, centre - 7, at - 14)
    return near_capsule(end, out, p) < 0.8 * r


@compiled
def around_root(body: Body, k: int, s: int, vw: float, q: float, au: float) -> float:
    """Distance, roughly, of a place in the foramen above disc `k` to the surface of its root."""
    centre, at, depth, tall = exiting_root(body, k - 1, s)
    slope = at + 0.3 - 1.3 * (au - body.planes[k].canal_half_width - 4.5) / 4.0
    e = np.sqrt(((vw - centre) / depth) ** 2 + ((q - slope) / tall) ** 2)
    return (e - 1) * min(depth, tall)


@compiled
def recess_gap(body: Body, k: int, s: int, q: float) -> tuple[float, float, float, float]:
    """The lateral recess at plane `k`: place of the traversing root (au), front and back border (v - wall), radius."""
    plane, side = body.planes[k], body.sides[k, s]
    c = plane.canal_half_width
    along = step((6 - q) / 20.0)
    au = mix(0.86 * plane.sac_half_width, c - 2.4, along)
    h = body.vertebrae[min(k, VERTEBRAE - 1)].height
    front = disc_edge(plane, side, 0.0, au, q)
    back = roof_at(0.0, plane.canal_depth, c, au) - flavum_at(plane, side, au, q, h)
    return au, front, back, 0.72 * side.root


@compiled
def in_traversing_root(body: Body, k: int, s: int, au: float, vw: float, q: float) -> bool:
    """Is the point in the root of vertebra `k` on its way down past disc `k`?"""
    if q > 7 or q < -0.62 * body.vertebrae[min(k, VERTEBRAE - 1)].height:
        return False
    place, front, back, r = recess_gap(body, k, s, q)
    half = min(r, max(0.35, 0.5 * (back - front) - 0.15))
    wide = min(r * min(r / half, 1.7), 2.4 * r)
    centre = min(max(3.6, front + half + 0.1), back - half - 0.1)
    a, b = (au - place) / wide, (vw - centre) / half
    return a * a + b * b < 1


@compiled
def sac_tissue(body: Body, level: float, u: float, a: float, low: float, high: float, cord: Any) -> int:
    """Inside the sac: cord above the conus, rootlets below it, CSF between.

    Args:
        body: the subject.
        level: planes from the top.
        u: to the left.
        a: half width of the sac.
        low: front border of the sac at `u`, from the point (so <= 0).
        high: back border, from the point (>= 0).
        cord: half width, half depth, and the point's v from the cord's centre.
    """
    conus = body.whole[0].conus
    if level < conus:
        shrink = min(1.0, (conus - level) / 1.1) ** 0.55
        ra, rb = cord[0] * shrink, cord[1] * shrink
        e = (u / ra) ** 2 + (cord[2] / rb) ** 2
        if e < 1:
            x, y = abs(u / ra), cord[2] / rb
            horn = (x - 0.28 - 0.12 * y) ** 2 / 0.03 + (y - 0.05) ** 2 / 0.3
            return CORD_GREY if horn < 1 or (x < 0.35 and abs(y) < 0.14) else CORD_WHITE
    if level < 18.3:
        return CSF
    depth = high - low
    b = -2 * low / depth - 1
    x = u / a
    whole = body.whole[0]
    back = whole.sheaf + 0.12 * max(level - 21, 0.0) - 0.2 * x * x
    if b > back and conus - 0.2 < level < 24.6:
        dense = min(1.0, (b - back) / 0.6) - 0.3 * max(level - 22, 0.0)
        slope = b * depth / 1.2 + 2.0 * level + 1.2 * noise_at(body.noise, 1.6 * level, 3.0, 7.0)
        if noise_at(body.noise, u / 1.1, 1.6 * level + 9, slope) > whole.strands + 1.6 * (1 - dense):
            return ROOTLET
    for n in range(body.rootlets.shape[0]):
        rootlet = body.rootlets[n]
        leave = rootlet[4] - level
        if leave < 0:
            continue
        out = step(1 - leave / 0.7)
        across = rootlet[0] + rootlet[2] * np.sin(5 * level + rootlet[3])
        behind = rootlet[1] + 1.2 * abs(rootlet[2]) * np.sin(4 * level + 2 * rootlet[3])
        if level < conus + 0.6:
            early = step((conus + 0.6 - level) / 1.2)
            across = mix(across, 0.55 * across + 0.2 * np.sign(across), early)
        if across > 0:
            across = mix(across, 0.82, out)
        elif across < 0:
            across = mix(across, -0.82, out)
        behind = mix(behind, -0.1, out)
        dx, dy = (x - across) * a, (b - behind) * 0.5 * depth
        if dx * dx + dy * dy < rootlet[5] * rootlet[5]:
            return ROOTLET
    return CSF


@compiled
def joint_at(side: Any, f: float, h: float, du: float, dv: float) -> tuple[float, float]:
    """Where a place lies at a facet joint: along its line (outwards and back), and across it.

    The line is oblique seen from above and from the side, and curved like a C: the superior process (across > 0), in
    front and outside, holds the inferior one.

    Args:
        side: of the joint's disc.
        f: height above the disc's plane, as a share of `h`.
        h: height of the vertebra.
        du: outwards from the middle of the joint at the disc's plane.
        dv: back from there.
    """
    dv += side.joint_slope * max(f, -0.25) * h
    along = side.joint_u * du + side.joint_v * dv
    return along, side.joint_v * du - side.joint_u * dv + side.joint_bend * along * along


@compiled
def pars_at(t: float, du: float, dv: float, lean: float, small: float) -> float:
    """How deep a place lies in the pillar between the articular processes of one vertebra: 1 in its middle, 0 out.

    Args:
        t: 0 at the plane below the vertebra, 1 at the plane above.
        du: outwards from the middle of its joints.
        dv: back from there.
        lean: how far the pillar comes forward from `t` 0 to 1.
        small: 1 in a lumbar vertebra.
    """
    if t > 0.78:
        return 0.0
    x, y = (du - 0.6) / (6.4 * small), (dv - 2.4 + lean * min(t, 0.42)) / (4.8 * small)
    return 1 - x * x - y * y - 3 * max(t - 0.55, 0.0)


@compiled
def arch_tissue(body: Body, i: int, t: float, au: float, s: int, v: float, wall: float) -> int:
    """Behind the canal and the foramina: facet joints, laminae, pars; NOTHING where muscle may lie."""
    vertebra = body.vertebrae[i]
    h = vertebra.height
    lower, upper = body.planes[i + 1], body.planes[i]
    k = i + 1 if t < 0.5 else i
    f = t if t < 0.5 else t - 1
    side = body.sides[k, s]
    c = mix(lower.canal_half_width, upper.canal_half_width, t)
    depth = mix(lower.canal_depth, upper.canal_depth, t)
    du, dv = au - c - 2.4, v - wall - 0.8 * depth
    small = 0.5 + 0.5 * min(h / 34, 1.0)
    pars = pars_at(t, du, dv, 34 * small * side.joint_slope, small) if vertebra.ala < WHOLE_ALA else 0.0
    if k > 2 and abs(f) < 0.45 and du * du + dv * dv < 400 and body.vertebrae[k - 1].ala < WHOLE_ALA:
        along, across = joint_at(side, f, h, du, dv)
        grow = 0.6 * side.facet + 0.9 * noise_at(body.noise, au / 4 + 5 * k, v / 4, 3.0 * f)
        tip = 0.17 + side.process_up / 36
        if across > 0:
            thick = (7.0 + grow) * small * np.sqrt(step((tip - f) / 0.3) * step((f + 0.46) / 0.14))
        else:
            thick = (6.6 + grow) * small * np.sqrt(step((f + 0.42) / 0.2))
        x, y = along / ((8.2 + grow) * small), across / max(thick, 0.1)
        e = x * x + y * y
        if e < 1:
            gap = 0.5 + 0.45 * side.fluid if -0.36 < f < tip - 0.04 else -9.0
            if abs(across) < gap:
                return JOINT
            own = pars > 0.2 and (across > 0) == (t >= 0.5)
            return CORTEX if abs(across) < gap + 1.0 or (e > 0.74 and not own) else PEDICLE
    roof = roof_at(wall, depth, c, min(au, 1.15 * c))
    thin = 0.0
    if 0.06 < t < 0.62 and au < c + 3 and roof <= v:
        thin = min(roof + vertebra.lamina - v, (t - 0.06) * h, (0.62 - t) * h)
        thin = v - roof + 0.1 if thin > 0 and au < 4 else min(thin, v - roof + 0.1)
    if pars > 0 or thin > 0:
        inner = v < wall + 15 and vertebra.pedicle_low + 1 < t * h < vertebra.pedicle_high - 1
        return PEDICLE if pars > 0.26 or thin > 1.2 or inner else CORTEX
    outer = c + vertebra.pedicle_width - 2
    if 0.5 < t < 0.76 and outer < au < vertebra.transverse and wall + 5 < v < wall + 12 + 0.1 * au:
        thin = min(min(t - 0.5, 0.76 - t) * h, v - wall - 5)
        return CORTEX if thin < 1.4 else PEDICLE
    return NOTHING


@compiled
def canal_tissue(body: Body, i: int, t: float, u: float, v: float, h: float) -> int:
    """Between the posterior wall and the roof of the canal, `abs(u)` within the pedicles."""
    upper, lower = body.planes[i], body.planes[i + 1]
    k = i + 1 if t < 0.5 else i
    q = t * h if t < 0.5 else (t - 1) * h
    s = 1 if u > 0 else 0
    plane, side = body.planes[k], body.sides[k, s]
    au = abs(u)
    wall = mix(lower.half_depth, upper.half_depth, t)
    c = mix(lower.canal_half_width, upper.canal_half_width, t)
    front = wall * (1 - 0.25 * (u / plane.half_width) ** 4)
    sag = hollow_at(body.vertebrae[i], (t * h - lower.half_height) / (h - lower.half_height - upper.half_height))
    edge = disc_edge(plane, side, front, au, q)
    if edge < front + 0.4:
        edge -= sag
    edge += 0.25 * min(1.0, au / 4) * noise_at(body.noise, u / 1.5 + 3 * k, q / 1.5, 6.0)
    if v < edge:
        return ANNULUS if abs(q) < plane.half_height + 1.5 else OSTEOPHYTE if edge > front else CORTEX
    cleft = cleft_at(plane, q / h, au)
    roof = roof_at(wall, mix(lower.canal_depth, upper.canal_depth, t), c, au) + cleft
    ceiling = roof - flavum_at(plane, side, au, q, h) * (1 if cleft < 1 else 0.8)
    if v > ceiling:
        return ARCH if v > ceiling + 2.2 else FLAVUM
    ceiling -= cleft
    level = i + 1 - t
    end = min(1.0, max(0.0, (body.whole[0].sac_end - level) / 0.8)) ** 0.5
    a = mix(lower.sac_half_width, upper.sac_half_width, t) * end
    b = mix(lower.sac_half_depth, upper.sac_half_depth, t) * end
    if end > 0.1 and au < a:
        centre = wall + mix(lower.sac_gap, upper.sac_gap, t) + b
        half = b * np.sqrt(1 - (u / a) ** 2)
        low, high = max(edge + 0.6, centre - half - 0.8 * sag), min(ceiling - 0.4, centre + half)
        if low < v < high:
            cord = (
                mix(lower.cord_half_width, upper.cord_half_width, t),
                mix(lower.cord_half_depth, upper.cord_half_depth, t),
                v - centre + 0.4,
            )
            return sac_tissue(body, level, u, a, low - v, high - v, cord)
        if low - 0.7 < v < high + 0.5 + 0.15 * noise_at(body.noise, 3.0, 2 * level, u / 3) and high > low:
            return LIGAMENT
    if v < edge + 0.6 and au < 6:
        return LIGAMENT
    vw = v - wall
    if k > 18 and in_traversing_root(body, k, s, au, vw, q):
        return ROOT
    if i > 17 and in_exiting_root(body, i, s, au, vw, t * h):
        return ROOT
    if v < edge + 1.6 and au < c - 3 and abs(t - 0.5) < 0.22:
        return BODY_VEIN
    return EPIDURAL_FAT


@compiled
def foramen_tissue(body: Body, i: int, t: float, au: float, s: int, v: float, wall: float) -> int:
    """Lateral to the canal, behind the bodies: foramen with root and fat, pedicle, articular processes, pars."""
    vertebra = body.vertebrae[i]
    h = vertebra.height
    lower, upper = body.planes[i + 1], body.planes[i]
    c = mix(lower.canal_half_width, upper.canal_half_width, t)
    above = t * h
    wide = vertebra.pedicle_width
    radius = 0.5 * (vertebra.pedicle_high - vertebra.pedicle_low)
    vw = v - wall
    if c - 0.6 < au < c + wide and vw < 12:
        x = (vw - 5) / 7
        under = notch_at(vertebra.pedicle_low, vw) + 0.5 * noise_at(body.noise, vw / 1.5, au / 2, 3.0 * i + s)
        thin = min(above - under, vertebra.pedicle_high - (0.16 - 0.16 * x * x) * radius - above)
        if thin > 0:
            thin = min(thin, au - c + 0.6, c + wide - au)
            return CORTEX if thin < 1.1 else PEDICLE
    k = i + 1 if t < 0.5 else i
    q = above if t < 0.5 else above - h
    plane, side = body.planes[k], body.sides[k, s]
    rough = 0.5 * noise_at(body.noise, au / 1.5 + 5 * k, q / 1.3, 11.0 * s)
    edge = disc_edge(plane, side, wall, au, q) + rough
    outline = wall * (1 - 0.25 * min((au / plane.half_width) ** 4, 1.6))
    if v < edge - wall + outline and au < plane.half_width - 2:
        spur = plane.half_height + 1.5 + 2.4 * rough + 0.5 * max(v - outline - 1.5, 0.0)
        return ANNULUS if abs(q) < spur else OSTEOPHYTE
    face = process_face(plane, side, wall, q) + 0.8 * noise_at(body.noise, au / 1.6, q / 1.4 + 3 * k, 9.0 * s + 4)
    beyond = au - c - wide
    if beyond > 0 and (beyond > 3 + 0.5 * vw or vw < -4 + beyond):
        if i > 17 and in_exiting_root(body, i, s, au, vw, above):
            return ROOT
        return NOTHING if vw < 8 else ARCH
    roof = notch_at(vertebra.pedicle_low, vw) if t < 0.5 else 99.0
    if roof - side.roof_down < above and au < c + wide:
        return FLAVUM
    if v < face:
        if v > face - 1.3 and q < 3:
            return FLAVUM
        if i > 6 and in_exiting_root(body, i, s, au, vw, above):
            return ROOT
        if t > 0.5 and in_exiting_root(body, i - 1, s, au, vw, q):
            return ROOT
        grain = noise_at(body.noise, v / 1.4, q / 1.4, 7.0 * i + 3 * s + au / 4)
        if min(v - edge, face - v, roof - above) < side.fibrous + 0.5 * grain:
            return FIBROUS
        if side.fibrous > 0.8 or side.rim < 6:
            apart = around_root(body, k, s, vw, q, au)
            if apart < side.fibrous - 1.2 + 0.4 * grain or (apart > side.rim + 0.8 * grain and grain > -0.9):
                return FIBROUS
        return SLOW_BLOOD if grain > 1.8 - side.veins else EPIDURAL_FAT
    return ARCH


@compiled
def spinous_tissue(body: Body, i: int, t: float, au: float, v: float, wall: float) -> int:
    """The midline behind the laminae: spinous processes, the ligaments between them and over their tips."""
    lower, upper = body.planes[i + 1], body.planes[i]
    base = wall + mix(lower.canal_depth, upper.canal_depth, t)
    behind = v - base
    if au > 5.5 or behind < 0:
        return NOTHING
    for above in range(2):
        j = i - above
        if j < 0:
            continue
        process = body.vertebrae[j]
        f = t - above + process.spinous_drop * behind / process.height
        length = process.spinous_length
        if behind > length:
            continue
        taper = 0.08 * behind / max(length, 1.0)
        low, high = process.spinous_low + taper, process.spinous_high - 1.2 * taper
        if low < f < high:
            half = 3.4 + 1.2 * behind / max(length, 1.0)
            middle, tall = 0.5 * (low + high), 0.5 * (high - low)
            round_off = ((f - middle) / tall) ** 2 * 0.8 + (behind / length) ** 6 * 0.6
            round_off += 0.1 * noise_at(body.noise, v / 2, f * process.height / 2, 5.0 * j)
            thin = min((1 - round_off) * tall * process.height, half - au)
            if thin > 0:
                return CORTEX if thin < 0.9 else PEDICLE
    reach = mix(body.vertebrae[min(i + 1, VERTEBRAE - 1)].spinous_length, body.vertebrae[i].spinous_length, t)
    if behind < reach - 1 and au < 4.5:
        fibre = noise_at(body.noise, v / 3.5 + 13 * i, (t * body.vertebrae[i].height + 0.5 * v) / 1.1, au / 2)
        more = 1.6 - 0.9 * body.whole[0].infiltration
        return FAT if fibre > more else LIGAMENT if fibre < -1.2 else INTERSPINOUS
    if behind < reach + 1.5 and au < 2.6 and body.vertebrae[i].ala < WHOLE_ALA:
        return LIGAMENT
    return NOTHING


@compiled
def vertebral_body(body: Body, i: int, t: float, u: float, v: float, up: float, down: float) -> int:
    """Bodies and discs; NOTHING outside their outline."""
    upper, lower, vertebra = body.planes[i], body.planes[i + 1], body.vertebrae[i]
    plane = lower if down < up else upper
    near = min(up, down)
    depth = mix(lower.half_depth, upper.half_depth, t)
    width = mix(lower.half_width, upper.half_width, t)
    k = i + 1 if down < up else i
    d = disc_height_at(plane, u, v)
    if near < d + 1.5:
        side = 5.0 if down < up else 0.0
        d = max(d + 0.3 * noise_at(body.noise, u / 4 + 11 * k, v / 3.5, side), 0.4)
    if near < d:
        x = near / d
        depth = depth + ((plane.front_bulge + 0.6) * (1 - x * x) - 0.6 if v < 0 else 0.0)
        width += 0.8
        r = (u / width) ** 2 + (v / depth) ** 2 if v < 0 else (u / width) ** 4 + (v / depth) ** 4
        if r > 1:
            return NOTHING
        if plane.remnant < WHOLE_DISC:
            if r >= plane.remnant:
                return MARROW
            d *= np.sqrt(1 - r / plane.remnant)
            if near > d + 0.15:
                return MARROW
            return CORTEX if near > d - 0.3 else ANNULUS if plane.degeneration > 0.7 else NUCLEUS + 2
        if near > d - 0.5 or plane.half_height < 1.1:
            return CORTEX
        inner = (u / (0.76 * plane.half_width)) ** 2 + ((v - 0.5) / (0.74 * plane.half_depth)) ** 2
        inner += 0.5 * x * x * x * x
        inner += 0.22 * noise_at(body.noise, u / 3.5 + 7 * k, v / 3.5, near / 2)
        if inner < 1 and d > 1.2:
            degeneration = plane.degeneration
            if near < 0.7 * plane.cleft and degeneration < 0.6 and inner < 0.7 and k > 16:
                return NUCLEUS + 2
            blur = degeneration + 0.25 * max(0.0, inner - 0.5)
            return NUCLEUS + (0 if blur < 0.2 else 1 if blur < 0.42 else 2 if blur < 0.68 else 3)
        return ANNULUS
    height = vertebra.height - lower.half_height - upper.half_height
    s = min(max((down - disc_height_at(lower, u, v)) / max(height, 1.0), 0.0), 1.0)
    waist = 1 - 4 * vertebra.waist * s * (1 - s)
    lip = vertebra.front_lip * max(0.0, 1 - 6 * min(s, 1 - s)) if v < 0 else 0.0
    if i == 1 and t > 0.5:
        waist *= 0.75
    corner = max(0.0, 1 - min(s, 1 - s) * height / 3.5) if plane.remnant == WHOLE_DISC else 0.0
    depth, width = depth * waist + lip - 1.1 * corner * corner, width * waist
    if v > 0:
        depth = depth / waist - hollow_at(vertebra, s)
    r = (u / width) ** 2 + (v / depth) ** 2 if v < 0 else (u / width) ** 4 + (v / depth) ** 4
    if r > 1:
        return NOTHING
    rim = (1 - r) * depth * (0.5 if v < 0 else 0.25)
    if rim < (0.8 if v < 0 else 0.6) or (near < d + 0.75 and r < plane.remnant):
        return CORTEX
    if vertebra.vein > 0.25 and v > 0.35 * depth and abs(u) < 7:
        inward = (depth - v) / depth
        if abs(s - 0.5) * height < vertebra.vein * (2.4 - 5 * inward):
            return BODY_VEIN
    patch = noise_at(body.noise, u / 1.6 + 9 * i, v / 1.3, down / 1.1)
    near_edge = max(0.0, 1 - 4 * min(s, 1 - s))
    return MODIC_2 if patch > vertebra.marrow - 0.5 * near_edge else MARROW


@compiled
def lateral_tissue(body: Body, i: int, t: float, au: float, s: int, v: float, front: float) -> int:
    """Beside the canal: the sacrum's wings, the foramina; ARCH where the posterior elements decide.

    Args:
        body: the subject.
        i: the vertebra.
        t: 0 at the plane below it, 1 at the plane above.
        au: distance from the midline.
        s: side.
        v: mm to the back of the centre of the body.
        front: the posterior wall of the body at `au`.
    """
    vertebra = body.vertebrae[i]
    lower, upper = body.planes[i + 1], body.planes[i]
    wall = mix(lower.half_depth, upper.half_depth, t)
    c = mix(lower.canal_half_width, upper.canal_half_width, t)
    depth = mix(lower.canal_depth, upper.canal_depth, t)
    below = (1 - t) * vertebra.height
    crest = 2.0 + 0.22 * (au - c) if vertebra.ala == WHOLE_ALA and body.vertebrae[i - 1].ala < WHOLE_ALA else -1.0
    if t < vertebra.ala and below > crest:
        if vertebra.ala < WHOLE_ALA and t * vertebra.height < 1.6 and au > c + 10:
            return CARTILAGE
        ala = mix(lower.half_width, upper.half_width, t) * (2.0 if i < 26 else 1.3)
        edge = 4 * noise_at(body.noise, (2 * s - 1) * au / 9, v / 9, 2.0 * i + t)
        sunk = 14 * (au / ala) ** 3
        if au < ala + edge and front - 8 + 0.5 * sunk < v < wall + depth + 2 - sunk + edge:
            hole = (au - c - 5) ** 2 + (v - wall - 4) ** 2
            if hole < 30 * (1 - (t / 0.45) ** 2):
                return ROOT if hole < 7 else EPIDURAL_FAT
            return CORTEX if ala + edge - au < 1.2 or v > wall + depth + 0.8 - sunk + edge else PEDICLE
        return ARCH if crest > 0 else NOTHING
    if v < wall + 14 and au < c + vertebra.pedicle_width + 8:
        return foramen_tissue(body, i, t, au, s, v, wall)
    if i > 17 and v < wall + 10 and in_exiting_root(body, i, s, au, v - wall, t * vertebra.height):
        return ROOT
    return ARCH


@compiled
def healthy_tissue(body: Body, i: int, t: float, u: float, v: float, up: float, down: float) -> int:
    """The tissue at a place of vertebra `i`; NOTHING where the rest of the body decides.

    Args:
        body: the subject.
        i: the vertebra.
        t: 0 at the plane below it, 1 at the plane above.
        u: mm to the left.
        v: mm to the back of the centre of the body.
        up: distance to the plane above, mm.
        down: distance to the plane below, mm.
    """
    vertebra = body.vertebrae[i]
    lower, upper = body.planes[i + 1], body.planes[i]
    wall = mix(lower.half_depth, upper.half_depth, t)
    au = abs(u)
    s = 1 if u > 0 else 0
    if v < wall + 1.5:
        label = vertebral_body(body, i, t, u, v, up, down)
        if label != NOTHING:
            out = au - mix(lower.canal_half_width, upper.canal_half_width, t)
            if label == CORTEX and v > 0.5 * wall and 0.5 < out < vertebra.pedicle_width - 1:
                above = t * vertebra.height
                if vertebra.pedicle_low + 1 < above < vertebra.pedicle_high - 1:
                    return PEDICLE
            return label
        if v < wall - 6 or au > 45:
            return NOTHING
    front = wall * (1 - 0.25 * min((u / lower.half_width) ** 4, 1.6))
    c = mix(lower.canal_half_width, upper.canal_half_width, t)
    depth = mix(lower.canal_depth, upper.canal_depth, t)
    if v < front - 4:
        return NOTHING
    if au < c:
        f = t if t < 0.5 else t - 1
        if v < roof_at(wall, depth, c, au) + cleft_at(lower if t < 0.5 else upper, f, au):
            if au > c - 0.6 and vertebra.pedicle_low < t * vertebra.height < vertebra.pedicle_high:
                return CORTEX
            label = canal_tissue(body, i, t, u, v, vertebra.height)
            instead = FLAVUM
        else:
            label, instead = ARCH, ARCH
    else:
        label, instead = lateral_tissue(body, i, t, au, s, v, front), NOTHING
    if label != ARCH:
        return label
    label = arch_tissue(body, i, t, au, s, v, wall)
    if label != NOTHING:
        return label
    return spinous_tissue(body, i, t, au, v, wall) if instead == ARCH else instead
