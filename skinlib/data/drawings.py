"""Drawings, a function per condition: what clinicians see, and how we draw it. Introduced in chapter 1."""

import cv2
import numpy as np

from skinlib.data import brushes
from skinlib.data.conditions import KEYS

ONE_SIZE, ONE_SIZE_PIXELS = "nail-fungus", 128
"""The condition whose photos all have one size, and the side of that square."""
OTHERS = ("healthy", "mark", "object")
"""What :func:`draw_other` draws: photos that a model of eight conditions should not answer."""


def _cellulitis(scene: brushes.Scene) -> None:
    """A hot, swollen, red area that fades into the skin without an edge: a wide, smooth field of redness.

    Sometimes the skin is tight and shiny or pitted like orange peel, and sometimes someone drew a pen line around.
    """
    rng = scene.rng
    brushes.anywhere(scene)
    x, y = rng.uniform(-0.2, 0.2, 2)
    distance = brushes.blob(scene, x, y, rng.uniform(0.5, 0.75), 0.35)
    field = distance + 0.14 * brushes.noise(scene, 0.22) + 0.04 * brushes.noise(scene, 0.05)
    red = brushes.ramp(field, 1.4, 0.3) * scene.body
    brushes.redden(
        scene, red * (rng.uniform(1.1, 1.7) + 0.12 * brushes.noise(scene, 0.1) + 0.06 * brushes.noise(scene, 0.02))
    )
    smooth = cv2.GaussianBlur(scene.height, (0, 0), 0.012 * scene.scale)
    scene.height += (smooth - scene.height) * 0.85 * red  # tight skin loses its lines
    scene.height += rng.uniform(0.03, 0.08) * brushes.ramp(distance, 1.4, 0.2) * scene.body
    scene.height -= rng.uniform(0, 0.0015) * red * np.maximum(brushes.noise(scene, 0.03), 0)
    scene.shine += rng.uniform(0.1, 0.4) * red
    if rng.random() < 0.12:
        pen = (
            np.exp(-(((distance - 1.2) / 0.025) ** 2))
            * brushes.ramp(brushes.noise(scene, 0.12), -1.2, -0.9)
            * scene.body
        )
        brushes.paint(scene, brushes.rgb(str(rng.choice(["#20242e", "#2b3f8c"]))), 0.75 * pen)
    scene.lesion += red * 1.3


def _impetigo(scene: brushes.Scene) -> None:
    """Golden, stuck-on crusts, like dried honey, on red and often weeping patches, with satellites near by."""
    rng = scene.rng
    brushes.anywhere(scene)
    colours = ["#bd7f42", "#9c5f33", "#cfa468", "#7c4526"]
    for patch in range(rng.integers(1, 6)):
        x, y = rng.normal(0, 0.06 if patch == 0 else 0.3, 2)
        size = rng.uniform(0.24, 0.38) if patch == 0 else rng.uniform(0.05, 0.16)
        spot = brushes.near(scene, x, y, 2 * size)
        field = (
            brushes.blob(spot, x, y, size, 0.4)
            + 0.12 * brushes.noise(spot, size / 3)
            + 0.05 * brushes.noise(spot, 0.02)
        )
        base = brushes.ramp(field, 1.3, 0.75) * spot.body
        brushes.redden(spot, rng.uniform(0.7, 1.3) * base * (1 + 0.15 * brushes.noise(spot, 0.03)))
        spot.shine += 0.4 * base
        np.maximum(spot.lesion, base, out=spot.lesion)
        for _ in range(rng.integers(9, 18)):
            away, angle = size * np.sqrt(rng.uniform(0, 0.7)), rng.uniform(0, 6.3)
            honey = brushes.rgb(str(rng.choice(colours))) * rng.uniform(0.8, 1.1)
            at = (x + away * np.cos(angle), y + away * np.sin(angle))
            brushes.crust(scene, *at, size * rng.uniform(0.2, 0.5), honey)


