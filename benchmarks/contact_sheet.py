"""Tile simulated slices beside real ones: `python benchmarks/contact_sheet.py T2w sheet.png --real DIR`.

The left half is simulated, the right half real (mid-sagittal slices of `spider_midsagittal`); without `--real` the
sheet shows simulated slices only, of any profile and plane.
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.simulate import PROFILES, SimulatedSeries, simulate_study
from spinalis.vocabulary import Plane, Sequence

Picture = NDArray[np.uint8]


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sequence", choices=[item.value for item in Sequence])
    parser.add_argument("output", type=Path)
    parser.add_argument("--real", type=Path, help="folder spider_midsagittal")
    parser.add_argument("--profile", choices=PROFILES, default="lumbar")
    parser.add_argument("--plane", choices=[item.value for item in Plane], default="sagittal")
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--columns", type=int, default=3, help="of each half")
    parser.add_argument("--size", type=int, default=300, help="of a tile, pixels")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--off-midline", type=int, default=0, help="slices beside the middle")
    options = parser.parse_args()
    wanted = options.rows * options.columns
    simulated = _simulated(options, wanted)
    halves = [_grid(simulated, options)]
    if options.real:
        halves.append(_grid(_real(options, wanted), options))
    cv2.imwrite(str(options.output), np.hstack(halves))


def _simulated(options: argparse.Namespace, wanted: int) -> list[Picture]:
    pictures: list[Picture] = []
    number = 0
    while len(pictures) < wanted:
        for one in simulate_study(options.seed, number, options.profile).series:
            if one.plane == options.plane and one.sequence == options.sequence:
                pictures.append(_tile(_slice_of(one, options.off_midline), options.size))
                break
        number += 1
    return pictures


def _slice_of(series: SimulatedSeries, off: int) -> NDArray[np.uint16]:
    return np.asarray(series.pixels[np.clip(len(series.pixels) // 2 + off, 0, len(series.pixels) - 1)])


def _real(options: argparse.Namespace, wanted: int) -> list[Picture]:
    with (options.real / "manifest.csv").open() as table:
        files = [row["file"] for row in csv.DictReader(table) if row["sequence"] == options.sequence]
    chosen = np.random.default_rng(options.seed).choice(files, wanted, replace=False)
    return [_tile(cv2.imread(str(options.real / name), cv2.IMREAD_GRAYSCALE), options.size) for name in chosen]


def _tile(picture: NDArray[np.generic], size: int) -> Picture:
    """Stretch the 1st to 99.3rd percentile, fit into a square."""
    values = picture.astype(np.float32)
    low, high = np.percentile(values, (1, 99.3))
    values = np.clip((values - low) / max(high - low, 1e-6) * 255, 0, 255)
    scale = size / max(values.shape)
    small = cv2.resize(values, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.zeros((size, size), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:size, :size]
    return tile


def _grid(tiles: list[Picture], options: argparse.Namespace) -> Picture:
    rows = [np.hstack(tiles[i : i + options.columns]) for i in range(0, len(tiles), options.columns)]
    return np.pad(np.vstack(rows), 2, constant_values=255)


if __name__ == "__main__":
    main()
