from dataclasses import replace

import numpy as np
import pytest

from spinalis.errors import SimulationError
from spinalis.simulate import truth
from spinalis.simulate.anatomy import MOST_LESIONS, Subject, sample_subject
from spinalis.simulate.coordinates import Body
from spinalis.simulate.disease import PREVALENCE, Disease, Lesion, LesionKind, sample_disease
from spinalis.simulate.grades import Measures, judge, kind_of, measurement_table
from spinalis.simulate.lesions import Form
from spinalis.simulate.pathology import lay, restack, shape
from spinalis.simulate.render import tissue_at
from spinalis.simulate.shapes import ellipsoid
from spinalis.simulate.tissue import Tissue
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Side


def measures_of(subject: Subject) -> Measures:
    return truth.measures_of(Body(*subject.arrays))


def healthy(lesions: tuple[Lesion, ...] = (), **wishes: int) -> Disease:
    """No finding but the lesions, and the wishes by the name of the condition, at L4/L5."""
    wanted = dict.fromkeys(((condition, level) for condition in CONDITIONS for level in LEVELS), 0)
    wanted |= {(Condition[name], Level.L4_L5): grade for name, grade in wishes.items()}
    return Disease(wishes=wanted, pfirrmann=dict.fromkeys(LEVELS, 2), lesions=lesions)


@pytest.fixture
def subject() -> Subject:
    return sample_subject(np.random.default_rng(4))


@pytest.mark.parametrize("name", ["bulge", "flavum"])
def test_a_thicker_disc_or_ligament_never_widens_the_sac(subject: Subject, name: str) -> None:
    measures = measures_of(subject)
    areas = []
    for amount in np.linspace(0, 9, 10):
        subject.planes[name][23] = amount
        areas.append(measures.canal(23)[0])
    assert np.all(np.diff(areas) <= 0)
    assert areas[-1] < 0.7 * areas[0]


def test_a_larger_facet_never_widens_the_recess_and_spares_the_other_side(subject: Subject) -> None:
    measures = measures_of(subject)
    other = measures.recess(22, 1)
    heights = []
    for amount in np.linspace(0, 6, 7):
        subject.sides["facet"][22, 0] = amount
        heights.append(measures.recess(22, 0)[0])
    assert np.all(np.diff(heights) <= 0)
    assert measures.recess(22, 1) == other


def test_fibrous_tissue_takes_the_fat_and_bulge_and_process_the_root(subject: Subject) -> None:
    measures = measures_of(subject)
    side = subject.sides[23, 1]
    before = measures.foramen(23, 1)
    side["fibrous"] = 3.5
    bare = measures.foramen(23, 1)
    assert max(bare[1:]) < 0.2 < max(before[1:])
    assert bare[0] == pytest.approx(before[0], abs=0.05)
    side["foramen_bulge"], side["bulge_up"], side["process_forward"], side["process_up"] = 9, 14, 5, 14
    assert measures.foramen(23, 1)[0] < 0.6


def test_grades_are_as_frequent_in_the_anatomy_as_in_the_table() -> None:
    subjects = 60
    counts = {(kind, grade): 0 for kind in PREVALENCE for grade in (1, 2)}
    kept = total = collapsed = 0
    for seed in range(subjects):
        rng = np.random.default_rng(seed)
        subject = sample_subject(rng)
        measures = measures_of(subject)
        disease = sample_disease(rng, subject.age)
        shape(rng, subject, measures, disease)
        for place, judgement in judge(measures).items():
            grade = SEVERITIES.index(judgement.severity)
            kept += grade == disease.wishes[place]
            total += 1
            collapsed += kind_of(place[0]) == "foramen" and grade == 2 != disease.wishes[place]
            if grade:
                counts[kind_of(place[0]), grade] += 1
    assert kept > 0.95 * total
    assert collapsed <= 1
    for (kind, grade), count in counts.items():
        share = np.mean([row[grade - 1] for row in PREVALENCE[kind]])
        places = subjects * len(LEVELS) * (1 if kind == "canal" else 2)
        # Places of a study go together: the effective number is about a third of them.
        assert count / places == pytest.approx(share, abs=3 * np.sqrt(3 * share * (1 - share) / places)), (kind, grade)


