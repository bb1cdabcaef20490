"""Draw the sample data set: simulated skin photos, with its faults planted and written down.

Introduced in chapter 1, Data exploration. The module has three parts. *Brushes* paint on a :class:`Scene`.
*Drawings*, one function per condition, say what clinicians see and how we draw it; a few more draw what is none of
the conditions. The *sample* is a folder of photos in the shape of the clinical set, with copies, leaks, wrong labels,
a watermark and damaged files put in on purpose, and ``truth.csv``, which tells where each of them is.

Sources. Skin colours: the Monk Skin Tone scale (E. Monk, skintone.google), whose hex values are in ``MONK``.
Redness (erythema) is harder to see on dark skin, where it looks red-brown, violet or grey, and raters agree on it
least there: Zhao and others, "The reliability and validity of outcome measures for atopic dermatitis in patients
with pigmented skin: A grey area", International Journal of Women's Dermatology 1(3), 2015, 150-154. We draw it so.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from .conditions import KEYS, SPLITS, by_key
from .files import written_whole
from .settings import InputError, Settings

# The faults, at rates like those of the clinical set: its 1,159 files show about 400 photos, and about 200 of its
# 234 test files copy a training file. We leak a little less, so that enough clean test photos stay to compare with.
TEST_SHARE = 0.2
"""Share of each condition's files that lie in the test folder."""
ORIGINAL_SHARE = 0.48
"""Share of files that show a photo of their own; the others are copies of one of them."""
LEAKED_SHARE = 0.7
"""Share of test files that copy a training file."""
COPY_KINDS = {"exact": 0.2, "dihedral": 0.4, "augmented": 0.4}
"""How copies are made: same bytes; flips and quarter turns; any angle, zoom, reflected border, brightness."""
WATERMARKED, WATERMARK_RATE, WATERMARK_ELSEWHERE = "chickenpox", 0.85, 0.05
"""The condition whose photos mostly carry a watermark, how many of them do, and how many others."""
ONE_SIZE, ONE_SIZE_PIXELS = "nail-fungus", 128
"""The condition whose photos all have one size, and the side of that square."""
MISLABELLED_SHARE = 0.03
"""Share of files in the folder of another condition: half are originals, half are copies across folders."""
DAMAGED_SHARE = 0.01
"""Share of damaged files, counted within ``per_class``; at least one of each kind in ``DAMAGES``."""
DAMAGES = ("truncated", "empty", "text")
EXTENSIONS = {".jpg": 0.89, ".jpeg": 0.09, ".png": 0.02}
LYING_NAMES = 2
"""Files whose extension names another format than their bytes have."""
MIN_PER_CLASS = 5

MONK = (
    "#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96", "#a07e56", "#825c43", "#604134", "#3a312a", "#292420",
)  # fmt: skip
"""Hex colours of Monk skin tones 1 to 10, in this order."""
TONES = (2, 4, 5, 6, 7, 9)
"""The six tones that the sample uses."""
OTHERS = ("healthy", "mark", "object")
"""What :func:`draw_other` draws: photos that a model of eight conditions should not answer."""

# --------------------------------------------------------------------------------------------------------- brushes


@dataclass
class Scene:
    """A photo in the making. All arrays are float32 of shape (H, W), ``colour`` (H, W, 3) in 0..1.

    Lengths are in units of the photo's short side, so that a drawing looks the same at every size.
    Brushes change the arrays in place.
    """

    rng: np.random.Generator
    tone: int
    darkness: float
    """From 0 for Monk tone 1 to 1 for tone 10."""
    scale: float
    """Pixels per unit length."""
    x: np.ndarray
    y: np.ndarray
    """Coordinates along and across the body part; (0, 0) is the middle of the photo."""
    turn: np.ndarray
    """Rotation matrix (2, 2) from these coordinates to pixel directions."""
    colour: np.ndarray
    height: np.ndarray
    """Relief, in unit lengths. It shows through its shadows."""
    shine: np.ndarray
    """How wet or glossy the surface is, 0..1."""
    body: np.ndarray
    """1 on skin, 0 on the background."""
    lesion: np.ndarray
    """How much a place belongs to the lesion, 0..1: the mask is where it passes one half."""


def _scene(rng: np.random.Generator, tone: int, size: tuple[int, int], angle: float) -> Scene:
    """Return an empty scene of ``size`` (height, width) pixels whose x axis points along ``angle`` (radians)."""
    height, width = size
    scale = float(min(size))
    rows = (np.arange(height, dtype=np.float32)[:, None] - height / 2) / scale
    columns = (np.arange(width, dtype=np.float32)[None, :] - width / 2) / scale
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    blank = [np.zeros(size, np.float32) for _ in range(4)]
    return Scene(
        rng, tone, (tone - 1) / 9, scale, columns * cos + rows * sin, rows * cos - columns * sin,
        np.array([[cos, -sin], [sin, cos]]), np.zeros((*size, 3), np.float32), *blank,
    )  # fmt: skip


def _size(rng: np.random.Generator) -> tuple[int, int]:
    """Return the height and width of a photo, in pixels, as cameras and web pages make them."""
    long, ratio = (
        int(rng.triangular(200, 300, 560)),
        rng.choice([1, 4 / 3, 3 / 2, 16 / 9], p=[0.25, 0.45, 0.25, 0.05]),
    )
    return (int(long / ratio), long) if rng.random() < 0.65 else (long, int(long / ratio))


def _near(scene: Scene, x: float, y: float, reach: float) -> Scene:
    """Return a view of the scene's square around (x, y): brushes used on it are quick and change the whole."""
    size = np.array(scene.x.shape[::-1])
    column, row = np.clip(scene.turn @ (x, y) * scene.scale + size / 2, 0, size - 1)
    half = reach * scene.scale + 2
    rows, columns = (slice(max(int(middle - half), 0), int(middle + half) + 1) for middle in (row, column))
    names = ("x", "y", "colour", "height", "shine", "body", "lesion")
    return replace(scene, **{name: getattr(scene, name)[rows, columns] for name in names})


