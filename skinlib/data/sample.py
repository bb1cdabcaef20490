"""The drawn sample: photos in the shape of the clinical set, with its faults planted and written down.

A folder with copies, leaks, wrong labels, a watermark and damaged files put in on purpose, and ``truth.csv``, which
tells where each of them is. Introduced in chapter 1, Data exploration.
"""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from skinlib.base.errors import InputError
from skinlib.base.files import written_whole
from skinlib.base.fingerprint import key_for
from skinlib.base.runner import cores
from skinlib.base.settings import Settings
from skinlib.data import brushes
from skinlib.data.conditions import CONDITIONS, KEYS, SPLIT_FOLDERS
from skinlib.data.drawings import ONE_SIZE, OTHERS, draw, draw_other

# The faults, at rates like those of the clinical set: its 1,159 files show about 400 photos, and about 200 of its
# 234 test files copy a training file. We leak a little less, so that enough clean test photos stay to compare with.
TEST_SHARE = 0.2
"""Share of each condition's files that lie in the test folder."""
ORIGINAL_SHARE = 0.48
"""Share of files that show a photo of their own; the others are copies of one of them."""
LEAKED_SHARE = 0.7
"""Share of test files that copy a training file."""
COPY_KINDS = {"exact": 0.2, "dihedral": 0.4, "augmented": 0.4}
"""How copies are made: same bytes; flips and quarter turns; any angle, zoom, reflected border, brightness."""
WATERMARKED, WATERMARK_RATE, WATERMARK_ELSEWHERE = "chickenpox", 0.85, 0.05
"""The condition whose photos mostly carry a watermark, how many of them do, and how many others."""
MISLABELLED_SHARE = 0.03
"""Share of files in the folder of another condition: half are originals, half are copies across folders."""
DAMAGED_SHARE = 0.01
"""Share of damaged files, counted within ``per_class``; at least one of each kind in ``DAMAGES``."""
DAMAGES = ("truncated", "empty", "text")
EXTENSIONS = {".jpg": 0.89, ".jpeg": 0.09, ".png": 0.02}
LYING_NAMES = 2
"""Files whose extension names another format than their bytes have."""
MIN_PER_CLASS = 5
TRUTH_COLUMNS = (
    "path", "label", "condition", "split", "source", "kind", "of", "transform", "tone", "watermark", "mislabelled",
    "damage", "format", "sha256", "mask",
)  # fmt: skip
"""Columns of ``truth.csv``: see :func:`write_sample`."""


