"""Which files show the same photo? Copies, leaks between the splits, conflicting labels; no trained network needed.

Two quick guesses, each answered by an index and not by comparing everything with everything, and one careful test:

- A *perceptual hash* (Zauner, 2010): 64 signs of a photo's lowest frequencies, tried under the eight flips and turns.
- *Local features*: SIFT (Lowe, 2004) with square roots taken (Arandjelović and Zisserman, 2012) and each descriptor
  mirrored to a standard side (Zhao and Ngo, 2013), so that a mirrored copy matches as well as an upright one. From the
  features that two photos share, RANSAC (Fischler and Bolles, 1981) finds how one photo lies on the other.
- *Agreement*: lay one photo on the other as guessed, cut both into blocks, and correlate block by block. Most blocks
  of a copy agree. A logo that two photos share fills a few blocks, and the median does not look at the few.

What is known of each photo, its *sketch*, lies on disk, and so do the indexes of features: the memory needed is that of
one index of PART photos and hardly grows from there.

Introduced in chapter 1, Data exploration.
"""

import contextlib
import functools
import itertools
import json
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import usearch
from scipy.cluster.hierarchy import DisjointSet
from threadpoolctl import threadpool_limits
from tqdm import tqdm
from usearch.index import Index

from skinlib import photos as photo_files
from skinlib import work
from skinlib.files import code_fingerprint, key_of, written_whole
from skinlib.photos import READER, DataSet

WORKING_SIDE = 224
"""Short side, in pixels, to which a photo is resized before its features are found."""
STRONGEST = 1000
"""Features described of one photo, the strongest of it."""
FEATURES = 320
"""Features kept of these."""
CELLS = 4
"""Rows and columns of cells from which they are taken in turn, or a logo's crisp letters would be all that is kept."""
INDEXED = 64
"""Features of one photo that go into the index, the strongest of each cell first."""
ASKED = 128
"""Features of one photo whose neighbours are asked for: asking, unlike putting in, can be done in parallel."""
PART = 16_384
"""Photos in one index of features. It is built in memory, 20 kilobytes a photo, and then read from disk. Every index is
asked for each photo: the smaller they are, the more there are to ask."""
SQUARE = 128
"""Side of the small grey square, in pixels, on which photos are compared. All positions are given on it."""
BLOCK = 16
"""Side of the blocks in which they are compared."""
NEIGHBOURS = 16
"""Nearest neighbours asked for each feature and hash."""
NEAR_FEATURE = 3000
"""Squared distance between two descriptors, each of length 127, up to which they vote for their photos."""
MIN_VOTES = 0.3
"""Votes from which a guess is followed up. An equal feature has one vote, a less near one a part of it."""
NEAR_HASH = 8
"""Bits, of 64, in which two hashes may differ."""
PARTNERS = 12
"""Other photos that one photo's features may name, those with most votes first."""
CROWD = 4
"""Files of one photo in the index from which they may hide others, being each other's nearest neighbours."""
MIN_INLIERS = 8
"""Shared features that must lie on the same affine map."""
MIN_AGREEMENT = 0.55
"""Median correlation of the blocks from which two photos count as the same."""
DOUBTFUL_AGREEMENT = 0.25
"""Median correlation from which two photos that don't count as the same are shown to a person."""
MIN_SEEN = 0.4
"""Share of the blocks laid on each other that must have something to see: a logo on two blank photos says nothing."""
MIN_OVERLAP = 0.25
"""Share of one of the two photos that must lie on the other."""

# ---------------------------------------------------------------- what one photo is reduced to


@dataclass(frozen=True)
class Sketch:
    """What the audit remembers of a photo."""

    square: np.ndarray
    """The whole photo in grey, squeezed to uint8 (128, 128)."""
    positions: np.ndarray
    """Where its features are on the square, float32 (k, 2), x and y."""
    descriptors: np.ndarray
    """What they look like, int8 (k, 128), each of length 127, mirrored to the standard side."""
    mirrored: np.ndarray
    """Which of them had to be mirrored for that, bool (k,)."""


