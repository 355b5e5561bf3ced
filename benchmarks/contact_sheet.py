"""Simulated pictures beside real ones, one sheet per category: `python benchmarks/contact_sheet.py --out FOLDER`.

Left simulated, right real; a category without real pictures at hand shows simulated ones only and says so. The real
pictures are found as for training (`--data`, SPINALIS_REAL_DATA, `../shared/data`); of SPIDER only training patients
are shown, so that nothing is tuned on the others. Look at `index.html` and fix what differs first.
"""

import argparse
import html
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.models.prepare import InputSpec, fit_matrix, resample
from spinalis.train.data.categories import CATEGORIES, Category, Shown, real_pictures, simulated_pictures, stretched
from spinalis.train.data.open_images import find_root

Picture = NDArray[np.uint8]

GAP = 12
"""Pixels between the halves."""


def main() -> None:
    """Draw the sheets and their index."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("categories", nargs="*", help=f"some of {', '.join(item.name for item in CATEGORIES)}")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/sheets"), help="folder to write")
    parser.add_argument("--data", type=Path, help="folder of the open real images")
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--columns", type=int, default=3, help="of each half")
    parser.add_argument("--size", type=int, default=256, help="of a tile, pixels")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    unknown = set(options.categories) - {item.name for item in CATEGORIES}
    if unknown:
        parser.error(f"categories: expected some of those that --help lists, got {', '.join(sorted(unknown))}")
    chosen = [item for item in CATEGORIES if item.name in options.categories or not options.categories]
    options.out.mkdir(parents=True, exist_ok=True)
    root = find_root(options.data)
    wanted = options.rows * options.columns
    simulated = simulated_pictures(chosen, wanted, options.seed)
    entries = []
    for category in chosen:
        real = _spread([*real_pictures(category, root, "training")] if root and category.real else [], wanted, options)
        cv2.imwrite(str(options.out / f"{category.name}.png"), _sheet(simulated[category.name], real, options))
        entries.append(_entry(category, len(simulated[category.name]), len(real)))
    (options.out / "index.html").write_text(_page(entries), encoding="utf-8")
    print(options.out / "index.html")


def _spread(pictures: list[Shown], wanted: int, options: argparse.Namespace) -> list[Shown]:
    """`wanted` of the pictures at random, but of as many patients as there are."""
    order = np.random.default_rng(options.seed).permutation(len(pictures))
    turns: dict[str, int] = {}
    ranked = []
    for place in order:
        patient = pictures[place].patient
        turns[patient] = turns.get(patient, 0) + 1
        ranked.append((turns[patient], len(ranked), pictures[place]))
    return [picture for _, _, picture in sorted(ranked, key=lambda item: item[:2])[:wanted]]


def _sheet(simulated: list[Shown], real: list[Shown], options: argparse.Namespace) -> Picture:
    halves = [_half("simulated", simulated, options)]
    if real:
        halves.append(np.full((halves[0].shape[0], GAP), 255, np.uint8))
        halves.append(_half("real", real, options))
    return np.hstack(halves)


def _half(title: str, pictures: list[Shown], options: argparse.Namespace) -> Picture:
    size = options.size
    tiles = [_tile(item, size) for item in pictures]
    tiles += [np.full((size, size), 40, np.uint8)] * (options.rows * options.columns - len(tiles))
    rows = [np.hstack(tiles[i : i + options.columns]) for i in range(0, len(tiles), options.columns)]
    head = np.zeros((22, size * options.columns), np.uint8)
    cv2.putText(head, title, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    return np.vstack([head, *rows])


def _tile(picture: Shown, size: int) -> Picture:
    spec = InputSpec(height=size, width=size)
    return resample(
        stretched(picture.image).astype(np.float32), fit_matrix(picture.image.shape, spec), (size, size)
    ).astype(np.uint8)


def _entry(category: Category, simulated: int, real: int) -> str:
    counts = f"{simulated} simulated, {real} real" if real else f"{simulated} simulated; no real pictures at hand"
    return (
        f"<h2>{html.escape(category.title)}</h2><p>{counts}</p>"
        f'<img src="{category.name}.png" alt="{html.escape(category.title)}">'
    )


def _page(entries: list[str]) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Simulated beside real</title>'
        "<style>body{font-family:sans-serif;background:#222;color:#eee;margin:2em}img{max-width:100%}</style>"
        "<h1>Simulated beside real</h1>" + "\n".join(entries) + "</html>\n"
    )


if __name__ == "__main__":
    main()
