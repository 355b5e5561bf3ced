import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.records import Finding, FloatArray, Graded, NotAssessed, Proof
from spinalis.simulate.benchmark import Row
from spinalis.train import compare, recipes, runs
from spinalis.train.compare import DEFAULT, Plan
from spinalis.train.data.whole import Whole
from spinalis.train.papers import stage1_errors
from spinalis.train.papers.entries import ABLATIONS, ENTRIES, changes_of, entry
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES
from tests.rsna import write_set

GRADES = {str(number): [(place + number) % 3 for place in range(25)] for number in range(3)}
NAMES = ["per-view-resnet18", "multi-stage-mil", DEFAULT]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("rsna"), GRADES, study_uids="1.2.826.0.1.")


@pytest.fixture
def plan(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Nothing is trained: per view answers alike always, paper 5 is always right, the default grades the canal only."""

    def train(order: runs.Order) -> Path:
        order.folder.mkdir(parents=True)
        (order.folder / "settings.json").write_text(json.dumps(dict(order.changes)))
        if order.recipe == "multi-stage-mil":
            stage1_errors.write(
                [
                    stage1_errors.Miss(
                        study="1",
                        view="axial_t2",
                        condition="c",
                        level="l",
                        method="used",
                        slices=1,
                        x_mm=1.0,
                        y_mm=0.0,
                    )
                ],
                order.folder,
            )
        return order.folder

    def predict(folder: Path, studies: Sequence[Whole]) -> FloatArray:
        if folder.name == "per-view-resnet18":
            return np.full((len(studies), 5, 5, 3), 1 / 3)
        return np.eye(3)[np.stack([item.grades for item in studies])] * 0.97 + 0.01

    proof = Proof(on="simulation", figures="none")
    findings = tuple(
        Finding(
            condition=condition,
            level=level,
            result=Graded(severity=SEVERITIES[0], probabilities=(0.8, 0.1, 0.1), evidence=(), proof=proof)
            if condition is CONDITIONS[0]
            else NotAssessed(reason="none"),
        )
        for condition in CONDITIONS
        for level in LEVELS
    )
    monkeypatch.setattr(compare.runs, "train", train)
    monkeypatch.setattr(compare.methods, "predict", predict)
    monkeypatch.setattr(compare, "load_packs", lambda _: ())
    monkeypatch.setattr(compare, "read_study", lambda *_: SimpleNamespace(findings=findings))
    return Plan(runs=tmp_path / "runs", names=NAMES, test=data, jobs=1, small=True)


def cells(page: str, start: str) -> list[str]:
    """Of the first row that starts so."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_method_is_scored_on_the_same_studies(plan: Plan) -> None:
    page = compare.compare(plan, repeats=20)
    scores = {name: float(cells(page, name)[1].split()[0]) for name in NAMES}
    assert scores["multi-stage-mil"] < 0.1 < scores[DEFAULT]
    assert scores["per-view-resnet18"] == pytest.approx(
        float(cells(page, "constant weighted prior (no skill)")[1]), abs=0.02
    )
    assert float(cells(page, "multi-stage-mil minus per-view-resnet18")[1].split()[0]) < -0.5
    assert float(cells(page, "default minus multi-stage-mil")[1].split()[0]) > 0.5
    assert cells(page, "canal: multi-stage-mil")[2] == "1.00/1.00/1.00"
    assert cells(page, "canal: level alone (no skill)")[1] == "15 (5/5/5)"
    assert "| axial_t2, used | 1 |" in page
    assert "| always normal/mild (no skill) | 33.3 % (10/30;" in page
    assert "| multi-stage-mil | 100.0 % (30/30;" in page
    assert "Research use only" in page


def test_places_without_an_answer_are_filled_and_counted(plan: Plan) -> None:
    page = compare.compare(plan, repeats=20)
    (line,) = [line for line in page.splitlines() if line.startswith("| default |") and "/75" in line]
    assert "80.0 % (60/75" in line


def test_a_comparison_goes_on_where_it_stopped(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compare.compare(plan, repeats=20)
    monkeypatch.setattr(compare.runs, "train", lambda _: pytest.fail("trained again"))
    monkeypatch.setattr(compare, "read_study", lambda *_: pytest.fail("read again"))
    assert compare.compare(plan, repeats=20) == first


def test_predictions_of_another_plan_are_refused(plan: Plan) -> None:
    compare.compare(plan, repeats=20)
    other = Plan(runs=plan.runs, names=plan.names, test=plan.test, jobs=1, small=False)
    with pytest.raises(RecipeError, match="expected predictions of per-view-resnet18 for these studies and settings"):
        compare.compare(other, repeats=20)


def test_a_smaller_comparison_changes_what_its_table_says(plan: Plan) -> None:
    compare.compare(plan, repeats=20)
    changes = json.loads((plan.runs / "multi-stage-mil" / "settings.json").read_text())
    assert {name: json.loads(value) for name, value in changes.items()} == changes_of(
        "multi-stage-mil", plan.runs, small=True
    )
    assert json.loads(changes["encoders"]) != recipes.load("multi-stage-mil")["encoders"]


@pytest.mark.parametrize("name", [*ENTRIES, *ABLATIONS])
@pytest.mark.parametrize("small", [False, True])
def test_every_entry_changes_settings_that_its_recipe_has(name: str, small: bool, tmp_path: Path) -> None:
    changes = {key: json.dumps(value) for key, value in changes_of(name, tmp_path, small=small).items()}
    made = runs.changed(recipes.load(entry(name).recipe), changes)
    assert (made.get("stage1_from") == str(tmp_path / "multi-stage-mil")) is (
        name in ABLATIONS and "no-pre" not in name and "mil" in name
    )


def test_the_test_studies_are_simulated_and_checked_by_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    rows = tuple(
        Row(profile=profile, number=number, sha256="", fingerprint="", grades="")
        for profile in ("cervical", "lumbar")
        for number in range(200)
    )
    monkeypatch.setattr(compare, "rows_of", lambda _: rows)
    monkeypatch.setattr(compare, "table_path", lambda _: tmp_path)
    monkeypatch.setattr(compare.layouts, "write_all", lambda orders, jobs: given.extend(orders))
    assert compare.test_set(Plan(runs=tmp_path, names=[], studies=202)) == tmp_path / "test"
    assert [order.row is not None for order in given] == [True] * 200 + [False] * 2
    assert {(order.seed, order.profile, order.layout.value) for order in given} == {(300_001, "lumbar", "rsna")}
