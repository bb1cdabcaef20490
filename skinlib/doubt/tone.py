"""Whose skin? How light or dark the skin in a photo is, and what a score can say about people of different tones.

Tone is given as the individual typology angle (Chardon et al., 1991), which an instrument with a lamp of its own
measures on the skin. A photo only lets us estimate it. The camera has chosen exposure and white balance, nobody knows
the lamp, and an arm in the shade has the colour of a darker arm in the sun: Kinyanjui et al. (2019) took the angle from
photos of healthy skin around lesions; Groh et al. (2022) found that it agrees with dermatologists clearly less than
they agree with each other. So the angle may describe a collection of photos. It says nothing reliable about a person.

Introduced in chapter 5, Error analysis.
"""

from collections.abc import Sequence
from statistics import NormalDist

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from skinlib.base.runner import threads
from skinlib.data.brushes import MONK
from skinlib.data.dataset import DataSet
from skinlib.judge.evaluate import accuracy_table, one_vote_per_photo

TONE_GROUPS = {"very light": 55, "light": 41, "intermediate": 28, "tan": 10, "brown": -30, "dark": -np.inf}
"""The six groups of Del Bino et al. (2006), each with the angle in degrees above which it begins."""
UNKNOWN = "unknown"
"""The group of photos on which no skin was found."""
SIDE = 160
"""Longer side, in pixels, to which a photo is reduced before its skin is measured: pores and noise average out."""
WARM = (0, 100)
"""Hue angles of the CIELAB plane, in degrees, that skin can have: from pink over orange to yellow."""
MIN_CHROMA = 3
"""Chroma below which a colour counts as grey, with no hue to speak of."""
EVENLY_LIT = (25, 95)
"""Percentiles of lightness between which skin counts as neither in the shade nor shining."""
MIN_SKIN = 0.01
"""Share of a photo that must be skin for an angle to be given."""


def lab(photo: np.ndarray) -> np.ndarray:
    """Return a photo, uint8 sRGB (H, W, 3), in CIELAB under daylight (D65): float32 (H, W, 3).

    L* runs from 0, black, to 100; a* from green to red and b* from blue to yellow, both 0 for greys.
    """
    return cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def skin_mask(photo: np.ndarray, lesion: np.ndarray | None = None) -> np.ndarray:
    """Return where a photo shows skin that can be measured, bool (H, W).

    That is what has a warm colour, is no ``lesion``, bool (H, W), and is neither among the darkest quarter of such
    places nor among the lightest twentieth: shade and gloss. Rules on fixed values of red, green and blue are common;
    they find dark skin less often. This one errs on the other side: wood and warm cloth pass for skin. Without a mask
    of the lesion, the lesion is measured as well, and inflamed skin is redder and darker than the skin around it.
    """
    lightness, red, yellow = np.moveaxis(lab(photo), -1, 0)
    hue = np.degrees(np.arctan2(yellow, red))
    warm = (hue > WARM[0]) & (hue < WARM[1]) & (np.hypot(red, yellow) > MIN_CHROMA)
    if lesion is not None:
        if lesion.shape != warm.shape:
            raise ValueError(f"a photo of shape {warm.shape} and a mask of shape {lesion.shape} don't belong together")
        warm &= ~lesion
    if not warm.any():
        return warm
    dark, bright = np.percentile(lightness[warm], EVENLY_LIT)
    return warm & (lightness >= dark) & (lightness <= bright)