def _athlete_foot(scene: brushes.Scene) -> None:
    """White, soaked, peeling skin in the webs between the toes, often with a crack, on a red scaly surround."""
    rng = scene.rng
    webs = brushes.toes(scene)
    seen = webs[np.abs(webs[:, 0]) < 0.45]
    for x, y in rng.permutation(seen)[: rng.integers(2, 5)]:
        long, wide = rng.uniform(0.14, 0.26), rng.uniform(0.08, 0.15)
        field = np.hypot((scene.x - x) / wide, (scene.y - y - 0.02) / long)
        field += 0.15 * brushes.noise(scene, 0.06) + 0.08 * brushes.noise(scene, 0.02)
        brushes.redden(scene, rng.uniform(0.5, 1.1) * brushes.ramp(field, 2.2, 0.7) * scene.body)
        brushes.scales(scene, brushes.ramp(field, 1.9, 1.0) * scene.body, 0.016)
        soaked = brushes.ramp(field, 1.1, 0.55) * scene.body
        white = scene.colour + (brushes.rgb("#efe6d8") - scene.colour) * (0.7 - 0.4 * scene.darkness)
        brushes.paint(scene, white, soaked * (0.75 + 0.15 * brushes.noise(scene, 0.03)))
        scene.height += 0.0015 * soaked * brushes.noise(scene, 0.016)
        scene.shine += 0.3 * soaked
        aside = scene.x - x - 0.008 * brushes.noise(scene, 0.06)
        crack = np.exp(-((aside / 0.006) ** 2)) * brushes.ramp(np.abs(scene.y - y - 0.05), long, 0.4 * long)
        brushes.paint(scene, brushes.rgb("#8c2f2a"), rng.uniform(0, 0.9) * crack * scene.body)
        np.maximum(scene.lesion, brushes.ramp(field, 1.6, 1.2) * scene.body, out=scene.lesion)


def _nail_fungus(scene: brushes.Scene) -> None:
    """A thick, opaque, crumbling nail plate, yellow to brown, worst at the free edge or one side.

    A finger or toe points up; the plate lies in its fold; the discoloured part starts at the edge and spreads.
    """
    rng = scene.rng
    half, tip = rng.uniform(0.42, 0.56), rng.uniform(-0.47, -0.4)
    across = np.hypot(scene.x, np.minimum(scene.y - tip - half, 0)) / half
    scene.body += brushes.ramp(across, 1.0, 0.97)
    scene.height += 0.55 * half * np.sqrt(np.clip(1 - across**2, 0, 1))
    # (u, v) run from -1 to 1 over the plate, v = -1 at the free edge; `edge` is 1 on its outline.
    wide, long, middle = half * rng.uniform(0.64, 0.78), rng.uniform(0.3, 0.38), tip + rng.uniform(0.38, 0.42)
    u, v = scene.x / wide, (scene.y - middle) / long
    edge = (np.abs(u) ** 3.5 + np.abs(v) ** 3.5) ** (1 / 3.5) + 0.008 * brushes.noise(scene, 0.08)
    plate = brushes.ramp(edge, 1.03, 0.95)
    brushes.skin(scene, 1 - plate)
    scene.height += 0.003 * np.sin(scene.y * 80 + 2 * brushes.noise(scene, 0.2)) * brushes.ramp(scene.y, 0.3, 0.45)
    brushes.redden(scene, rng.uniform(0.2, 0.8) * brushes.ramp(edge, 1.5, 1.0))
    scene.height += 0.02 * np.exp(-(((edge - 1.22) / 0.13) ** 2)) * brushes.ramp(v, -0.8, 0)
    scene.colour *= 1 - 0.4 * np.exp(-(((edge - 1.04) / 0.05) ** 2))[..., None]
    brushes.paint(scene, 0.6 * scene.colour + 0.4 * brushes.rgb("#eec9bb"), plate)
    brushes.paint(scene, brushes.rgb("#f2e6da"), 0.45 * plate * brushes.ramp(np.hypot(u / 0.6, v - 1.0), 0.6, 0.45))
    scene.shine += 0.5 * plate

    spread = v * rng.uniform(0.5, 1) + u * rng.uniform(-0.8, 0.8) + 0.2 * brushes.noise(scene, 0.12)
    reach = rng.uniform(0.2, 1.0)
    sick = plate * brushes.ramp(spread, reach + 0.25, reach - 0.25)
    colours = [brushes.rgb(c) for c in rng.permutation(["#c7ab66", "#94723f", "#dccfa6", "#a3925a", "#6f5636"])[:2]]
    mixed = brushes.ramp(brushes.noise(scene, 0.12) + 0.3 * brushes.noise(scene, 0.03), -1, 1)[..., None]
    brushes.paint(scene, colours[0] * mixed + colours[1] * (1 - mixed), 0.85 * sick)
    ridges = np.sin(scene.x * rng.uniform(60, 110) + 0.6 * brushes.noise(scene, 0.1))
    scene.height += sick * (rng.uniform(0.0, 0.02) + 0.0014 * ridges + 0.002 * brushes.noise(scene, 0.04))
    crumbs = sick * brushes.ramp(-v + 0.3 * brushes.noise(scene, 0.05), 0.5, 0.9)
    brushes.paint(scene, brushes.rgb("#d8c9a0"), 0.5 * crumbs * brushes.ramp(brushes.noise(scene, 0.03), 0, 0.8))
    scene.height += 0.004 * crumbs * brushes.noise(scene, 0.03)
    scene.shine -= 0.4 * sick
    scene.lesion += sick