def test_every_wish_at_one_level_is_reached(subject: Subject) -> None:
    rng = np.random.default_rng(0)
    shape(rng, subject, measures_of(subject), healthy(SPINAL_CANAL_STENOSIS=2, LEFT_NEURAL_FORAMINAL_NARROWING=2))
    grades = {place: item.severity for place, item in judge(measures_of(subject)).items()}
    assert grades[Condition.SPINAL_CANAL_STENOSIS, Level.L4_L5] is SEVERITIES[2]
    assert grades[Condition.LEFT_NEURAL_FORAMINAL_NARROWING, Level.L4_L5] is SEVERITIES[2]
    assert grades[Condition.RIGHT_NEURAL_FORAMINAL_NARROWING, Level.L4_L5] is SEVERITIES[0]


VISIBLE = {
    LesionKind.EXTRUSION: ("L4/L5", {Tissue.ANNULUS, Tissue.NUCLEUS_2}),
    LesionKind.ISTHMIC_SLIP: ("L5/S1", {Tissue.FIBROUS}),
    LesionKind.MODIC_1: ("L4/L5", {Tissue.MODIC_1}),
    LesionKind.MODIC_2: ("L4/L5", {Tissue.MODIC_2}),
    LesionKind.MODIC_3: ("L4/L5", {Tissue.SCLEROSIS}),
    LesionKind.SCHMORL_NODE: ("L2/L3", {Tissue.ANNULUS, Tissue.NUCLEUS_2}),
    LesionKind.HAEMANGIOMA: ("L3", {Tissue.HAEMANGIOMA}),
    LesionKind.WEDGE_FRACTURE: ("L1", {Tissue.OEDEMA, Tissue.SCLEROSIS}),
    LesionKind.BICONCAVE_FRACTURE: ("L2", {Tissue.ANNULUS}),
    LesionKind.CYST: ("L4/L5", {Tissue.FLUID}),
    LesionKind.LAMINECTOMY: ("L4/L5", {Tissue.SCAR}),
    LesionKind.SCREWS: ("L4/L5", {Tissue.METAL}),
    LesionKind.CAGE: ("L4/L5", {Tissue.METAL, Tissue.CORTEX}),
}


def labels_around(subject: Subject, k: int) -> np.ndarray:
    """Labels on a grid of 1.5 mm of the motion segment around plane `k`, without the warp."""
    body = Body(*subject.arrays)
    axes = np.arange(-30, 31, 1.5), np.arange(-22, 66, 1.5), np.arange(-24, 25, 1.5)
    frame = subject.frames[k]
    return np.array(
        [
            tissue_at(body, *(frame[0] + u * frame[1] + v * frame[2] + q * frame[3]), k)[0]
            for u in axes[0]
            for v in axes[1]
            for q in axes[2]
        ]
    )


@pytest.mark.parametrize("kind", VISIBLE, ids=lambda kind: kind.value)
def test_a_lesion_is_seen_where_the_truth_says(kind: LesionKind) -> None:
    place, tissues = VISIBLE[kind]
    lesion = Lesion(kind=kind, place=place, side=Side.LEFT if kind is LesionKind.CYST else None, size_mm=7, acute=True)
    planes = sample_subject(np.random.default_rng(4)).plane_of_level
    k = planes[Level(place)] if "/" in place else planes[Level(f"{place}/L{int(place[1]) + 1}")]
    counts = []
    for lesions in ((), (lesion,)):
        subject, rng = sample_subject(np.random.default_rng(4)), np.random.default_rng(0)
        shape(rng, subject, measures_of(subject), healthy(lesions))
        counts.append(int(np.isin(labels_around(subject, k), [int(tissue) for tissue in tissues]).sum()))
    assert counts[1] > counts[0] + 8


@pytest.mark.parametrize(("kind", "forward"), [(LesionKind.SLIP, 1), (LesionKind.RETROLISTHESIS, -1)])
def test_a_slip_is_a_step_of_the_posterior_walls(subject: Subject, kind: LesionKind, forward: int) -> None:
    lesion = Lesion(kind=kind, place="L4/L5", size_mm=6.0)
    shape(np.random.default_rng(0), subject, measures_of(subject), healthy((lesion,)))
    body, frame = Body(*subject.arrays), subject.frames[23]
    bone = {int(tissue) for tissue in (Tissue.MARROW, Tissue.CORTEX, Tissue.BODY_VEIN)}

    def wall(q: float) -> float:
        """How far back bone reaches at height `q` beside the plane."""
        depths = np.arange(-10, 30, 0.25)
        labels = [tissue_at(body, *(frame[0] + v * frame[2] + q * frame[3]), 23)[0] for v in depths]
        inside = [depth for depth, label in zip(depths, labels, strict=True) if label in bone]
        run = [depth for depth, after in zip(inside, [*inside[1:], 99], strict=True) if after - depth > 0.3]
        return float(run[0])

    assert forward * (wall(-9) - wall(9)) == pytest.approx(6.0, abs=2.6)


