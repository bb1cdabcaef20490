"""What the score is without any learning of pictures. A network must beat these to have earned its keep.

Each baseline learns from the training photos alone and returns a table of predictions for all, like a run's.
Introduced in chapter 3, Training.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from threadpoolctl import threadpool_limits

from skinlib.data.dataset import DataSet
from skinlib.judge.evaluate import predictions_table

BINS = 8
"""Bins for each of red, green and blue in the colour histogram."""


def majority(data: DataSet, split: np.ndarray) -> pd.DataFrame:
    """Answer every photo with how often each condition occurs among the training photos."""
    shares = (
        data.photos.condition[split == "train"].value_counts(normalize=True).reindex(data.classes.keys, fill_value=0.0)
    )
    return predictions_table(data.photos, split, np.tile(shares.to_numpy(), (len(data.photos), 1)), data.classes.keys)


def file_size(data: DataSet, split: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Guess from the file alone: bytes, width, height and shape. What it gets right has nothing to do with skin."""
    photos = data.photos
    columns = [photos.bytes, photos.width, photos.height, photos.width / photos.height]
    forest = RandomForestClassifier(n_estimators=200, min_samples_leaf=2, random_state=seed)
    return learn(forest, np.column_stack(columns), data, split)


def colour_histogram(data: DataSet, split: np.ndarray) -> pd.DataFrame:
    """Guess from how much of each colour a photo holds, wherever it stands: logistic regression on 512 shares."""
    distinct = data.photos.drop_duplicates("sha256").set_index("sha256").path
    shares = {sha: histogram(data.read(path)) for sha, path in distinct.items()}
    inputs = np.sqrt([shares[sha] for sha in data.photos.sha256])  # square roots: rare colours count too
    return learn(linear(), inputs, data, split)


def nearest_neighbour(data: DataSet, split: np.ndarray, features: np.ndarray) -> pd.DataFrame:
    """Answer with the condition of the training photo whose features point in the most similar direction.

    ``features`` is float32 (n, 2048), a row per photo of the catalogue. This finds copies: it learns nothing.
    """
    return learn(make_pipeline(Normalizer(), KNeighborsClassifier(1)), features, data, split)


def histogram(photo: np.ndarray) -> np.ndarray:
    """Return the share of pixels in each of 8 × 8 × 8 colours: float64 (512,), sum 1, from uint8 RGB (H, W, 3)."""
    bins = photo.astype(np.int64) * BINS // 256
    return np.bincount(np.ravel(bins @ [BINS * BINS, BINS, 1]), minlength=BINS**3) / bins[..., 0].size


def linear() -> Pipeline:
    """Return a fresh logistic regression on standardised inputs, as strong as suits a few hundred photos."""
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))


def learn(classifier, inputs: np.ndarray, data: DataSet, split: np.ndarray) -> pd.DataFrame:
    """Fit a scikit-learn classifier on the training rows of ``inputs``, (n, …); return its predictions for all rows.

    Conditions without a training photo get probability 0.
    """
    is_train = split == "train"
    with threadpool_limits(1):  # many threads would wait for one another longer than such small sums take
        classifier.fit(inputs[is_train], data.photos.condition[is_train])
        probabilities = pd.DataFrame(classifier.predict_proba(inputs), columns=classifier.classes_)
    keys = data.classes.keys
    return predictions_table(data.photos, split, probabilities.reindex(columns=keys, fill_value=0).to_numpy(), keys)