def typology_angle(photo: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Return the individual typology angle of the skin on a photo, arctan((L* − 50) / b*), in degrees, -90 to 90.

    ``photo`` is uint8 (H, W, 3), RGB; ``mask``, bool (H, W), is True on the lesion, where it is known. High angles are
    light skin. L* and b* are medians over :func:`skin_mask`. NaN where too little of the photo looks like skin, or
    where its median is blue. See the head of this module for what to believe of it.
    """
    scale = min(SIDE / max(photo.shape[:2]), 1)
    size = [max(round(side * scale), 1) for side in photo.shape[1::-1]]
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    lesion = None if mask is None else cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 0
    skin = skin_mask(small, lesion)
    if skin.mean() < MIN_SKIN:
        return float("nan")
    lightness, _, yellow = np.median(lab(small)[skin], axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, yellow))) if yellow > 0 else float("nan")


def tone_group(angle: float) -> str:
    """Return the group of ``TONE_GROUPS`` that an angle in degrees falls into; a border belongs to the darker group."""
    return next((name for name, above in TONE_GROUPS.items() if angle > above), UNKNOWN)


def monk_angle(tone: int) -> float:
    """Return the angle, in degrees, of a Monk skin tone's published colour; ``tone`` is 1 to 10.

    The scale was made for the eye, and its steps are no equal steps of the angle.
    """
    if not 1 <= tone <= len(MONK):
        raise ValueError(f"Monk tone {tone} does not exist: the scale runs from 1 to {len(MONK)}")
    colour = MONK[tone - 1]
    patch = np.array([[[int(colour[i : i + 2], 16) for i in (1, 3, 5)]]], np.uint8)
    lightness, _, yellow = lab(patch)[0, 0]
    return float(np.degrees(np.arctan2(lightness - 50, yellow)))


def measure(data: DataSet, paths: Sequence[str] | None = None) -> pd.DataFrame:
    """Measure the skin on photos, all of ``data`` by default: one row per path.

    Columns are path, angle (degrees, without a mask) and group. Where the lesion masks and tones are recorded, as on
    the sample, masked_angle is measured beside the mask, and tone (Monk, 1 to 10) and true_angle are the record's.
    """
    paths = list(data.photos.path if paths is None else paths)

    def angles(path):
        photo, mask = data.read(path), data.mask(path)
        return typology_angle(photo), float("nan") if mask is None else typology_angle(photo, mask)

    measured = list(tqdm(threads(lambda: angles, paths), "skin tones", len(paths), disable=None, leave=False))
    angle, masked = np.array(measured, float).reshape(-1, 2).T
    table = pd.DataFrame({"path": paths, "angle": angle, "group": [tone_group(one) for one in angle]})
    if data.truth is not None and "tone" in data.truth:
        table["masked_angle"] = masked
        table["tone"] = table.path.map(data.truth.set_index("path").tone)
        table["true_angle"] = table.tone.map(monk_angle)
    return table


def agreement(measured: Sequence[float], true: Sequence[float]) -> dict[str, float]:
    """Compare measured angles with true ones, both (n,), in degrees. Photos without a measurement count as missing.

    Returns photos (that could be measured), missing, correlation (Pearson's, -1 to 1), mean_error (mean absolute
    error, degrees), bias (mean of measured less true, degrees) and same_group (share, 0 to 1).
    """
    pairs = pd.DataFrame({"measured": np.asarray(measured, float), "true": np.asarray(true, float)})
    known = pairs.dropna()
    off = known.measured - known.true
    return {
        "photos": len(known),
        "missing": len(pairs) - len(known),
        "correlation": float(known.measured.corr(known.true)),
        "mean_error": float(off.abs().mean()),
        "bias": float(off.mean()),
        "same_group": float((known.measured.map(tone_group) == known.true.map(tone_group)).mean()),
    }


def accuracy_by_tone(predictions: pd.DataFrame, tones: pd.Series, confidence: float = 0.95) -> pd.DataFrame:
    """Return accuracy for each tone, one vote per photo: photos, correct, accuracy, low, high (Wilson's interval).

    ``predictions`` is a table of predictions of the photos to judge; ``tones`` gives each path in its index a tone or
    a group, whose order it keeps where it is an ordered category and which is sorted otherwise. Copies of a photo have
    the tone of its first file. Photos without a tone are left out.
    """
    votes = one_vote_per_photo(predictions)
    tone = votes.path.map(dict(tones.items()))
    names = tones.cat.categories if isinstance(tones.dtype, pd.CategoricalDtype) else sorted(tones.dropna().unique())
    tables = {name: votes[(tone == name).to_numpy()] for name in names}
    return accuracy_table({name: rows for name, rows in tables.items() if len(rows)}, confidence)


def visible_gap(photos: int, others: int, accuracy: float = 0.5, power: float = 0.8, confidence: float = 0.95) -> float:
    """Return the smallest gap in accuracy between two groups of so many photos that a test would show, 0 to 1.

    A true gap of this size comes out in a share ``power`` of all attempts, by a two-sided test at 1 - ``confidence``,
    in the normal approximation: (1.96 + 0.84) · √(p (1 − p) (1/n + 1/m)), where both are about as good as ``accuracy``.
    An even chance, 0.5, is the safe guess. A result of 1 means that nothing can be shown; so does an empty group.
    """
    if min(photos, others) < 1:
        return 1.0
    normal = NormalDist()
    deviations = normal.inv_cdf(0.5 + confidence / 2) + normal.inv_cdf(power)
    return float(min(deviations * np.sqrt(accuracy * (1 - accuracy) * (1 / photos + 1 / others)), 1))