def test_a_wedge_fracture_bends_the_spine_above_forward(subject: Subject) -> None:
    before, height = subject.frames.copy(), float(subject.vertebrae["height"][19])
    lesion = Lesion(kind=LesionKind.WEDGE_FRACTURE, place="L1", size_mm=10.0)
    shape(np.random.default_rng(0), subject, measures_of(subject), healthy((lesion,)))
    turned = np.degrees(np.arcsin(np.cross(before[19, 3], subject.frames[19, 3]) @ subject.frames[19, 1]))
    assert turned > 8
    assert subject.vertebrae["height"][19] < height - 3
    np.testing.assert_allclose(before[10, 3], subject.frames[10, 3], atol=1e-9)
    np.testing.assert_allclose(before[24:], subject.frames[24:], atol=1e-9)


def test_restacking_an_unchanged_spine_changes_nothing(subject: Subject) -> None:
    frames, contour = subject.frames.copy(), subject.contour.copy()
    restack(subject, subject.vertebrae["height"].copy())
    np.testing.assert_allclose(subject.frames, frames, atol=1e-9)
    np.testing.assert_allclose(subject.contour, contour, atol=1e-6)


def test_a_worn_disc_is_lower_and_its_neighbours_keep_their_bodies(subject: Subject) -> None:
    other = replace(subject, planes=subject.planes.copy(), vertebrae=subject.vertebrae.copy())
    for made, grade in ((subject, 1), (other, 5)):
        disease = replace(healthy(), pfirrmann={**dict.fromkeys(LEVELS, 2), Level.L3_L4: grade})
        shape(np.random.default_rng(1), made, measures_of(made), disease)
    high, low = (float(made.planes["half_height"][22]) for made in (subject, other))
    assert low < 0.75 * high
    bodies = [
        float(made.vertebrae["height"][21] - made.planes["half_height"][21] - made.planes["half_height"][22])
        for made in (subject, other)
    ]
    assert bodies[0] == pytest.approx(bodies[1])


def test_a_lesion_at_an_unknown_place_is_refused(subject: Subject) -> None:
    lesion = Lesion(kind=LesionKind.CYST, place="L7/S1")
    with pytest.raises(SimulationError, match="expected a level"):
        shape(np.random.default_rng(0), subject, measures_of(subject), healthy((lesion,)))


def test_more_lesions_than_fit_are_refused(subject: Subject) -> None:
    row = ellipsoid(int(Form.BONE), Tissue.ANNULUS, (0, 0, 0), (1, 1, 1))
    with pytest.raises(SimulationError, match="expected at most 64"):
        lay(subject, [(22, row)] * (MOST_LESIONS + 1))


def mirrored(subject: Subject) -> Subject:
    """The same body seen in a mirror: left and right changed over."""
    frames = subject.frames.copy()
    frames[:, :, 0] *= -1
    frames[:, 1] *= -1
    contour = subject.contour.copy()
    contour[:, 0] *= -1
    rootlets = subject.rootlets.copy()
    rootlets[:, (0, 2)] *= -1
    whole = subject.whole.copy()
    whole["heart_side"] *= -1
    lesions = subject.lesions.copy()
    for name in ("u", "to_u"):
        lesions[name] *= -1
    planes = subject.planes.copy()
    planes["lean"] *= -1
    return replace(
        subject,
        lesions=lesions,
        frames=frames,
        planes=planes,
        contour=contour,
        rootlets=rootlets,
        whole=whole,
        sides=np.ascontiguousarray(subject.sides[:, ::-1]),
    )


def test_a_mirrored_subject_has_mirrored_truth() -> None:
    rng = np.random.default_rng(9)
    subject = sample_subject(rng)
    subject.noise[:] = 0
    measures = measures_of(subject)
    shape(rng, subject, measures, sample_disease(rng, subject.age, balanced=True))
    table = measurement_table(measures)
    other = measurement_table(measures_of(mirrored(subject)))
    swap = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT, None: None}
    for (name, level, side), value in table.items():
        assert other[name, level, swap[side]] == pytest.approx(value, abs=0.02 * abs(value) + 1e-6), name
