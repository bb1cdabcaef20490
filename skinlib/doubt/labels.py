"""Which labels are wrong? A list for an expert to look at, the most suspicious on top.

Two kinds of suspicion, kept apart. A *conflict* is a photo whose copies lie in the folders of two conditions: the audit
finds it, and one of the labels must be wrong. A *suspect* is a photo whose label a model finds strange that has not
seen the photo: confident learning (Northcutt, Jiang and Chuang, 2021) compares the model's probabilities with how sure
it usually is of each condition, and estimates how many labels are wrong, not only which come first.

Introduced in chapter 5, Error analysis.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_predict
from threadpoolctl import threadpool_limits

from skinlib.data import splits
from skinlib.data.dataset import DataSet
from skinlib.judge import evaluate
from skinlib.learn import baselines

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "IProgress")  # in Jupyter it asks for widgets, of which it needs none
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

SUSPECT_COLUMNS = ("kind", "path", "photo_id", "condition", "suggested", "score", "flagged", "paths")


def out_of_fold(data: DataSet, features: np.ndarray, n_repeats: int = 1, seed: int = 0) -> pd.DataFrame:
    """Return predictions of each photo by a model that has seen neither it nor a copy of it.

    ``features`` is float32 (n, features), a row per photo of the catalogue, whose photo_id must come from the audit. A
    logistic regression is trained on all grouped folds but one (:func:`skinlib.data.splits.folds`) and asked about that
    one; with several repeats probabilities are means. All rows of the table of predictions have the split "test".
    """
    photos, keys = data.photos, sorted(data.photos.condition.unique())
    held_out = list(splits.folds(photos, n_repeats=n_repeats, seed=seed))
    total = np.zeros((len(photos), len(keys)))
    for start in range(0, len(held_out), splits.N_FOLDS):
        rounds = [(np.flatnonzero(~rows), np.flatnonzero(rows)) for rows in held_out[start : start + splits.N_FOLDS]]
        classifier = baselines.linear()
        # One thread: so small a job only loses time where many threads share it.
        with warnings.catch_warnings(), threadpool_limits(1):
            # A condition of few photos may be absent from a fold's training photos: it gets probability 0 there.
            warnings.filterwarnings("ignore", "Number of classes in training fold")
            total += cross_val_predict(classifier, features, photos.condition, cv=rounds, method="predict_proba")
    probabilities = pd.DataFrame(total / n_repeats, columns=keys).reindex(columns=data.classes.keys, fill_value=0)
    side = np.full(len(photos), "test")
    return evaluate.predictions_table(photos, side, probabilities.to_numpy(float), data.classes.keys)


def suspect_labels(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the labels of all photos, conflicts first, then the most suspicious on top.

    ``predictions`` is a table of predictions by models that had not seen the photos, such as :func:`out_of_fold` makes;
    a run's own table is none, for a model remembers the labels that it learned. Copies of a photo have one vote.

    A row stands for one photo and one label of it. Columns: kind ("conflict" or "suspect"), path (of its first file),
    photo_id, condition (the label), suggested (the better one), score (0 to 1, the lower the more suspicious), flagged
    (bool) and paths (of all its files with that label). A suspect's score is the probability of its own label, and it
    is flagged where confident learning counts it among the wrong ones. A conflict's score is the share of the photo's
    files that bear the label, and all labels but the most frequent are flagged; the model decides between equals.
    """
    predictions = predictions.assign(split="test", photo_id=evaluate.photo_ids(predictions))
    in_conflict = evaluate.conflicting(predictions)
    parts = [_conflicts(predictions[in_conflict]), _suspects(predictions[~in_conflict])]
    table = pd.concat([part for part in parts if len(part)] or parts[:1])
    return table.sort_values(["kind", "score"], kind="stable", ignore_index=True)[list(SUSPECT_COLUMNS)]


def _suspects(predictions: pd.DataFrame) -> pd.DataFrame:
    votes = evaluate.one_vote_per_photo(predictions)
    if votes.empty:
        return pd.DataFrame(columns=list(SUSPECT_COLUMNS))
    # Only conditions that occur as a label: confident learning needs an example of each.
    keys = [key for key in evaluate.keys_of(votes) if (votes.condition == key).any()]
    shares = votes[keys].to_numpy(float) + 1e-12
    shares /= shares.sum(axis=1, keepdims=True)
    labels = votes.condition.map(keys.index).to_numpy()
    paths = predictions.groupby("photo_id").path.agg(list)
    return votes[["path", "photo_id", "condition"]].assign(
        kind="suspect",
        suggested=np.array(keys)[shares.argmax(axis=1)],
        score=get_label_quality_scores(labels, shares, method="self_confidence"),
        flagged=find_label_issues(labels, shares, n_jobs=1) if len(keys) > 1 else False,
        paths=votes.photo_id.map(paths),
    )


def _conflicts(predictions: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for photo_id, files in predictions.groupby("photo_id", sort=False):
        mean, paths = files[evaluate.keys_of(files)].mean(), files.groupby("condition").path.agg(list)
        best = max(paths.index, key=lambda key: (len(paths[key]), mean[key]))
        for key in paths.index:
            score = len(paths[key]) / len(files)
            rows.append(["conflict", paths[key][0], photo_id, key, best, score, key != best, paths[key]])
    return pd.DataFrame(rows, columns=list(SUSPECT_COLUMNS))


def score_suspects(suspects: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Score the list of :func:`suspect_labels` against what was planted.

    ``truth`` is the table of :func:`skinlib.data.sample.write_sample`. One row per kind, one for all. Columns: labels
    (on the list), mistakes (wrong ones among them), flagged, found (mistakes that are flagged), recall and precision
    (NaN where there is nothing to count), and what as many flags strewn at random would give: chance_recall and
    chance_precision. ``auc`` asks the ranking alone: how often a mistake stands above a right label; 0.5 is chance.
    """
    wrong = truth.set_index("path").mislabelled.astype(bool)
    table = suspects.assign(mistake=[bool(wrong.loc[paths].any()) for paths in suspects.paths])
    kinds = {kind: table[table.kind == kind] for kind in ("conflict", "suspect")} | {"all": table}
    rows = {}
    for name, part in kinds.items():
        mistake, flagged = part.mistake.to_numpy(bool), part.flagged.to_numpy(bool)
        counts = np.array([len(part), mistake.sum(), flagged.sum(), (mistake & flagged).sum()], float)
        n, mistakes, flags, hits = counts
        with np.errstate(invalid="ignore"):
            shares = np.divide([hits, hits, flags, mistakes], [mistakes, flags, n, n])
        rows[name] = [*counts, *shares, evaluate.auc(mistake, -np.arange(n))]
    columns = ["labels", "mistakes", "flagged", "found", "recall", "precision", "chance_recall", "chance_precision"]
    result = pd.DataFrame.from_dict(rows, orient="index", columns=[*columns, "auc"])
    return result.astype(dict.fromkeys(columns[:4], int))
