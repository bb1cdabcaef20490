"""Views that hide what they say and leave the rest as it was; shortcuts that were planted, found again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlib.audit import copies
from skinlib.base.errors import InputError
from skinlib.base.store import Store
from skinlib.data import drawings, sample, splits
from skinlib.data.conditions import KEYS
from skinlib.doubt import shortcuts
from skinlib.judge import evaluate
from skinlib.learn import baselines, extraction

N = len(KEYS)


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Return a drawn photo with its lesion's mask."""
    photo, mask = drawings.draw("ringworm", np.random.default_rng(4), 4)
    return photo, mask > 127


@pytest.fixture(scope="module")
def identified(sample):
    return copies.identified(sample)


@pytest.fixture(scope="module")
def side(identified) -> np.ndarray:
    return splits.grouped(identified.photos)


# ---- views ------------------------------------------------------------------------------------------------------


def test_every_view_has_the_photos_shape_and_leaves_the_photo_alone(drawn):
    photo, mask = drawn
    before = photo.copy()
    for name, seen in (shortcuts.views(photo, mask) | shortcuts.views(photo)).items():
        assert seen.shape == photo.shape and seen.dtype == np.uint8, name
    np.testing.assert_array_equal(photo, before)
    assert list(shortcuts.views(photo, mask)) == list(shortcuts.VIEWS)
    np.testing.assert_array_equal(shortcuts.views(photo, mask)["whole photo"], photo)


@pytest.mark.parametrize("shape", [(60, 100), (100, 60), (128, 128)])
def test_border_is_untouched_and_the_middle_is_grey(shape):
    photo = np.random.default_rng(0).integers(0, 100, (*shape, 3), dtype=np.uint8)
    seen = shortcuts.only_border(photo)
    wide = round(shortcuts.BORDER * min(shape))
    inside = np.zeros(shape, bool)
    inside[wide : shape[0] - wide, wide : shape[1] - wide] = True
    np.testing.assert_array_equal(seen[~inside], photo[~inside])
    assert (seen[inside] == shortcuts.GREY).all() and 0.3 < inside.mean() < 0.7


def test_border_view_keeps_the_watermark(drawn):
    """What the mark adds lies in a corner, and the border is wide enough for nearly all of it."""
    photo, _ = drawn
    for seed in range(8):
        marked = sample.watermark(photo, np.random.default_rng(seed))
        added = np.abs(marked.astype(int) - photo).sum()
        seen = np.abs(shortcuts.only_border(marked).astype(int) - shortcuts.only_border(photo)).sum()
        assert seen > 0.7 * added


def test_background_is_untouched_beyond_the_margin_and_the_lesion_is_gone(drawn):
    photo, mask = drawn
    seen = shortcuts.only_background(photo, mask)
    far = ~shortcuts._grown(mask)
    np.testing.assert_array_equal(seen[far], photo[far])
    assert (~far)[mask].all() and far.any()

    def detail(picture):  # how much neighbours differ, inside the lesion
        both = mask[:, 1:] & mask[:, :-1]
        return np.abs(np.diff(picture.astype(float), axis=1))[both].mean()

    assert detail(seen) < 0.25 * detail(photo)


def test_around_the_box_all_is_untouched_and_inside_nothing_is_left(drawn):
    photo, mask = drawn
    mask = np.zeros_like(mask)
    mask[60:90, 50:70] = mask[80:85, 40:100] = True
    seen = shortcuts.only_around(photo, mask)
    hidden = (seen == shortcuts.GREY).all(axis=2)
    rows, columns = (np.flatnonzero(shortcuts._grown(mask).any(axis=axis)) for axis in (1, 0))
    box = np.zeros_like(mask)
    box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    assert hidden[box].all() and box[mask].all() and box.sum() < 0.5 * box.size
    np.testing.assert_array_equal(seen[~box], photo[~box])
    np.testing.assert_array_equal(shortcuts.only_around(photo, np.zeros_like(mask)), photo)