def others(settings: Settings, n_per_kind: int) -> dict[str, list[np.ndarray]]:
    """Draw photos that are none of the eight: ``n_per_kind`` of each kind in ``OTHERS``, the six tones in turn.

    They belong to no data set and are drawn when asked; the same seed gives the same photos. They went through JPEG as
    the sample's did, or a model could tell them by what saving leaves.
    """
    photos: dict[str, list[np.ndarray]] = {}
    for place, kind in enumerate(OTHERS):
        photos[kind] = []
        for number in range(n_per_kind):
            rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(place, number)))
            photo = draw_other(kind, rng, brushes.TONES[number % len(brushes.TONES)])
            stored = np.frombuffer(encode(photo, "JPEG", rng), np.uint8)
            photos[kind].append(cv2.cvtColor(cv2.imdecode(stored, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
    return photos


def watermark(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a photo, uint8 (H, W, 3), with a half-transparent logo in a corner, as picture libraries print them."""
    height, width = photo.shape[:2]
    size = max(min(height, width) / 420, 0.34)
    layer = np.zeros((height, width), np.uint8)
    (wide, tall), _ = cv2.getTextSize("SkinSample", cv2.FONT_HERSHEY_DUPLEX, size, 1)
    x = int(rng.choice([0.04 * width, max(width - wide - 0.05 * width, 0)]))
    y = int(rng.choice([0.06 * height + tall, 0.95 * height]))
    cv2.putText(layer, "SkinSample", (x, y), cv2.FONT_HERSHEY_DUPLEX, size, 255, 1, cv2.LINE_AA)
    cv2.circle(layer, (x + wide // 2, y - 2 * tall), max(tall // 2, 3), 255, max(int(2 * size), 1), cv2.LINE_AA)
    alpha = layer[..., None] * (rng.uniform(0.55, 0.8) / 255)
    return (photo + (255.0 - photo) * alpha).astype(np.uint8)


def encode(photo: np.ndarray, format: str, rng: np.random.Generator) -> bytes:
    """Return an RGB photo as JPEG or PNG bytes."""
    options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(72, 94))] if format == "JPEG" else []
    return cv2.imencode(".jpg" if format == "JPEG" else ".png", photo[..., ::-1], options)[1].tobytes()


def dihedral(photo: np.ndarray, flip: bool, quarter_turns: int) -> np.ndarray:
    """Return a photo or mask mirrored left to right if ``flip``, then turned anticlockwise by quarter turns."""
    return np.ascontiguousarray(np.rot90(photo[:, ::-1] if flip else photo, quarter_turns))


def augmented(photo: np.ndarray, angle: float, zoom: float, flip: bool, brightness: float) -> np.ndarray:
    """Return a photo (H, W, 3) or mask (H, W), uint8, as augmentation tools make copies: same size as before.

    Mirrored if ``flip``, turned by ``angle`` degrees and magnified by ``zoom`` about its middle; what then lacks is
    filled with the reflection at the border. Photos are multiplied by ``brightness``; masks keep their values.
    """
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    mask = photo.ndim == 2
    photo = cv2.warpAffine(
        np.ascontiguousarray(photo[:, ::-1]) if flip else photo, matrix, (width, height),
        flags=cv2.INTER_NEAREST if mask else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    return photo if mask else np.clip(photo * brightness + 0.5, 0, 255).astype(np.uint8)


def _transform(kind: str, rng: np.random.Generator) -> dict:
    """Return random arguments for :func:`dihedral` or :func:`augmented`; nothing for other kinds."""
    if kind == "dihedral":
        flip, turns = divmod(int(rng.integers(1, 8)), 4)
        return {"flip": bool(flip), "quarter_turns": turns}
    if kind == "augmented":
        angle, zoom, brightness = rng.uniform(-180, 180), rng.uniform(0.85, 1.4), rng.uniform(0.7, 1.25)
        return {
            "angle": round(angle, 2), "zoom": round(zoom, 3), "flip": bool(rng.random() < 0.5),
            "brightness": round(brightness, 3),
        }  # fmt: skip
    return {}


def _about(number: float, rng: np.random.Generator) -> int:
    """Round up or down at random, so that the mean is ``number``."""
    return int(number + 1e-9 + rng.random() * (1 - 1e-6))


def _spread(rows: list[dict], rng: np.random.Generator) -> list[dict]:
    """Return the rows shuffled, taking folders in turn, so that the first few come from different folders."""
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    seen: dict[str, int] = {}
    for row in shuffled:
        seen[row["label"]] = row["turn"] = seen.get(row["label"], 0) + 1
    return sorted(shuffled, key=lambda row: row.pop("turn"))


def _plan(per_class: int, seed: int) -> list[dict]:
    """Decide every file of the sample before any is drawn. Returns rows of the truth table, without ``mask``."""
    rng = np.random.default_rng(seed)
    rows: list[dict] = []
    for label in KEYS:
        n_test = max(1, round(TEST_SHARE * per_class))
        clean = _about((1 - LEAKED_SHARE) * n_test, rng)
        known = max(_about(ORIGINAL_SHARE * per_class, rng) - clean, 2)
        taught = ["original"] * known + ["copy"] * (per_class - n_test - known)
        kinds = [("train", kind) for kind in rng.permutation(taught)]
        kinds += [("test", kind) for kind in rng.permutation(["original"] * clean + ["copy"] * (n_test - clean))]
        tones = np.resize(rng.permutation(brushes.TONES), per_class)
        for number, ((split, kind), tone) in enumerate(zip(kinds, tones, strict=True), start=1):
            rows.append(
                {"path": f"{SPLIT_FOLDERS[split]}/{CONDITIONS[label].folder}/{label}-{number:03d}", "label": label,
                 "condition": label, "split": split, "source": "", "kind": str(kind), "of": "", "transform": "",
                 "tone": int(tone), "watermark": False, "mislabelled": False, "damage": "", "format": "JPEG"}
            )  # fmt: skip

    # Damaged files take the place of copies, so that no copy lacks its original. Every fourth lies in the test set.
    waiting = {
        split: _spread([r for r in rows if (r["split"], r["kind"]) == (split, "copy")], rng) for split in SPLIT_FOLDERS
    }
    for i in range(max(len(DAMAGES), round(DAMAGED_SHARE * len(rows)))):
        split = "test" if i % 4 == 3 and waiting["test"] else "train"
        row = waiting[split].pop(0)
        row.update(kind="original", damage=DAMAGES[i % len(DAMAGES)])
        row["format"] = "JPEG" if row["damage"] == "truncated" else ""

    # The folder of the one-size condition receives no strays: all its files keep that size.
    n_wrong = max(2, round(MISLABELLED_SHARE * len(rows)))
    originals = [row for row in rows if row["kind"] == "original" and not row["damage"]]
    spare = [b for a, b in pairwise(originals) if a["label"] == b["label"] != ONE_SIZE]
    for row in _spread(spare, rng)[: n_wrong // 2]:
        row["condition"] = str(rng.choice([key for key in KEYS if key != row["label"]]))
    donors: dict[str, list[dict]] = {key: [] for key in KEYS}
    for number, row in enumerate(originals + [row for row in rows if row["damage"]]):
        row["source"] = f"s{number:04d}"
        rate = WATERMARK_RATE if row["condition"] == WATERMARKED else WATERMARK_ELSEWHERE
        row["watermark"] = bool(rng.random() < rate) and row["damage"] in ("", "truncated")
        if row["split"] == "train" and row["condition"] == row["label"] and not row["damage"]:
            donors[row["label"]].append(row)

    copies = _spread(waiting["train"] + waiting["test"], rng)
    strays = [row["path"] for row in copies if row["label"] != ONE_SIZE][: n_wrong - n_wrong // 2]
    for row in copies:
        key = row["label"]
        if row["path"] in strays:
            key = str(rng.choice([other for other in KEYS if other != key]))
        original = donors[key][rng.integers(len(donors[key]))]
        row["kind"] = str(rng.choice(list(COPY_KINDS), p=list(COPY_KINDS.values())))
        row["transform"] = json.dumps(_transform(row["kind"], rng))
        row["of"] = original["path"]
        row.update({name: original[name] for name in ("condition", "source", "tone", "watermark")})

    # Names come last: exact copies keep the format of their original.
    names: dict[str, Path] = {}
    changed = [row["path"] for row in copies if row["kind"] in ("dihedral", "augmented")][:LYING_NAMES]
    for row in originals + [row for row in rows if row["damage"]] + copies:
        row["mislabelled"] = row["condition"] != row["label"]
        extension = str(rng.choice(list(EXTENSIONS), p=list(EXTENSIONS.values())))
        if row["kind"] == "exact":
            extension = names[row["of"]].suffix
        elif not row["damage"]:
            row["format"] = "PNG" if (extension == ".png") != (row["path"] in changed) else "JPEG"
        elif extension == ".png":
            extension = ".jpg"
        names[row["path"]] = Path(row["path"] + extension)
    for row in rows:
        row["path"] = names[row["path"]].as_posix()
        row["of"] = names[row["of"]].as_posix() if row["of"] else ""
    formats = {row["path"]: row["format"] for row in rows}
    for row in rows:
        row["format"] = formats[row["of"]] if row["kind"] == "exact" else row["format"]
    return rows


def _make_original(row: dict, rng: np.random.Generator) -> tuple[bytes, np.ndarray]:
    """Draw the photo of a row. Returns the bytes of its file, damaged if so planned, and its mask."""
    photo, mask = draw(row["condition"], rng, row["tone"])
    if row["watermark"]:
        photo = watermark(photo, rng)
    if row["damage"] == "text":
        return b"<html><head><title>404 Not Found</title></head><body>No such picture.</body></html>\n", mask
    data = encode(photo, row["format"] or "JPEG", rng)
    keep = {"": 1.0, "truncated": rng.uniform(0.2, 0.6), "empty": 0.0}[row["damage"]]
    return data[: int(len(data) * keep)], mask


def _make_copy(row: dict, original: tuple[bytes, np.ndarray], rng: np.random.Generator) -> tuple[bytes, np.ndarray]:
    """Copy a photo and its mask as planned in the row. The copy starts from the original's file, as real ones do."""
    data, mask = original
    if row["kind"] == "exact":
        return data, mask
    change: Callable[..., np.ndarray] = dihedral if row["kind"] == "dihedral" else augmented
    photo = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    arguments = json.loads(row["transform"])
    return encode(change(photo, **arguments), row["format"], rng), change(mask, **arguments)


def draw_sample(folder: Path, per_class: int, seed: int) -> pd.DataFrame:
    """Draw all files of the sample into ``folder``. Returns the truth table; see :func:`write_sample`."""
    rows = _plan(per_class, seed)
    done: dict[str, tuple[bytes, np.ndarray]] = {}

    def make(job: tuple[int, dict]) -> None:
        # Each file has its own generator, so that the order in which threads come to it does not matter.
        index, row = job
        rng = np.random.default_rng(np.random.SeedSequence([seed, index + 1]))
        made = _make_copy(row, done[row["of"]], rng) if row["of"] else _make_original(row, rng)
        if row["kind"] == "original":
            done[row["path"]] = made
        path = folder / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made[0])
        row["sha256"] = hashlib.sha256(made[0]).hexdigest()
        row["mask"] = ""
        if not row["damage"]:
            row["mask"] = (Path("masks") / row["path"]).with_suffix(".png").as_posix()
            (folder / row["mask"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / row["mask"]).write_bytes(cv2.imencode(".png", made[1])[1].tobytes())

    jobs = list(enumerate(rows))
    bar = tqdm(total=len(jobs), desc="drawing photos", unit="photo", disable=None)
    with bar, ThreadPoolExecutor(cores()) as pool:
        for copies in (False, True):
            for _ in pool.map(make, [job for job in jobs if bool(job[1]["of"]) == copies]):
                bar.update()
    truth = pd.DataFrame(rows)[list(TRUTH_COLUMNS)]
    truth.to_csv(folder / "truth.csv", index=False)
    return truth


def write_sample(out: Path, per_class: int = 50, seed: int = 0) -> pd.DataFrame:
    """Draw the sample into the folder ``out``: ``per_class`` files per condition, four fifths of them for training.

    Damaged files count within ``per_class``. Returns the truth table, which is also written to ``out/truth.csv``:
    one row per file with ``path`` (relative, POSIX), ``label`` (key of the folder it lies in), ``condition`` (true
    key), ``split`` (train or test), ``source`` (id of the photo it shows, shared by all its copies), ``kind``
    (original, exact, dihedral or augmented), ``of`` (path of the original, for copies), ``transform`` (arguments
    of :func:`dihedral` or :func:`augmented`, as JSON), ``tone`` (Monk 1..10), ``watermark``, ``mislabelled``,
    ``damage`` (empty text, truncated, empty or text), ``format`` and ``sha256`` (of the bytes) and ``mask`` (relative
    path; none for damaged files). The same seed gives the same bytes. Nothing is left behind when it is interrupted.

    Raises InputError when ``per_class`` is below ``MIN_PER_CLASS`` or ``out`` is a file or a folder with files in it.
    """
    out = Path(out)
    if per_class < MIN_PER_CLASS:
        raise InputError(f"{per_class} photos per condition are too few: ask for {MIN_PER_CLASS} or more")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} already exists and is not an empty folder: delete it or name another")
    with written_whole(out) as draft:
        return draw_sample(draft, per_class, seed)


def sample_folder(settings: Settings) -> Path:
    """Return the folder of the sample of these settings; draw it first if need be."""
    key = key_for("skinlib.data.sample", settings.per_class, settings.seed)
    return settings.store.folder("samples", key, lambda draft: draw_sample(draft, settings.per_class, settings.seed))
