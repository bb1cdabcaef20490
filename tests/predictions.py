"""Tables of predictions made up for tests."""

import numpy as np
import pandas as pd

from skinlib.data.conditions import KEYS
from skinlib.judge import evaluate

N = len(KEYS)


def table(truth, probabilities, split="test") -> pd.DataFrame:
    """Return a table of predictions, each row a photo, for ``truth`` (n,), positions, and probabilities (n, classes).

    Eight classes have the conditions' keys, and others are called "class 0" and so on.
    """
    probabilities = np.asarray(probabilities)
    n = probabilities.shape[1]
    keys = KEYS if n == N else [f"class {i}" for i in range(n)]
    names = [f"{i}.jpg" for i in range(len(truth))]
    photos = pd.DataFrame({"path": names, "photo_id": names, "condition": [keys[k] for k in truth]})
    return evaluate.predictions_table(photos, np.full(len(names), split), probabilities, keys)


def certain(truth, answers, split="test", n=N) -> pd.DataFrame:
    """Return a table of predictions in which each answer, a position among ``n`` classes, is fully certain."""
    return table(truth, np.eye(n)[list(answers)], split)


def sure(confidences, right, split="validation", n=N) -> pd.DataFrame:
    """Return a table whose answers, all of the first of ``n`` classes, are so probable and right or not."""
    probabilities = np.array([[c] + [(1 - c) / (n - 1)] * (n - 1) for c in confidences]).reshape(-1, n)
    return table(np.where(right, 0, 1), probabilities, split)


def copied(predictions: pd.DataFrame, times) -> pd.DataFrame:
    """Return a table in which each row stands as often as ``times`` says, each time as another file of its photo."""
    rows = predictions.loc[predictions.index.repeat(times)].reset_index(drop=True)
    return rows.assign(path=[f"{i}-{path}" for i, path in enumerate(rows.path)])


def random(seed: int) -> pd.DataFrame:
    """Return 200 random predictions, better than chance; with an odd seed many probabilities are equal.

    They are rounded as a network's are, so that few rows sum to 1 exactly.
    """
    rng = np.random.default_rng(seed)
    truth = rng.choice(N, 200, p=rng.dirichlet(np.full(N, 3)))
    logits = rng.normal(size=(200, N)) + 1.2 * np.eye(N)[truth]
    if seed % 2:
        logits = np.round(logits)
    return table(truth, (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32))
