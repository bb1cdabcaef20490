"""Two other ways to find the files that show one photo, each run on a folder in a process of its own.

    python benchmarks/peers.py all-pairs DATA
    python benchmarks/peers.py imagededup DATA

*all-pairs* is our own test without our indexes. Every pair of perceptual hashes is compared under the eight turns, and
then every pair of photos by their features (``skinlib.audit.compare.compare``). Where they are more than MOST_PAIRS,
the features of SOME photos and MOST_PAIRS pairs of them, drawn by chance, are timed; ``seconds`` is then reckoned from
these, and ``extrapolated`` says so. The hashes are always compared in full.

*imagededup* (github.com/idealo/imagededup) is its PHash at its own settings. It would bring PyTorch, for another method
of it. Without its dependencies it is small, and in a folder of its own it disturbs nothing:

    pip install --no-deps --target peers imagededup PyWavelets
    PYTHONPATH=peers python benchmarks/audit.py

Pairs are scored as they are named, not joined to groups. ``peak_megabytes`` is that of the largest process.
``benchmarks/audit.py`` runs both beside the audit.
"""

import argparse
import functools
import importlib.util
import itertools
import json
import logging
import multiprocessing
import sys
import tempfile
import types
from pathlib import Path

import cv2
import numpy as np
from processes import peak_megabytes, used
from threadpoolctl import threadpool_limits

from skinlib.audit import compare, guess, sketch
from skinlib.base import runner
from skinlib.base.settings import load_settings
from skinlib.data import reading
from skinlib.data.dataset import DataSet
from skinlib.data.opening import open_data

MOST_PAIRS = 33_000
"""Pairs of photos compared by their features, at most."""
SOME = 256
"""Photos whose features are found where there are more pairs than that."""