def sketch(photo: np.ndarray) -> Sketch:
    """Reduce a photo, uint8 (H, W, 3), to its :class:`Sketch`."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = min(WORKING_SIDE / min(height, width), 2 * WORKING_SIDE / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    working = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    points, descriptors = cv2.SIFT_create(STRONGEST, contrastThreshold=0.01).detectAndCompute(working, None)
    positions = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    order = _spread_out(positions / np.array(size), np.array([point.response for point in points]))
    positions = positions[order]
    descriptors, mirrored = _standard_side(np.zeros((0, 128)) if descriptors is None else descriptors[order])
    square = cv2.resize(working, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    positions = (positions + 0.5) * (SQUARE / np.array(size, np.float32)) - 0.5
    return Sketch(square, positions, descriptors, mirrored)


def _spread_out(positions: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return the order of features, at (k, 2) from 0 to 1: the strongest of each cell, then the second of each, …"""
    column, row = np.clip((positions * CELLS).astype(int), 0, CELLS - 1).T
    cell = row * CELLS + column
    order = np.lexsort([-strength, cell])
    _, start, size = np.unique(cell[order], return_index=True, return_counts=True)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order)) - np.repeat(start, size)
    return np.lexsort([-strength, rank])[:FEATURES]


MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8)].ravel()
"""The order in which a descriptor's 4 × 4 cells of 8 directions come when the photo is mirrored."""


def _standard_side(descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror each descriptor, (k, 128), whose gradients turn to the left more than to the right; take square roots."""
    turns = descriptors.reshape(-1, 16, 8).sum(axis=1)
    mirrored = turns[:, 1:4].sum(axis=1) < turns[:, 5:8].sum(axis=1)
    descriptors = np.where(mirrored[:, None], descriptors[:, MIRROR], descriptors)
    rooted = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1))
    return np.round(127 * rooted).astype(np.int8), mirrored


TURNS = tuple(itertools.product((False, True), repeat=3))
"""The eight ways to lay a square on itself: (transposed, then mirrored left to right, then top to bottom)."""


def perceptual_hashes(square: np.ndarray) -> np.ndarray:
    """Return the hash of a grey square, (128, 128), under each of ``TURNS``: uint8 (8, 8), a row of 64 bits each.

    A bit is the sign of one of the 8 × 8 lowest frequencies (Zauner, 2010, who compares with their median; the sign has
    the advantage that a turned photo need not be hashed anew). Mirroring a photo changes the sign of every other
    frequency along that side, and transposing it transposes the frequencies.
    """
    small = cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = cv2.dct(small - small.mean())[:8, :8]
    odd = (-1.0) ** np.arange(8)
    bits = []
    for transposed, left_right, top_bottom in TURNS:
        turned = waves.T if transposed else waves
        turned = turned * (odd if left_right else 1) * (odd[:, None] if top_bottom else 1)
        bits.append(turned.ravel() > 0)
    return np.packbits(bits, axis=1)


def _turn_matrix(turn: tuple[bool, bool, bool]) -> np.ndarray:
    """Return the affine map, (2, 3), that lays a square on itself as one of ``TURNS`` says."""
    transposed, left_right, top_bottom = turn
    matrix = np.eye(3)[[1, 0, 2]] if transposed else np.eye(3)
    end = SQUARE - 1
    if left_right:
        matrix = np.array([[-1, 0, end], [0, 1, 0], [0, 0, 1]]) @ matrix
    if top_bottom:
        matrix = np.array([[1, 0, 0], [0, -1, end], [0, 0, 1]]) @ matrix
    return matrix[:2]


# ---------------------------------------------------------------- sketches on disk

RECORD = np.dtype(
    [
        ("positions", "<f4", (FEATURES, 2)),
        ("descriptors", "i1", (FEATURES, 128)),
        ("mirrored", "?", FEATURES),
        ("square", "u1", (SQUARE, SQUARE)),
        ("count", "<u4"),
    ]
)
"""A sketch on disk, 60 kilobytes: its fields, with zeros after the last feature, and how many features there are."""


def _to_bytes(made: Sketch) -> bytes:
    """Return a sketch as bytes: one RECORD and its checksum."""
    record = np.zeros((), RECORD)
    for field in ("positions", "descriptors", "mirrored"):
        record[field][: len(made.positions)] = getattr(made, field)
    record["square"], record["count"] = made.square, len(made.positions)
    return record.tobytes() + zlib.crc32(record.tobytes()).to_bytes(4, "little")


def _from_bytes(data: bytes) -> Sketch:
    """Return the sketch that these bytes are. Raises ValueError where they are damaged."""
    whole = memoryview(data)[:-4]
    if len(whole) != RECORD.itemsize or zlib.crc32(whole).to_bytes(4, "little") != data[-4:]:
        raise ValueError("no whole sketch")
    record = np.frombuffer(whole, RECORD)[0]
    features = (record[field][: record["count"]] for field in ("positions", "descriptors", "mirrored"))
    return Sketch(record["square"], *features)


@dataclass(frozen=True)
class Shelf:
    """A folder of sketches, each under the sha256 of its photo's content: none of them is made twice."""

    folder: Path
    root: Path
    """Folder of the photos."""

    def sketch(self, sha256: str, path: str) -> Sketch:
        """Return the sketch of a photo: the one on the shelf, or else a new one, which is then put there.

        A sketch that is damaged or can't be kept costs time and nothing else. Raises PhotoError.
        """
        file = self.folder / sha256[:2] / sha256
        with contextlib.suppress(OSError, ValueError):
            return _from_bytes(file.read_bytes())
        made = sketch(photo_files.read(self.root / path))
        with contextlib.suppress(OSError), written_whole(file) as draft:
            draft.write_bytes(_to_bytes(made))
        return made


def _sketcher(shelf: Shelf) -> Callable[[tuple[str, str]], np.ndarray]:
    """Return the worker that puts the sketch of a photo, (sha256, path), on the shelf and returns its hashes."""
    cv2.setNumThreads(1)  # The runner has a worker for each core.
    return lambda content: perceptual_hashes(shelf.sketch(*content).square)


@contextlib.contextmanager
def _shelf(data: DataSet) -> Iterator[tuple[Shelf, Path]]:
    """Give the shelf in the cache for sketches made by this code, and a folder on it that lasts as long as the block.

    Where the cache can't be written, the shelf lasts no longer either.
    """
    folder = data.cache.absolute() / "sketches" / _digest([])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".audit.", dir=folder, ignore_cleanup_errors=True)
    except OSError:
        scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        folder = Path(scratch.name)
    with scratch as name:
        yield Shelf(folder, data.root.absolute()), Path(name)


