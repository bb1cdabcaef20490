"""Brushes, which paint skin and what is on it on a :class:`Scene`. The drawings are made of them.

Sources. Skin colours: the Monk Skin Tone scale (E. Monk, skintone.google), whose hex values are in ``MONK``.
Redness (erythema) is harder to see on dark skin, where it looks red-brown, violet or grey, and raters agree on it
least there: Zhao and others, "The reliability and validity of outcome measures for atopic dermatitis in patients
with pigmented skin: A grey area", International Journal of Women's Dermatology 1(3), 2015, 150-154. We draw it so.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

MONK = (
    "#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96", "#a07e56", "#825c43", "#604134", "#3a312a", "#292420",
)  # fmt: skip
"""Hex colours of Monk skin tones 1 to 10, in this order."""
TONES = (2, 4, 5, 6, 7, 9)
"""The six tones that the sample uses."""


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


def new_scene(rng: np.random.Generator, tone: int, size: tuple[int, int], angle: float) -> Scene:
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


def photo_size(rng: np.random.Generator) -> tuple[int, int]:
    """Return the height and width of a photo, in pixels, as cameras and web pages make them."""
    long, ratio = (
        int(rng.triangular(200, 300, 560)),
        rng.choice([1, 4 / 3, 3 / 2, 16 / 9], p=[0.25, 0.45, 0.25, 0.05]),
    )
    return (int(long / ratio), long) if rng.random() < 0.65 else (long, int(long / ratio))


def near(scene: Scene, x: float, y: float, reach: float) -> Scene:
    """Return a view of the scene's square around (x, y): brushes used on it are quick and change the whole."""
    size = np.array(scene.x.shape[::-1])
    column, row = np.clip(scene.turn @ (x, y) * scene.scale + size / 2, 0, size - 1)
    half = reach * scene.scale + 2
    rows, columns = (slice(max(int(middle - half), 0), int(middle + half) + 1) for middle in (row, column))
    names = ("x", "y", "colour", "height", "shine", "body", "lesion")
    return replace(scene, **{name: getattr(scene, name)[rows, columns] for name in names})