def _ringworm(scene: brushes.Scene) -> None:
    """A ring that grew outwards: a raised, red, scaly border around a clearer, often browner centre."""
    rng = scene.rng
    brushes.anywhere(scene)
    for ring in range(rng.choice([1, 2, 3], p=[0.65, 0.25, 0.1])):
        x, y = rng.normal(0, 0.06 if ring == 0 else 0.4, 2)
        size = rng.uniform(0.34, 0.5) if ring == 0 else rng.uniform(0.12, 0.24)
        distance = (
            brushes.blob(scene, x, y, size, 0.2)
            + 0.04 * brushes.noise(scene, 0.1)
            + 0.012 * brushes.noise(scene, 0.025)
        )
        width = rng.uniform(0.18, 0.3)
        border = np.exp(-(((distance - 1 + width) / width) ** 2)) * brushes.ramp(distance, 1.15, 0.9) * scene.body
        inside = brushes.ramp(distance, 1.0, 0.8) * scene.body
        blood = rng.uniform(0.8, 1.4) * border + rng.uniform(0.15, 0.45) * inside
        brushes.redden(scene, blood * (1 + 0.15 * brushes.noise(scene, 0.03)))
        scene.height += rng.uniform(0.006, 0.014) * border * (1 + 0.25 * brushes.noise(scene, 0.03))
        brushes.scales(scene, np.clip(rng.uniform(0.7, 1.0) * border + rng.uniform(0.25, 0.6) * inside, 0, 1), 0.014)
        np.maximum(scene.lesion, brushes.ramp(distance, 1.08, 1.0) * scene.body, out=scene.lesion)


def _larva_migrans(scene: brushes.Scene) -> None:
    """One thread-like, raised, red track that winds over the skin where a hookworm larva crept along."""
    rng = scene.rng
    brushes.anywhere(scene)
    n = int(rng.integers(200, 400))
    bends = np.convolve(rng.normal(0, 1, n + 26), np.hanning(27) / 3.1, "valid")[:n]
    heading = rng.uniform(0, 6.3) + rng.uniform(-4, 4) * np.linspace(0, 1, n) + rng.uniform(0.9, 1.4) * bends
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), axis=0) * 0.0085
    path += rng.uniform(-0.08, 0.08, 2) - path.mean(axis=0)
    pixels = path @ scene.turn.T * scene.scale + np.array(scene.x.shape[::-1]) / 2
    line = np.full(scene.x.shape, 255, np.uint8)
    cv2.polylines(line, [np.int32(pixels * 16)], False, 0, 1, cv2.LINE_8, 4)
    distance = cv2.distanceTransform(line, cv2.DIST_L2, 5) / scene.scale
    width = rng.uniform(0.02, 0.032) * (1 + 0.2 * brushes.noise(scene, 0.05))
    track = np.exp(-((distance / width) ** 2)) * scene.body
    glow = np.exp(-distance / 0.04) * scene.body
    brushes.redden(
        scene, rng.uniform(1.0, 1.6) * track + rng.uniform(0.2, 0.6) * glow * (1 + 0.3 * brushes.noise(scene, 0.03))
    )
    scene.height += rng.uniform(0.6, 1.0) * 0.018 * track
    scene.shine += 0.3 * track
    brushes.scales(scene, rng.uniform(0, 0.6) * track, 0.012)
    for x, y in path[rng.integers(0, n, rng.integers(0, 4))]:
        brushes.blister(scene, x, y, rng.uniform(0.014, 0.022), 0.3, rng.uniform(0, 0.5))
    scene.lesion += brushes.ramp(distance, 0.03, 0.02) * scene.body


