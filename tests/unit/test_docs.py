"""The docs, the frame and the code say the same."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()
CONSTRAINTS = dict(
    line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
)


def name_of(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_inside_the_repository_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text())
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_named_in_the_docs_exist(page):
    named = set(re.findall(r"^make ([a-z]+)|`make ([a-z]+)", page.read_text(), re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE))
    assert {first or second for first, second in named} <= targets


def test_every_make_target_has_a_line_of_help():
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE).group(1).split()
    assert phony == re.findall(r"^([a-z]+):.*## .+", MAKEFILE, re.MULTILINE)


def test_the_architecture_names_every_room_and_no_other():
    rooms = re.findall(r"^\| `([a-z_]+(?:/|\.py))` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    source = ROOT / "src/spinalis"
    folders = {f"{path.name}/" for path in source.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert sorted(rooms) == sorted(folders | {path.name for path in source.glob("*.py")})


def test_the_architecture_draws_the_layers_that_the_linter_holds():
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    drawn = [layer.replace("spinalis.", "") for layer in layers]
    text = (ROOT / "docs/architecture.md").read_text()
    picture = text.split("## Who may know whom")[1].split("```")[1].strip().splitlines()
    assert [re.split(r"\s{3,}", line)[0] for line in picture] == drawn


def test_decisions_are_numbered_in_one_run_and_listed():
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    architecture = (ROOT / "docs/architecture.md").read_text()
    assert [page.name for page in DECISIONS if f"(decisions/{page.name})" not in architecture] == []


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_says_context_choice_and_price(page):
    text = page.read_text()
    assert text.startswith(f"# {int(page.name[:4])}. ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Choice", "What we gave up"]


def test_the_changelog_has_unreleased_on_top():
    assert re.search(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).group(1) == "Unreleased"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_constraints_pin_every_dependency_within_its_bounds():
    project = PROJECT["project"]
    listed = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    wanted = [Requirement(line) for line in listed if not line.startswith("spinalis[")]
    pinned = {canonicalize_name(name): version for name, version in CONSTRAINTS.items()}
    broken = [str(item) for item in wanted if not item.specifier.contains(pinned.get(canonicalize_name(item.name), ""))]
    assert broken == []


def test_constraints_hold_nothing_but_names_and_versions():
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in CONSTRAINTS)
    assert all(re.fullmatch(r"\d+(\.\d+)*(\.?(post|rc)\d+)?", version) for version in CONSTRAINTS.values())


def test_the_frame_names_no_machine_and_no_registry():
    frame = [*PAGES, ROOT / "Makefile", ROOT / "constraints.txt", ROOT / "pyproject.toml", ROOT / ".ci/run"]
    foreign = re.compile(r"(?<![\w.])/(work|root|opt|home)/|pypi\.org/simple|pythonhosted|registry\.npmjs|deb\.debian")
    assert [name_of(page) for page in frame if foreign.search(page.read_text())] == []


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_runs():
    answer = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make demo" in answer
    assert "make test" in answer