def rgb(colour: str) -> np.ndarray:
    """Return a hex colour as float32 (3,) in 0..1."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32) / 255


def ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return 0 where ``values`` is beyond ``start``, 1 beyond ``end``, and a smooth step between."""
    t = np.clip((values - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def noise(scene: Scene, size: float, stretch: float = 1.0) -> np.ndarray:
    """Return smooth random values (H, W), mean about 0 and deviation about 1, with blobs ``size`` across."""
    height, width = scene.x.shape
    step = max(size * scene.scale, 1.0)
    grid = scene.rng.standard_normal((int(height / step) + 2, int(width / (step * stretch)) + 2), np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 1.3


def paint(scene: Scene, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Cover the scene with ``colour`` (3,) or (H, W, 3), where ``alpha`` (H, W) in 0..1 says."""
    scene.colour += (colour - scene.colour) * np.clip(alpha, 0, 1)[..., None]


def redden(scene: Scene, amount: np.ndarray) -> None:
    """Put blood under the skin: ``amount`` (H, W), where 1 is plainly inflamed.

    Blood takes away green and blue light. On light skin that leaves red. Melanin in front of it takes away the
    red as well, so on dark skin the same blood shows as a darker, violet-brown patch of low contrast.
    """
    light, dark = np.array([0.05, 0.52, 0.46]), np.array([0.30, 0.40, 0.16])
    absorbed = light + (dark - light) * scene.darkness
    scene.colour *= np.exp(-np.clip(amount, 0, 2)[..., None] * absorbed.astype(np.float32))


def skin(scene: Scene, rough: np.ndarray | float = 1.0) -> None:
    """Cover the body with skin: its tone, blood, marbling, a few moles, pores and fine lines where it is ``rough``."""
    rng = scene.rng
    base = rgb(MONK[scene.tone - 1])
    scene.colour += (base - scene.colour) * scene.body[..., None]
    redden(scene, scene.body * (rng.uniform(0.0, 0.6) + 0.08 * noise(scene, 0.25) + 0.06 * noise(scene, 0.03)))
    pigment = 0.03 * noise(scene, 0.1) + 0.025 * noise(scene, 0.02) + 0.02 * noise(scene, 0.008)
    scene.colour *= 1 + (scene.body * pigment)[..., None]
    for _ in range(rng.poisson(1.5)):
        x, y = rng.uniform(-0.7, 0.7, 2)
        radius = rng.uniform(0.004, 0.012)
        spot = near(scene, x, y, 2 * radius)
        mole = ramp(np.hypot(spot.x - x, spot.y - y), 1.4 * radius, 0.6 * radius)
        paint(spot, base * np.array([0.5, 0.38, 0.32], np.float32), 0.7 * mole * spot.body)
    # Pores are small pits; fine lines are the valleys of a noise field, where it passes through zero.
    grain = rng.uniform(0.01, 0.02)
    lines = -np.exp(-((noise(scene, grain, rng.uniform(1, 2.5)) / 0.4) ** 2))
    pores = np.minimum(noise(scene, grain / 2), 0)
    scene.height += scene.body * rough * rng.uniform(0.02, 0.05) * grain * (lines + pores)
    scene.shine += scene.body * rng.uniform(0.1, 0.35)


def limb(scene: Scene) -> None:
    """Make the body an arm or a leg along the x axis, round across."""
    half = scene.rng.uniform(0.36, 0.5) + scene.rng.uniform(-0.12, 0.12) * scene.x
    across = np.abs(scene.y - scene.rng.uniform(-0.15, 0.15) * scene.x**2) / half
    scene.body += ramp(across, 1.0, 0.985)
    scene.height += 0.6 * half * np.sqrt(np.clip(1 - across**2, 0, 1))


def flank(scene: Scene) -> None:
    """Make the body a trunk that fills the photo up to one curved side."""
    edge = scene.rng.uniform(0.3, 0.5) - scene.rng.uniform(0.1, 0.5) * scene.x**2 - scene.y
    scene.body += ramp(edge, -0.008, 0.008)
    scene.height += 0.22 * np.sqrt(1 - np.exp(-4 * np.clip(edge + 0.02, 0, None)))


def closeup(scene: Scene) -> None:
    """Let skin fill the photo, slightly domed."""
    scene.body += 1
    scene.height -= scene.rng.uniform(0.0, 0.2) * (scene.x**2 + scene.y**2)


def toes(scene: Scene) -> np.ndarray:
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
        toe = 0.75 * half * np.sqrt(np.clip(1 - across**2, 0, 1)) * ramp(scene.y, end + 0.28, end)
        np.maximum(scene.height, toe, out=scene.height)
        np.maximum(scene.body, ramp(across, 1.0, 0.97) * (scene.y < end + 0.1), out=scene.body)
        nail = ((bend / (0.52 * half)) ** 4 + ((scene.y - tip + 0.3 * half) / (0.5 * half)) ** 4) ** 0.25
        np.maximum(nails, ramp(nail, 1.05, 0.9), out=nails)
    side = np.minimum(scene.x - edges[0], edges[-1] - scene.x) + 0.25 * np.maximum(scene.y - 0.2, 0)
    forefoot = np.minimum(scene.y - np.interp(scene.x, middles, web), side).astype(np.float32)
    np.maximum(scene.body, ramp(forefoot, 0.0, 0.012), out=scene.body)
    np.maximum(scene.height, 0.15 * np.sqrt(np.clip(forefoot / 0.25, 0, 1)), out=scene.height)
    scene.height[:] = cv2.GaussianBlur(scene.height, (0, 0), 0.012 * scene.scale)
    nails *= from_above
    skin(scene, 1 - nails)
    if from_above:
        paint(scene, 0.6 * scene.colour + 0.4 * rgb("#eecfc2"), 0.8 * nails)
        scene.height += 0.008 * nails
        scene.shine += 0.4 * nails
    return np.stack([edges[1:-1], (web[:-1] + web[1:]) / 2], axis=1)


def anywhere(scene: Scene) -> None:
    """Choose a body part, the same way for most conditions, so that it does not give the condition away."""
    site = (closeup, limb, flank)[scene.rng.choice(3, p=[0.74, 0.13, 0.13])]
    site(scene)
    skin(scene)


def scales(scene: Scene, where: np.ndarray, size: float = 0.012) -> None:
    """Strew dry flakes over ``where`` (H, W) in 0..1. They look white on light skin and ashen on dark skin."""
    flakes = ramp(noise(scene, size, 1.6) + 0.5 * noise(scene, size / 2), 0.3, 1.6) * where
    white = 0.6 - 0.4 * scene.darkness
    paint(scene, (1 - white) * scene.colour + white * rgb("#f1ebe0"), 0.9 * flakes)
    scene.height += 0.2 * size * flakes


def blob(scene: Scene, x: float, y: float, radius: float, rough: float) -> np.ndarray:
    """Return the distance (H, W) from (x, y) in radii of a roundish outline that ``rough`` (0..1) dents."""
    dx, dy = scene.x - x, scene.y - y
    angle = np.arctan2(dy, dx)
    dent = np.ones_like(angle)
    for waves in (2, 3, 5):
        dent += rough * scene.rng.uniform(0.2, 1) / waves * np.cos(waves * angle + scene.rng.uniform(0, 6.3))
    return np.hypot(dx, dy) / (radius * dent)


def blister(scene: Scene, x: float, y: float, radius: float, halo: float, cloudy: float) -> None:
    """Draw a small dome of fluid on a red base; ``cloudy`` from 0 (clear) to 1 (pus)."""
    spot = near(scene, x, y, 3 * radius)
    distance = blob(spot, x, y, radius, 0.15)
    redden(spot, halo * ramp(distance, 2.8, 0.9) * spot.body)
    inside = ramp(distance, 1.1, 0.7) * spot.body
    fluid = (1 - cloudy) * (0.82 * spot.colour + 0.16) + cloudy * (0.35 * spot.colour + 0.65 * rgb("#e6d5a6"))
    paint(spot, fluid, (0.95 - 0.4 * scene.darkness) * inside)
    spot.height += 0.6 * radius * np.clip(1 - distance**2, 0, 1) ** 0.75 * spot.body
    spot.shine += 0.7 * inside
    np.maximum(spot.lesion, ramp(distance, 1.7, 1.2) * spot.body, out=spot.lesion)


def crust(scene: Scene, x: float, y: float, radius: float, colour: np.ndarray) -> None:
    """Draw a dried crust: irregular, rough, uneven in colour, a little glossy."""
    spot = near(scene, x, y, 2 * radius)
    field = blob(spot, x, y, radius, 0.5) + 0.2 * noise(spot, max(radius / 1.5, 0.02))
    crust = ramp(field, 1.25, 0.65) * spot.body
    shade = 1 + 0.15 * noise(spot, max(radius / 2, 0.02)) + 0.1 * noise(spot, 0.009)
    thick = 0.78 + 0.14 * noise(spot, 0.025)
    colour = colour * (1 - 0.35 * scene.darkness)
    paint(spot, colour * np.clip(shade, 0.4, 1.5)[..., None] ** np.array([0.8, 1.1, 1.3], np.float32), thick * crust)
    spot.height += crust * (0.04 * radius + 0.0014 * noise(spot, 0.016) + 0.0004 * noise(spot, 0.007))
    spot.shine += 0.1 * crust
    np.maximum(spot.lesion, crust, out=spot.lesion)


def hair(scene: Scene) -> None:
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
    hair = rgb("#2a1d16") if scene.tone > 4 else rgb(str(rng.choice(["#3a2618", "#6b4a2c", "#9c7a4e"])))
    paint(scene, hair, layer * np.float32(rng.uniform(0.4, 0.8) / 255) * scene.body)


def background(scene: Scene) -> None:
    """Fill what is not body with a cloth, a wall or the dark, out of focus."""
    rng = scene.rng
    value = rng.uniform(0.25, 0.75)
    hsv = np.array([[[rng.uniform(0, 360), rng.triangular(0, 0.1, 0.5), value]]], np.float32)
    light = 1 + 0.06 * noise(scene, 0.5) + rng.uniform(0, 0.04) * noise(scene, 0.012, 3)
    scene.colour[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * light[..., None]


def photograph(scene: Scene) -> np.ndarray:
    """Light the scene and take the photo. Returns uint8 (H, W, 3) RGB.

    Light from one side on the relief, highlights where it shines, a shadow beside the body, uneven light, vignette,
    depth of field, white balance, exposure and sensor noise: none of them depends on the condition.
    """
    rng, size = scene.rng, scene.x.shape
    towards = rng.uniform(0, 6.3)
    light = np.array([np.cos(towards), np.sin(towards)], np.float32) * np.float32(rng.uniform(0.35, 0.8))
    right, down = (cv2.Sobel(scene.height, cv2.CV_32F, *d, ksize=3, scale=scene.scale / 8) for d in ((1, 0), (0, 1)))
    lit = np.clip((1 - light[0] * right - light[1] * down) / np.sqrt(1 + 0.7 * (right**2 + down**2)), 0.2, 1.5)
    # Light that enters skin comes out again near by, and red light goes furthest: shadows on skin are soft and warm.
    lit += (cv2.GaussianBlur(lit, (0, 0), 0.004 * scene.scale) - lit) * 0.5 * scene.body
    photo = scene.colour * lit[..., None] ** np.array([0.85, 1.0, 1.08], np.float32)
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
    photo += (soft - photo) * (rng.uniform(0.2, 1) * ramp(focus, 0.25, 0.85))[..., None]
    photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.4, 0.9))
    noise = rng.standard_normal((*size, 3), np.float32)
    photo += noise * rng.uniform(0.004, 0.011) * np.sqrt(np.clip(photo, 0.05, 1))
    return np.clip(photo * 255 + 0.5, 0, 255).astype(np.uint8)
