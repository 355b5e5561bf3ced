"""Pictures of kinds that no triage network is trained on, drawn by code: no patient, no scanner, no photograph."""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.records import Image

SIZE = 192
MIDDLE = SIZE // 2
LETTERS = tuple("ABCDEFGHIKLMNOPRSTUVWabcdefghiklmnoprstuv0123456789  ")

Bytes = NDArray[np.uint8]
Draw = Callable[[np.random.Generator], Image]


def noise(rng: np.random.Generator) -> Image:
    """A magnitude picture without an object."""
    return np.abs(rng.normal(size=(SIZE, SIZE)) + 1j * rng.normal(size=(SIZE, SIZE))).astype(np.float32)


def clouds(rng: np.random.Generator) -> Image:
    """Noise whose spectrum falls with frequency, as that of many natural pictures does."""
    steps = np.fft.fftfreq(SIZE)
    radius = np.hypot(steps[:, None], steps[None])
    radius[0, 0] = 1.0
    made = np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIZE, SIZE))) / radius ** rng.uniform(1.0, 2.0)).real
    return np.asarray(made - made.min(), np.float32)


def almost_blank(rng: np.random.Generator) -> Image:
    """A ramp of brightness with a little noise."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    angle = rng.uniform(0, 2 * np.pi)
    ramp = 50 + 20 * (np.cos(angle) * x + np.sin(angle) * y)
    return np.asarray(ramp + rng.normal(size=ramp.shape) * rng.uniform(0, 0.5), np.float32)


def page(rng: np.random.Generator) -> Image:
    """Lines of letters, bright on dark as on a screen or dark on bright as on a form."""
    dark = rng.random() < 0.5
    made: Bytes = np.full((SIZE, SIZE), 0 if dark else 255, np.uint8)
    height = rng.uniform(0.3, 0.6)
    for row in range(12, SIZE, int(14 + 20 * height)):
        line = "".join(rng.choice(LETTERS, rng.integers(5, 26)))
        place = int(rng.integers(2, 20)), row
        cv2.putText(made, line, place, cv2.FONT_HERSHEY_SIMPLEX, height, 255 if dark else 0, 1, cv2.LINE_AA)
    return made.astype(np.float32)


def scene(rng: np.random.Generator) -> Image:
    """Houses and trees under a sky: what a photograph has of edges, areas and shades."""
    y = np.mgrid[:SIZE, :SIZE][0] / SIZE
    horizon = rng.uniform(0.4, 0.7)
    made: Bytes = np.where(y < horizon, 200 - 60 * y, rng.uniform(90, 130)).astype(np.uint8)
    cv2.circle(made, _point(rng, (20, 170), (15, 60)), int(rng.integers(8, 20)), 250, -1, cv2.LINE_AA)
    for _ in range(rng.integers(1, 4)):
        left, bottom = _point(rng, (10, 140), (int(SIZE * horizon), int(SIZE * horizon) + 40))
        right, top = left + int(rng.integers(20, 50)), bottom - int(rng.integers(20, 70))
        cv2.rectangle(made, (left, top), (right, bottom), int(rng.integers(30, 160)), -1)
        roof = np.array([[left - 4, top], [right + 4, top], [(left + right) // 2, top - 20]], np.int32)
        cv2.fillPoly(made, [roof], int(rng.integers(30, 120)))
        cv2.rectangle(made, (left + 5, top + 8), (left + 12, top + 18), 220, -1)
    for _ in range(rng.integers(1, 5)):
        x, foot = _point(rng, (10, 180), (int(SIZE * horizon) + 10, int(SIZE * horizon) + 50))
        cv2.line(made, (x, foot), (x, foot - 35), 60, 4)
        cv2.circle(made, (x, foot - 45), int(rng.integers(10, 22)), 70, -1, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(made.astype(np.float32), (0, 0), rng.uniform(0.3, 1.2))
    return np.asarray(blurred + 3 * rng.normal(size=made.shape), np.float32)


def grid(rng: np.random.Generator) -> Image:
    """A round phantom with a grid of dark lines."""
    made: Bytes = np.zeros((SIZE, SIZE), np.uint8)
    cv2.circle(made, (MIDDLE, MIDDLE), int(rng.integers(60, 90)), 200, -1, cv2.LINE_AA)
    step, width = int(rng.integers(10, 24)), int(rng.integers(1, 4))
    for start in range(int(rng.integers(0, step)), SIZE, step):
        made[start : start + width] = 0
        made[:, start : start + width] = 0
    return np.asarray(made + 5 * noise(rng), np.float32)


def bottle(rng: np.random.Generator) -> Image:
    """A round or square bottle with some round inserts."""
    made: Bytes = np.zeros((SIZE, SIZE), np.uint8)
    reach = int(rng.integers(50, 85))
    if rng.random() < 0.5:
        cv2.circle(made, (MIDDLE, MIDDLE), reach, 200, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(made, (MIDDLE - reach // 2, MIDDLE - reach), (MIDDLE + reach // 2, MIDDLE + reach), 200, -1)
    inside = MIDDLE - reach // 2, MIDDLE + reach // 2
    for _ in range(rng.integers(0, 7)):
        size, shade = int(rng.integers(3, 12)), int(rng.integers(0, 255))
        cv2.circle(made, _point(rng, inside, inside), size, shade, -1, cv2.LINE_AA)
    return np.asarray(made + 5 * noise(rng), np.float32)


def pattern(rng: np.random.Generator) -> Image:
    """A test pattern of a monitor: squares, stripes or rings."""
    y, x = np.mgrid[:SIZE, :SIZE]
    step = int(rng.integers(4, 32))
    squares = ((x // step + y // step) % 2) * 200.0
    stripes = ((x // step) % 8) * 30.0
    rings = 100 + 100 * np.sin(np.hypot(x - MIDDLE, y - MIDDLE) ** 2 / (20 * step))
    return np.asarray((squares, stripes, rings)[rng.integers(0, 3)] + noise(rng), np.float32)


KINDS: Mapping[str, Draw] = {
    "noise": noise,
    "noise like clouds": clouds,
    "almost blank": almost_blank,
    "page of text": page,
    "drawn scene": scene,
    "grid phantom": grid,
    "bottle phantom": bottle,
    "test pattern": pattern,
}
"""By the name of the kind."""


def sheet(rng: np.random.Generator, slices: Sequence[NDArray[np.uint8]]) -> Image:
    """A screenshot of 2 × 2 to 4 × 4 slices: each is a picture as trained on, the whole is none."""
    across = int(rng.integers(2, 5))
    side = SIZE // across
    made = np.zeros((SIZE, SIZE), np.float32)
    for row in range(across):
        for column in range(across):
            chosen = slices[int(rng.integers(len(slices)))].astype(np.float32)
            small = cv2.resize(chosen, (side, side), interpolation=cv2.INTER_AREA)
            made[row * side : (row + 1) * side, column * side : (column + 1) * side] = small
    return made


def _point(rng: np.random.Generator, columns: tuple[int, int], rows: tuple[int, int]) -> tuple[int, int]:
    return int(rng.integers(*columns)), int(rng.integers(*rows))