def score(pairs: set[tuple[str, str]], data: DataSet) -> list[float] | None:
    """Return (precision, recall) of pairs of paths, None where nobody knows the truth. 0.0 where none is named."""
    if data.truth is None:
        return None
    source = data.truth.set_index("path").source[data.photos.path]
    sizes = source.value_counts()
    hits, true = sum(source[a] == source[b] for a, b in pairs), int((sizes * (sizes - 1) // 2).sum())
    return [round(hits / max(len(pairs), 1), 4), round(hits / max(true, 1), 4)]


# ---------------------------------------------------------------- all pairs


def _hashes(root: Path, path: str) -> np.ndarray:
    """Return a photo's hashes under the eight turns, uint8 (8, 8)."""
    grey = cv2.cvtColor(reading.read(root / path), cv2.COLOR_RGB2GRAY)
    return sketch.perceptual_hashes(cv2.resize(grey, (sketch.SQUARE, sketch.SQUARE), interpolation=cv2.INTER_AREA))


def near_hashes(hashes: np.ndarray) -> list[tuple[int, int]]:
    """Compare each with each, (n, 8, 8); return the pairs that differ in NEAR_HASH bits or fewer under some turn."""
    bits = np.ascontiguousarray(hashes).view(np.uint64)[..., 0]
    pairs = []
    for i in range(len(bits)):
        apart = np.bitwise_count(bits[i + 1 :] ^ bits[i, 0]).min(axis=1, initial=64)
        pairs += [(i, i + 1 + j) for j in np.flatnonzero(apart <= guess.NEAR_HASH).tolist()]
    return pairs


def _each(function, items) -> list:
    """Call a function with the arguments that each item holds, on all cores."""
    return list(runner.threads(lambda: lambda item: function(*item), items))


def all_pairs(data: DataSet) -> dict:
    """Find copies by comparing everything with everything; return times and scores."""
    cv2.setNumThreads(1)
    paths, count = data.photos.path.tolist(), len(data.photos)
    n_pairs = count * (count - 1) // 2
    started, cpu = used()
    near = near_hashes(np.stack(_each(functools.partial(_hashes, data.root), [(path,) for path in paths])))
    hashed, hashed_cpu = used()

    extrapolated = n_pairs > MOST_PAIRS
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(count, SOME, replace=False)) if extrapolated else np.arange(count)
    sketches = _each(lambda i: sketch.sketch(data.read(paths[i])), [(i,) for i in chosen])
    sketched, sketched_cpu = used()
    pairs = list(itertools.combinations(range(len(chosen)), 2))
    if len(pairs) > MOST_PAIRS:
        pairs = [pairs[i] for i in rng.choice(len(pairs), MOST_PAIRS, replace=False)]
    with threadpool_limits(1):
        compared = _each(lambda a, b: compare.compare(sketches[a], sketches[b]).same, pairs)
    ended, ended_cpu = used()

    more_photos, more_pairs = count / len(chosen), n_pairs / len(pairs)
    alike = {(paths[chosen[a]], paths[chosen[b]]) for (a, b), same in zip(pairs, compared, strict=True) if same}
    by_hash = {(paths[a], paths[b]) for a, b in near}
    return {
        "pairs": n_pairs,
        "hash_seconds": round(hashed - started, 2),
        "hash_precision_recall": score(by_hash, data),
        "extrapolated": extrapolated,
        "microseconds_a_pair": round(1e6 * (ended - sketched) / len(pairs), 1),
        "seconds": round(hashed - started + more_photos * (sketched - hashed) + more_pairs * (ended - sketched), 2),
        "processor_seconds": round(
            hashed_cpu - cpu + more_photos * (sketched_cpu - hashed_cpu) + more_pairs * (ended_cpu - sketched_cpu), 2
        ),
        "precision_recall": None if extrapolated else score(by_hash | alike, data),
    }


# ---------------------------------------------------------------- imagededup


def why_no_imagededup() -> str | None:
    """Return why imagededup can't be run here, None where it can."""
    missing = [name for name in ("imagededup", "pywt", "sklearn") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed: benchmarks/peers.py says how"
    if "fork" not in multiprocessing.get_all_start_methods():
        return "its processes can't be started on this system without PyTorch"
    return None


def phash():
    """Return imagededup's PHash, whether or not PyTorch is there.

    ``imagededup.methods`` and ``imagededup.utils`` import everything, neural networks as well. Empty packages in their
    place, with the same folders, let the one module that we need be imported alone.
    """
    folder = Path(importlib.util.find_spec("imagededup").submodule_search_locations[0])
    for name in ("methods", "utils"):
        package = types.ModuleType(f"imagededup.{name}")
        package.__path__ = [str(folder / name)]
        sys.modules[package.__name__] = package
    from imagededup.methods.hashing import PHash

    logging.disable()  # It names every damaged file.
    return PHash(verbose=False)


def imagededup(data: DataSet) -> dict:
    """Find copies by imagededup's PHash on all cores, at the distance it takes by default; return times and scores."""
    multiprocessing.set_start_method("fork", force=True)  # so that the packages above are known in its processes
    hasher, listed, found = phash(), set(data.photos.path), {}
    started, cpu = used()
    for split in ("train_set", "test_set"):
        hashes = hasher.encode_images(data.root / split, recursive=True, num_enc_workers=runner.cores())
        found |= {f"{split}/{Path(name).as_posix()}": value for name, value in hashes.items()}
    found = {path: value for path, value in found.items() if path in listed}
    near = hasher.find_duplicates(encoding_map=found, num_enc_workers=0, num_dist_workers=runner.cores())
    ended, ended_cpu = used()
    pairs = {tuple(sorted((path, other))) for path, others in near.items() for other in others}
    return {
        "seconds": round(ended - started, 2),
        "processor_seconds": round(ended_cpu - cpu, 2),
        "precision_recall": score(pairs, data),
    }


def main(argv: list[str] | None = None) -> None:
    """Run one of the two on a folder; print what came out, as JSON."""
    ways = {"all-pairs": all_pairs, "imagededup": imagededup}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=ways)
    parser.add_argument("data", metavar="DATA")
    options = parser.parse_args(argv)
    if options.way == "imagededup" and (reason := why_no_imagededup()):
        print(json.dumps({"skipped": reason}))
        return
    with tempfile.TemporaryDirectory() as cache:
        data = open_data(load_settings(data=options.data, cache=Path(cache)))
        result = {"files": len(data.photos) + len(data.damaged)} | ways[options.way](data)
    print(json.dumps(result | {"peak_megabytes": peak_megabytes()}))


if __name__ == "__main__":
    main()
