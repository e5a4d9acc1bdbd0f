"""A head-like T1-post-contrast volume with known lesions: the demo, the tests and the benchmarks read it.

Ring-enhancing lesions with necrosis and oedema sit in the white matter, solid ones on the dura. Every cut of
a lesion that is drawn has its true box, and nothing else in the volume is a lesion.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import InputError
from core.imaging.phantom_anatomy import ENHANCED, Anatomy, Grid, Plane, WaveField, blend, cover
from core.model import Box, Vector

FIELD_OF_VIEW_MM = 230.0
EXTENT_MM = 108.0
LOWEST_MM = -36.0
WHITE_LEVEL = 520.0  # stored value of white matter
Axis = NDArray[np.float64]

LABELS = ("glioma", "meningioma")  # ring-enhancing, solid on the dura


@dataclass(frozen=True, slots=True)
class PhantomSpec:
    """What to make.

    Attributes:
        size: Rows and columns, 32 to 2048.
        slices: Number of slices, over the same 108 mm of head.
        lesions: Number of lesions, 0 to 32; ring-enhancing and solid in turn.
        seed: The same spec gives the same volume.
        noise: Standard deviation of the Rician noise, in units of white matter.
        bias: Strength of the bias field: 0.25 means ± 25 %.
        growth: Radius of the lesions relative to a growth of 1: the same head at another time, with noise
            of its own. Lesions stay where they are.

    Raises:
        ValueError: A value is outside its range.
    """

    size: int = 256
    slices: int = 24
    lesions: int = 3
    seed: int = 0
    noise: float = 0.03
    bias: float = 0.2
    growth: float = 1.0

    def __post_init__(self) -> None:
        limits = {
            "size": (32, 2048),
            "slices": (1, 4096),
            "lesions": (0, 32),
            "noise": (0.0, 1.0),
            "bias": (0.0, 0.9),
            "growth": (0.1, 2.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"phantom {name}={value}: must be between {low} and {high}")


@dataclass(frozen=True, slots=True)
class PhantomBox:
    """The true box of one lesion on one slice.

    Attributes:
        slice: 0-based, lowest slice first.
        box: Tight around the lesion's pixels, corner convention.
        label: "glioma" or "meningioma".
        lesion: 0-based number of the lesion.
    """

    slice: int
    box: Box
    label: str
    lesion: int


@dataclass(frozen=True, slots=True)
class Phantom:
    """A volume and its truth.

    Attributes:
        spec: What was asked for.
        volume: float32 (slices, rows, columns), whole numbers from 0 to 4095, lowest slice first.
        boxes: The true boxes, by slice.
        spacing: (row, column) spacing in mm.
        slice_spacing: Millimetres between slices.
        origin: LPS position of the centre of the first slice's top-left pixel.
        lesions: uint8, the volume's shape: number of the lesion + 1 in its pixels, 0 elsewhere.
        row_cosine: Direction of growing x, LPS.
        column_cosine: Direction of growing y, LPS; slices follow each other along row × column.
        plane: "axial", "coronal" or "sagittal": how the head is cut.
    """

    spec: PhantomSpec
    volume: NDArray[np.float32]
    boxes: tuple[PhantomBox, ...]
    spacing: tuple[float, float]
    slice_spacing: float
    origin: Vector
    lesions: NDArray[np.uint8]
    row_cosine: Vector = (1.0, 0.0, 0.0)
    column_cosine: Vector = (0.0, 1.0, 0.0)
    plane: str = "axial"


@dataclass(frozen=True, slots=True)
class _Lesion:
    label: str
    centre: tuple[float, float, float]
    radius: float
    squash: tuple[float, float, float]


def make_phantom(spec: PhantomSpec | None = None) -> Phantom:
    """Make a phantom. Deterministic: the same spec gives the same volume and boxes.

    Raises:
        InputError: So many lesions do not fit into so few slices.
    """
    spec = spec or PhantomSpec()
    rng = np.random.default_rng([spec.seed, 0x0BE5])
    anatomy = Anatomy(rng)
    wobble = WaveField(rng, 20.0)
    pixel = FIELD_OF_VIEW_MM / spec.size
    step = EXTENT_MM / spec.slices
    heights: Axis = LOWEST_MM + (np.arange(spec.slices, dtype=np.float64) + 0.5) * step
    axis: Axis = (np.arange(spec.size, dtype=np.float64) + 0.5) * pixel - FIELD_OF_VIEW_MM / 2
    lesions = _place(spec, rng, anatomy, heights)
    if spec.growth != 1.0:
        lesions = [replace(lesion, radius=lesion.radius * spec.growth) for lesion in lesions]
        rng = np.random.default_rng([spec.seed, round(spec.growth * 1000)])
    volume = np.zeros((spec.slices, spec.size, spec.size), dtype=np.float32)
    labels = np.zeros(volume.shape, dtype=np.uint8)
    boxes: list[PhantomBox] = []
    for index, z in enumerate(heights):
        grid = Grid(axis, axis, float(z), pixel)
        image = anatomy.paint(grid)
        for number, lesion in enumerate(lesions):
            mask = _paint_lesion(image, grid, lesion, anatomy, wobble)
            if mask is not None:
                boxes.append(PhantomBox(index, tight_box(mask), lesion.label, number))
                labels[index][mask] = number + 1
        volume[index] = _acquire(image, grid, spec, anatomy.broad, rng)
    return Phantom(
        spec=spec,
        volume=volume,
        boxes=tuple(boxes),
        spacing=(pixel, pixel),
        slice_spacing=step,
        origin=(float(axis[0]), float(axis[0]), float(heights[0])),
        lesions=labels,
    )


def tight_box(mask: NDArray[np.bool_]) -> Box:
    """The smallest box around the pixels of a mask, which has at least one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _place(
    spec: PhantomSpec, rng: np.random.Generator, anatomy: Anatomy, heights: NDArray[np.float64]
) -> list[_Lesion]:
    """Lesions apart from each other and centred on a slice, so that each is seen at least once."""
    placed: list[_Lesion] = []
    smallest = max(4.0, 2.6 * FIELD_OF_VIEW_MM / spec.size)
    usable = [float(z) for z in heights if -8.0 <= z <= 48.0] or [float(heights[len(heights) // 2])]
    for number in range(spec.lesions):
        label = LABELS[number % len(LABELS)]
        radius = float(rng.uniform(9.0, 18.0)) if label == LABELS[0] else float(rng.uniform(8.0, 15.0))
        for attempt in range(600):
            if attempt % 60 == 59:
                radius *= 0.8
            lesion = _candidate(label, max(radius, smallest), rng, anatomy, usable)
            if lesion is not None and all(_apart(lesion, other) for other in placed):
                placed.append(lesion)
                break
        else:
            raise InputError(
                f"phantom lesions={spec.lesions}: only {number} fit; ask for fewer or for more slices"
            )
    return placed


def _candidate(
    label: str, radius: float, rng: np.random.Generator, anatomy: Anatomy, heights: list[float]
) -> _Lesion | None:
    z = heights[int(rng.integers(len(heights)))]
    turn = rng.uniform(0, 2 * math.pi)
    a, b, c = anatomy.axes
    shrink = math.sqrt(max(1.0 - (z / c) ** 2, 0.05))
    reach = rng.uniform(0.25, 0.85) if label == LABELS[0] else rng.uniform(0.85, 1.0)
    x, y = a * shrink * reach * math.cos(turn), b * shrink * reach * math.sin(turn)
    depth = anatomy.depth_at(x, y, z)
    squash = rng.uniform(0.8, 1.2, size=3)
    fits = (
        depth > radius + 4.0 and abs(x) > 0.9 * radius if label == LABELS[0] else 0.0 < depth < 0.55 * radius
    )
    if label == LABELS[1] and abs(x) < 8.0:  # not on the sagittal sinus
        fits = False
    return _Lesion(label, (x, y, z), radius, (squash[0], squash[1], squash[2])) if fits else None


def _apart(one: _Lesion, other: _Lesion) -> bool:
    return math.dist(one.centre, other.centre) > 1.5 * (one.radius + other.radius) + 4.0


def _paint_lesion(
    image: Plane, grid: Grid, lesion: _Lesion, anatomy: Anatomy, wobble: WaveField
) -> NDArray[np.bool_] | None:
    """Paint the lesion's cut into the slice; its pixels, or None where the cut is too small to draw."""
    if abs(grid.z - lesion.centre[2]) > 3.0 * lesion.radius:
        return None
    axes = tuple(lesion.radius * s for s in lesion.squash)
    shape = grid.ellipsoid(lesion.centre, (axes[0], axes[1], axes[2]))
    rough = wobble.plane(grid.x, grid.y, grid.z)
    shape = shape + (0.1 * lesion.radius if lesion.label == LABELS[0] else 0.05 * lesion.radius) * rough
    surface = anatomy.surface(grid)
    if lesion.label == LABELS[1]:
        shape = np.maximum(shape, surface - 2.5)  # grows inwards from the dura
    mask = _largest(shape < 0)
    if mask is None:
        return None
    shape = np.where(mask, shape, np.maximum(shape, grid.pixel * 0.3))
    if lesion.label == LABELS[0]:
        _paint_ring(image, grid, lesion, shape, surface, rough)
    else:
        _paint_solid(image, grid, lesion, shape, surface, rough)
    return mask


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The largest connected part, or None where it is less than 3 × 3 pixels: slivers are not drawn."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    width, height = stats[best, cv2.CC_STAT_WIDTH], stats[best, cv2.CC_STAT_HEIGHT]
    return np.asarray(labels == best) if min(width, height) >= 3 else None


def _paint_ring(
    image: Plane,
    grid: Grid,
    lesion: _Lesion,
    shape: NDArray[np.float64],
    surface: NDArray[np.float64],
    rough: Plane,
) -> None:
    oedema = cover(shape - 0.55 * lesion.radius * (1.0 + 0.35 * rough), 0.35 * lesion.radius)
    inside = cover(surface + 3.0, 2.0)
    blend(image, 0.74, (0.8 * oedema * inside).astype(np.float32))
    rim = np.maximum(0.24 * lesion.radius * (1.0 + 0.3 * rough), 1.1 * grid.pixel)
    blend(image, (ENHANCED * (1.0 + 0.08 * rough)).astype(np.float32), cover(shape, grid.pixel))
    blend(image, (0.5 + 0.07 * rough).astype(np.float32), cover(shape + rim, 1.5 * grid.pixel))


def _paint_solid(
    image: Plane,
    grid: Grid,
    lesion: _Lesion,
    shape: NDArray[np.float64],
    surface: NDArray[np.float64],
    rough: Plane,
) -> None:
    cleft = cover(shape - 1.2, 1.5) * cover(surface, grid.pixel)
    blend(image, 0.35, (0.7 * cleft).astype(np.float32))
    tail = np.maximum(np.abs(surface - 2.0) - 0.8, shape - 0.6 * lesion.radius)
    blend(image, ENHANCED, (0.8 * cover(tail, grid.pixel)).astype(np.float32))
    blend(image, (ENHANCED * (1.02 + 0.04 * rough)).astype(np.float32), cover(shape, grid.pixel))


def _acquire(
    image: Plane, grid: Grid, spec: PhantomSpec, broad: WaveField, rng: np.random.Generator
) -> NDArray[np.float32]:
    """What the scanner makes of it: point spread, coil sensitivity, Rician noise, whole numbers."""
    blurred = cv2.GaussianBlur(image, (0, 0), 0.55)
    half = FIELD_OF_VIEW_MM / 2
    tilt = 0.6 * grid.xx / half - 0.5 * grid.yy / half + 0.3 * broad.plane(grid.x, grid.y, grid.z)
    edge = ((grid.xx / half) ** 2 + (grid.yy / half) ** 2) - 0.35
    signal = blurred * np.exp(spec.bias * (tilt + edge))
    real = signal + rng.normal(0.0, spec.noise, size=image.shape)
    imaginary = rng.normal(0.0, spec.noise, size=image.shape)
    return np.clip(np.rint(WHITE_LEVEL * np.hypot(real, imaginary)), 0, 4095).astype(np.float32)


def write_phantom_png(phantom: Phantom, folder: Path) -> list[Path]:
    """Write the slices as 16-bit PNG with their truth, as a dataset that `train` and `evaluate` read.

    The folder gets `images/phantom_NNN.png` and `annotations.json` (COCO; x, y, width, height in pixels).

    Returns:
        The image files, in order.

    Raises:
        OSError: The folder cannot be written.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    paths = [images / f"phantom_{index:03d}.png" for index in range(len(phantom.volume))]
    for path, pixels in zip(paths, phantom.volume, strict=True):
        Image.fromarray(pixels.astype(np.uint16)).save(path)
    text = json.dumps(_coco(phantom, [p.name for p in paths]), indent=1)
    (folder / "annotations.json").write_text(text, encoding="utf-8")
    return paths


def _coco(phantom: Phantom, names: list[str]) -> dict[str, object]:
    _, rows, columns = phantom.volume.shape
    return {
        "info": {"description": "Overread phantom", "seed": phantom.spec.seed},
        "images": [
            # One phantom is one patient: `block` keeps its slices together in a split.
            {"id": i + 1, "file_name": name, "width": columns, "height": rows, "block": phantom.spec.seed}
            for i, name in enumerate(names)
        ],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(LABELS)],
        "annotations": [
            {
                "id": i + 1,
                "image_id": b.slice + 1,
                "category_id": LABELS.index(b.label) + 1,
                "bbox": [b.box.x1, b.box.y1, b.box.width, b.box.height],
                "area": b.box.area,
                "iscrowd": 0,
                "lesion": b.lesion,
            }
            for i, b in enumerate(phantom.boxes)
        ],
    }
