import numpy as np

from spinalis.train.data.simulated import at_edge
from spinalis.train.triage_series import Shown, cord_table, coverage_table, fit
from spinalis.triage.cord import RUNS, in_run
from spinalis.vocabulary import Plane, Region

WHOLE = (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)
WAYS = ("with headers", "without headers", "pictures alone")


def one(
    number: int,
    covered: tuple[Region, ...] = (Region.LUMBAR,),
    answer: tuple[Region, ...] = (Region.LUMBAR,),
    plane: Plane = Plane.SAGITTAL,
) -> Shown:
    """A stack whose three middle slices show cord, of which the network is never sure."""
    cord = np.abs(np.arange(11) - 5) <= 1
    log_odds = np.where(cord, 0.0, -2.0) - 0.5 + np.random.default_rng(number).normal(size=11) * 0.3
    return Shown(
        study=f"study {number // 2}",
        plane=plane,
        covered=covered,
        answers=dict.fromkeys(WAYS, (answer, answer[0])),
        cord=cord,
        log_odds=log_odds,
        together=in_run(log_odds, 4.0, RUNS[Plane.SAGITTAL]),
        step_mm=4.0,
    )


FOUND = [*(one(k) for k in range(6)), *(one(k, WHOLE, WHOLE) for k in range(6, 9)), one(9, WHOLE)]


def counts(cells: tuple[str, ...]) -> list[str]:
    return [cell.split("(")[1].split(";")[0] for cell in cells]


def test_only_exact_sets_of_regions_are_right_and_one_region_is_no_whole_spine() -> None:
    rows = coverage_table(FOUND).rows
    assert counts(rows[0][2:]) == ["9/10", "6/6", "3/4"]
    assert counts(rows[1][2:]) == ["6/10", "6/6", "0/4"]
    assert counts(rows[-1][2:]) == ["6/10", "6/6", "4/4"], "the most frequent set of each column"


def test_cord_is_told_by_plane_beside_its_floor() -> None:
    others = (one(10, plane=Plane.AXIAL), one(11, plane=Plane.CORONAL))
    rows = {row[:2]: row[2:] for row in cord_table([*FOUND, *others]).rows}
    assert counts((rows["sagittal", "no skill"][0],)) == ["80/110"]
    alone, together = (float(rows["sagittal", name][0].split()[0]) for name in ("alone", "with neighbours"))
    assert together > alone


def test_an_edge_is_both_slices_at_a_border() -> None:
    assert list(np.flatnonzero(at_edge(np.array([False, False, True, True, True, False, False])))) == [1, 2, 4, 5]
    assert not at_edge(np.ones(4, bool)).any()


def test_a_longer_fit_makes_the_truth_likelier_and_looks_at_sagittal_stacks_alone() -> None:
    items = [one(k) for k in range(4)]

    def loss(run: object) -> float:
        chances = np.concatenate([in_run(item.log_odds, 4.0, run) for item in items])
        truth = np.concatenate([item.cord for item in items])
        return float(-np.log(np.where(truth, chances, 1 - chances)).mean())

    found = fit([*items, one(9, plane=Plane.AXIAL)], draws=24)
    assert loss(found) < loss(fit(items, draws=1))
    assert found == fit(items, draws=24)