def test_lesion_is_untouched_and_all_else_has_one_colour(drawn):
    photo, mask = drawn
    seen = shortcuts.only_lesion(photo, mask)
    np.testing.assert_array_equal(seen[mask], photo[mask])
    rest = np.unique(seen[~mask], axis=0)
    assert len(rest) == 1
    assert np.abs(rest[0].astype(float) - np.median(photo[~mask], axis=0)).max() < 60, "that is no colour of this skin"


def test_rest_has_the_colour_of_the_skin_and_not_of_the_wall():
    photo = np.full((60, 90, 3), (200, 160, 130), np.uint8)
    photo[:, :40] = (60, 90, 200)
    mask = np.zeros((60, 90), bool)
    mask[20:40, 60:80] = True
    photo[mask] = (160, 40, 40)
    seen = shortcuts.only_lesion(photo, mask)
    assert (seen[~mask] == (200, 160, 130)).all() and (seen[mask] == (160, 40, 40)).all()


def test_where_no_skin_is_found_the_rest_gets_its_mean():
    photo = np.full((20, 20, 3), (40, 40, 200), np.uint8)
    photo[:, 10:] = (60, 60, 220)
    assert (shortcuts.only_lesion(photo, np.zeros((20, 20), bool)) == (50, 50, 210)).all()


def test_a_lesion_that_fills_the_photo_is_the_photo(drawn):
    photo, _ = drawn
    everywhere = np.ones(photo.shape[:2], bool)
    np.testing.assert_array_equal(shortcuts.only_lesion(photo, everywhere), photo)


def test_outline_tells_the_mask_and_nothing_of_the_photo(drawn):
    photo, mask = drawn
    seen = shortcuts.only_outline(photo, mask)
    np.testing.assert_array_equal(seen, shortcuts.only_outline(255 - photo, mask))
    np.testing.assert_array_equal(seen[..., 0] == 255, mask)