def _digest(more: list[str]) -> str:
    """Return 16 hex digits over all that shapes a sketch, and ``more``."""
    return key_of(READER, code_fingerprint("audit"), cv2.__version__, np.__version__, *more)


# ---------------------------------------------------------------- guesses


def _nearest(indexes: list[Index], rows: np.ndarray, count: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys, int64 (n, count), of the nearest entries to each row, and their distances, NaN where none is."""
    keys, distances = np.zeros((len(rows), 0), np.int64), np.zeros((len(rows), 0), np.float32)
    for index in indexes:
        found = index.search(rows, count)
        keys = np.hstack([keys, np.atleast_2d(found.keys).astype(np.int64)])
        distances = np.hstack([distances, np.atleast_2d(found.distances)])
        order = distances.argsort(axis=1, kind="stable")[:, :count]  # NaN comes last
        keys, distances = (np.take_along_axis(each, order, axis=1) for each in (keys, distances))
    return keys, distances


def _hash_guesses(hashes: np.ndarray) -> np.ndarray:
    """Return (photo, other photo, turn that lays one on the other), int (m, 3), for near hashes, (n, 8, 8)."""
    index = Index(ndim=64, metric="hamming", dtype="b1")
    index.add(np.arange(len(hashes)), hashes[:, 0], threads=1)  # one thread, or the graph depends on chance
    guesses = {}
    for turn in range(len(TURNS)):
        keys, distances = _nearest([index], np.ascontiguousarray(hashes[:, turn]))
        near = distances <= NEAR_HASH
        for a, b in zip(np.nonzero(near)[0].tolist(), keys[near].tolist(), strict=True):
            if a != b and (b, a) not in guesses:
                guesses.setdefault((a, b), turn)
    return np.array([(a, b, turn) for (a, b), turn in sorted(guesses.items())], int).reshape(-1, 3)


def _feature_index(sketch_of: Callable[[int], Sketch], photos: np.ndarray, file: Path) -> Index:
    """Return an index, kept in ``file``, of the features of ``photos``, int (m,). A feature's key is its photo."""
    index = Index(
        ndim=128, metric="l2sq", dtype="i8", connectivity=12, expansion_add=32, expansion_search=32,
        enable_key_lookups=False,
    )  # fmt: skip
    for start in range(0, len(photos), 256):
        some = photos[start : start + 256]
        parts = [sketch_of(i).descriptors[:INDEXED] for i in some]
        index.add(np.repeat(some, [len(part) for part in parts]), np.concatenate(parts), threads=1)
    index.save(file)
    index.view(file)  # The memory is given back; what is looked up comes from disk.
    return index


def _feature_guesses(
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
        others, distances = _nearest(indexes, np.concatenate(parts), count)
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


# ---------------------------------------------------------------- the test


@dataclass(frozen=True)
class Comparison:
    """How well one photo, laid on another, agrees with it."""

    agreement: float = 0.0
    """Median correlation of the blocks, -1 to 1."""
    overlap: float = 0.0
    """Share of one photo that lies on the other, the greater of the two, 0 to 1."""
    inliers: int = 0
    """Features on the same map; 0 where the map came from the hashes."""

    @property
    def same(self) -> bool:
        """Whether the two are one photo."""
        return self.agreement >= MIN_AGREEMENT and self.overlap >= MIN_OVERLAP


def _without_light(square: np.ndarray) -> np.ndarray:
    """Return the details of a grey square, float32: noise and slow changes of light are taken away."""
    square = square.astype(np.float32)
    return cv2.GaussianBlur(square, (0, 0), 0.7) - cv2.GaussianBlur(square, (0, 0), 6)


def agreement(a: np.ndarray, b: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """Lay square ``a`` on square ``b`` by an affine map, (2, 3); return (median correlation of the blocks, overlap).

    Of the blocks that are covered, only those count that have something to see in one of the two. Where they are fewer
    than four, or than a share of MIN_SEEN, nothing can be told, and the first number is 0.
    """
    covered = cv2.warpAffine(np.ones((SQUARE, SQUARE), np.float32), matrix, (SQUARE, SQUARE)) > 0.99
    laid = cv2.warpAffine(_without_light(a), matrix, (SQUARE, SQUARE))
    laid_on = _blocks(covered).mean(axis=1) > 0.9
    x, y = _blocks(laid)[laid_on], _blocks(_without_light(b))[laid_on]
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    x_spread, y_spread = x.std(axis=1), y.std(axis=1)
    seen = np.maximum(x_spread, y_spread) > 1  # grey levels; below that there is only the noise of compression
    overlap = min(covered.mean() / min(1.0, max(abs(np.linalg.det(matrix[:, :2])), 1e-6)), 1.0)
    if seen.sum() < max(4, MIN_SEEN * len(seen)):
        return 0.0, float(overlap)
    correlation = (x * y).mean(axis=1) / np.maximum(x_spread * y_spread, 0.5)
    return float(np.median(correlation[seen])), float(overlap)


def _blocks(square: np.ndarray) -> np.ndarray:
    """Cut a square, (128, 128), into its blocks: (64, 256)."""
    count = SQUARE // BLOCK
    return square.reshape(count, BLOCK, count, BLOCK).swapaxes(1, 2).reshape(count * count, -1)


def _matches(a: Sketch, b: Sketch) -> tuple[np.ndarray, np.ndarray]:
    """Return positions in the features of ``a`` and ``b`` of those that match: each other's best, and clearly so."""
    cosine = (a.descriptors.astype(np.float32) @ b.descriptors.astype(np.float32).T) / 127**2
    best = cosine.argmax(axis=1)
    first = cosine[np.arange(len(best)), best]
    rows = np.flatnonzero(first == cosine.max(axis=0)[best])
    first = first[rows]
    cosine[rows, best[rows]] = -1
    clear = 1 - first < 0.85**2 * (1 - cosine[rows].max(axis=1, initial=-1))  # Lowe's ratio test
    return rows[clear], best[rows[clear]]


@dataclass(frozen=True)
class Match:
    """Features that two photos share, and the map that most of them obey."""

    places: np.ndarray
    """Where they are on the first square, float32 (k, 2)."""
    other_places: np.ndarray
    """Where they are on the second."""
    matrix: np.ndarray | None = None
    """The affine map, (2, 3), from the first square to the second; None where no map fits MIN_INLIERS of them."""
    inliers: int = 0
    """How many of them lie on that map."""


def match(a: Sketch, b: Sketch) -> Match:
    """Find the features that two photos share, all upright or all mirrored, and how the first lies on the second."""
    best = Match(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    if min(len(a.positions), len(b.positions)) < MIN_INLIERS:
        return best
    of_a, of_b = _matches(a, b)
    one_mirrored = a.mirrored[of_a] != b.mirrored[of_b]
    for rows in (one_mirrored, ~one_mirrored):
        if rows.sum() < max(MIN_INLIERS, best.inliers):
            continue
        places, other_places = a.positions[of_a[rows]], b.positions[of_b[rows]]
        matrix, on_map = cv2.estimateAffine2D(
            places, other_places, ransacReprojThreshold=2.0, maxIters=1000, confidence=0.999
        )
        if matrix is None or on_map.sum() < max(MIN_INLIERS, best.inliers + 1):
            continue
        large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
        if large < 6 and small > 1 / 6 and large < 4 * small:  # no copy is squeezed more than that
            best = Match(places, other_places, matrix, int(on_map.sum()))
    return best


def compare(a: Sketch, b: Sketch) -> Comparison:
    """Find how ``a`` lies on ``b`` from the features they share, and how well the two then agree."""
    found = match(a, b)
    if found.matrix is None:
        return Comparison()
    return Comparison(*agreement(a.square, b.square, found.matrix), found.inliers)


# ---------------------------------------------------------------- all photos


@dataclass(frozen=True)
class Audit:
    """What was found in a data set. Use :func:`audit` to make one."""

    photos: pd.DataFrame
    """The catalogue, with a ``photo_id`` that all copies of one photo share: 16 digits of the least of their sha256."""
    pairs: pd.DataFrame
    """The pairs of contents that joined the groups, the least sure first: path, other, how ("turned" or "altered"),
    agreement, overlap, inliers. Byte-identical files are not listed: they have one content."""
    doubtful: pd.DataFrame
    """Pairs that came close and were not joined, with the same columns: worth a look."""
    damaged: pd.DataFrame
    """Files that should be photos and can't be read: path and reason."""
    seconds: float
    """How long it took; what was kept from an earlier call takes next to nothing."""

    @property
    def groups(self) -> list[list[str]]:
        """Paths of the files that show one photo, for each photo with two files or more; the largest group first."""
        groups = [list(paths) for _, paths in self.photos.groupby("photo_id", sort=False).path if len(paths) > 1]
        return sorted((sorted(paths) for paths in groups), key=lambda paths: (-len(paths), paths))

    @property
    def conflicts(self) -> list[list[str]]:
        """The groups whose files lie in folders of different conditions."""
        condition = self.photos.set_index("path").condition
        return [paths for paths in self.groups if condition[paths].nunique() > 1]

    @property
    def leaked(self) -> np.ndarray:
        """Whether each row of ``photos`` is a test file that shows a photo of the training set, bool (n,)."""
        is_test = self.photos.split == "test"
        return (is_test & self.photos.photo_id.isin(self.photos.photo_id[~is_test])).to_numpy()

    def report(self) -> dict:
        """Return the findings ready for JSON: n_files, n_photos, groups, damaged, conflicts, leaks, seconds.

        ``n_files`` counts the damaged files as well, ``n_photos`` the different photos that can be read.
        """
        return {
            "n_files": len(self.photos) + len(self.damaged),
            "n_photos": int(self.photos.photo_id.nunique()),
            "groups": self.groups,
            "damaged": self.damaged.to_dict("records"),
            "conflicts": self.conflicts,
            "leaks": {
                "test_files": int(self.leaked.sum()),
                "of": int((self.photos.split == "test").sum()),
                "paths": sorted(self.photos.path[self.leaked]),
            },
            "seconds": round(self.seconds, 2),
        }


def audit(data: DataSet, run=work.threads) -> Audit:
    """Find out which files of a data set show the same photo.

    What was found is kept on disk under the data's fingerprint and this code's digest, and found again in no time. So
    is the sketch of each photo, 60 kilobytes: when photos are added, only these are read. ``run`` is the runner that
    makes the sketches (see :mod:`skinlib.work`); the pairs are compared by the threads of this process.
    """
    clock = time.perf_counter()
    kept = data.cache / "audits" / f"{_digest([usearch.__version__, data.fingerprint])}.json"
    try:
        found = json.loads(kept.read_text())
    except (OSError, ValueError):
        found = _copies(data, run)
        # A result that can't be kept only costs time.
        with contextlib.suppress(OSError), written_whole(kept) as draft:
            draft.write_text(json.dumps(found))

    contents = data.photos.drop_duplicates("sha256").reset_index(drop=True)
    joined = DisjointSet(contents.sha256)
    path_of = contents.set_index("sha256").path
    rows = []
    for a, b, how, same, *numbers in found:
        if same:
            joined.merge(a, b)
        rows.append([path_of[a], path_of[b], how, same, *numbers])
    photo_id = {sha: min(joined.subset(sha))[:16] for sha in contents.sha256}
    photos = data.photos.assign(photo_id=data.photos.sha256.map(photo_id))
    columns = ["path", "other", "how", "same", "agreement", "overlap", "inliers"]
    # Two files may be compared a second time, with the same outcome.
    pairs = pd.DataFrame(rows, columns=columns).drop_duplicates(["path", "other"])
    pairs = pairs.sort_values("agreement", ignore_index=True)
    same, id_of = pairs.pop("same").astype(bool), photos.set_index("path").photo_id
    apart = id_of[pairs.path].to_numpy() != id_of[pairs.other].to_numpy()
    return Audit(
        photos,
        pairs[same].reset_index(drop=True),
        pairs[apart].reset_index(drop=True),
        data.damaged,
        time.perf_counter() - clock,
    )


def identified(data: DataSet, run=work.threads) -> DataSet:
    """Return the data set with the ``photo_id`` of its audit."""
    return replace(data, photos=audit(data, run).photos)


def _copies(data: DataSet, run=work.threads) -> list[list]:
    """Return pairs that are one photo, or nearly: [sha256, sha256, how, same, agreement, overlap, inliers]."""
    distinct = data.photos.drop_duplicates("sha256")
    contents = list(zip(distinct.sha256, distinct.path, strict=True))
    # Each thread has a core to itself: OpenCV and BLAS would start threads of their own, each for a job of a moment.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with _shelf(data) as (shelf, scratch), ThreadPoolExecutor(work.cores()) as pool, threadpool_limits(1):
            hashes = run(functools.partial(_sketcher, shelf), contents)
            hashes = tqdm(hashes, "sketches", len(contents), disable=None, leave=False)
            hashes = np.fromiter(hashes, np.dtype((np.uint8, (len(TURNS), 8))), len(contents))
            return _join(contents, hashes, shelf, pool, scratch)
    finally:
        cv2.setNumThreads(threads)


def _join(
    contents: list[tuple[str, str]], hashes: np.ndarray, shelf: Shelf, pool: ThreadPoolExecutor, scratch: Path
) -> list[list]:
    """Follow up every guess about two photos not joined yet; return the pairs that pass the test, or nearly.

    ``contents`` has sha256 and path of each photo, ``hashes``, uint8 (n, 8, 8), its hashes under each of ``TURNS``.
    """
    joined, found = DisjointSet(range(len(contents))), []

    def sketch_of(i: int) -> Sketch:
        return shelf.sketch(*contents[i])

    def follow_up(guesses: np.ndarray, how: str, test) -> None:
        with tqdm(total=len(guesses), desc=f"pairs, {how}", disable=None, leave=False) as bar:
            for start in range(0, len(guesses), 256):
                part = guesses[start : start + 256].tolist()
                part = [guess for guess in part if not joined.connected(*guess[:2])]
                for (a, b, *_), result in zip(part, pool.map(lambda guess: test(*guess), part), strict=True):
                    if result.same:
                        joined.merge(a, b)
                    if result.agreement >= DOUBTFUL_AGREEMENT and result.overlap >= MIN_OVERLAP:
                        numbers = round(result.agreement, 4), round(result.overlap, 4), result.inliers
                        found.append([contents[a][0], contents[b][0], how, result.same, *numbers])
                bar.update(len(guesses[start : start + 256]))

    def turned(a: int, b: int, turn: int) -> Comparison:
        return Comparison(*agreement(sketch_of(a).square, sketch_of(b).square, _turn_matrix(TURNS[turn])))

    def altered(a: int, b: int) -> Comparison:
        return compare(sketch_of(a), sketch_of(b))

    follow_up(_hash_guesses(hashes), "turned", turned)
    photos = np.unique(_groups(joined), return_index=True)[1]
    parts = [photos[start : start + PART] for start in range(0, len(photos), PART)]
    indexes = [_feature_index(sketch_of, part, scratch / f"{number}.index") for number, part in enumerate(parts)]
    guesses = _feature_guesses(indexes, sketch_of, photos, _groups(joined), NEIGHBOURS)
    follow_up(guesses, "altered", altered)
    # Many files of one photo are each other's nearest neighbours and hide the rest: for these, ask for more.
    group = _groups(joined)
    in_group = pd.Series(photos).groupby(group[photos])
    sizes = in_group.transform("size").to_numpy()
    crowded = photos[(sizes > CROWD) & (in_group.cumcount() < CROWD)]
    if len(crowded):
        count = NEIGHBOURS + min(int(sizes.max()), 20 * NEIGHBOURS)
        follow_up(_feature_guesses(indexes, sketch_of, crowded, group, count), "altered", altered)
    return found


def _groups(joined: DisjointSet) -> np.ndarray:
    """Return the number of the group of each photo, int (n,)."""
    return np.array([joined[i] for i in joined])


# ---------------------------------------------------------------- how good is the audit?

HARDNESS = ("original", "exact", "dihedral", "augmented")


def score(found: Audit, truth: pd.DataFrame) -> pd.DataFrame:
    """Score the audit against what was planted, pair by pair.

    ``truth`` is the table of :func:`skinlib.simulate.write_sample`. A pair of files is of the kind of the harder copy
    in it. One row per kind and one for "all": pairs (that show one photo), found (of these), false (pairs joined that
    show two), recall and precision, NaN where there is nothing to count.
    """
    table = found.photos.merge(truth[["path", "source", "kind"]], on="path")
    hardness = table.kind.map(HARDNESS.index)

    def pairs(columns: list[str]) -> np.ndarray:
        """Count the pairs with equal ``columns`` by the harder copy in them: without a list of them, which is long."""
        sizes = [table[hardness <= limit].groupby(columns).size() for limit in range(len(HARDNESS))]
        counts = [int((size * (size - 1) // 2).sum()) for size in sizes]
        return np.array([*np.diff(counts), counts[-1]])

    same, joined, hits = (pairs(columns) for columns in (["source"], ["photo_id"], ["source", "photo_id"]))
    with np.errstate(invalid="ignore"):
        shares = {"recall": hits / same, "precision": hits / joined}
    numbers = {"pairs": same, "found": hits, "false": joined - hits, **shares}
    return pd.DataFrame(numbers, index=[*HARDNESS[1:], "all"])
