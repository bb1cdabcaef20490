"""Typology angles against the formula worked by hand, skin found where it was painted, tones against the record."""

import math

import cv2
import numpy as np
import pandas as pd
import pytest

from skinlib.data import brushes
from skinlib.data.conditions import KEYS
from skinlib.doubt import tone
from skinlib.judge import evaluate


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


def flat(colour, height=60, width=80) -> np.ndarray:
    return np.tile(np.asarray(colour, np.uint8), (height, width, 1))


def lab_by_hand(colour: np.ndarray) -> np.ndarray:
    """Return L*, a*, b* of one sRGB colour, by the definitions of IEC 61966-2-1 and CIE 1976, white point D65."""
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = to_xyz @ linear / [0.9505, 1.0, 1.089]
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def angle_by_hand(colour: np.ndarray) -> float:
    lightness, _, yellow = lab_by_hand(colour)
    return math.degrees(math.atan((lightness - 50) / yellow))


# ---- one photo --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", [*brushes.MONK, "#808080", "#ff0000", "#102030"])
def test_lab_is_that_of_its_definition(colour):
    """OpenCV looks roots up in tables, which costs up to a third of a unit."""
    np.testing.assert_allclose(tone.lab(flat(rgb(colour), 1, 1))[0, 0], lab_by_hand(rgb(colour)), atol=0.4)


@pytest.mark.parametrize("number", range(1, 11))
def test_angle_of_a_flat_patch_is_the_hand_worked_one(number):
    colour = rgb(brushes.MONK[number - 1])
    expected = angle_by_hand(colour)
    assert tone.monk_angle(number) == pytest.approx(expected, abs=0.5)
    assert tone.typology_angle(flat(colour)) == pytest.approx(expected, abs=0.5)
    assert tone.typology_angle(flat(colour), np.zeros((60, 80), bool)) == pytest.approx(expected, abs=0.5)


def test_one_angle_step_by_step():
    """#a07e56: L* 55.14, b* 26.74, so the angle is arctan(5.14 / 26.74), 10.88 degrees."""
    lightness, _, yellow = lab_by_hand(rgb("#a07e56"))
    assert (round(lightness, 2), round(yellow, 2)) == (55.14, 26.74)
    assert tone.typology_angle(flat(rgb("#a07e56"))) == pytest.approx(10.88, abs=0.15)


def test_the_steps_of_the_scale_go_from_light_to_dark():
    angles = [tone.monk_angle(number) for number in (2, 3, 4, 5, 6, 7, 8, 9, 10)]
    assert angles == sorted(angles, reverse=True)


@pytest.mark.parametrize("number", [0, 11, -1])
def test_a_tone_that_is_not_on_the_scale_is_refused(number):
    with pytest.raises(ValueError, match="does not exist"):
        tone.monk_angle(number)


@pytest.mark.parametrize(
    ("angle", "group"),
    [
        (90, "very light"), (55.01, "very light"), (55, "light"), (41.01, "light"), (41, "intermediate"),
        (28.01, "intermediate"), (28, "tan"), (10.01, "tan"), (10, "brown"), (-29.99, "brown"), (-30, "dark"),
        (-90, "dark"), (float("nan"), "unknown"),
    ],
)  # fmt: skip
def test_groups_have_their_borders(angle, group):
    assert tone.tone_group(angle) == group


def arm_before_a_wall(skin="#a07e56", wall="#5070b0") -> tuple[np.ndarray, np.ndarray]:
    """Return a photo whose left third is a wall, and where its skin is."""
    photo = flat(rgb(skin), 90, 120)
    photo[:, :40] = rgb(wall)
    skin_there = np.zeros((90, 120), bool)
    skin_there[:, 40:] = True
    return photo, skin_there


@pytest.mark.parametrize("wall", ["#5070b0", "#3a8a4a", "#909090", "#ffffff", "#101010"])
def test_skin_is_found_and_the_wall_is_not(wall):
    photo, skin = arm_before_a_wall(wall=wall)
    np.testing.assert_array_equal(tone.skin_mask(photo), skin)
    expected = angle_by_hand(rgb("#a07e56"))
    assert tone.typology_angle(photo) == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize("number", range(1, 11))
def test_skin_of_every_tone_is_skin(number):
    assert tone.skin_mask(flat(rgb(brushes.MONK[number - 1]))).all()


def test_shade_and_gloss_are_left_out():
    photo, _ = arm_before_a_wall()
    photo[:18, 40:] = rgb("#503f2b")  # a fifth of the skin lies in the shade
    photo[-3:, 40:] = rgb("#fff8ee")  # and a thirtieth shines
    found = tone.skin_mask(photo)
    assert not found[:18].any() and not found[-3:].any() and found[18:-3, 40:].all()


def test_a_lesion_is_left_out_where_its_mask_is_known():
    """A lesion on more than half of the skin carries the median away, unless the mask says where it is."""
    photo, skin = arm_before_a_wall()
    lesion = np.zeros_like(skin)
    lesion[:, 60:] = True
    photo[lesion] = rgb("#8a3a30")
    expected = angle_by_hand(rgb("#a07e56"))
    assert not (tone.skin_mask(photo, lesion) & lesion).any()
    assert tone.typology_angle(photo, lesion) == pytest.approx(expected, abs=0.5)
    assert abs(tone.typology_angle(photo) - expected) > 10


@pytest.mark.parametrize("colour", ["#4060c0", "#808080", "#20a040", "#000000", "#ffffff"])
def test_a_photo_without_skin_has_no_angle(colour):
    assert math.isnan(tone.typology_angle(flat(rgb(colour))))


def test_a_lesion_that_fills_the_photo_leaves_no_angle():
    assert math.isnan(tone.typology_angle(flat(rgb("#a07e56")), np.ones((60, 80), bool)))