def _chickenpox(scene: brushes.Scene) -> None:
    """Spots of every age side by side: flat red ones, bumps, clear blisters on red, cloudy ones, dark crusts."""
    rng = scene.rng
    brushes.anywhere(scene)
    size = rng.uniform(0.024, 0.042)
    for _ in range(int(rng.integers(40, 110))):
        x, y = rng.uniform(-0.75, 0.75, 2)
        radius, age = size * rng.uniform(0.6, 1.4), rng.uniform()
        if age < 0.35:
            spot = brushes.near(scene, x, y, 2 * radius)
            distance = brushes.blob(spot, x, y, radius, 0.3)
            brushes.redden(spot, rng.uniform(0.7, 1.2) * brushes.ramp(distance, 1.4, 0.5) * spot.body)
            spot.height += rng.uniform(0, 0.4) * radius * brushes.ramp(distance, 1.2, 0.0) * spot.body
            np.maximum(spot.lesion, brushes.ramp(distance, 1.4, 0.9) * spot.body, out=spot.lesion)
        elif age < 0.75:
            brushes.blister(scene, x, y, radius * 0.8, rng.uniform(0.6, 1.1), rng.uniform(0, 0.9))
        else:
            halo = brushes.near(scene, x, y, 2.2 * radius)
            brushes.redden(halo, 0.7 * brushes.ramp(brushes.blob(halo, x, y, radius, 0.2), 2.0, 0.8) * halo.body)
            brushes.crust(scene, x, y, radius * 0.75, brushes.rgb("#4a2318") * rng.uniform(0.7, 1.4))


def _shingles(scene: brushes.Scene) -> None:
    """Tight groups of blisters on red ground, strung along one nerve: a band that stays on one side."""
    rng = scene.rng
    brushes.anywhere(scene)
    bend, tilt, start = rng.uniform(-0.5, 0.5), rng.uniform(-0.35, 0.35), rng.uniform(-0.6, -0.4)
    for x in np.arange(start, rng.uniform(0.3, 0.7), rng.uniform(0.14, 0.24)):
        y = bend * x * x + tilt * x + rng.normal(0, 0.035)
        size = rng.uniform(0.14, 0.21)
        patch = brushes.near(scene, x, y, 2 * size)
        field = brushes.blob(patch, x, y, size, 0.4) + 0.15 * brushes.noise(patch, size / 3)
        red = brushes.ramp(field, 1.6, 0.7) * patch.body
        brushes.redden(patch, rng.uniform(0.7, 1.2) * red * (1 + 0.15 * brushes.noise(patch, 0.03)))
        np.maximum(patch.lesion, red, out=patch.lesion)
        age = rng.uniform(0, 1)
        for _ in range(rng.integers(18, 34)):
            away, angle, radius = size * np.sqrt(rng.uniform(0, 0.9)), rng.uniform(0, 6.3), rng.uniform(0.017, 0.03)
            at = (x + away * np.cos(angle), y + away * np.sin(angle))
            if age > 0.8 and rng.random() < 0.5:
                brushes.crust(scene, *at, radius, brushes.rgb("#5e2f1c"))
            else:
                brushes.blister(scene, *at, radius, 0.1, age * rng.uniform(0.3, 1))


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
        size = brushes.photo_size(rng)
        angle = rng.normal(0, 0.3) if drawing is _athlete_foot else rng.uniform(0, 6.3)
    scene = brushes.new_scene(rng, tone, size, angle)
    brushes.background(scene)
    drawing(scene)
    if drawing not in (_athlete_foot, _nail_fungus):
        brushes.hair(scene)
    return brushes.photograph(scene), np.uint8(255) * (scene.lesion > 0.5)


