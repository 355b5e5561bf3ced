"""The sets of real images that a user may bring, by name: `--source NAME=PATH`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinalis.errors import RecipeError
from spinalis.train.data import chaos, fastmri, folder, m4raw, radimagenet, spider_volumes, spine_generic, table
from spinalis.train.data.real_slice import RealSlice


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """How a set is read, and what a model card says of it."""

    read: Callable[[Path], Iterator[RealSlice]]
    citation: str


SETS: Mapping[str, PublicSet] = {
    "radimagenet": PublicSet(
        read=radimagenet.read, citation="RadImageNet (Mei et al. 2022; terms of the radimagenet.com request)"
    ),
    "m4raw": PublicSet(read=m4raw.read, citation="M4Raw (Lyu et al. 2023, CC BY 4.0)"),
    "spine-generic": PublicSet(read=spine_generic.read, citation="Spine Generic (Cohen-Adad et al. 2021, MIT)"),
    "spider": PublicSet(read=spider_volumes.read, citation="SPIDER (van der Graaf et al. 2024, CC BY 4.0)"),
    "chaos": PublicSet(read=chaos.read, citation="CHAOS (Kavur et al. 2021, CC BY-NC-SA 4.0)"),
    "fastmri": PublicSet(
        read=fastmri.read, citation="fastMRI (Zbontar et al. 2018, Tibrewala et al. 2024; NYU data sharing agreement)"
    ),
    "folder": PublicSet(read=folder.read, citation="pictures of the user's own, a folder per class"),
    "table": PublicSet(read=table.read, citation="pictures of the user's own, a csv table"),
}
"""Name -> set. Licences: see `docs/data.md`."""


def parse_source(text: str) -> tuple[str, Path]:
    """`NAME=PATH` -> name and path.

    Raises:
        RecipeError: the name is unknown, or nothing is at the path.
    """
    name, _, path = text.partition("=")
    if name not in SETS or not path:
        raise RecipeError(f"Source: expected NAME=PATH with a name of {', '.join(SETS)}, got {text}. Correct --source.")
    if not Path(path).exists():
        raise RecipeError(
            f"Source {name}: expected a file or folder, got a path that does not exist. Correct --source."
        )
    return name, Path(path)


def read(name: str, path: Path, subset: str) -> Iterator[RealSlice]:
    """The slices of a set that belong to a subset, `training` or `validation`.

    Raises:
        RecipeError: the set is not laid out as its reader says.
        TableError: one of its tables breaks a rule.
    """
    return (item for item in SETS[name].read(path) if item.subset == subset)


def drawn(items: Iterable[RealSlice], most: int, seed: int) -> list[RealSlice]:
    """At most so many of a long list, each with the same chance, in the order of the list; memory stays flat.

    Source: reservoir sampling, Vitter JS, Random sampling with a reservoir, ACM TOMS 1985, algorithm R.
    """
    rng = np.random.default_rng(seed)
    kept: list[tuple[int, RealSlice]] = []
    for place, item in enumerate(items):
        if len(kept) < most:
            kept.append((place, item))
        elif (chosen := int(rng.integers(place + 1))) < most:
            kept[chosen] = place, item
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])]