def _rgb(colour: str) -> np.ndarray:
    """Return a hex colour as float32 (3,) in 0..1."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def _ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return 0 where ``values`` is beyond ``start``, 1 beyond ``end``, and a smooth step between."""
    t = np.clip((values - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _noise(scene: Scene, size: float, stretch: float = 1.0) -> np.ndarray:
    """Return smooth random values (H, W), mean about 0 and deviation about 1, with blobs ``size`` across."""
    height, width = scene.x.shape
    step = max(size * scene.scale, 1.0)
    grid = scene.rng.standard_normal((int(height / step) + 2, int(width / (step * stretch)) + 2), np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 1.3


def _paint(scene: Scene, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Cover the scene with ``colour`` (3,) or (H, W, 3), where ``alpha`` (H, W) in 0..1 says."""
    scene.colour += (colour - scene.colour) * np.clip(alpha, 0, 1)[..., None]


def _redden(scene: Scene, amount: np.ndarray) -> None:
    """Put blood under the skin: ``amount`` (H, W), where 1 is plainly inflamed.

    Blood takes away green and blue light. On light skin that leaves red. Melanin in front of it takes away the
    red as well, so on dark skin the same blood shows as a darker, violet-brown patch of low contrast.
    """
    light, dark = np.array([0.05, 0.52, 0.46]), np.array([0.30, 0.40, 0.16])
    absorbed = light + (dark - light) * scene.darkness
    scene.colour *= np.exp(-np.clip(amount, 0, 2)[..., None] * absorbed.astype(np.float32))


def _skin(scene: Scene, rough: np.ndarray | float = 1.0) -> None:
    """Cover the body with skin: its tone, blood, marbling, a few moles, pores and fine lines where it is ``rough``."""
    rng = scene.rng
    base = _rgb(MONK[scene.tone - 1])
    scene.colour += (base - scene.colour) * scene.body[..., None]
    _redden(scene, scene.body * (rng.uniform(0.0, 0.6) + 0.08 * _noise(scene, 0.25) + 0.06 * _noise(scene, 0.03)))
    pigment = 0.03 * _noise(scene, 0.1) + 0.025 * _noise(scene, 0.02) + 0.02 * _noise(scene, 0.008)
    scene.colour *= 1 + (scene.body * pigment)[..., None]
    for _ in range(rng.poisson(1.5)):
        x, y = rng.uniform(-0.7, 0.7, 2)
        radius = rng.uniform(0.004, 0.012)
        spot = _near(scene, x, y, 2 * radius)
        mole = _ramp(np.hypot(spot.x - x, spot.y - y), 1.4 * radius, 0.6 * radius)
        _paint(spot, base * np.float32([0.5, 0.38, 0.32]), 0.7 * mole * spot.body)
    # Pores are small pits; fine lines are the valleys of a noise field, where it passes through zero.
    grain = rng.uniform(0.01, 0.02)
    lines = -np.exp(-((_noise(scene, grain, rng.uniform(1, 2.5)) / 0.4) ** 2))
    pores = np.minimum(_noise(scene, grain / 2), 0)
    scene.height += scene.body * rough * rng.uniform(0.02, 0.05) * grain * (lines + pores)
    scene.shine += scene.body * rng.uniform(0.1, 0.35)


def _limb(scene: Scene) -> None:
    """Make the body an arm or a leg along the x axis, round across."""
    half = scene.rng.uniform(0.36, 0.5) + scene.rng.uniform(-0.12, 0.12) * scene.x
    across = np.abs(scene.y - scene.rng.uniform(-0.15, 0.15) * scene.x**2) / half
    scene.body += _ramp(across, 1.0, 0.985)
    scene.height += 0.6 * half * np.sqrt(np.clip(1 - across**2, 0, 1))


def _flank(scene: Scene) -> None:
    """Make the body a trunk that fills the photo up to one curved side."""
    edge = scene.rng.uniform(0.3, 0.5) - scene.rng.uniform(0.1, 0.5) * scene.x**2 - scene.y
    scene.body += _ramp(edge, -0.008, 0.008)
    scene.height += 0.22 * np.sqrt(1 - np.exp(-4 * np.clip(edge + 0.02, 0, None)))


def _closeup(scene: Scene) -> None:
    """Let skin fill the photo, slightly domed."""
    scene.body += 1
    scene.height -= scene.rng.uniform(0.0, 0.2) * (scene.x**2 + scene.y**2)


def _toes(scene: Scene) -> np.ndarray:
    """Make the body a forefoot with five toes, not all in the picture. Returns its webs' middles, (4, 2) x and y."""
    rng = scene.rng
    if rng.random() < 0.5:
        scene.x *= -1  # a right foot
        scene.turn[:, 0] *= -1
    widths = rng.uniform(0.28, 0.42) * np.array([0.75, 0.8, 0.86, 0.92, 1.35])
    edges = np.concatenate([[0], np.cumsum(widths)]) - widths.sum() * rng.uniform(0.3, 0.75)
    middles = (edges[:-1] + edges[1:]) / 2
    web = rng.uniform(-0.02, 0.14) + 0.25 * (middles - middles[3]) ** 2
    from_above = rng.random() < 0.6
    nails = np.zeros_like(scene.x)
    for middle, width, end in zip(middles, widths, web, strict=True):
        half = width * rng.uniform(0.49, 0.53)
        tip = end - width * rng.uniform(1.1, 1.5) + half
        bend = scene.x - middle - rng.normal(0, 0.06) * (scene.y - end)
        across = np.hypot(bend, np.minimum(scene.y - tip, 0)) / (half * (1 + 0.05 * np.cos(12 * (scene.y - tip))))
        toe = 0.75 * half * np.sqrt(np.clip(1 - across**2, 0, 1)) * _ramp(scene.y, end + 0.28, end)
        np.maximum(scene.height, toe, out=scene.height)
        np.maximum(scene.body, _ramp(across, 1.0, 0.97) * (scene.y < end + 0.1), out=scene.body)
        nail = ((bend / (0.52 * half)) ** 4 + ((scene.y - tip + 0.3 * half) / (0.5 * half)) ** 4) ** 0.25
        np.maximum(nails, _ramp(nail, 1.05, 0.9), out=nails)
    side = np.minimum(scene.x - edges[0], edges[-1] - scene.x) + 0.25 * np.maximum(scene.y - 0.2, 0)
    forefoot = np.minimum(scene.y - np.interp(scene.x, middles, web), side).astype(np.float32)
    np.maximum(scene.body, _ramp(forefoot, 0.0, 0.012), out=scene.body)
    np.maximum(scene.height, 0.15 * np.sqrt(np.clip(forefoot / 0.25, 0, 1)), out=scene.height)
    scene.height[:] = cv2.GaussianBlur(scene.height, (0, 0), 0.012 * scene.scale)
    nails *= from_above
    _skin(scene, 1 - nails)
    if from_above:
        _paint(scene, 0.6 * scene.colour + 0.4 * _rgb("#eecfc2"), 0.8 * nails)
        scene.height += 0.008 * nails
        scene.shine += 0.4 * nails
    return np.stack([edges[1:-1], (web[:-1] + web[1:]) / 2], axis=1)


def _anywhere(scene: Scene) -> None:
    """Choose a body part, the same way for most conditions, so that it does not give the condition away."""
    site = scene.rng.choice([_closeup, _limb, _flank], p=[0.74, 0.13, 0.13])
    site(scene)
    _skin(scene)


def _scales(scene: Scene, where: np.ndarray, size: float = 0.012) -> None:
    """Strew dry flakes over ``where`` (H, W) in 0..1. They look white on light skin and ashen on dark skin."""
    flakes = _ramp(_noise(scene, size, 1.6) + 0.5 * _noise(scene, size / 2), 0.3, 1.6) * where
    white = 0.6 - 0.4 * scene.darkness
    _paint(scene, (1 - white) * scene.colour + white * _rgb("#f1ebe0"), 0.9 * flakes)
    scene.height += 0.2 * size * flakes


def _blob(scene: Scene, x: float, y: float, radius: float, rough: float) -> np.ndarray:
    """Return the distance (H, W) from (x, y) in radii of a roundish outline that ``rough`` (0..1) dents."""
    dx, dy = scene.x - x, scene.y - y
    angle, dent = np.arctan2(dy, dx), 1.0
    for waves in (2, 3, 5):
        dent += rough * scene.rng.uniform(0.2, 1) / waves * np.cos(waves * angle + scene.rng.uniform(0, 6.3))
    return np.hypot(dx, dy) / (radius * dent)


def _blister(scene: Scene, x: float, y: float, radius: float, halo: float, cloudy: float) -> None:
    """Draw a small dome of fluid on a red base; ``cloudy`` from 0 (clear) to 1 (pus)."""
    spot = _near(scene, x, y, 3 * radius)
    distance = _blob(spot, x, y, radius, 0.15)
    _redden(spot, halo * _ramp(distance, 2.8, 0.9) * spot.body)
    inside = _ramp(distance, 1.1, 0.7) * spot.body
    fluid = (1 - cloudy) * (0.82 * spot.colour + 0.16) + cloudy * (0.35 * spot.colour + 0.65 * _rgb("#e6d5a6"))
    _paint(spot, fluid, (0.95 - 0.4 * scene.darkness) * inside)
    spot.height += 0.6 * radius * np.clip(1 - distance**2, 0, 1) ** 0.75 * spot.body
    spot.shine += 0.7 * inside
    np.maximum(spot.lesion, _ramp(distance, 1.7, 1.2) * spot.body, out=spot.lesion)


def _crust(scene: Scene, x: float, y: float, radius: float, colour: np.ndarray) -> None:
    """Draw a dried crust: irregular, rough, uneven in colour, a little glossy."""
    spot = _near(scene, x, y, 2 * radius)
    field = _blob(spot, x, y, radius, 0.5) + 0.2 * _noise(spot, max(radius / 1.5, 0.02))
    crust = _ramp(field, 1.25, 0.65) * spot.body
    shade = 1 + 0.15 * _noise(spot, max(radius / 2, 0.02)) + 0.1 * _noise(spot, 0.009)
    thick = 0.78 + 0.14 * _noise(spot, 0.025)
    colour = colour * (1 - 0.35 * scene.darkness)
    _paint(spot, colour * np.clip(shade, 0.4, 1.5)[..., None] ** np.float32([0.8, 1.1, 1.3]), thick * crust)
    spot.height += crust * (0.04 * radius + 0.0014 * _noise(spot, 0.016) + 0.0004 * _noise(spot, 0.007))
    spot.shine += 0.1 * crust
    np.maximum(spot.lesion, crust, out=spot.lesion)


def _hair(scene: Scene) -> None:
    """Draw a few or many hairs in about one direction, slightly bent."""
    rng = scene.rng
    if rng.random() < 0.7:
        return
    layer, n, way = np.zeros(scene.x.shape, np.uint8), int(rng.exponential(30)), rng.uniform(0, 6.3)
    thickness = 2 if scene.scale > 330 else 1
    for _ in range(min(n, 250)):
        direction = way + rng.normal(0, 0.3) + rng.normal(0, 0.35) * np.linspace(-1, 1, 6)
        steps = np.stack([np.cos(direction), np.sin(direction)], 1) * rng.uniform(0.01, 0.035) * scene.scale
        points = rng.uniform(0, 1, 2) * layer.shape[::-1] + np.cumsum(steps, axis=0)
        cv2.polylines(layer, [np.int32(points * 16)], False, int(rng.integers(90, 255)), thickness, cv2.LINE_AA, 4)
    hair = _rgb("#2a1d16") if scene.tone > 4 else _rgb(str(rng.choice(["#3a2618", "#6b4a2c", "#9c7a4e"])))
    _paint(scene, hair, layer * np.float32(rng.uniform(0.4, 0.8) / 255) * scene.body)


def _background(scene: Scene) -> None:
    """Fill what is not body with a cloth, a wall or the dark, out of focus."""
    rng = scene.rng
    value = rng.uniform(0.25, 0.75)
    hsv = np.float32([[[rng.uniform(0, 360), rng.triangular(0, 0.1, 0.5), value]]])
    light = 1 + 0.06 * _noise(scene, 0.5) + rng.uniform(0, 0.04) * _noise(scene, 0.012, 3)
    scene.colour[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * light[..., None]


def _photograph(scene: Scene) -> np.ndarray:
    """Light the scene and take the photo. Returns uint8 (H, W, 3) RGB.

    Light from one side on the relief, highlights where it shines, a shadow beside the body, uneven light, vignette,
    depth of field, white balance, exposure and sensor noise: none of them depends on the condition.
    """
    rng, size = scene.rng, scene.x.shape
    towards = rng.uniform(0, 6.3)
    light = np.float32([np.cos(towards), np.sin(towards)]) * np.float32(rng.uniform(0.35, 0.8))
    right, down = (cv2.Sobel(scene.height, cv2.CV_32F, *d, ksize=3, scale=scene.scale / 8) for d in ((1, 0), (0, 1)))
    lit = np.clip((1 - light[0] * right - light[1] * down) / np.sqrt(1 + 0.7 * (right**2 + down**2)), 0.2, 1.5)
    # Light that enters skin comes out again near by, and red light goes furthest: shadows on skin are soft and warm.
    lit += (cv2.GaussianBlur(lit, (0, 0), 0.004 * scene.scale) - lit) * 0.5 * scene.body
    photo = scene.colour * lit[..., None] ** np.float32([0.85, 1.0, 1.08])
    shade = cv2.GaussianBlur(scene.body, (0, 0), 0.05 * scene.scale) * (1 - scene.body)
    photo *= 1 - 0.5 * shade[..., None]
    for gloss, width in ((0.5, 0.02), (0.12, 0.3)):
        off = (right + 0.35 * light[0]) ** 2 + (down + 0.35 * light[1]) ** 2
        photo += (gloss * np.clip(scene.shine, 0, 1) * np.exp(-off / width))[..., None]

    aside = (scene.x * light[0] + scene.y * light[1]) * rng.uniform(0, 0.4)
    photo *= (1 - aside - rng.uniform(0, 0.3) * (scene.x**2 + scene.y**2))[..., None]
    # A camera's automatic exposure and contrast pull the mean and the spread some way towards the middle.
    mean, spread = photo.mean(axis=(0, 1)), float(photo.mean(axis=2).std())
    photo = mean + (photo - mean) * np.float32((0.13 / max(spread, 0.03)) ** 0.5)
    exposure = rng.normal(1, 0.12) * (0.5 / float(mean.mean())) ** 0.4
    photo *= (rng.normal(1, 0.05, 3) * exposure).astype(np.float32)

    focus = np.hypot(scene.x - rng.uniform(-0.2, 0.2), scene.y - rng.uniform(-0.2, 0.2))
    soft = cv2.GaussianBlur(photo, (0, 0), scene.scale * rng.uniform(0.004, 0.012))
    photo += (soft - photo) * (rng.uniform(0.2, 1) * _ramp(focus, 0.25, 0.85))[..., None]
    photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.4, 0.9))
    noise = rng.standard_normal((*size, 3), np.float32)
    photo += noise * rng.uniform(0.004, 0.011) * np.sqrt(np.clip(photo, 0.05, 1))
    return np.uint8(np.clip(photo * 255 + 0.5, 0, 255))


# -------------------------------------------------------------------------------------------------------- drawings


def _cellulitis(scene: Scene) -> None:
    """A hot, swollen, red area that fades into the skin without an edge: a wide, smooth field of redness.

    Sometimes the skin is tight and shiny or pitted like orange peel, and sometimes someone drew a pen line around.
    """
    rng = scene.rng
    _anywhere(scene)
    x, y = rng.uniform(-0.2, 0.2, 2)
    distance = _blob(scene, x, y, rng.uniform(0.5, 0.75), 0.35)
    field = distance + 0.14 * _noise(scene, 0.22) + 0.04 * _noise(scene, 0.05)
    red = _ramp(field, 1.4, 0.3) * scene.body
    _redden(scene, red * (rng.uniform(1.1, 1.7) + 0.12 * _noise(scene, 0.1) + 0.06 * _noise(scene, 0.02)))
    smooth = cv2.GaussianBlur(scene.height, (0, 0), 0.012 * scene.scale)
    scene.height += (smooth - scene.height) * 0.85 * red  # tight skin loses its lines
    scene.height += rng.uniform(0.03, 0.08) * _ramp(distance, 1.4, 0.2) * scene.body
    scene.height -= rng.uniform(0, 0.0015) * red * np.maximum(_noise(scene, 0.03), 0)
    scene.shine += rng.uniform(0.1, 0.4) * red
    if rng.random() < 0.12:
        pen = np.exp(-(((distance - 1.2) / 0.025) ** 2)) * _ramp(_noise(scene, 0.12), -1.2, -0.9) * scene.body
        _paint(scene, _rgb(str(rng.choice(["#20242e", "#2b3f8c"]))), 0.75 * pen)
    scene.lesion += red * 1.3


def _impetigo(scene: Scene) -> None:
    """Golden, stuck-on crusts, like dried honey, on red and often weeping patches, with satellites near by."""
    rng = scene.rng
    _anywhere(scene)
    colours = ["#bd7f42", "#9c5f33", "#cfa468", "#7c4526"]
    for patch in range(rng.integers(1, 6)):
        x, y = rng.normal(0, 0.06 if patch == 0 else 0.3, 2)
        size = rng.uniform(0.24, 0.38) if patch == 0 else rng.uniform(0.05, 0.16)
        spot = _near(scene, x, y, 2 * size)
        field = _blob(spot, x, y, size, 0.4) + 0.12 * _noise(spot, size / 3) + 0.05 * _noise(spot, 0.02)
        base = _ramp(field, 1.3, 0.75) * spot.body
        _redden(spot, rng.uniform(0.7, 1.3) * base * (1 + 0.15 * _noise(spot, 0.03)))
        spot.shine += 0.4 * base
        np.maximum(spot.lesion, base, out=spot.lesion)
        for _ in range(rng.integers(9, 18)):
            away, angle = size * np.sqrt(rng.uniform(0, 0.7)), rng.uniform(0, 6.3)
            honey = _rgb(str(rng.choice(colours))) * rng.uniform(0.8, 1.1)
            at = (x + away * np.cos(angle), y + away * np.sin(angle))
            _crust(scene, *at, size * rng.uniform(0.2, 0.5), honey)


def _athlete_foot(scene: Scene) -> None:
    """White, soaked, peeling skin in the webs between the toes, often with a crack, on a red scaly surround."""
    rng = scene.rng
    webs = _toes(scene)
    seen = webs[np.abs(webs[:, 0]) < 0.45]
    for x, y in rng.permutation(seen)[: rng.integers(2, 5)]:
        long, wide = rng.uniform(0.14, 0.26), rng.uniform(0.08, 0.15)
        field = np.hypot((scene.x - x) / wide, (scene.y - y - 0.02) / long)
        field += 0.15 * _noise(scene, 0.06) + 0.08 * _noise(scene, 0.02)
        _redden(scene, rng.uniform(0.5, 1.1) * _ramp(field, 2.2, 0.7) * scene.body)
        _scales(scene, _ramp(field, 1.9, 1.0) * scene.body, 0.016)
        soaked = _ramp(field, 1.1, 0.55) * scene.body
        white = scene.colour + (_rgb("#efe6d8") - scene.colour) * (0.7 - 0.4 * scene.darkness)
        _paint(scene, white, soaked * (0.75 + 0.15 * _noise(scene, 0.03)))
        scene.height += 0.0015 * soaked * _noise(scene, 0.016)
        scene.shine += 0.3 * soaked
        aside = scene.x - x - 0.008 * _noise(scene, 0.06)
        crack = np.exp(-((aside / 0.006) ** 2)) * _ramp(np.abs(scene.y - y - 0.05), long, 0.4 * long)
        _paint(scene, _rgb("#8c2f2a"), rng.uniform(0, 0.9) * crack * scene.body)
        np.maximum(scene.lesion, _ramp(field, 1.6, 1.2) * scene.body, out=scene.lesion)


def _nail_fungus(scene: Scene) -> None:
    """A thick, opaque, crumbling nail plate, yellow to brown, worst at the free edge or one side.

    A finger or toe points up; the plate lies in its fold; the discoloured part starts at the edge and spreads.
    """
    rng = scene.rng
    half, tip = rng.uniform(0.42, 0.56), rng.uniform(-0.47, -0.4)
    across = np.hypot(scene.x, np.minimum(scene.y - tip - half, 0)) / half
    scene.body += _ramp(across, 1.0, 0.97)
    scene.height += 0.55 * half * np.sqrt(np.clip(1 - across**2, 0, 1))
    # (u, v) run from -1 to 1 over the plate, v = -1 at the free edge; `edge` is 1 on its outline.
    wide, long, middle = half * rng.uniform(0.64, 0.78), rng.uniform(0.3, 0.38), tip + rng.uniform(0.38, 0.42)
    u, v = scene.x / wide, (scene.y - middle) / long
    edge = (np.abs(u) ** 3.5 + np.abs(v) ** 3.5) ** (1 / 3.5) + 0.008 * _noise(scene, 0.08)
    plate = _ramp(edge, 1.03, 0.95)
    _skin(scene, 1 - plate)
    scene.height += 0.003 * np.sin(scene.y * 80 + 2 * _noise(scene, 0.2)) * _ramp(scene.y, 0.3, 0.45)
    _redden(scene, rng.uniform(0.2, 0.8) * _ramp(edge, 1.5, 1.0))
    scene.height += 0.02 * np.exp(-(((edge - 1.22) / 0.13) ** 2)) * _ramp(v, -0.8, 0)
    scene.colour *= 1 - 0.4 * np.exp(-(((edge - 1.04) / 0.05) ** 2))[..., None]
    _paint(scene, 0.6 * scene.colour + 0.4 * _rgb("#eec9bb"), plate)
    _paint(scene, _rgb("#f2e6da"), 0.45 * plate * _ramp(np.hypot(u / 0.6, v - 1.0), 0.6, 0.45))
    scene.shine += 0.5 * plate

    spread = v * rng.uniform(0.5, 1) + u * rng.uniform(-0.8, 0.8) + 0.2 * _noise(scene, 0.12)
    reach = rng.uniform(0.2, 1.0)
    sick = plate * _ramp(spread, reach + 0.25, reach - 0.25)
    colours = [_rgb(c) for c in rng.permutation(["#c7ab66", "#94723f", "#dccfa6", "#a3925a", "#6f5636"])[:2]]
    mixed = _ramp(_noise(scene, 0.12) + 0.3 * _noise(scene, 0.03), -1, 1)[..., None]
    _paint(scene, colours[0] * mixed + colours[1] * (1 - mixed), 0.85 * sick)
    ridges = np.sin(scene.x * rng.uniform(60, 110) + 0.6 * _noise(scene, 0.1))
    scene.height += sick * (rng.uniform(0.0, 0.02) + 0.0014 * ridges + 0.002 * _noise(scene, 0.04))
    crumbs = sick * _ramp(-v + 0.3 * _noise(scene, 0.05), 0.5, 0.9)
    _paint(scene, _rgb("#d8c9a0"), 0.5 * crumbs * _ramp(_noise(scene, 0.03), 0, 0.8))
    scene.height += 0.004 * crumbs * _noise(scene, 0.03)
    scene.shine -= 0.4 * sick
    scene.lesion += sick


def _ringworm(scene: Scene) -> None:
    """A ring that grew outwards: a raised, red, scaly border around a clearer, often browner centre."""
    rng = scene.rng
    _anywhere(scene)
    for ring in range(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1])):
        x, y = rng.normal(0, 0.06 if ring == 0 else 0.4, 2)
        size = rng.uniform(0.34, 0.5) if ring == 0 else rng.uniform(0.12, 0.24)
        distance = _blob(scene, x, y, size, 0.2) + 0.04 * _noise(scene, 0.1) + 0.012 * _noise(scene, 0.025)
        width = rng.uniform(0.18, 0.3)
        border = np.exp(-(((distance - 1 + width) / width) ** 2)) * _ramp(distance, 1.15, 0.9) * scene.body
        inside = _ramp(distance, 1.0, 0.8) * scene.body
        blood = rng.uniform(0.8, 1.4) * border + rng.uniform(0.15, 0.45) * inside
        _redden(scene, blood * (1 + 0.15 * _noise(scene, 0.03)))
        scene.height += rng.uniform(0.006, 0.014) * border * (1 + 0.25 * _noise(scene, 0.03))
        _scales(scene, np.clip(rng.uniform(0.7, 1.0) * border + rng.uniform(0.25, 0.6) * inside, 0, 1), 0.014)
        np.maximum(scene.lesion, _ramp(distance, 1.08, 1.0) * scene.body, out=scene.lesion)


def _larva_migrans(scene: Scene) -> None:
    """One thread-like, raised, red track that winds over the skin where a hookworm larva crept along."""
    rng = scene.rng
    _anywhere(scene)
    n = int(rng.integers(200, 400))
    bends = np.convolve(rng.normal(0, 1, n + 26), np.hanning(27) / 3.1, "valid")[:n]
    heading = rng.uniform(0, 6.3) + rng.uniform(-4, 4) * np.linspace(0, 1, n) + rng.uniform(0.9, 1.4) * bends
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), axis=0) * 0.0085
    path += rng.uniform(-0.08, 0.08, 2) - path.mean(axis=0)
    pixels = path @ scene.turn.T * scene.scale + np.array(scene.x.shape[::-1]) / 2
    line = np.full(scene.x.shape, 255, np.uint8)
    cv2.polylines(line, [np.int32(pixels * 16)], False, 0, 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(line, cv2.DIST_L2, 5) / scene.scale
    width = rng.uniform(0.02, 0.032) * (1 + 0.2 * _noise(scene, 0.05))
    track = np.exp(-((distance / width) ** 2)) * scene.body
    glow = np.exp(-distance / 0.04) * scene.body
    _redden(scene, rng.uniform(1.0, 1.6) * track + rng.uniform(0.2, 0.6) * glow * (1 + 0.3 * _noise(scene, 0.03)))
    scene.height += rng.uniform(0.6, 1.0) * 0.018 * track
    scene.shine += 0.3 * track
    _scales(scene, rng.uniform(0, 0.6) * track, 0.012)
    for x, y in path[rng.integers(0, n, rng.integers(0, 4))]:
        _blister(scene, x, y, rng.uniform(0.014, 0.022), 0.3, rng.uniform(0, 0.5))
    scene.lesion += _ramp(distance, 0.03, 0.02) * scene.body


def _chickenpox(scene: Scene) -> None:
    """Spots of every age side by side: flat red ones, bumps, clear blisters on red, cloudy ones, dark crusts."""
    rng = scene.rng
    _anywhere(scene)
    size = rng.uniform(0.024, 0.042)
    for _ in range(int(rng.integers(40, 110))):
        x, y = rng.uniform(-0.75, 0.75, 2)
        radius, age = size * rng.uniform(0.6, 1.4), rng.uniform()
        if age < 0.35:
            spot = _near(scene, x, y, 2 * radius)
            distance = _blob(spot, x, y, radius, 0.3)
            _redden(spot, rng.uniform(0.7, 1.2) * _ramp(distance, 1.4, 0.5) * spot.body)
            spot.height += rng.uniform(0, 0.4) * radius * _ramp(distance, 1.2, 0.0) * spot.body
            np.maximum(spot.lesion, _ramp(distance, 1.4, 0.9) * spot.body, out=spot.lesion)
        elif age < 0.75:
            _blister(scene, x, y, radius * 0.8, rng.uniform(0.6, 1.1), rng.uniform(0, 0.9))
        else:
            halo = _near(scene, x, y, 2.2 * radius)
            _redden(halo, 0.7 * _ramp(_blob(halo, x, y, radius, 0.2), 2.0, 0.8) * halo.body)
            _crust(scene, x, y, radius * 0.75, _rgb("#4a2318") * rng.uniform(0.7, 1.4))


def _shingles(scene: Scene) -> None:
    """Tight groups of blisters on red ground, strung along one nerve: a band that stays on one side."""
    rng = scene.rng
    _anywhere(scene)
    bend, tilt, start = rng.uniform(-0.5, 0.5), rng.uniform(-0.35, 0.35), rng.uniform(-0.6, -0.4)
    for x in np.arange(start, rng.uniform(0.3, 0.7), rng.uniform(0.14, 0.24)):
        y = bend * x * x + tilt * x + rng.normal(0, 0.035)
        size = rng.uniform(0.14, 0.21)
        patch = _near(scene, x, y, 2 * size)
        field = _blob(patch, x, y, size, 0.4) + 0.15 * _noise(patch, size / 3)
        red = _ramp(field, 1.6, 0.7) * patch.body
        _redden(patch, rng.uniform(0.7, 1.2) * red * (1 + 0.15 * _noise(patch, 0.03)))
        np.maximum(patch.lesion, red, out=patch.lesion)
        age = rng.uniform(0, 1)
        for _ in range(rng.integers(18, 34)):
            away, angle, radius = size * np.sqrt(rng.uniform(0, 0.9)), rng.uniform(0, 6.3), rng.uniform(0.017, 0.03)
            at = (x + away * np.cos(angle), y + away * np.sin(angle))
            if age > 0.8 and rng.random() < 0.5:
                _crust(scene, *at, radius, _rgb("#5e2f1c"))
            else:
                _blister(scene, *at, radius, 0.1, age * rng.uniform(0.3, 1))


_DRAWINGS = dict(
    zip(
        KEYS,
        (_cellulitis, _impetigo, _athlete_foot, _nail_fungus, _ringworm, _larva_migrans, _chickenpox, _shingles),
        strict=True,
    )
)


def draw(condition_key: str, rng: np.random.Generator, tone: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw one photo of a condition on skin of Monk ``tone`` (1..10).

    Returns the photo, uint8 (H, W, 3) RGB, and the lesion mask, uint8 (H, W), 255 on the lesion and 0 elsewhere.
    Size and shape of the photo vary, but for the condition ``ONE_SIZE``. Raises KeyError for an unknown condition.
    """
    drawing = _DRAWINGS[condition_key]
    if condition_key == ONE_SIZE:
        size, angle = (ONE_SIZE_PIXELS, ONE_SIZE_PIXELS), rng.normal(0, 0.4)
    else:
        size = _size(rng)
        angle = rng.normal(0, 0.3) if drawing is _athlete_foot else rng.uniform(0, 6.3)
    scene = _scene(rng, tone, size, angle)
    _background(scene)
    drawing(scene)
    if drawing not in (_athlete_foot, _nail_fungus):
        _hair(scene)
    return _photograph(scene), np.uint8(255) * (scene.lesion > 0.5)


# What is none of the eight. These drawings teach nothing; they test whether a model notices that it has nothing to say.


def _grain(scene: Scene, size: float, stretch: float) -> np.ndarray:
    """Return random values like :func:`_noise`, with streaks ``size`` wide along the x axis, wherever that points."""
    steps = 2.4 / size, 2.4 / (size * stretch)  # the corner of the longest photo is 1.1 away from its middle
    grid = scene.rng.standard_normal([int(step) + 4 for step in steps], np.float32)
    rows, columns = ((place + 1.2) * step / 2.4 for place, step in zip((scene.y, scene.x), steps, strict=True))
    return cv2.remap(grid, np.float32(columns + 1), np.float32(rows + 1), cv2.INTER_CUBIC) * 1.3


def _mole(scene: Scene) -> None:
    """A mole (naevus): a brown spot with a dotted, darker inside, flat or slightly raised, sometimes with company."""
    rng = scene.rng
    _anywhere(scene)
    base = _rgb(MONK[scene.tone - 1])
    for number in range(rng.choice([1, 2, 4], p=[0.7, 0.2, 0.1])):
        x, y = rng.normal(0, 0.08 if number == 0 else 0.3, 2)
        radius = rng.uniform(0.09, 0.22) if number == 0 else rng.uniform(0.02, 0.06)
        spot = _near(scene, x, y, 2 * radius)
        field = _blob(spot, x, y, radius, 0.3) + 0.05 * _noise(spot, radius / 4)
        inside = _ramp(field, 1.1, rng.uniform(0.7, 0.95)) * spot.body
        dots = _ramp(_noise(spot, 0.014), 0.2, 1.6) * _ramp(field, 1.0, 0.3)
        _paint(spot, base * np.float32([0.55, 0.42, 0.34]), inside * (0.8 + 0.1 * _noise(spot, radius / 3)))
        _paint(spot, base * np.float32([0.28, 0.2, 0.17]), 0.7 * inside * dots)
        spot.height += rng.uniform(0, 0.35) * radius * _ramp(field, 1.1, 0.0) * spot.body
        spot.height += 0.0012 * inside * _noise(spot, 0.012)
        spot.shine += 0.15 * inside


def _bruise(scene: Scene) -> None:
    """A bruise: blood in the skin that turns from violet over green to yellow, the oldest colours outside."""
    rng = scene.rng
    _anywhere(scene)
    x, y = rng.uniform(-0.15, 0.15, 2)
    field = _blob(scene, x, y, rng.uniform(0.3, 0.5), 0.5)
    field += 0.16 * _noise(scene, 0.12) + 0.05 * _noise(scene, 0.03)
    age = rng.uniform(0, 1)
    # What each layer takes from red, green and blue light, how far out it reaches, and how strong it is.
    yellow, green, violet = [0.03, 0.10, 0.42], [0.30, 0.12, 0.30], [0.42, 0.72, 0.28]
    for absorbed, reach, strength in (
        (yellow, 1.35, 0.8 * age),
        (green, 1.15, 0.7 * age),
        (violet, 1.1 - 0.4 * age, 1),
    ):
        amount = _ramp(field, reach, reach - 0.6) * (1 + 0.15 * _noise(scene, 0.05)) * scene.body
        seen = rng.uniform(0.7, 1.2) * strength * (1 - 0.35 * scene.darkness)
        scene.colour *= np.exp(-np.clip(seen * amount, 0, 2)[..., None] * np.float32(absorbed))


def _scar(scene: Scene) -> None:
    """A scar: one bent, smooth line without pores, sunken or raised, pale or dark, with the marks of its stitches."""
    rng = scene.rng
    _anywhere(scene)
    bend, shift, long = rng.uniform(-0.6, 0.6), rng.uniform(-0.1, 0.1), rng.uniform(0.3, 0.55)
    across = scene.y - bend * scene.x**2 - shift - 0.008 * _noise(scene, 0.12)
    width = rng.uniform(0.014, 0.035) * (1 + 0.25 * _noise(scene, 0.08))
    ends = _ramp(np.abs(scene.x), long, long - 0.1)
    line = np.exp(-((across / width) ** 2)) * ends * scene.body
    smooth = cv2.GaussianBlur(scene.height, (0, 0), 0.01 * scene.scale)
    scene.height += (smooth - scene.height) * line + rng.uniform(-0.5, 0.9) * width.mean() * line
    tints = ["#e8c9bb", "#d99a8c"] if scene.tone < 7 else ["#8a5a4c", "#2c1c18"]
    _paint(scene, 0.35 * scene.colour + 0.65 * _rgb(str(rng.choice(tints))), 0.85 * line)
    _redden(scene, rng.uniform(0, 0.7) * np.exp(-((across / (3 * width)) ** 2)) * ends * scene.body)
    scene.shine += 0.35 * line
    if rng.random() < 0.6:
        apart, reach = rng.uniform(0.06, 0.09), rng.uniform(0.035, 0.06)
        along = np.abs((scene.x / apart + 0.5) % 1 - 0.5) * apart
        stitch = _ramp(along, 0.008, 0.003) * _ramp(np.abs(across), reach, 0.8 * reach)
        _paint(scene, scene.colour * np.float32([0.82, 0.62, 0.6]), 0.6 * stitch * ends * scene.body)


def _cloth(scene: Scene) -> None:
    """Woven cloth in soft folds: plain, striped or checked."""
    rng = scene.rng
    hsv = [[[rng.uniform(0, 360), rng.uniform(0.05, 0.75), rng.uniform(0.35, 0.85)]] for _ in range(2)]
    first, second = cv2.cvtColor(np.float32(hsv), cv2.COLOR_HSV2RGB)[:, 0]
    scene.colour[:] = first
    pattern, wide = rng.choice(["plain", "stripes", "checks"]), rng.uniform(0.05, 0.16)
    u, v = scene.x + 0.02 * _noise(scene, 0.4), scene.y + 0.02 * _noise(scene, 0.4)
    for place in {"plain": (), "stripes": (u,), "checks": (u, v)}[pattern]:
        _paint(scene, second, 0.6 * _ramp(np.sin(6.28 * place / wide), -0.1, 0.1))
    thread = rng.uniform(0.012, 0.022)
    warp, weft = np.sin(6.28 * u / thread), np.sin(6.28 * v / thread)
    scene.height += 0.08 * thread * np.where(warp * weft > 0, np.abs(warp), np.abs(weft))
    scene.colour *= (1 + 0.05 * warp * weft + 0.05 * _noise(scene, 0.006))[..., None]
    scene.height += rng.uniform(0.01, 0.035) * _grain(scene, 0.16, 4) + 0.012 * _noise(scene, 0.4)


def _wood(scene: Scene) -> None:
    """Wooden boards: rings cut lengthwise, pores, a knot, dark gaps between the boards."""
    rng = scene.rng
    wide = rng.uniform(0.25, 0.7)
    offset = scene.y + rng.uniform(0, wide)
    board = np.floor(offset / wide)
    own = np.random.default_rng(rng.integers(2**32)).uniform(-1, 1, 64)[board.astype(int) % 64]
    rings = scene.y + 0.5 * own + 0.03 * _grain(scene, 0.12, 6)
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(-0.6, 0.6, 2)
        knot = np.hypot((scene.x - x) / 1.7, scene.y - y)
        rings += 0.09 * np.exp(-((knot / 0.08) ** 2))
        scene.shine -= _ramp(knot, 0.035, 0.02)  # the knot's place, until it is painted below
    phase = np.sin(6.28 * rings / rng.uniform(0.03, 0.07) + 0.5 * _grain(scene, 0.02, 12))
    dark, light = (
        _rgb(c) for c in rng.choice([["#6b4526", "#a9794a"], ["#94683c", "#d0a873"], ["#3d2719", "#6a4a33"]])
    )
    mixed = (0.5 + 0.35 * phase + 0.15 * own + 0.12 * _grain(scene, 0.006, 25))[..., None]
    scene.colour[:] = dark + (light - dark) * np.clip(mixed, -0.2, 1.2)
    scene.colour *= (1 - 0.35 * _ramp(_grain(scene, 0.004, 14), 1.2, 2.2))[..., None]
    _paint(scene, 0.5 * dark, -0.8 * scene.shine)
    gap = np.exp(-((np.abs((offset / wide + 0.5) % 1 - 0.5) * wide / 0.006) ** 2))
    _paint(scene, 0.25 * dark, 0.9 * gap)
    scene.height += 0.0006 * phase - 0.01 * gap
    scene.shine[:] = rng.uniform(0, 0.3)


def _ruler(scene: Scene) -> None:
    """A ruler on a table or a cloth, with its millimetres and figures."""
    rng = scene.rng
    rng.choice([_wood, _cloth, _background])(scene)
    middle, half, cm = rng.uniform(-0.15, 0.15), rng.uniform(0.12, 0.17), rng.uniform(0.13, 0.24)
    y, start = scene.y - middle, rng.uniform(-1.1, -0.2)
    strip = _ramp(np.abs(y), half, half - 0.006) * _ramp(scene.x, start - 0.004, start + 0.004)
    scene.colour *= 1 - 0.45 * _ramp(np.abs(y - 0.02), half + 0.05, half)[..., None] * (1 - strip[..., None])
    _paint(scene, _rgb(str(rng.choice(["#f4f1e6", "#e6bd3f", "#c9a26b", "#b9bec4"]))), 0.96 * strip)
    scene.height += 0.02 * strip
    scene.shine[:] = np.where(strip > 0.5, rng.uniform(0.1, 0.6), scene.shine)
    # Lines and figures are printed on a flat layer that is then laid along the ruler.
    fine = 500  # its pixels in one unit length
    layer = np.zeros((int(2 * half * fine), int(3 * fine)), np.uint8)
    for number in range(int(30 / cm)):
        column, length = int((0.3 + number / 10) * cm * fine), (0.9, 0.55, 0.7)[(number % 10 > 0) + (number % 10 == 5)]
        cv2.line(layer, (column, 0), (column, int(0.55 * half * fine * length)), 255, max(int(0.004 * fine), 1))
        if number % 10 == 0:
            place = (column - 8 * len(str(number // 10)), int(1.05 * half * fine))
            cv2.putText(layer, str(number // 10), place, cv2.FONT_HERSHEY_SIMPLEX, 1.1 * cm / 0.18, 255, 2, cv2.LINE_AA)
    layer = cv2.GaussianBlur(layer, (0, 0), 0.5 * fine / scene.scale)
    columns, rows = np.float32((scene.x - start) * fine), np.float32((y + half) * fine)
    _paint(scene, _rgb("#1c1c20"), cv2.remap(layer, columns, rows, cv2.INTER_LINEAR) * strip / 255)


def _plant(scene: Scene) -> None:
    """Leaves over leaves, each with a midrib and side veins."""
    rng = scene.rng
    scene.colour[:] = _rgb("#2c3a20") * (1 + 0.3 * _noise(scene, 0.08))[..., None]
    hue, long = rng.uniform(75, 135), rng.uniform(0.35, 0.7)
    n_leaves = int(rng.uniform(8, 14) / long**1.5)
    for number in range(n_leaves):
        x, y, angle = *rng.uniform([-0.9, -0.7], [0.9, 0.7]), rng.uniform(0, 6.3)
        size = long * rng.uniform(0.7, 1.2)
        dx, dy = scene.x - x, scene.y - y
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / size + 0.5
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / size + 0.15 * (u - 0.5) ** 2
        half = 0.24 * np.sqrt(np.clip(np.sin(np.pi * np.clip(u, 0, 1) ** 0.8), 0, 1)) * (1.15 - 0.5 * u)
        edge = np.abs(v) / np.maximum(half, 1e-3)
        inside = _ramp(edge, 1.0, 0.94) * (u > 0) * (u < 1)
        _paint(scene, _rgb("#0c1208"), 0.55 * _ramp(edge, 1.5, 0.9) * (u > -0.05) * (u < 1.05))  # its shadow
        value = (0.35 + 0.35 * number / n_leaves) * rng.uniform(0.8, 1.15)
        hsv = np.float32([[[hue + rng.normal(0, 8), rng.uniform(0.45, 0.75), value]]])
        green = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
        vein = np.exp(-((np.abs((9 * (u - 0.8 * np.abs(v)) + 0.5) % 1 - 0.5) / 0.07) ** 2))
        rib = np.exp(-((v / 0.012) ** 2))
        mixed = green * (1 + 0.08 * _noise(scene, 0.03))[..., None]
        mixed = mixed + (0.25 * np.maximum(0.5 * vein, rib))[..., None] * (_rgb("#dfe8b0") - mixed)
        _paint(scene, mixed, inside)
        relief = 0.05 * size * np.clip(1 - edge, 0, 1) ** 0.5 - 0.006 * size * vein - 0.02 * size * rib
        scene.height += (relief - scene.height) * inside
        scene.shine += (rng.uniform(0.1, 0.5) - scene.shine) * inside


_OTHER_DRAWINGS = {
    "healthy": (_anywhere, _toes),
    "mark": (_mole, _bruise, _scar),
    "object": (_cloth, _wood, _ruler, _plant),
}


def draw_other(kind: str, rng: np.random.Generator, tone: int) -> np.ndarray:
    """Draw one photo that shows none of the eight conditions. Returns uint8 (H, W, 3) RGB.

    ``kind`` is one of ``OTHERS``: healthy skin of Monk ``tone`` (1..10), skin with a mole, a bruise or a scar, or an
    object without skin: cloth, wood, a ruler or a plant, for which ``tone`` says nothing. Light and camera are those of
    the conditions. Raises KeyError for another kind.
    """
    drawings = _OTHER_DRAWINGS[kind]
    drawing = drawings[rng.choice(len(drawings), p=(0.85, 0.15) if kind == "healthy" else None)]
    scene = _scene(rng, tone, _size(rng), rng.normal(0, 0.3) if drawing is _toes else rng.uniform(0, 6.3))
    _background(scene)
    drawing(scene)
    if kind != "object" and drawing is not _toes:
        _hair(scene)
    return _photograph(scene)


def others(settings: Settings, n_per_kind: int) -> dict[str, list[np.ndarray]]:
    """Draw photos that are none of the eight: ``n_per_kind`` of each kind in ``OTHERS``, the six tones in turn.

    They belong to no data set and are drawn when asked; the same seed gives the same photos. They went through JPEG as
    the sample's did, or a model could tell them by what saving leaves.
    """
    photos = {}
    for place, kind in enumerate(OTHERS):
        photos[kind] = []
        for number in range(n_per_kind):
            rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(place, number)))
            photo = draw_other(kind, rng, TONES[number % len(TONES)])
            stored = np.frombuffer(_encode(photo, "JPEG", rng), np.uint8)
            photos[kind].append(cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
    return photos


# ---------------------------------------------------------------------------------------------------------- sample


def watermark(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a photo, uint8 (H, W, 3), with a half-transparent logo in a corner, as picture libraries print them."""
    height, width = photo.shape[:2]
    size = max(min(height, width) / 420, 0.34)
    layer = np.zeros((height, width), np.uint8)
    (wide, tall), _ = cv2.getTextSize("SkinSample", cv2.FONT_HERSHEY_DUPLEX, size, 1)
    x = int(rng.choice([0.04 * width, max(width - wide - 0.05 * width, 0)]))
    y = int(rng.choice([0.06 * height + tall, 0.95 * height]))
    cv2.putText(layer, "SkinSample", (x, y), cv2.FONT_HERSHEY_DUPLEX, size, 255, 1, cv2.LINE_AA)
    cv2.circle(layer, (x + wide // 2, y - 2 * tall), max(tall // 2, 3), 255, max(int(2 * size), 1), cv2.LINE_AA)
    alpha = layer[..., None] * (rng.uniform(0.55, 0.8) / 255)
    return np.uint8(photo + (255.0 - photo) * alpha)


def _encode(photo: np.ndarray, format: str, rng: np.random.Generator) -> bytes:
    """Return an RGB photo as JPEG or PNG bytes."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(72, 94))] if format == "JPEG" else []
    return cv2.imencode(".jpg" if format == "JPEG" else ".png", photo[..., ::-1], options)[1].tobytes()


def dihedral(photo: np.ndarray, flip: bool, quarter_turns: int) -> np.ndarray:
    """Return a photo or mask mirrored left to right if ``flip``, then turned anticlockwise by quarter turns."""
    return np.ascontiguousarray(np.rot90(photo[:, ::-1] if flip else photo, quarter_turns))


def augmented(photo: np.ndarray, angle: float, zoom: float, flip: bool, brightness: float) -> np.ndarray:
    """Return a photo (H, W, 3) or mask (H, W), uint8, as augmentation tools make copies: same size as before.

    Mirrored if ``flip``, turned by ``angle`` degrees and magnified by ``zoom`` about its middle; what then lacks is
    filled with the reflection at the border. Photos are multiplied by ``brightness``; masks keep their values.
    """
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    mask = photo.ndim == 2
    photo = cv2.warpAffine(
        np.ascontiguousarray(photo[:, ::-1]) if flip else photo, matrix, (width, height),
        flags=cv2.INTER_NEAREST if mask else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    return photo if mask else np.uint8(np.clip(photo * brightness + 0.5, 0, 255))


def _transform(kind: str, rng: np.random.Generator) -> dict:
    """Return random arguments for :func:`dihedral` or :func:`augmented`; nothing for other kinds."""
    if kind == "dihedral":
        flip, turns = divmod(int(rng.integers(1, 8)), 4)
        return {"flip": bool(flip), "quarter_turns": turns}
    if kind == "augmented":
        angle, zoom, brightness = rng.uniform(-180, 180), rng.uniform(0.85, 1.4), rng.uniform(0.7, 1.25)
        return {
            "angle": round(angle, 2), "zoom": round(zoom, 3), "flip": bool(rng.random() < 0.5),
            "brightness": round(brightness, 3),
        }  # fmt: skip
    return {}


def _about(number: float, rng: np.random.Generator) -> int:
    """Round up or down at random, so that the mean is ``number``."""
    return int(number + 1e-9 + rng.random() * (1 - 1e-6))


def _spread(rows: list[dict], rng: np.random.Generator) -> list[dict]:
    """Return the rows shuffled, taking folders in turn, so that the first few come from different folders."""
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    seen: dict[str, int] = {}
    for row in shuffled:
        seen[row["label"]] = row["turn"] = seen.get(row["label"], 0) + 1
    return sorted(shuffled, key=lambda row: row.pop("turn"))


def _plan(per_class: int, seed: int) -> list[dict]:
    """Decide every file of the sample before any is drawn. Returns rows of the truth table, without ``mask``."""
    rng = np.random.default_rng(seed)
    rows = []
    for label in KEYS:
        n_test = max(1, round(TEST_SHARE * per_class))
        clean = _about((1 - LEAKED_SHARE) * n_test, rng)
        known = max(_about(ORIGINAL_SHARE * per_class, rng) - clean, 2)
        kinds = ["original"] * known + ["copy"] * (per_class - n_test - known)
        kinds = [("train", kind) for kind in rng.permutation(kinds)]
        kinds += [("test", kind) for kind in rng.permutation(["original"] * clean + ["copy"] * (n_test - clean))]
        tones = np.resize(rng.permutation(TONES), per_class)
        for number, ((split, kind), tone) in enumerate(zip(kinds, tones, strict=True), start=1):
            rows.append(
                {"path": f"{SPLITS[split]}/{by_key(label).folder}/{label}-{number:03d}", "label": label,
                 "condition": label, "split": split, "source": "", "kind": str(kind), "of": "", "transform": "",
                 "tone": int(tone), "watermark": False, "mislabelled": False, "damage": "", "format": "JPEG"}
            )  # fmt: skip

    # Damaged files take the place of copies, so that no copy lacks its original. Every fourth lies in the test set.
    copies = {split: _spread([r for r in rows if (r["split"], r["kind"]) == (split, "copy")], rng) for split in SPLITS}
    for i in range(max(len(DAMAGES), round(DAMAGED_SHARE * len(rows)))):
        split = "test" if i % 4 == 3 and copies["test"] else "train"
        row = copies[split].pop(0)
        row.update(kind="original", damage=DAMAGES[i % len(DAMAGES)])
        row["format"] = "JPEG" if row["damage"] == "truncated" else ""

    # The folder of the one-size condition receives no strays: all its files keep that size.
    n_wrong = max(2, round(MISLABELLED_SHARE * len(rows)))
    originals = [row for row in rows if row["kind"] == "original" and not row["damage"]]
    spare = [b for a, b in pairwise(originals) if a["label"] == b["label"] != ONE_SIZE]
    for row in _spread(spare, rng)[: n_wrong // 2]:
        row["condition"] = str(rng.choice([key for key in KEYS if key != row["label"]]))
    donors = {key: [] for key in KEYS}
    for number, row in enumerate(originals + [row for row in rows if row["damage"]]):
        row["source"] = f"s{number:04d}"
        rate = WATERMARK_RATE if row["condition"] == WATERMARKED else WATERMARK_ELSEWHERE
        row["watermark"] = bool(rng.random() < rate) and row["damage"] in ("", "truncated")
        if row["split"] == "train" and row["condition"] == row["label"] and not row["damage"]:
            donors[row["label"]].append(row)

    copies = _spread(copies["train"] + copies["test"], rng)
    strays = [row["path"] for row in copies if row["label"] != ONE_SIZE][: n_wrong - n_wrong // 2]
    for row in copies:
        key = row["label"]
        if row["path"] in strays:
            key = str(rng.choice([other for other in KEYS if other != key]))
        original = donors[key][rng.integers(len(donors[key]))]
        row["kind"] = str(rng.choice(list(COPY_KINDS), p=list(COPY_KINDS.values())))
        row["transform"] = json.dumps(_transform(row["kind"], rng))
        row["of"] = original["path"]
        row.update({name: original[name] for name in ("condition", "source", "tone", "watermark")})

    # Names come last: exact copies keep the format of their original.
    names = {}
    changed = [row["path"] for row in copies if row["kind"] in ("dihedral", "augmented")][:LYING_NAMES]
    for row in originals + [row for row in rows if row["damage"]] + copies:
        row["mislabelled"] = row["condition"] != row["label"]
        extension = str(rng.choice(list(EXTENSIONS), p=list(EXTENSIONS.values())))
        if row["kind"] == "exact":
            extension = names[row["of"]].suffix
        elif not row["damage"]:
            row["format"] = "PNG" if (extension == ".png") != (row["path"] in changed) else "JPEG"
        elif extension == ".png":
            extension = ".jpg"
        names[row["path"]] = Path(row["path"] + extension)
    for row in rows:
        row["path"] = names[row["path"]].as_posix()
        row["of"] = names[row["of"]].as_posix() if row["of"] else ""
    formats = {row["path"]: row["format"] for row in rows}
    for row in rows:
        row["format"] = formats[row["of"]] if row["kind"] == "exact" else row["format"]
    return rows


def _make_original(row: dict, rng: np.random.Generator) -> tuple[bytes, np.ndarray]:
    """Draw the photo of a row. Returns the bytes of its file, damaged if so planned, and its mask."""
    photo, mask = draw(row["condition"], rng, row["tone"])
    if row["watermark"]:
        photo = watermark(photo, rng)
    if row["damage"] == "text":
        return b"<html><head><title>404 Not Found</title></head><body>No such picture.</body></html>\n", mask
    data = _encode(photo, row["format"] or "JPEG", rng)
    keep = {"": 1.0, "truncated": rng.uniform(0.2, 0.6), "empty": 0.0}[row["damage"]]
    return data[: int(len(data) * keep)], mask


def _make_copy(row: dict, original: tuple[bytes, np.ndarray], rng: np.random.Generator) -> tuple[bytes, np.ndarray]:
    """Copy a photo and its mask as planned in the row. The copy starts from the original's file, as real ones do."""
    data, mask = original
    if row["kind"] == "exact":
        return data, mask
    change = {"dihedral": dihedral, "augmented": augmented}[row["kind"]]
    photo = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    arguments = json.loads(row["transform"])
    return _encode(change(photo, **arguments), row["format"], rng), change(mask, **arguments)


def _fill(folder: Path, rows: list[dict], seed: int) -> pd.DataFrame:
    """Write all files of the sample into ``folder``. Returns the truth table."""
    done: dict[str, tuple[bytes, np.ndarray]] = {}

    def make(job: tuple[int, dict]) -> None:
        # Each file has its own generator, so that the order in which threads come to it does not matter.
        index, row = job
        rng = np.random.default_rng(np.random.SeedSequence([seed, index + 1]))
        made = _make_copy(row, done[row["of"]], rng) if row["of"] else _make_original(row, rng)
        if row["kind"] == "original":
            done[row["path"]] = made
        path = folder / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[0])
        row["mask"] = ""
        if not row["damage"]:
            row["mask"] = (Path("masks") / row["path"]).with_suffix(".png").as_posix()
            (folder / row["mask"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / row["mask"]).write_bytes(cv2.imencode(".png", made[1])[1].tobytes())

    jobs = list(enumerate(rows))
    bar = tqdm(total=len(jobs), desc="drawing photos", unit="photo", disable=None)
    with bar, ThreadPoolExecutor(2) as pool:
        for copies in (False, True):
            for _ in pool.map(make, [job for job in jobs if bool(job[1]["of"]) == copies]):
                bar.update()
    truth = pd.DataFrame(rows)
    truth.to_csv(folder / "truth.csv", index=False)
    return truth


def write_sample(out: Path, per_class: int = 50, seed: int = 0) -> pd.DataFrame:
    """Draw the sample into the folder ``out``: ``per_class`` files per condition, four fifths of them for training.

    Damaged files count within ``per_class``. Returns the truth table, which is also written to ``out/truth.csv``:
    one row per file with ``path`` (relative, POSIX), ``label`` (key of the folder it lies in), ``condition`` (true
    key), ``split`` (train or test), ``source`` (id of the photo it shows, shared by all its copies), ``kind``
    (original, exact, dihedral or augmented), ``of`` (path of the original, for copies), ``transform`` (arguments
    of :func:`dihedral` or :func:`augmented`, as JSON), ``tone`` (Monk 1..10), ``watermark``, ``mislabelled``,
    ``damage`` (empty text, truncated, empty or text), ``format`` (of the bytes) and ``mask`` (relative path; none
    for damaged files). The same seed gives the same bytes. Nothing is left behind when it is interrupted.

    Raises InputError when ``per_class`` is below ``MIN_PER_CLASS`` or ``out`` is a file or a folder with files in it.
    """
    out = Path(out)
    if per_class < MIN_PER_CLASS:
        raise InputError(f"{per_class} photos per condition are too few: ask for {MIN_PER_CLASS} or more")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} already exists and is not an empty folder: delete it or name another")
    with written_whole(out) as draft:
        return _fill(draft, _plan(per_class, seed), seed)


def read_truth(folder: Path) -> pd.DataFrame:
    """Return the truth table of a sample, as :func:`write_sample` gave it. Missing text is "", never NaN."""
    return pd.read_csv(Path(folder) / "truth.csv", keep_default_na=False)


def sample_folder(settings: Settings) -> Path:
    """Return the cached sample of these settings; draw it first if need be.

    The folder's name tells size, seed, and a digest of this code and the libraries that shape the bytes. Two
    processes may call this at once: each draws to a folder of its own, and the first to finish wins.
    """
    code = Path(__file__).read_bytes() + f"{cv2.__version__} {np.__version__}".encode()
    name = f"sample-{settings.per_class}-{settings.seed}-{hashlib.sha256(code).hexdigest()[:12]}"
    folder = settings.cache / name
    if not (folder / "truth.csv").is_file():
        try:
            write_sample(folder, settings.per_class, settings.seed)
        except (OSError, InputError):
            if not (folder / "truth.csv").is_file():
                raise
    return folder