@pytest.mark.parametrize("shape", [(100, 200), (51, 51)])
def test_an_ellipse_stands_in_for_an_unknown_lesion(shape):
    place = shortcuts.lesion_place(np.zeros((*shape, 3), np.uint8))
    assert place.shape == shape
    assert place.mean() == pytest.approx(np.pi * shortcuts.ELLIPSE**2, abs=0.03)
    np.testing.assert_array_equal(place, place[::-1, ::-1])
    assert place[shape[0] // 2, shape[1] // 2] and not place[0].any() and not place[:, 0].any()


def test_a_mask_of_another_photo_is_refused(drawn):
    with pytest.raises(ValueError, match="don't belong together"):
        shortcuts.lesion_place(drawn[0], np.zeros((3, 3), bool))


def test_the_page_is_told_where_lesions_come_from(sample):
    assert "masks" in shortcuts.stand_in_note(sample)
    assert "ellipse" in shortcuts.stand_in_note(replace(sample, truth=None))


# ---- classifiers ------------------------------------------------------------------------------------------------


def test_features_of_the_whole_photo_are_the_networks(identified, weights):
    seen = shortcuts.view_features(identified, weights, "whole photo")
    np.testing.assert_allclose(seen, extraction.features(identified, weights), rtol=1e-3, atol=1e-3)


def test_features_belong_to_their_photos_and_are_kept(identified, weights, monkeypatch):
    seen = shortcuts.view_features(identified, weights, "only the border")
    assert seen.shape == (len(identified.photos), 16) and seen.dtype == np.float32
    for _, rows in identified.photos.groupby("sha256"):
        assert (seen[rows.index] == seen[rows.index[0]]).all()
    monkeypatch.setattr(shortcuts.networks, "build", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(shortcuts.view_features(identified, weights, "only the border"), seen)


@pytest.mark.parametrize("damage", ["emptied", "cut", "other bytes"])
def test_damaged_features_of_a_view_are_made_anew(damage, identified, weights, tmp_path):
    few = identified.photos.iloc[::8].reset_index(drop=True)
    data = replace(identified, photos=few, fingerprint="a few of them", store=Store(tmp_path))
    before = shortcuts.view_features(data, weights, "only the outline")
    (file,) = (file for file in (tmp_path / "views").rglob("*") if file.is_file())
    content = file.read_bytes()
    file.write_bytes({"emptied": b"", "cut": content[: len(content) // 2], "other bytes": bytes(len(content))}[damage])
    np.testing.assert_array_equal(shortcuts.view_features(data, weights, "only the outline"), before)
    assert file.read_bytes() == content


def test_without_masks_other_features_are_computed(identified, weights):
    """The same photos without their truth are seen through the ellipse, and not through what is kept of the masks."""
    masked = shortcuts.view_features(identified, weights, "only the lesion")
    blind = shortcuts.view_features(replace(identified, truth=None), weights, "only the lesion")
    assert not np.allclose(masked, blind)


def test_a_view_learns_from_training_photos_alone(identified, weights, side):
    first = shortcuts.view_predictions(identified, weights, side, "only the lesion")
    assert list(first.path) == list(identified.photos.path) and (first.split == side).all()
    np.testing.assert_allclose(evaluate.probabilities(first).sum(axis=1), 1, atol=1e-6)
    shuffled = identified.photos.copy()
    is_test = side == "test"
    shuffled.loc[is_test, "condition"] = KEYS[0]  # what test photos are called must not matter
    again = shortcuts.view_predictions(replace(identified, photos=shuffled), weights, side, "only the lesion")
    np.testing.assert_array_equal(evaluate.probabilities(first), evaluate.probabilities(again))


def test_the_file_is_a_view_too(identified, weights, side):
    pd.testing.assert_frame_equal(
        shortcuts.view_predictions(identified, weights, side, "only the file"), baselines.file_size(identified, side)
    )


def test_every_photo_is_held_out_once(identified, weights):
    table = shortcuts.held_out_predictions(identified, weights, "only the outline")
    assert list(table.path) == list(identified.photos.path) and set(table.split) == {"test"}


def test_the_planted_size_is_found_by_the_file_alone(identified, weights):
    """All photos of one condition have one size: whoever sees only the file knows them."""
    table = evaluate.one_vote_per_photo(shortcuts.held_out_predictions(identified, weights, "only the file"))
    recall = evaluate.per_class(table).recall
    assert recall[drawings.ONE_SIZE] > 0.9
    assert recall.drop(drawings.ONE_SIZE).mean() < 0.4


# ---- the watermark that moves -----------------------------------------------------------------------------------


def test_a_patch_has_the_marks_light_and_none_of_its_letters(drawn):
    photo, _ = drawn
    photo = np.minimum(photo, 150)  # or it would saturate
    marked = sample.watermark(photo, np.random.default_rng(0))
    patched = shortcuts.plain_patch(photo, marked)
    rows, columns = np.nonzero((marked != photo).any(axis=2))
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    outside = np.ones(photo.shape[:2], bool)
    outside[box] = False
    np.testing.assert_array_equal(patched[outside], photo[outside])
    added = patched[box].astype(int) - photo[box]
    assert (np.ptp(added.reshape(-1, 3), axis=0) == 0).all(), "the patch is even"
    assert added.mean() == pytest.approx((marked[box].astype(int) - photo[box]).mean(), abs=0.5)


def test_nothing_printed_is_no_patch(drawn):
    np.testing.assert_array_equal(shortcuts.plain_patch(drawn[0], drawn[0]), drawn[0])


def reader_of_letters(photos) -> np.ndarray:
    """Answer KEYS[6] where a photo has a pixel that is much lighter than its neighbour, and else KEYS[0]."""
    steps = np.array([np.abs(np.diff(photo[..., 0].astype(int), axis=1)).max() for photo in photos])
    return np.eye(N)[np.where(steps > 60, 6, 0)]


def mean_light(photos) -> np.ndarray:
    light = np.array([photo.mean() / 255 for photo in photos])[:, None]
    return np.where(np.arange(N) == 6, light, (1 - light) / (N - 1))


@pytest.fixture
def smooth(identified, monkeypatch):
    """Return the audited sample, one file of each photo, every photo an even grey, so that only a mark has edges."""
    monkeypatch.setattr(type(identified), "read", lambda self, path: np.full((200, 260, 3), 90, np.uint8))
    return replace(identified, photos=identified.photos.drop_duplicates("photo_id").reset_index(drop=True))


def test_a_model_that_reads_letters_is_caught(smooth):
    paths = smooth.photos.path[:12]
    moved = shortcuts.move_watermark(smooth, reader_of_letters, paths)
    assert list(moved.path) == list(paths)
    assert (moved.before == KEYS[0]).all() and (moved.marked == KEYS[6]).all() and (moved.patched == KEYS[0]).all()
    effect = shortcuts.watermark_effect(moved, KEYS[6])
    assert effect["mean"].tolist() == [1, 0, 1, 1]
    assert effect.low["turned by the mark"] > effect.high["turned by the patch"]
    changes = shortcuts.probability_changes(moved)
    assert changes.change[KEYS[6]] == 1 and changes.change[KEYS[0]] == -1 and list(changes.index) == list(KEYS)


def test_a_model_that_sees_only_light_is_not_accused(smooth):
    moved = shortcuts.move_watermark(smooth, mean_light, smooth.photos.path[:12])
    assert (moved[f"{KEYS[6]}_marked"] > moved[f"{KEYS[6]}_before"]).all(), "the mark adds light"
    effect = shortcuts.watermark_effect(moved, KEYS[6])
    assert abs(effect.loc["probability, mark less patch", "mean"]) < 1e-3


def test_photos_answered_so_before_are_not_turned(smooth):
    def always(photos):
        return np.tile(np.eye(N)[6], (len(photos), 1))

    moved = shortcuts.move_watermark(smooth, always, smooth.photos.path[:5])
    assert not shortcuts.watermark_effect(moved, KEYS[6])["mean"].any()


def test_moving_repeats_from_its_seed(identified, run):
    paths = identified.photos.path[[0, 9, 20]]
    first, again = (shortcuts.move_watermark(identified, run.predict, paths, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    other = shortcuts.move_watermark(identified, run.predict, paths, seed=4)
    before = [f"{key}_before" for key in KEYS]
    pd.testing.assert_frame_equal(first[before], other[before])
    assert not np.allclose(first[[f"{key}_marked" for key in KEYS]], other[[f"{key}_marked" for key in KEYS]])


def test_photos_that_nobody_audited_are_refused(sample):
    with pytest.raises(InputError, match="nobody has looked for copies"):
        shortcuts.move_watermark(sample, mean_light, sample.photos.path[:3])


def test_effect_by_hand(smooth):
    moved = shortcuts.move_watermark(smooth, reader_of_letters, smooth.photos.path[:12])
    moved.loc[:8, "marked"] = KEYS[0]  # three of twelve are turned by the mark, one of them by the patch as well
    moved.loc[11, "patched"] = KEYS[6]
    moved.loc[10, "before"] = KEYS[6]  # and one was answered so before
    effect = shortcuts.watermark_effect(moved, KEYS[6])
    assert effect["mean"][:3].tolist() == pytest.approx([2 / 12, 1 / 12, 1 / 12]) and (effect.photos == 12).all()
    assert tuple(effect.loc["turned by the mark", ["low", "high"]]) == evaluate.wilson_interval(2, 12)
    assert effect.low.iloc[2] == 0 and effect.high.iloc[2] > 0.15


def test_several_files_of_one_photo_are_refused(smooth):
    moved = shortcuts.move_watermark(smooth, reader_of_letters, smooth.photos.path[:3])
    with pytest.raises(ValueError, match="one file of each photo_id"):
        shortcuts.watermark_effect(moved.assign(photo_id="same"), KEYS[6])
    with pytest.raises(ValueError, match="nothing to draw"):
        shortcuts.watermark_effect(moved[:0], KEYS[6])
