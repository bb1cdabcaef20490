"""Right for the wrong reason? What a network scores on photos that hide the lesion, and what a watermark does to it.

A *view* hides a part of each photo. A classifier that is trained and judged on one view shows what that view gives
away: Bissoto et al. (2019) hid the lesions of two public collections in this manner, and classifiers still told
melanoma from moles. Its score is no share of the network's own, only a bound on what could be had without looking at
the lesion. Whether the network does take a shortcut, the second part asks by experiment: print a watermark on a photo
and ask again.

Introduced in chapter 5, Error analysis.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from skinlib.base.fingerprint import key_for
from skinlib.base.runner import threads
from skinlib.base.store import pack, unpack
from skinlib.data import sample, splits
from skinlib.data.dataset import DataSet
from skinlib.doubt.tone import skin_mask
from skinlib.judge.evaluate import cluster_bootstrap, wilson_interval
from skinlib.learn import baselines, extraction, networks
from skinlib.learn.preprocessing import prepare
from skinlib.learn.pretrained import Weights

BORDER = 0.15
"""Width of the border that its view leaves, as a share of the shorter side: a logo in a corner fits in."""
BLUR = 0.12
"""Standard deviation of the blur over the lesion, as a share of the shorter side."""
MARGIN = 0.02
"""How far beyond the mask a hidden lesion is hidden, as a share of the shorter side: its edge is part of it."""
ELLIPSE = 0.35
"""Half axes of the ellipse that stands in for an unknown lesion, as shares of the photo's sides."""
GREY = 128
"""What is put where nothing shall be seen."""