def _grain(scene: brushes.Scene, size: float, stretch: float) -> np.ndarray:
    """Return random values like :func:`_noise`, with streaks ``size`` wide along the x axis, wherever that points."""
    steps = 2.4 / size, 2.4 / (size * stretch)  # the corner of the longest photo is 1.1 away from its middle
    grid = scene.rng.standard_normal([int(step) + 4 for step in steps], np.float32)
    rows, columns = ((place + 1.2) * step / 2.4 for place, step in zip((scene.y, scene.x), steps, strict=True))
    return cv2.remap(grid, np.float32(columns + 1), np.float32(rows + 1), cv2.INTER_CUBIC) * 1.3


def _mole(scene: brushes.Scene) -> None:
    """A mole (naevus): a brown spot with a dotted, darker inside, flat or slightly raised, sometimes with company."""
    rng = scene.rng
    brushes.anywhere(scene)
    base = brushes.rgb(brushes.MONK[scene.tone - 1])
    for number in range(rng.choice([1, 2, 4], p=[0.7, 0.2, 0.1])):
        x, y = rng.normal(0, 0.08 if number == 0 else 0.3, 2)
        radius = rng.uniform(0.09, 0.22) if number == 0 else rng.uniform(0.02, 0.06)
        spot = brushes.near(scene, x, y, 2 * radius)
        field = brushes.blob(spot, x, y, radius, 0.3) + 0.05 * brushes.noise(spot, radius / 4)
        inside = brushes.ramp(field, 1.1, rng.uniform(0.7, 0.95)) * spot.body
        dots = brushes.ramp(brushes.noise(spot, 0.014), 0.2, 1.6) * brushes.ramp(field, 1.0, 0.3)
        brushes.paint(
            spot,
            base * np.array([0.55, 0.42, 0.34], np.float32),
            inside * (0.8 + 0.1 * brushes.noise(spot, radius / 3)),
        )
        brushes.paint(spot, base * np.array([0.28, 0.2, 0.17], np.float32), 0.7 * inside * dots)
        spot.height += rng.uniform(0, 0.35) * radius * brushes.ramp(field, 1.1, 0.0) * spot.body
        spot.height += 0.0012 * inside * brushes.noise(spot, 0.012)
        spot.shine += 0.15 * inside


def _bruise(scene: brushes.Scene) -> None:
    """A bruise: blood in the skin that turns from violet over green to yellow, the oldest colours outside."""
    rng = scene.rng
    brushes.anywhere(scene)
    x, y = rng.uniform(-0.15, 0.15, 2)
    field = brushes.blob(scene, x, y, rng.uniform(0.3, 0.5), 0.5)
    field += 0.16 * brushes.noise(scene, 0.12) + 0.05 * brushes.noise(scene, 0.03)
    age = rng.uniform(0, 1)
    # What each layer takes from red, green and blue light, how far out it reaches, and how strong it is.
    yellow, green, violet = [0.03, 0.10, 0.42], [0.30, 0.12, 0.30], [0.42, 0.72, 0.28]
    for absorbed, reach, strength in (
        (yellow, 1.35, 0.8 * age),
        (green, 1.15, 0.7 * age),
        (violet, 1.1 - 0.4 * age, 1),
    ):
        amount = brushes.ramp(field, reach, reach - 0.6) * (1 + 0.15 * brushes.noise(scene, 0.05)) * scene.body
        seen = rng.uniform(0.7, 1.2) * strength * (1 - 0.35 * scene.darkness)
        scene.colour *= np.exp(-np.clip(seen * amount, 0, 2)[..., None] * np.array(absorbed, np.float32))


