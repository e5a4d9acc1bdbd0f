"""The healthy head of the phantom, painted slice by slice.

Everything is an implicit surface in millimetres (LPS: x to the patient's left, y to the back, z to the top,
origin near the middle of the brain), blended over one pixel, so that any matrix size has smooth edges. Signal
is relative to white matter = 1, as a spoiled gradient echo after contrast shows it: fat and vessels bright,
fluid and bone dark.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

WHITE, GREY, FLUID = 1.0, 0.79, 0.36
BONE, FAT, MARROW, MUSCLE, SKIN = 0.1, 2.2, 1.0, 0.75, 1.2
ENHANCED, DURA = 1.75, 1.1

# Thickness of the coverings in mm, from the brain outwards.
_CSF_MM, _DURA_MM, _INNER_MM, _DIPLOE_MM, _OUTER_MM, _GALEA_MM, _FAT_MM, _SKIN_MM = (
    2.2, 0.9, 1.6, 2.8, 1.6, 0.9, 4.2, 1.8,
)  # fmt: skip
_STRIP = 250_000  # multiplications in one matrix product
_SQUARENESS = 2.25  # exponent of the superellipsoid: a skull is a little squarer than an ellipsoid


class WaveField:
    """A smooth random field with one dominant wavelength, the same at every matrix size.

    A sum of plane waves is separable, so that a whole slice is one small complex matrix product.
    """

    def __init__(
        self, rng: np.random.Generator, wavelength: float, waves: int = 48, spread: float = 0.2
    ) -> None:
        directions = rng.normal(size=(waves, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength * np.exp(rng.normal(0.0, spread, size=(waves, 1)))
        self._k = 2 * np.pi * directions / lengths
        self._phase = rng.uniform(0, 2 * np.pi, size=waves)
        self._amplitude = np.sqrt(2.0 / waves)

    def plane(self, x: NDArray[np.float64], y: NDArray[np.float64], z: float) -> Plane:
        """The field on a slice, (len(y), len(x)); mean 0, standard deviation about 1."""
        across, down = self._factors(x, y, z)
        return _real_product(down, across)

    def distance(self, x: NDArray[np.float64], y: NDArray[np.float64], z: float) -> Plane:
        """Approximate distance in mm to the field's zero set: the folds of the cortex."""
        across, down = self._factors(x, y, z)
        value = _real_product(down, across)
        slope_x = _real_product(down, 1j * self._k[:, :1] * across)
        slope_y = _real_product(down * (1j * self._k[:, 1]), across)
        typical = float(np.median(np.abs(self._k))) + 1e-6
        return np.asarray(np.abs(value) / np.sqrt(slope_x**2 + slope_y**2 + typical**2), dtype=np.float32)

    def _factors(
        self, x: NDArray[np.float64], y: NDArray[np.float64], z: float
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        across = np.exp(1j * self._k[:, :1] * x[None, :])
        down = self._amplitude * np.exp(1j * (y[:, None] * self._k[:, 1] + z * self._k[:, 2] + self._phase))
        return across, down


def _real_product(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> Plane:
    """The real part of a complex matrix product, in strips of rows.

    The strips are small enough for BLAS to stay on this thread: waking others costs more than the product,
    many times more on a busy machine.
    """
    a = np.hstack([left.real, -left.imag]).astype(np.float32)
    b = np.vstack([right.real, right.imag]).astype(np.float32)
    strip = max(1, _STRIP // b.size)
    return np.concatenate([a[i : i + strip] @ b for i in range(0, len(a), strip)])


def cover(signed_distance: NDArray[np.floating], softness: float) -> Plane:
    """How much of a pixel lies inside a surface, given the distance to it (negative inside)."""
    return np.asarray(np.clip(0.5 - signed_distance / softness, 0.0, 1.0), dtype=np.float32)


def blend(image: Plane, value: float | Plane, weight: Plane) -> None:
    """Paint `value` over `image` in place, with opacity `weight`."""
    image += (np.asarray(value, dtype=np.float32) - image) * weight


@dataclass(frozen=True, slots=True)
class Grid:
    """The slice being painted.

    Attributes:
        x: Millimetres of the columns' centres.
        y: Millimetres of the rows' centres.
        z: Height of the slice.
        pixel: Pixel spacing in mm.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: float
    pixel: float

    @property
    def xx(self) -> NDArray[np.float64]:
        """Columns' positions as a row."""
        return self.x[None, :]

    @property
    def yy(self) -> NDArray[np.float64]:
        """Rows' positions as a column."""
        return self.y[:, None]

    def ellipsoid(
        self, centre: tuple[float, float, float], axes: tuple[float, float, float], turn: float = 0.0
    ) -> NDArray[np.float64]:
        """Signed distance (approximate) to an ellipsoid turned by `turn` radians in the slice's plane."""
        dx, dy = self.xx - centre[0], self.yy - centre[1]
        c, s = np.cos(turn), np.sin(turn)
        u, v, w = (c * dx + s * dy) / axes[0], (c * dy - s * dx) / axes[1], (self.z - centre[2]) / axes[2]
        radius = np.sqrt(u**2 + v**2 + w**2)
        slope = np.sqrt((u / axes[0]) ** 2 + (v / axes[1]) ** 2 + (w / axes[2]) ** 2)
        return np.asarray((radius - 1.0) * radius / np.maximum(slope, 1e-6))


@dataclass(frozen=True, slots=True)
class _Texture:
    """The random fields of one slice, each computed once."""

    broad: Plane
    fine: Plane
    vessels: Plane
    uneven: Plane


class Anatomy:
    """One healthy head, drawn from a random generator.

    Args:
        rng: Source of this head's proportions and folds.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        size = rng.uniform(0.96, 1.04, size=3)
        self.axes = (63.0 * size[0], 82.0 * size[1], 72.0 * size[2])
        self._ventricle = rng.uniform(0.85, 1.3)
        self._gyri = WaveField(rng, 16.5)
        self._secondary = WaveField(rng, 11.0)
        self._folia = WaveField(rng, 6.5, spread=0.1)
        self._vessels = WaveField(rng, 9.0)
        self._fine = WaveField(rng, 5.0, spread=0.4)
        self.broad = WaveField(rng, 60.0)
        self._shift = rng.uniform(-1.0, 1.0)

    def surface(self, grid: Grid) -> NDArray[np.float64]:
        """Signed distance to the brain's surface in mm, negative inside."""
        return self._superellipsoid(grid.xx - self._shift, grid.yy, np.float64(grid.z))

    def depth_at(self, x: float, y: float, z: float) -> float:
        """Depth of a point below the brain's surface in mm."""
        return -float(self._superellipsoid(np.float64(x - self._shift), np.float64(y), np.float64(z)))

    def _superellipsoid(
        self,
        x: NDArray[np.float64] | np.float64,
        y: NDArray[np.float64] | np.float64,
        z: NDArray[np.float64] | np.float64,
    ) -> NDArray[np.float64]:
        a, b, c = self.axes
        wide = a * (1.0 + 0.07 * np.tanh(y / 40.0))  # broader at the back
        u, v, w = np.abs(x) / wide, np.abs(y) / b, np.abs(z) / c
        p = _SQUARENESS
        radius = np.maximum(u**p + v**p + w**p, 1e-9) ** (1.0 / p)
        slope = np.sqrt((u ** (p - 1) / wide) ** 2 + (v ** (p - 1) / b) ** 2 + (w ** (p - 1) / c) ** 2)
        return np.asarray((radius - 1.0) / np.maximum(slope * radius ** (1.0 - p), 1e-4))

    def paint(self, grid: Grid) -> Plane:
        """The healthy slice, (rows, columns), white matter = 1."""
        surface = self.surface(grid)
        soft = grid.pixel
        image = np.zeros(surface.shape, dtype=np.float32)
        texture = _Texture(
            *(
                f.plane(grid.x, grid.y, grid.z)
                for f in (self.broad, self._fine, self._vessels, self._secondary)
            )
        )
        self._coverings(image, grid, surface, texture)
        brain = self._brain(grid, surface, texture)
        blend(image, brain, cover(surface, soft))
        self._midline(image, grid, surface, texture)
        self._face(image, grid, surface, texture)
        return image

    def _coverings(self, image: Plane, grid: Grid, surface: NDArray[np.float64], texture: _Texture) -> None:
        broad = texture.broad
        a, _, _ = self.axes
        # The temporal muscle lies at the sides, low down, between bone and fat.
        side = np.clip((np.abs(grid.xx) / a - 0.62) / 0.25, 0, 1) * np.exp(-(((grid.yy + 22) / 26) ** 2))
        muscle = 7.0 * side * np.clip((30.0 - grid.z) / 25.0, 0, 1)
        csf = _CSF_MM * (1.0 + 0.3 * broad)
        dura = csf + _DURA_MM
        inner = dura + _INNER_MM
        diploe = inner + _DIPLOE_MM * (1.0 + 0.2 * broad) * (1 - 0.6 * side)
        outer = diploe + _OUTER_MM
        galea = outer + _GALEA_MM + muscle
        fat = galea + _FAT_MM * (1.0 - 0.12 * broad) * (1 - 0.4 * side)
        skin = fat + _SKIN_MM
        grain = 1.0 + 0.07 * texture.fine
        layers: tuple[tuple[NDArray[np.floating], float], ...] = (
            (skin, SKIN), (fat, FAT), (galea, MUSCLE), (outer, BONE), (diploe, MARROW), (inner, BONE),
            (dura, DURA), (csf, FLUID),
        )  # fmt: skip
        for edge, signal in layers:
            blend(image, (signal * grain).astype(np.float32), cover(surface - edge, grid.pixel))

    def _brain(self, grid: Grid, surface: NDArray[np.float64], texture: _Texture) -> Plane:
        depth = -surface
        fold = self._gyri.distance(grid.x, grid.y, grid.z)
        fine = texture.fine
        minor = self._secondary.distance(grid.x, grid.y, grid.z)
        reach = np.clip((27.0 - depth) / 13.0, 0, 1)  # folds reach about 2 cm deep, small ones less
        shallow = np.clip((11.0 - depth) / 6.0, 0, 1)
        image = np.full(surface.shape, WHITE, dtype=np.float32)
        image += 0.02 * texture.broad + 0.025 * fine
        cortex = np.maximum(cover(fold - 2.6, 1.6) * reach, cover(minor - 2.4, 1.6) * shallow)
        cortex = np.maximum(cortex, cover(depth - 3.0, 1.6))
        blend(image, (GREY + 0.03 * fine).astype(np.float32), cortex.astype(np.float32))
        sulcus = np.maximum(cover(fold - 0.75 * reach, 1.0) * reach, cover(minor - 0.4, 1.0) * shallow)
        blend(image, FLUID, (0.8 * sulcus).astype(np.float32))
        vessel = texture.vessels
        blend(image, ENHANCED, (cover(1.45 - vessel, 0.4) * sulcus).astype(np.float32))
        self._deep(image, grid, texture)
        self._hind(image, grid, texture)
        return image

    def _deep(self, image: Plane, grid: Grid, texture: _Texture) -> None:
        """Basal ganglia, thalamus, Sylvian fissure, ventricles with their plexus."""
        grow, fine = self._ventricle, texture.fine
        uneven = texture.uneven
        artery = texture.vessels
        for side in (-1.0, 1.0):
            for centre, axes, turn in (
                ((13.0, -24.0, 12.0), (4.5, 9.0, 9.0), 0.35),
                ((10, 6, 6), (8, 13, 9), -0.35),
                ((26, -8, 4), (5.5, 15, 10), 0.2),
            ):
                shape = grid.ellipsoid((side * centre[0], centre[1], centre[2]), axes, side * turn)
                blend(image, (0.86 + 0.03 * fine).astype(np.float32), cover(shape, 2.5))
            sylvian = (
                np.minimum(
                    grid.ellipsoid((side * 47, -13, 3), (16, 2.3, 15), side * -0.3),
                    grid.ellipsoid((side * 35, -3, 5), (1.5, 13, 13), side * 0.15),
                )
                + 1.3 * uneven
            )
            blend(image, FLUID, (0.9 * cover(sylvian, 1.2)).astype(np.float32))
            blend(image, ENHANCED, cover(np.maximum(sylvian + 0.4, 1.3 - artery), 0.6))
            for centre, axes, turn in (
                ((9.5, -27.0, 13.0), (4.2 * grow, 13.0, 11.0), -0.3),
                ((11, 2, 22), (4.6 * grow, 20, 8), 0.12),
                ((20, 32, 12), (5.0 * grow, 15, 12), -0.35),
            ):
                horn = grid.ellipsoid((side * centre[0], centre[1], centre[2]), axes, side * turn)
                blend(image, FLUID, cover(horn + 0.4 * uneven, grid.pixel))
            plexus = grid.ellipsoid((side * 19, 26, 12), (2.4, 6, 7), side * -0.3)
            blend(image, ENHANCED * 0.95, cover(plexus, grid.pixel))
        blend(image, FLUID, cover(grid.ellipsoid((0, 0, 2), (1.8 * grow, 13, 10)), grid.pixel))

    def _hind(self, image: Plane, grid: Grid, texture: _Texture) -> None:
        """Cerebellum under its tent, brain stem in its cistern, fourth ventricle."""
        broad = texture.broad
        cerebellum = grid.ellipsoid((0, 47, -42), (50, 31, 31)) + 1.5 * broad
        folia = cover(self._folia.distance(grid.x, grid.y, grid.z) - 0.7, 1.0)
        leaf = 0.95 - 0.13 * folia * cover(-cerebellum - 16.0, 8.0)
        blend(image, FLUID, (0.8 * cover(cerebellum - 1.2, 1.5)).astype(np.float32))
        blend(image, DURA, (0.8 * cover(np.abs(cerebellum - 1.5) - 0.3, grid.pixel)).astype(np.float32))
        blend(image, leaf.astype(np.float32), cover(cerebellum, grid.pixel))
        stem = (
            np.minimum(grid.ellipsoid((0, 19, -34), (14, 11, 30)), grid.ellipsoid((0, 11, -34), (18, 9, 16)))
            + 0.8 * broad
        )
        cistern = cover(stem - 3.0, 1.5) * cover(grid.yy - 22.0, 4.0)
        blend(image, FLUID, cistern.astype(np.float32))
        blend(image, 0.95, cover(stem, grid.pixel))
        blend(image, FLUID, cover(grid.ellipsoid((0, 32, -34), (6.5, 3.5, 10)), grid.pixel))
        basilar = grid.ellipsoid((self._shift, 0.5, -34), (2.0, 2.0, 26))
        blend(image, ENHANCED, cover(basilar, grid.pixel))

    def _midline(self, image: Plane, grid: Grid, surface: NDArray[np.float64], texture: _Texture) -> None:
        """The fissure between the hemispheres, the falx in it, the sinus along its edge."""
        bend = 0.8 * texture.broad
        across = np.abs(grid.xx - self._shift + bend)
        bridge = np.hypot((grid.yy + 2.0) / 42.0, (grid.z - 6.0) / 27.0)  # the callosum and what lies below
        open_here = np.clip((bridge - 1.0) * 8.0, 0, 1) * cover(surface, grid.pixel)
        above_tent = float(np.clip((grid.z + 14.0) / 6.0, 0, 1))
        weight = np.where(grid.yy > 0, above_tent, 1.0) * open_here
        blend(image, FLUID, (cover(across - 1.4, 1.2) * weight).astype(np.float32))
        falx = cover(across - 0.55, grid.pixel) * weight * np.clip((38.0 + surface) / 4.0, 0, 1)
        blend(image, DURA * 1.15, falx.astype(np.float32))
        width = np.where(grid.yy > 0, 4.5, 2.5)
        sinus = np.maximum(across - width * np.clip((surface + 6.0) / 7.0, 0, 1), np.abs(surface + 1.0) - 4.0)
        blend(image, ENHANCED * 1.1, cover(sinus, grid.pixel))

    def _face(self, image: Plane, grid: Grid, surface: NDArray[np.float64], texture: _Texture) -> None:
        """Orbits and nose: below the frontal lobes, in front of the temporal ones."""
        fine = texture.fine
        side = np.abs(grid.xx)
        wing = grid.yy + 24.0 + 20.0 * np.exp(-(((side - 40.0) / 17.0) ** 2))
        roof = grid.z + 23.0 + 0.16 * (grid.yy + 60.0) + 0.004 * (side - 28.0) ** 2
        edge = np.maximum(np.maximum(wing, roof), surface - 9.0)
        blend(image, BONE, cover(edge - 1.8, grid.pixel))
        blend(image, (FAT * 0.8 * (1 + 0.12 * fine)).astype(np.float32), cover(edge, grid.pixel))
        for sign in (-1.0, 1.0):
            globe = grid.ellipsoid((sign * 31, -68, -31), (12, 12.5, 12))
            for centre, axes, turn in (
                ((24, -44, -31), (2.2, 15, 3), 0.35),
                ((37, -50, -31), (2.4, 14, 6), -0.1),
                ((16, -52, -31), (1.8, 14, 6), 0.15),
            ):
                cone = grid.ellipsoid((sign * centre[0], centre[1], centre[2]), axes, sign * turn)
                blend(image, 1.05, cover(np.maximum(cone, edge), grid.pixel))
            blend(image, 1.2, cover(np.maximum(globe - 0.8, edge), grid.pixel))
            blend(image, 0.42, cover(np.maximum(globe, edge), grid.pixel))
        nose = np.maximum(side - 12.0, edge)
        cells = np.clip(0.8 + 1.2 * texture.vessels, 0.05, 1.5)
        blend(image, cells.astype(np.float32), cover(nose, grid.pixel))
