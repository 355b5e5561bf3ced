"""`spinalis train` and `spinalis export`: from data to a run, from a run to a pack."""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from spinalis.errors import RecipeError

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", exists=True, file_okay=False, help="Folder of the run.")]


def train(  # noqa: PLR0913, PLR0917  one per option
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            help="What to train: triage, levels, grade, triage-anatomy …, body-series, per-view-resnet18 …",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", exists=True, file_okay=False, help="Real images, or a set in RSNA 2024 layout."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="PACK", exists=True, file_okay=False, help="Adapt this pack to --data instead."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe.")
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NAME=PATH", help="A public set, or folder or table, to learn triage from."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/RECIPE by default.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that prepare data, one of them training.")] = 2,
    scale: Annotated[float, typer.Option("--scale", min=1e-6, help="Share of simulation and steps.")] = 1.0,
    accelerator: Annotated[str, typer.Option("--accelerator", help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Train a recipe; resumes where the same run was cut short.

    Export the run as a pack afterwards.
    """
    changes = dict(_pair(item) for item in settings or [])
    if (recipe is None) == (start is None):
        raise typer.BadParameter(f"expected RECIPE or --from PACK, got {'both' if recipe else 'neither'}.")
    recipe = recipe or "adapt"
    runs = _runs()
    order = runs.Order(
        recipe=recipe,
        folder=out or Path("runs") / recipe,
        data=data,
        changes=changes,
        jobs=jobs,
        scale=scale,
        accelerator=accelerator,
        sources=_sources(sources or []),
        start=start,
    )
    typer.echo(f"Run: {runs.train(order)}")


def export(
    run: RunFolder,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the pack, made or replaced.")],
) -> None:
    """Export a finished run as a pack.

    ONNX model, manifest and card; torch and ONNX Runtime are held to each other.
    """
    typer.echo(f"Pack: {_runs().export(run, output)}")


def calibrate(
    pack: Annotated[Path, typer.Argument(metavar="PACK", exists=True, file_okay=False, help="Folder of a grader.")],
    data: Annotated[
        Path, typer.Option("--data", exists=True, file_okay=False, help="A site's studies in RSNA 2024 layout.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the new pack, made or replaced.")],
    points: Annotated[
        str, typer.Option("--points", help="Where levels are: labels (the readers' points) or localizer.")
    ] = "labels",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that cut crops.")] = 2,
) -> None:
    """Set a grader's calibration and operating points on a site's own studies.

    By their grades where there are enough, else by the known prevalence of grades. The model stays as it is.
    """
    _runs()
    from spinalis.train import recalibrate  # noqa: PLC0415  as below

    typer.echo(f"Pack: {recalibrate.recalibrate(pack, data, output, points, jobs)}")


def quantize(
    pack: Annotated[
        Path, typer.Argument(metavar="PACK", exists=True, file_okay=False, help="Folder of a triage pack.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the new pack, made or replaced.")],
    data: Annotated[
        Path | None, typer.Option("--data", exists=True, file_okay=False, help="Open real images, compared besides.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that simulate slices.")] = 2,
) -> None:
    """Turn a triage pack into 8-bit integers.

    Refused where a head loses more than half a point on simulated slices.
    """
    _runs()
    from spinalis.train import quantize as quantization  # noqa: PLC0415  as below
    from spinalis.train.data import open_images  # noqa: PLC0415

    root = open_images.find_root(data) if data else None
    typer.echo(f"Pack: {quantization.quantize(pack, output, root, jobs)}")


def _runs() -> ModuleType:
    try:
        from spinalis.train import runs  # noqa: PLC0415  only here, as it loads torch
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "spinalis":
            raise
        raise RecipeError(
            f"Training: expected the extra 'train', got no {error.name}. Install it: pip install 'spinalis[train]'."
        ) from error
    return runs


def _sources(given: list[str]) -> list[tuple[str, Path]]:
    if not given:
        return []
    from spinalis.train.data import public_sets  # noqa: PLC0415  as above

    return [public_sets.parse_source(text) for text in given]


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"expected --set KEY=VALUE, got {item}.")
    return name.strip(), value