def test_large_photos_have_the_angle_of_small_ones():
    rng = np.random.default_rng(0)
    photo, _ = arm_before_a_wall()
    noisy = np.clip(cv2.resize(photo, (1200, 900)) + rng.normal(0, 12, (900, 1200, 3)), 0, 255).astype(np.uint8)
    assert tone.typology_angle(noisy) == pytest.approx(tone.typology_angle(photo), abs=1.5)


def test_another_lamp_gives_another_angle():
    """What the module's head warns of: the same skin in less light passes for much darker skin."""
    bright, dim = flat(rgb("#d7bd96")), flat(rgb("#d7bd96") * 0.55)
    assert tone.tone_group(tone.typology_angle(bright)) == "light"
    assert tone.tone_group(tone.typology_angle(dim)) == "brown"


def test_a_mask_of_another_photo_is_refused():
    with pytest.raises(ValueError, match="don't belong together"):
        tone.skin_mask(flat(rgb("#a07e56")), np.zeros((10, 10), bool))


# ---- many photos ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(sample) -> pd.DataFrame:
    originals = sample.truth[(sample.truth.kind == "original") & (sample.truth.damage == "")]
    return tone.measure(sample, originals.path)


def test_measured_tones_follow_the_recorded_ones(measured):
    assert list(measured) == ["path", "angle", "group", "masked_angle", "tone", "true_angle"]
    plain, masked = (tone.agreement(measured[name], measured.true_angle) for name in ("angle", "masked_angle"))
    assert plain["photos"] + plain["missing"] == len(measured) and plain["missing"] <= 2
    assert plain["correlation"] > 0.75 and masked["correlation"] > 0.8
    assert plain["mean_error"] < 30 and masked["mean_error"] < 25


def test_a_photo_is_not_measured_by_another_photos_mask(sample, measured):
    row = measured.iloc[3]
    assert row.masked_angle == tone.typology_angle(sample.read(row.path), sample.mask(row.path))
    assert row.angle == tone.typology_angle(sample.read(row.path))
    assert row.true_angle == tone.monk_angle(row.tone) and row.group == tone.tone_group(row.angle)


def test_without_a_record_there_is_only_the_angle(sample):
    from dataclasses import replace

    table = tone.measure(replace(sample, truth=None), sample.photos.path[:2])
    assert list(table) == ["path", "angle", "group"] and len(table) == 2
    assert list(tone.measure(sample, [])) == ["path", "angle", "group", "masked_angle", "tone", "true_angle"]


def test_agreement_by_hand():
    result = tone.agreement([10, 30, np.nan, 60], [20, 30, 0, 50])
    assert (result["photos"], result["missing"]) == (3, 1)
    assert result["mean_error"] == pytest.approx(20 / 3) and result["bias"] == pytest.approx(0)
    assert result["same_group"] == pytest.approx(1 / 3)  # tan is not brown, very light is not light
    assert result["correlation"] == pytest.approx(np.corrcoef([10, 30, 60], [20, 30, 50])[0, 1])


# ---- accuracy by tone -------------------------------------------------------------------------------------------


def predictions(right, photo_ids) -> pd.DataFrame:
    catalogue = pd.DataFrame({"path": [f"{i}.jpg" for i in range(len(right))], "photo_id": photo_ids})
    catalogue["condition"] = KEYS[0]
    answers = np.eye(8)[np.where(right, 0, 1)]
    return evaluate.predictions_table(catalogue, np.full(len(right), "test"), answers, KEYS)


def test_accuracy_by_tone_gives_each_photo_one_vote():
    table = predictions([True, True, True, False, True, False], ["a", "a", "a", "b", "c", "d"])
    tones = pd.Series([2, 2, 2, 2, 9, 9], index=table.path)
    result = tone.accuracy_by_tone(table, tones)
    assert list(result.index) == [2, 9] and list(result.photos) == [2, 2] and list(result.correct) == [1, 1]
    assert (result.low[2], result.high[2]) == pytest.approx(evaluate.wilson_interval(1, 2))


def test_accuracy_by_tone_knows_paths_and_not_places():
    table = predictions([True, False, True], ["a", "b", "c"])
    tones = pd.Series(["x", "y"], index=["2.jpg", "1.jpg"])  # in another order; one photo has no tone
    result = tone.accuracy_by_tone(table, tones)
    assert result.correct.to_dict() == {"x": 1, "y": 0} and result.photos.sum() == 2


def test_groups_keep_their_order():
    table = predictions([True] * 3, ["a", "b", "c"])
    groups = pd.Series(["dark", "light", "tan"], index=table.path).astype(pd.CategoricalDtype(list(tone.TONE_GROUPS)))
    assert list(tone.accuracy_by_tone(table, groups).index) == ["light", "tan", "dark"]


def test_visible_gap_by_hand_and_by_simulation():
    assert tone.visible_gap(100, 100) == pytest.approx((1.95996 + 0.84162) * math.sqrt(0.25 * 0.02), rel=1e-4)
    n, gap = 200, tone.visible_gap(200, 200)
    rng = np.random.default_rng(0)
    low, high = rng.binomial(n, 0.5 - gap / 2, 20_000) / n, rng.binomial(n, 0.5 + gap / 2, 20_000) / n
    pooled = (low + high) / 2
    shown = np.abs(high - low) > 1.95996 * np.sqrt(pooled * (1 - pooled) * 2 / n)
    assert shown.mean() == pytest.approx(0.8, abs=0.02)


def test_a_handful_of_photos_shows_nothing():
    assert tone.visible_gap(4, 4) > 0.95
    assert tone.visible_gap(2, 2) == tone.visible_gap(0, 500) == 1
    assert tone.visible_gap(50, 400) < tone.visible_gap(50, 50)