def lesion_place(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Return where the lesion is taken to be, bool (H, W): the mask, or an ellipse in the middle where there is none.

    Raises ValueError for a mask of another size.
    """
    height, width = photo.shape[:2]
    if mask is None:
        rows, columns = (np.linspace(-1, 1, side)[:, None] / (2 * ELLIPSE) for side in (height, width))
        return np.hypot(rows, columns.T) <= 1
    if mask.shape != (height, width):
        raise ValueError(f"a photo of shape {photo.shape[:2]} and a mask of shape {mask.shape} don't belong together")
    return mask


def stand_in_note(data: DataSet) -> str:
    """Say in one sentence where the lesions of a data set's views come from: for the page, beside every score."""
    if any(data.mask(path) is not None for path in data.photos.path):
        return "Lesions lie where the recorded masks say."
    return "Nobody recorded where the lesions are: an ellipse in the middle of each photo stands in for them."


def _grown(place: np.ndarray) -> np.ndarray:
    reach = max(round(MARGIN * min(place.shape)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(place.astype(np.uint8), disc) > 0


def only_border(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Keep the border, which shows skin, background and logos; grey covers the rest. The mask is not asked."""
    height, width = photo.shape[:2]
    wide = max(round(BORDER * min(height, width)), 1)
    seen = photo.copy()
    seen[wide : height - wide, wide : width - wide] = GREY
    return seen


def only_background(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Blur the lesion, and a margin around it, beyond recognition. All else stays, and so does the lesion's outline.

    An outline can tell the condition: compare with :func:`only_outline` before blaming the background.
    """
    place = _grown(lesion_place(photo, mask))
    blurred = cv2.GaussianBlur(photo, (0, 0), max(BLUR * min(photo.shape[:2]), 1))
    return np.where(place[..., None], blurred, photo)


def only_lesion(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Keep the lesion; all else gets the mean colour of the skin, or of the whole rest where none is found."""
    place = lesion_place(photo, mask)
    skin = skin_mask(photo, place)
    rest = skin if skin.any() else ~place
    if not rest.any():  # the lesion fills the photo
        return photo.copy()
    return np.where(place[..., None], photo, photo[rest].mean(axis=0).round().astype(np.uint8))


def only_around(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Cover the lesion's whole bounding box with grey: the outline goes with it, and so does much of the background."""
    place = _grown(lesion_place(photo, mask))
    rows, columns = np.flatnonzero(place.any(axis=1)), np.flatnonzero(place.any(axis=0))
    seen = photo.copy()
    if len(rows):
        seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = GREY
    return seen


def only_outline(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Show the lesion's place in white on grey and nothing of the photo: what the outline in other views tells."""
    return np.where(lesion_place(photo, mask)[..., None], np.full(3, 255, np.uint8), np.full(3, GREY, np.uint8))


def whole(photo: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Show everything: what the others are compared with."""
    return photo


VIEWS: dict[str, Callable[..., np.ndarray]] = {
    "whole photo": whole,
    "only the lesion": only_lesion,
    "only the background": only_background,
    "only around the box": only_around,
    "only the border": only_border,
    "only the outline": only_outline,
}
"""All views: each takes a photo, uint8 (H, W, 3), and a mask, bool (H, W) or None, and returns a photo of that size."""


def views(photo: np.ndarray, mask: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Return a photo, uint8 (H, W, 3), as each classifier sees it: name of the view to uint8 (H, W, 3).

    ``mask`` is bool (H, W), True on the lesion; without it an ellipse stands in, and its outline tells nothing.
    """
    return {name: view(photo, mask) for name, view in VIEWS.items()}


def view_features(data: DataSet, weights: Weights, view: str) -> np.ndarray:
    """Return what the frozen network makes of each photo in a view of :data:`VIEWS`: float32 (n, 2048).

    Each distinct content is computed once; the result is kept on disk under everything that shapes it.
    """
    if view == "whole photo":
        return extraction.features(data, weights)
    contents = data.photos.drop_duplicates("sha256")

    def make() -> bytes:
        extract = extraction.extractor(networks.build(weights))

        def seen(path):
            return extract.one(prepare(VIEWS[view](data.read(path), data.mask(path))))[1]

        return pack(np.stack(list(tqdm(threads(lambda: seen, contents.path), view, len(contents), disable=None))))

    masked = data.truth is not None
    key = key_for("skinlib.doubt.shortcuts", data.fingerprint, masked, weights.backbone.name, weights.sha256, view)
    rows = unpack(data.store.value("views", key, make))["arr_0"]
    return rows[pd.Index(contents.sha256).get_indexer(data.photos.sha256)]


def view_predictions(data: DataSet, weights: Weights, split: np.ndarray, view: str) -> pd.DataFrame:
    """Train a logistic regression on one view of the training photos; return its table of predictions for all.

    ``split`` is (n,), as :func:`skinlib.data.splits.grouped` gives it: a split that keeps copies together, or the score
    measures memory. ``view`` is one of :data:`VIEWS`, or "only the file" for its size and shape.
    """
    if view == "only the file":
        return baselines.file_size(data, split)
    return baselines.learn(baselines.linear(), view_features(data, weights, view), data, split)


def held_out_predictions(data: DataSet, weights: Weights, view: str, seed: int = 0) -> pd.DataFrame:
    """Return predictions of every photo by a classifier that has not seen it, nor a copy of it, in one view.

    Five grouped folds take turns (:func:`skinlib.data.splits.folds`). One test set of a fifth of the photos is too
    small to tell views apart; this uses them all. All rows have the split "test".
    """
    parts = []
    for held_out in splits.folds(data.photos, seed=seed):
        table = view_predictions(data, weights, np.where(held_out, "test", "train"), view)
        parts.append(table[held_out])
    return pd.concat(parts).sort_index()


def plain_patch(photo: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Return the control for a mark: the same place made brighter by the same amount, evenly, without any letter.

    ``marked`` is ``photo``, uint8 (H, W, 3), with something printed on it. The box around what changed gets the mean
    change of each channel; a photo on which nothing changed comes back as it was.
    """
    change = marked.astype(np.float32) - photo
    rows, columns = (np.flatnonzero(change.any(axis=(axis, 2))) for axis in (1, 0))
    patched = photo.copy()
    if len(rows):
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        patched[box] = np.clip(np.rint(photo[box] + change[box].mean(axis=(0, 1))), 0, 255)
    return patched


def move_watermark(
    data: DataSet,
    predict: Callable[[Sequence[np.ndarray]], np.ndarray],
    paths: Sequence[str],
    seed: int = 0,
) -> pd.DataFrame:
    """Print the sample's watermark on photos, one by one, and ask the model before and after.

    ``predict`` takes a list of photos and returns probabilities (n, k): a run's ``predict``, say. ``paths`` are the
    photos to print on: of other conditions than the one that carries the mark, without a mark of their own as far as
    anybody knows, and none that the model was trained on.

    Returns one row per path: path, photo_id, condition; for each answer before, marked and patched (with
    :func:`plain_patch` instead) the condition answered, as before, marked, patched; and every probability, as
    KEY_before and so on. Raises InputError where nobody has looked for copies among the photos.
    """
    splits.check_audited(data.photos)
    table = data.photos.set_index("path").loc[list(paths), ["photo_id", "condition"]].reset_index()
    answers: dict[str, list[np.ndarray]] = {name: [] for name in ("before", "marked", "patched")}
    keys = data.classes.keys
    for number, path in enumerate(table.path):
        photo = data.read(path)
        marked = sample.watermark(photo, np.random.default_rng([seed, number]))
        for name, answer in zip(answers, predict([photo, marked, plain_patch(photo, marked)]), strict=True):
            answers[name].append(answer)
    parts = [table]
    for name, rows in answers.items():
        probabilities = np.array(rows, float).reshape(-1, len(keys))
        parts.append(pd.DataFrame({name: np.array(keys, dtype=object)[probabilities.argmax(axis=1)]}))
        parts.append(pd.DataFrame(probabilities, columns=[f"{key}_{name}" for key in keys]))
    return pd.concat(parts, axis=1)


def watermark_effect(moved: pd.DataFrame, condition: str, n_resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Say how far the mark draws a model towards a condition, beside the control.

    ``moved`` is what :func:`move_watermark` returns, of one file of each photo; ``condition`` is the one whose photos
    carry the mark. Four rows, each a mean over photos with an interval of 95 %:

    - turned by the mark, turned by the patch: the share of photos whose answer became ``condition``, with Wilson's
      interval. A photo that was answered so before can't be turned;
    - turned, mark less patch: the difference of the two, over pairs, with a bootstrap interval;
    - probability, mark less patch: the same for the probability of ``condition``, which moves before any answer does.

    Columns: mean, low, high, photos. Raises ValueError without photos, and for several files of one photo.
    """
    if moved.photo_id.duplicated().any():
        raise ValueError("several of these files show the same photo: name one file of each photo_id")
    became = {name: (moved[name] == condition) & (moved.before != condition) for name in ("marked", "patched")}
    n, rows = len(moved), {}
    for name, words in (("marked", "turned by the mark"), ("patched", "turned by the patch")):
        turned = int(became[name].sum())
        rows[words] = [turned / max(n, 1), *wilson_interval(turned, n)]
    pairs = {
        "turned, mark less patch": became["marked"].astype(float) - became["patched"],
        "probability, mark less patch": moved[f"{condition}_marked"] - moved[f"{condition}_patched"],
    }
    for words, values in pairs.items():
        rows[words] = _mean_with_interval(moved, values, n_resamples, seed)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "low", "high"])
    return table.assign(photos=n)


def probability_changes(moved: pd.DataFrame, n_resamples: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Return how far the mark moves the probability of each condition beyond what the plain patch does.

    ``moved`` is what :func:`move_watermark` returns. One row per key: change, the mean over photos, -1 to 1, with low
    and high of its 95 % interval.
    """
    rows = {
        key: _mean_with_interval(moved, moved[f"{key}_marked"] - moved[f"{key}_patched"], n_resamples, seed)
        for key in (name.removesuffix("_before") for name in moved.columns if name.endswith("_before"))
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["change", "low", "high"]).rename_axis("condition")


def _mean_with_interval(moved: pd.DataFrame, values: pd.Series, n_resamples: int, seed: int) -> list[float]:
    values = values.to_numpy(float)
    interval = cluster_bootstrap(moved, lambda _: values, n_resamples, seed=seed)
    return [values.mean(), *interval]