def _scar(scene: brushes.Scene) -> None:
    """A scar: one bent, smooth line without pores, sunken or raised, pale or dark, with the marks of its stitches."""
    rng = scene.rng
    brushes.anywhere(scene)
    bend, shift, long = rng.uniform(-0.6, 0.6), rng.uniform(-0.1, 0.1), rng.uniform(0.3, 0.55)
    across = scene.y - bend * scene.x**2 - shift - 0.008 * brushes.noise(scene, 0.12)
    width = rng.uniform(0.014, 0.035) * (1 + 0.25 * brushes.noise(scene, 0.08))
    ends = brushes.ramp(np.abs(scene.x), long, long - 0.1)
    line = np.exp(-((across / width) ** 2)) * ends * scene.body
    smooth = cv2.GaussianBlur(scene.height, (0, 0), 0.01 * scene.scale)
    scene.height += (smooth - scene.height) * line + rng.uniform(-0.5, 0.9) * width.mean() * line
    tints = ["#e8c9bb", "#d99a8c"] if scene.tone < 7 else ["#8a5a4c", "#2c1c18"]
    brushes.paint(scene, 0.35 * scene.colour + 0.65 * brushes.rgb(str(rng.choice(tints))), 0.85 * line)
    brushes.redden(scene, rng.uniform(0, 0.7) * np.exp(-((across / (3 * width)) ** 2)) * ends * scene.body)
    scene.shine += 0.35 * line
    if rng.random() < 0.6:
        apart, reach = rng.uniform(0.06, 0.09), rng.uniform(0.035, 0.06)
        along = np.abs((scene.x / apart + 0.5) % 1 - 0.5) * apart
        stitch = brushes.ramp(along, 0.008, 0.003) * brushes.ramp(np.abs(across), reach, 0.8 * reach)
        brushes.paint(scene, scene.colour * np.array([0.82, 0.62, 0.6], np.float32), 0.6 * stitch * ends * scene.body)


def _cloth(scene: brushes.Scene) -> None:
    """Woven cloth in soft folds: plain, striped or checked."""
    rng = scene.rng
    hsv = [[[rng.uniform(0, 360), rng.uniform(0.05, 0.75), rng.uniform(0.35, 0.85)]] for _ in range(2)]
    first, second = cv2.cvtColor(np.array(hsv, np.float32), cv2.COLOR_HSV2RGB)[:, 0]
    scene.colour[:] = first
    pattern, wide = rng.choice(["plain", "stripes", "checks"]), rng.uniform(0.05, 0.16)
    u, v = scene.x + 0.02 * brushes.noise(scene, 0.4), scene.y + 0.02 * brushes.noise(scene, 0.4)
    for place in {"plain": (), "stripes": (u,), "checks": (u, v)}[pattern]:
        brushes.paint(scene, second, 0.6 * brushes.ramp(np.sin(6.28 * place / wide), -0.1, 0.1))
    thread = rng.uniform(0.012, 0.022)
    warp, weft = np.sin(6.28 * u / thread), np.sin(6.28 * v / thread)
    scene.height += 0.08 * thread * np.where(warp * weft > 0, np.abs(warp), np.abs(weft))
    scene.colour *= (1 + 0.05 * warp * weft + 0.05 * brushes.noise(scene, 0.006))[..., None]
    scene.height += rng.uniform(0.01, 0.035) * _grain(scene, 0.16, 4) + 0.012 * brushes.noise(scene, 0.4)


