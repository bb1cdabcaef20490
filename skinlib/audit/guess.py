"""Quick guesses at which files may show one photo, each answered by an index and not by comparing all with all.

Introduced in chapter 1, How many photos?
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from usearch.index import Index

from skinlib.audit.sketch import TURNS, Sketch
from skinlib.base.files import in_need_of

INDEXED = 64
"""Features of one photo that go into the index, the strongest of each cell first."""
ASKED = 128
"""Features of one photo whose neighbours are asked for: asking, unlike putting in, can be done in parallel."""
PART = 16_384
"""Photos in one index of features. It is built in memory, 20 kilobytes a photo, and then read from disk. Every index is
asked for each photo: the smaller they are, the more there are to ask."""
NEAREST = 16
"""Nearest neighbours asked for each feature and hash."""
NEAR_FEATURE = 3000
"""Squared distance between two descriptors, each of length 127, up to which they vote for their photos."""
MIN_VOTES = 0.3
"""Votes from which a guess is followed up. An equal feature has one vote, a less near one a part of it."""
NEAR_HASH = 8
"""Bits, of 64, in which two hashes may differ."""
PARTNERS = 12
"""Other photos that one photo's features may name, those with most votes first."""


def nearest(indexes: list[Index], rows: np.ndarray, count: int = NEAREST) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys, int64 (n, count), of the nearest entries to each row, and their distances, NaN where none is."""
    keys: np.ndarray = np.zeros((len(rows), 0), np.int64)
    distances: np.ndarray = np.zeros((len(rows), 0), np.float32)
    for index in indexes:
        nearby = index.search(rows, count)
        keys = np.hstack([keys, np.atleast_2d(nearby.keys).astype(np.int64)])
        distances = np.hstack([distances, np.atleast_2d(nearby.distances)])
        order = distances.argsort(axis=1, kind="stable")[:, :count]  # NaN comes last
        keys, distances = np.take_along_axis(keys, order, axis=1), np.take_along_axis(distances, order, axis=1)
    return keys, distances


def hash_guesses(hashes: np.ndarray) -> np.ndarray:
    """Return (photo, other photo, turn that lays one on the other), int (m, 3), for near hashes, (n, 8, 8)."""
    index = Index(ndim=64, metric="hamming", dtype="b1")
    index.add(np.arange(len(hashes)), hashes[:, 0], threads=1)  # one thread, or the graph depends on chance
    guesses: dict[tuple[int, int], int] = {}
    for turn in range(len(TURNS)):
        keys, distances = nearest([index], np.ascontiguousarray(hashes[:, turn]))
        near = distances <= NEAR_HASH
        for a, b in zip(np.nonzero(near)[0].tolist(), keys[near].tolist(), strict=True):
            if a != b and (b, a) not in guesses:
                guesses.setdefault((a, b), turn)
    return np.array([(a, b, turn) for (a, b), turn in sorted(guesses.items())], np.int64).reshape(-1, 3)


def feature_index(sketch_of: Callable[[int], Sketch], photos: np.ndarray, file: Path) -> Index:
    """Return an index, kept in ``file``, of the features of ``photos``, int (m,). A feature's key is its photo."""
    index = Index(
        ndim=128, metric="l2sq", dtype="i8", connectivity=12, expansion_add=32, expansion_search=32,
        enable_key_lookups=False,
    )  # fmt: skip
    for start in range(0, len(photos), 256):
        some = photos[start : start + 256]
        parts = [sketch_of(i).descriptors[:INDEXED] for i in some]
        index.add(np.repeat(some, [len(part) for part in parts]), np.concatenate(parts), threads=1)
    with in_need_of(index.memory_usage, file.parent):
        index.save(file)
    index.view(file)  # The memory is given back; what is looked up comes from disk.
    return index


def feature_guesses(
    indexes: list[Index],
    sketch_of: Callable[[int], Sketch],
    photos: np.ndarray,
    group: np.ndarray,
    count: int,
) -> np.ndarray:
    """Return pairs, int (m, 2), of one of ``photos`` and an indexed one that share features, most of them first.

    The ``count`` neighbours of each feature vote for their photos, with more weight the nearer they are. Each photo
    names those of another ``group`` with most votes, so the work grows with the number of photos, not its square.
    """
    named = []
    step = max(2000 // count, 1)  # bounds the table of ballots
    for start in range(0, len(photos), step):
        some = photos[start : start + step]
        parts = [sketch_of(i).descriptors[:ASKED] for i in some]
        others, distances = nearest(indexes, np.concatenate(parts), count)
        near = distances <= NEAR_FEATURE
        feature = np.nonzero(near)[0]
        asker = np.repeat(some, [len(part) for part in parts])[feature]
        ballots = pd.DataFrame({"photo": asker, "other": others[near], "feature": feature})
        ballots["votes"] = 1 - distances[near].astype(float) / NEAR_FEATURE
        ballots = ballots[group[ballots.photo] != group[ballots.other]]
        ballots = ballots.drop_duplicates(["feature", "other"])  # the nearest votes
        votes = ballots.groupby(["photo", "other"], as_index=False).votes.sum()
        votes = votes[votes.votes >= MIN_VOTES].sort_values("votes", ascending=False, kind="stable")
        named.append(votes.groupby("photo").head(PARTNERS))
    votes = pd.concat(named)
    votes[["photo", "other"]] = np.sort(votes[["photo", "other"]], axis=1)
    votes = votes.groupby(["photo", "other"], as_index=False).votes.sum()
    votes = votes.sort_values("votes", ascending=False, kind="stable")
    return votes[["photo", "other"]].to_numpy()
