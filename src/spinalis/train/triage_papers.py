"""Train all of papers 1 and 2 and write their tables into `docs/triage.md`.

Every network is a run of its own below `--runs`; what is finished is not trained again, what was cut short goes on.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from spinalis.evaluate.tables import Table
from spinalis.formats.atomic import write_bytes
from spinalis.train import runs, triage_report, volume_tables, volumes
from spinalis.train.data import open_images
from spinalis.train.job import Job
from spinalis.train.recipes import NODES, load
from spinalis.train.runs import Order

BACKBONES = ("resnet18", "efficientvit_m5", "mobilenetv4_conv_medium", "repvit_m1_1")
"""In the order of the paper's tables. It names the families and not their sizes."""

PARTS = ("chains", "volumes")
PAGE = Path("docs/triage.md")


def train_chains(given: argparse.Namespace, root: Path) -> None:
    """Train every node of every backbone, each after its anatomy, whose weights it starts from."""
    for backbone in given.backbones:
        first = root / f"{backbone}-{NODES[0]}"
        for name in NODES:
            start = {} if name == NODES[0] else {"start": str(first)}
            _train(
                Order(
                    recipe=name,
                    folder=root / f"{backbone}-{name}",
                    data=given.data,
                    changes={"backbone": backbone, **_settings(given.set, name), **start},
                    jobs=given.jobs,
                    scale=given.scale,
                    accelerator=given.accelerator,
                )
            )


def chain_tables(given: argparse.Namespace, root: Path) -> tuple[Table, ...]:
    """Judge the chains; writes their errors beside them."""
    wanted = triage_report.Wanted(
        runs=root, data=given.data, scale=given.judged, jobs=given.jobs, repeats=given.repeats, errors=True
    )
    found = triage_report.report(wanted)
    triage_report.write(found, root / "judged")
    return found.tables


def volume_study(given: argparse.Namespace, root: Path) -> tuple[Table, ...]:
    """Train and judge the classifiers of volumes."""
    found, changes = {}, _settings(given.set_volumes)
    types = runs.changed(load(volumes.NAME), {"types": changes["types"]} if "types" in changes else {})["types"]
    for name, order in volume_tables.orders(root, given.scale, given.jobs, given.accelerator, changes).items():
        _train(order)
        found[name] = order.folder
    job = Job(data=None, runs=root, out=root, jobs=given.jobs, scale=given.judged)
    return volume_tables.tables(found, volume_tables.judged_volumes(job, types), given.repeats)


def write(page: Path, part: str, tables: Sequence[Table], note: str) -> None:
    """Put tables between the marks of a part, `<!-- part -->` and `<!-- end of part -->`.

    Raises:
        ValueError: the page has no such marks.
        OutputError: the page cannot be written.
    """
    opening, closing = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
    before, found, rest = page.read_text().partition(opening)
    _, ended, after = rest.partition(closing)
    if not found or not ended:
        raise ValueError(f"{page.name}: expected the marks of {part}, got none. Put them back.")
    body = "\n".join([note, "", *(table.to_markdown() for table in tables)])
    write_bytes(page, f"{before}{opening}\n{body}\n{closing}{after}".encode())


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, train what is missing, judge, and write the tables."""
    given = _parser().parse_args(arguments)
    root = given.runs  # one for both, so that their simulated studies are the same
    for part in given.parts or PARTS:
        if part == "chains":
            train_chains(given, root)
            tables = chain_tables(given, root)
            changes = given.set
        else:
            tables, changes = volume_study(given, root), given.set_volumes
        said = " ".join(["--scale", f"{given.scale:g}", *(f"--set {item}" for item in changes)])
        kind = "simulation alone" if open_images.find_root(given.data) is None else "simulation and open real images"
        trained_on = "simulation alone" if part == "volumes" else kind
        write(given.page, part, tables, f"Made by `{said}`; trained on {trained_on}. Research use only.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), help="chains (paper 1), volumes (paper 2); both")
    parser.add_argument("--runs", type=Path, default=Path("runs/papers"), help="folder of the runs and their cache")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the simulated studies that train")
    parser.add_argument("--judged", type=float, default=1.0, help="share of the simulated studies that judge")
    parser.add_argument("--data", type=Path, help="folder of the open real images")
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES), help="of timm")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of every node, or as triage-cord:KEY=VALUE of one",
    )
    parser.add_argument("--set-volumes", action="append", default=[], metavar="KEY=VALUE", help="one of body-series")
    parser.add_argument("--page", type=Path, default=PAGE, help="page with the marks of the tables")
    parser.add_argument("--jobs", type=int, default=2, help="simulating processes")
    parser.add_argument("--repeats", type=int, default=1000, help="draws of the bootstrap")
    parser.add_argument("--accelerator", default="auto", help="cpu, cuda, or auto")
    return parser


def _train(order: Order) -> None:
    if not (order.folder / runs.NETWORK).exists():
        runs.train(order)


def _settings(given: Sequence[str], recipe: str = "") -> Mapping[str, str]:
    """KEY=VALUE for every recipe; RECIPE:KEY=VALUE, for one, wins."""
    pairs = [item.split("=", 1) for item in given]
    everywhere = {key: value for key, value in pairs if ":" not in key}
    return everywhere | {key.removeprefix(f"{recipe}:"): value for key, value in pairs if key.startswith(f"{recipe}:")}


if __name__ == "__main__":
    main()