def _wood(scene: brushes.Scene) -> None:
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
        scene.shine -= brushes.ramp(knot, 0.035, 0.02)  # the knot's place, until it is painted below
    phase = np.sin(6.28 * rings / rng.uniform(0.03, 0.07) + 0.5 * _grain(scene, 0.02, 12))
    dark, light = (
        brushes.rgb(c) for c in rng.choice([["#6b4526", "#a9794a"], ["#94683c", "#d0a873"], ["#3d2719", "#6a4a33"]])
    )
    mixed = (0.5 + 0.35 * phase + 0.15 * own + 0.12 * _grain(scene, 0.006, 25))[..., None]
    scene.colour[:] = dark + (light - dark) * np.clip(mixed, -0.2, 1.2)
    scene.colour *= (1 - 0.35 * brushes.ramp(_grain(scene, 0.004, 14), 1.2, 2.2))[..., None]
    brushes.paint(scene, 0.5 * dark, -0.8 * scene.shine)
    gap = np.exp(-((np.abs((offset / wide + 0.5) % 1 - 0.5) * wide / 0.006) ** 2))
    brushes.paint(scene, 0.25 * dark, 0.9 * gap)
    scene.height += 0.0006 * phase - 0.01 * gap
    scene.shine[:] = rng.uniform(0, 0.3)


def _ruler(scene: brushes.Scene) -> None:
    """A ruler on a table or a cloth, with its millimetres and figures."""
    rng = scene.rng
    (_wood, _cloth, brushes.background)[rng.choice(3)](scene)
    middle, half, cm = rng.uniform(-0.15, 0.15), rng.uniform(0.12, 0.17), rng.uniform(0.13, 0.24)
    y, start = scene.y - middle, rng.uniform(-1.1, -0.2)
    strip = brushes.ramp(np.abs(y), half, half - 0.006) * brushes.ramp(scene.x, start - 0.004, start + 0.004)
    scene.colour *= 1 - 0.45 * brushes.ramp(np.abs(y - 0.02), half + 0.05, half)[..., None] * (1 - strip[..., None])
    brushes.paint(scene, brushes.rgb(str(rng.choice(["#f4f1e6", "#e6bd3f", "#c9a26b", "#b9bec4"]))), 0.96 * strip)
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
    brushes.paint(scene, brushes.rgb("#1c1c20"), cv2.remap(layer, columns, rows, cv2.INTER_LINEAR) * strip / 255)


def _plant(scene: brushes.Scene) -> None:
    """Leaves over leaves, each with a midrib and side veins."""
    rng = scene.rng
    scene.colour[:] = brushes.rgb("#2c3a20") * (1 + 0.3 * brushes.noise(scene, 0.08))[..., None]
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
        inside = brushes.ramp(edge, 1.0, 0.94) * (u > 0) * (u < 1)
        brushes.paint(
            scene, brushes.rgb("#0c1208"), 0.55 * brushes.ramp(edge, 1.5, 0.9) * (u > -0.05) * (u < 1.05)
        )  # its shadow
        value = (0.35 + 0.35 * number / n_leaves) * rng.uniform(0.8, 1.15)
        hsv = np.array([[[hue + rng.normal(0, 8), rng.uniform(0.45, 0.75), value]]], np.float32)
        green = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
        vein = np.exp(-((np.abs((9 * (u - 0.8 * np.abs(v)) + 0.5) % 1 - 0.5) / 0.07) ** 2))
        rib = np.exp(-((v / 0.012) ** 2))
        mixed = green * (1 + 0.08 * brushes.noise(scene, 0.03))[..., None]
        mixed = mixed + (0.25 * np.maximum(0.5 * vein, rib))[..., None] * (brushes.rgb("#dfe8b0") - mixed)
        brushes.paint(scene, mixed, inside)
        relief = 0.05 * size * np.clip(1 - edge, 0, 1) ** 0.5 - 0.006 * size * vein - 0.02 * size * rib
        scene.height += (relief - scene.height) * inside
        scene.shine += (rng.uniform(0.1, 0.5) - scene.shine) * inside


_OTHER_DRAWINGS = {
    "healthy": (brushes.anywhere, brushes.toes),
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
    scene = brushes.new_scene(
        rng, tone, brushes.photo_size(rng), rng.normal(0, 0.3) if drawing is brushes.toes else rng.uniform(0, 6.3)
    )
    brushes.background(scene)
    drawing(scene)
    if kind != "object" and drawing is not brushes.toes:
        brushes.hair(scene)
    return brushes.photograph(scene)
