import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.rsna import COLUMNS, write_answers, write_labels
from tests.terminal import Run, in_this_process

Files = tuple[Path, Path, dict[str, list[int]], dict[str, list[tuple[float, ...]]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs `spinalis evaluate rsna ARGUMENTS` in this process: exit code, stdout, stderr."""
    with in_this_process(monkeypatch, capsys, "evaluate", "rsna") as call:
        yield call


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A truth and a prediction file over 12 studies, some labels missing; the predictions in another order."""
    random = np.random.default_rng(5)
    grades = {f"{7 * n}": random.choice([-1, 0, 1, 2], p=[0.1, 0.5, 0.2, 0.2], size=25).tolist() for n in range(1, 13)}
    answers = {
        study: [tuple(p) for p in random.dirichlet([2, 1, 1], size=25).tolist()] for study in reversed(list(grades))
    }
    truth = write_labels(tmp_path / "train.csv", grades)
    return write_answers(tmp_path / "pred.csv", answers), truth, grades, answers


def official_score(grades: dict[str, list[int]], answers: dict[str, list[tuple[float, ...]]]) -> float:
    """The competition metric from its description, by plain sums over named rows; no code of ours."""
    sums = {part: [0.0, 0.0] for part in ("spinal", "foraminal", "subarticular", "any_severe_spinal")}
    for study, row in grades.items():
        worst, severe = -1, 0.0
        for column, grade, answer in zip(COLUMNS, row, answers[study], strict=True):
            if grade < 0:
                continue
            part = next(name for name in sums if name in column)
            sums[part][0] += (1, 2, 4)[grade] * -math.log(answer[grade])
            sums[part][1] += (1, 2, 4)[grade]
            if part == "spinal":
                worst, severe = max(worst, grade), max(severe, answer[2])
        if worst >= 0:
            weight = (1, 2, 4)[worst]
            sums["any_severe_spinal"][0] += weight * -math.log(severe if worst == 2 else 1 - severe)
            sums["any_severe_spinal"][1] += weight
    return sum(loss / weight for loss, weight in sums.values()) / 4


def test_the_score_of_two_files_is_the_official_one(run: Run, files: Files) -> None:
    prediction, truth, grades, answers = files
    code, out, err = run(prediction, truth, "--json", "--repeats", 20)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["schema"] == "spinalis-rsna-score/1"
    assert found["research_use_only"] is True
    assert found["difference"] is None
    scored = found["answers"]["pred.csv"]
    assert scored["score"]["mean"] == pytest.approx(official_score(grades, answers), abs=1e-9)
    uniform = {study: [(1 / 3, 1 / 3, 1 / 3)] * 25 for study in grades}
    assert scored["floors"]["uniform"]["mean"] == pytest.approx(official_score(grades, uniform), abs=1e-9)
    assert scored["labelled"] == sum(grade >= 0 for row in grades.values() for grade in row)


def test_a_pipe_gets_markdown_with_floors_and_the_research_line(run: Run, files: Files) -> None:
    code, out, _ = run(*files[:2], "--repeats", 20)
    assert code == 0
    assert out.startswith("### RSNA 2024 score on 12 studies")
    assert "| per-level weighted prior (no skill) |" in out
    assert "| foraminal, level alone |" in out
    assert out.endswith("Research use only; not a medical device.\n")


def test_two_files_of_one_name_are_compared(run: Run, files: Files, tmp_path: Path) -> None:
    prediction, truth, grades, answers = files
    (tmp_path / "other").mkdir()
    other = write_answers(tmp_path / "other/pred.csv", {s: [(0.8, 0.1, 0.1)] * 25 for s in grades})
    code, out, _ = run(prediction, truth, "--against", other, "--json", "--repeats", 20)
    assert code == 0
    found = json.loads(out)
    assert list(found["answers"]) == [f"{tmp_path.name}/pred.csv", "other/pred.csv"]
    constant = official_score(grades, {s: [(0.8, 0.1, 0.1)] * 25 for s in grades})
    assert found["difference"]["values"][0] == pytest.approx(official_score(grades, answers) - constant, abs=1e-9)


def test_a_labelled_row_without_a_prediction_is_an_error(run: Run, files: Files) -> None:
    prediction, truth, grades, _ = files
    lines = prediction.read_text().splitlines()
    first = next(iter(reversed(grades)))
    labelled = next(n for n, grade in enumerate(grades[first]) if grade >= 0)
    prediction.write_text("\n".join(lines[: 1 + labelled] + lines[2 + labelled :]))
    code, out, err = run(prediction, truth)
    assert (code, out) == (1, "")
    assert "Error: pred.csv: expected a row for each of the" in err
    assert "got 1 of them without one" in err


def test_studies_that_are_not_scored_are_told(run: Run, files: Files, tmp_path: Path) -> None:
    _, truth, _, answers = files
    more = write_answers(tmp_path / "more.csv", {**answers, "999": [(1.0, 0.0, 0.0)] * 25})
    code, _, err = run(more, truth, "--repeats", 20)
    assert code == 0
    assert err == "Warning: more.csv: 1 studies are not in train.csv and are not scored.\n"


def test_a_table_without_labels_is_an_error(run: Run, files: Files, tmp_path: Path) -> None:
    empty = write_labels(tmp_path / "empty.csv", {"7": [-1] * 25})
    code, _, err = run(files[0], empty)
    assert code == 1
    assert "empty.csv: expected at least one label, got none" in err


def test_a_malformed_file_is_an_error_with_its_line(run: Run, files: Files) -> None:
    prediction, truth, *_ = files
    prediction.write_text(prediction.read_text().replace("\n", "\nx,1,2,3\n", 1))
    code, _, err = run(prediction, truth)
    assert code == 1
    assert "pred.csv, line 2: expected <study>_<condition>_<level> in row_id" in err
