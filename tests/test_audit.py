"""The audit: each kind of copy is found, a shared logo is not taken for one, and the planted truth agrees."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from skinlib.audit import compare, copies, guess, shelf, sketch
from skinlib.audit.copies import audit, identified
from skinlib.base import runner
from skinlib.base.runner import threads
from skinlib.base.settings import load_settings
from skinlib.base.store import Store
from skinlib.data import drawings
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.data.opening import open_data

FOLDERS = [condition.folder for condition in CONDITIONS]


@pytest.fixture(scope="module")
def drawn():
    """Return one photo of each condition on a middle tone, uint8 (H, W, 3)."""
    return {key: drawings.draw(key, np.random.default_rng(11 + i), 6)[0] for i, key in enumerate(KEYS)}


def compressed(photo, quality=80):
    return cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def logo(photo, text="(c) 2009 Skin Photo Library"):
    """Write the same crisp words into the photo's lower left corner."""
    photo = photo.copy()
    cv2.putText(photo, text, (8, photo.shape[0] - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 2, cv2.LINE_AA)
    return photo


def turned_freely(photo, angle, zoom, border):
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, zoom)
    return cv2.warpAffine(photo, turn, (width, height), borderMode=border)


COPIES = {
    "mirrored": lambda photo: photo[:, ::-1],
    "upside down": lambda photo: photo[::-1],
    "quarter turn": lambda photo: np.rot90(photo),
    "transposed": lambda photo: photo.transpose(1, 0, 2),
    "small": lambda photo: cv2.resize(photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "squeezed to a square": lambda photo: cv2.resize(photo, (224, 224), interpolation=cv2.INTER_AREA),
    "turned by 37 degrees": lambda photo: turned_freely(photo, 37, 1, cv2.BORDER_REFLECT),
    "mirrored, turned, magnified": lambda photo: turned_freely(photo[:, ::-1].copy(), 200, 1.4, cv2.BORDER_REFLECT),
    "shrunk with a black border": lambda photo: turned_freely(photo, 0, 0.8, cv2.BORDER_CONSTANT),
    "cropped": lambda photo: photo[photo.shape[0] // 4 :, : photo.shape[1] * 3 // 4],
    "brighter": lambda photo: np.clip(photo * 1.25, 0, 255).astype(np.uint8),
    "darker": lambda photo: (photo * 0.7).astype(np.uint8),
    "in a white frame": lambda photo: cv2.copyMakeBorder(photo, 30, 30, 20, 60, cv2.BORDER_CONSTANT, value=[255] * 3),
    "with a logo": logo,
}


def folder_of(files, root):
    """Write photos, RGB uint8 by relative path, or raw bytes; return the data set."""
    for path, photo in files.items():
        path = root / "data" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(photo, bytes):
            path.write_bytes(photo)
        else:
            cv2.imwrite(str(path), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    return open_data(load_settings(data=str(root / "data"), cache=root / "cache"))


def find(photos_by_name, root):
    """Put photos into a data set of their own; return the audit's groups, as sets of names."""
    files = {f"train_set/{FOLDERS[0]}/{name}.jpg": photo for name, photo in photos_by_name.items()}
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    found = audit(folder_of(files | {f"test_set/{FOLDERS[1]}/unrelated.jpg": noise}, root))
    return [{path.split("/")[-1].removesuffix(".jpg") for path in group} for group in found.groups]


@pytest.mark.parametrize("how", COPIES)
def test_each_kind_of_copy_is_found_for_each_condition(how, drawn):
    missed = []
    for key, photo in drawn.items():
        copy = np.ascontiguousarray(COPIES[how](photo))
        if not compare.compare(sketch.sketch(photo), sketch.sketch(compressed(copy))).same:
            missed.append(key)
    assert not missed


def test_photos_that_are_no_copies_are_kept_apart(drawn):
    sketches = [sketch.sketch(photo) for photo in drawn.values()]
    assert not any(compare.compare(a, b).same for i, a in enumerate(sketches) for b in sketches[i + 1 :])


def test_a_logo_alone_ties_nothing(drawn, tmp_path):
    """The same words at the same place give features that lie on one map; the photos beneath don't agree."""
    same_size = {key: cv2.resize(photo, (320, 240)) for key, photo in drawn.items()}
    marked = {key: logo(photo) for key, photo in same_size.items()}
    compared = compare.compare(*[sketch.sketch(marked[key]) for key in ("ringworm", "cellulitis")])
    assert compared.inliers >= compare.MIN_INLIERS, "the test is no test if the logo has no features in common"
    assert not compared.same
    assert find(marked, tmp_path) == []


def test_copies_under_a_shared_logo_are_found(drawn, tmp_path):
    same_size = {key: cv2.resize(photo, (320, 240)) for key, photo in drawn.items()}
    files = {key: logo(photo) for key, photo in same_size.items()}
    files |= {
        f"{key} turned": logo(turned_freely(photo, 160, 1.2, cv2.BORDER_REFLECT)) for key, photo in same_size.items()
    }
    assert sorted(map(sorted, find(files, tmp_path))) == sorted([key, f"{key} turned"] for key in KEYS)


@pytest.mark.long
def test_two_photos_of_one_condition_are_kept_apart(tmp_path):
    files = {
        f"{key} {number}": drawings.draw(key, np.random.default_rng([number, i]), 4)[0]
        for i, key in enumerate(KEYS)
        for number in range(3)
    }
    assert find(files, tmp_path) == []


def test_a_logo_on_blank_photos_ties_nothing(tmp_path):
    """Nothing but the logo can be compared here, and it agrees with itself wherever it is."""
    rise = np.linspace(0, 40, 320)[None, :, None]
    files = {
        "plain": np.full((240, 320, 3), 150.0),
        "brighter on the right": 120 + rise + np.zeros((240, 320, 3)),
        "brighter on the left": 180 - rise + np.zeros((240, 320, 3)),
    }
    files = {name: logo(logo(photo.astype(np.uint8))[::-1])[::-1] for name, photo in files.items()}
    sketches = [sketch.sketch(photo) for photo in files.values()]
    cosine = sketches[0].descriptors.astype(int) @ sketches[1].descriptors.T
    assert (cosine.max(axis=1) > 0.99 * 127**2).sum() >= compare.MIN_INLIERS, "the logos have no features in common"
    assert find(files, tmp_path) == []


def test_flat_photos_are_told_apart_by_nothing_and_joined_by_nothing(tmp_path):
    files = {f"grey {level}": np.full((100, 140, 3), level, np.uint8) for level in (90, 120, 200)}
    assert find(files, tmp_path) == []


def test_photos_of_odd_sizes_are_no_trouble(tmp_path):
    rng = np.random.default_rng(4)
    sizes = [(1, 1), (1, 300), (400, 2), (3, 5), (16, 16)]
    files = {f"{h} by {w}": rng.integers(0, 255, (h, w, 3), np.uint8) for h, w in sizes}
    assert find(files, tmp_path) == []


@pytest.mark.long
def test_many_near_copies_do_not_hide_another(drawn, tmp_path):
    """Twenty files that differ by compression, and twenty of the same photo turned and magnified: one group each.

    Each file's nearest neighbours are all of its own twenty.
    """
    assert guess.NEAREST < 20
    files = {}
    for key in ("impetigo", "shingles"):
        turned = turned_freely(drawn[key], 70, 1.3, cv2.BORDER_REFLECT)
        for quality in range(70, 90):
            files[f"{key} {quality}"] = compressed(drawn[key], quality)
            files[f"{key} turned {quality}"] = compressed(turned, quality)
    assert sorted(map(len, find(files, tmp_path))) == [40, 40]


def test_copies_whose_strongest_features_are_a_logo_are_found(drawn, tmp_path):
    """Bold words over one third of a photo have stronger features than all the rest of it."""
    files = {}
    for key in ("cellulitis", "ringworm"):
        files[key] = cv2.resize(drawn[key], (320, 240))
        files[f"{key} with words"] = files[key].copy()
        for line in range(5):
            place = (4, 20 + 18 * line)
            cv2.putText(
                files[f"{key} with words"], "COPYRIGHT No. 1234567", place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255,) * 3, 2
            )
    assert sorted(map(sorted, find(files, tmp_path))) == [
        ["cellulitis", "cellulitis with words"],
        ["ringworm", "ringworm with words"],
    ]


def test_leaks_conflicts_and_damaged_files_are_counted_by_hand(drawn, tmp_path):
    """Photo a in both splits, b under two labels within training, c in the test set twice, d alone, four bad files."""
    first, second = FOLDERS[0], FOLDERS[1]
    a, b, c, d = (drawn[key] for key in ("impetigo", "ringworm", "shingles", "cellulitis"))
    whole = cv2.imencode(".jpg", d)[1].tobytes()
    files = {
        f"train_set/{first}/a.jpg": a,
        f"test_set/{first}/a.jpg": np.ascontiguousarray(a[:, ::-1]),
        f"train_set/{first}/b.jpg": b,
        f"train_set/{second}/b.jpg": turned_freely(b, 40, 1.1, cv2.BORDER_REFLECT),
        f"test_set/{first}/c.jpg": c,
        f"test_set/{first}/c again.png": c,
        f"test_set/{second}/d.jpg": d,
        f"train_set/{first}/empty.jpg": b"",
        f"train_set/{first}/page.jpg": b"<html>404</html>",
        f"train_set/{first}/cut.jpg": whole[: len(whole) // 3],
        f"train_set/{first}/.hidden.jpg": b"",
        "train_set/stray.jpg": b"not a photo by its place",
        "train_set/notes.txt": b"nor one by its name",
    }
    data = folder_of(files, tmp_path)
    report = audit(data).report()
    assert report["n_files"] == 10 and report["n_photos"] == 4
    assert report["groups"] == [
        [f"test_set/{first}/a.jpg", f"train_set/{first}/a.jpg"],
        [f"test_set/{first}/c again.png", f"test_set/{first}/c.jpg"],
        [f"train_set/{first}/b.jpg", f"train_set/{second}/b.jpg"],
    ]
    assert report["conflicts"] == [[f"train_set/{first}/b.jpg", f"train_set/{second}/b.jpg"]]
    assert report["leaks"] == {"test_files": 1, "of": 4, "paths": [f"test_set/{first}/a.jpg"]}
    assert {row["path"].split("/")[-1]: row["reason"] for row in report["damaged"]} == {
        "cut.jpg": "truncated or damaged",
        "empty.jpg": "empty file",
        "page.jpg": "a web page (HTML), no photo",
    }
    left_out = {path.split("/")[-1] for path in data.left_out.path}
    assert left_out == {"cut.jpg", "empty.jpg", "page.jpg", "stray.jpg", ".hidden.jpg"}


def test_photos_of_three_splits_and_of_none(pets, plain_pets):
    """Test photos may leak from training and from validation photos; without test photos nothing leaks."""
    folder = pets.photos.set_index("path").split
    found = audit(pets)
    assert set(folder[found.leaked]) == {"test"}
    assert found.report()["leaks"]["of"] == 6 and found.leaked.sum() == 2
    assert {tuple(sorted({folder[path] for path in paths})) for paths in found.groups} == {
        ("train",), ("train", "validation"), ("test", "train"),
    }  # fmt: skip
    assert audit(plain_pets).report()["leaks"] == {"test_files": 0, "of": 0, "paths": []}


def test_one_photo_alone_can_be_audited(drawn, tmp_path):
    found = audit(folder_of({"cat/a.jpg": drawn["ringworm"]}, tmp_path))
    assert found.groups == [] and found.photos.photo_id.tolist() == [found.photos.sha256[0][:16]]


def test_features_of_all_regions_come_before_the_rest_of_one():
    positions = np.array([[0.1, 0.1], [0.12, 0.1], [0.14, 0.1], [0.9, 0.1], [0.1, 0.9]])
    order = sketch._spread_out(positions, np.array([9.0, 8.0, 7.0, 1.0, 2.0]))
    assert order.tolist() == [0, 4, 3, 1, 2]
    assert sketch._spread_out(np.zeros((0, 2)), np.zeros(0)).tolist() == []


def test_hashes_of_a_turned_photo_are_the_turned_hashes(drawn):
    """One cosine transform gives all eight: the same bits as hashing each turned photo anew."""
    square = sketch.sketch(drawn["ringworm"]).square
    hashes = sketch.perceptual_hashes(square)
    assert len(set(map(bytes, hashes))) == 8
    for turn, expected in zip(sketch.TURNS, hashes, strict=True):
        matrix = sketch.turn_matrix(turn)
        anew = cv2.warpAffine(square, matrix, square.shape[::-1], flags=cv2.INTER_NEAREST)
        assert np.unpackbits(sketch.perceptual_hashes(anew)[0] ^ expected).sum() <= 1


def test_a_mirrored_descriptor_is_a_permuted_one(drawn):
    """Features of the mirrored photo match those of the photo itself after both are brought to the standard side."""
    photo = drawn["impetigo"]
    a, b = sketch.sketch(photo), sketch.sketch(np.ascontiguousarray(photo[:, ::-1]))
    of_a, of_b = compare._matches(a, b)
    assert len(of_a) > 0.8 * len(a.positions)
    assert (a.mirrored[of_a] != b.mirrored[of_b]).mean() > 0.95
    places = a.positions[of_a] * [-1, 1] + [sketch.SQUARE - 1, 0]
    assert np.median(np.abs(places - b.positions[of_b])) < 0.5


def test_agreement_is_one_for_a_photo_with_itself_and_needs_something_to_see(drawn):
    square = sketch.sketch(drawn["shingles"]).square
    assert compare.agreement(square, square, np.eye(2, 3)) == (pytest.approx(1, abs=1e-6), 1.0)
    assert compare.agreement(square, np.full_like(square, 128), np.eye(2, 3))[0] == 0


@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.long
def test_the_audit_finds_what_was_planted(seed, sample_settings):
    data = open_data(replace(sample_settings, seed=seed))
    table = copies.score(audit(data), data.truth)
    assert (table.pairs > 0).all(), "a kind of copy was not planted at all"
    assert (table.recall >= 0.97).all() and (table.precision >= 0.99).all(), table


def test_score_counts_pairs_by_hand(sample):
    """Three files of photo s1 (original, exact, turned) and two originals; the audit missed one and invented one."""
    truth = pd.DataFrame(
        {"path": list("abcde"), "source": ["s1", "s1", "s1", "s2", "s3"],
         "kind": ["original", "exact", "dihedral", "original", "original"]}
    )  # fmt: skip
    catalogue = pd.DataFrame({"path": list("abcde"), "photo_id": ["p", "p", "q", "q", "r"]})
    found = replace(audit(sample), photos=catalogue)
    table = copies.score(found, truth)
    assert table.loc["exact", ["pairs", "found", "false"]].tolist() == [1, 1, 0]
    assert table.loc["dihedral", ["pairs", "found", "false"]].tolist() == [2, 0, 1]
    assert table.loc["all", ["pairs", "found", "false"]].tolist() == [3, 1, 1]
    assert table.loc["all", "recall"] == pytest.approx(1 / 3) and table.loc["all", "precision"] == 0.5


def test_the_report_is_consistent_and_counts_what_the_truth_counts(sample):
    found = audit(sample)
    report, truth = found.report(), sample.truth
    whole = truth[truth.damage == ""]
    assert list(report) == ["n_files", "n_photos", "groups", "damaged", "left_out", "conflicts", "leaks", "seconds"]
    assert report["n_files"] == len(truth)
    assert report["n_photos"] == whole.source.nunique()
    assert {row["path"] for row in report["damaged"]} == set(truth.path[truth.damage != ""])
    planted = whole.groupby("source").path.agg(lambda paths: frozenset(paths) if len(paths) > 1 else None).dropna()
    assert set(map(frozenset, report["groups"])) == set(planted)
    two_labels = whole.groupby("source").filter(lambda rows: rows.label.nunique() > 1).groupby("source").path
    assert set(map(frozenset, report["conflicts"])) == {frozenset(paths) for _, paths in two_labels}
    trained = set(whole.source[whole.split == "train"])
    leaked = whole[(whole.split == "test") & whole.source.isin(trained)].path
    assert set(report["leaks"]["paths"]) == set(leaked) and report["leaks"]["test_files"] == len(leaked)
    assert report["leaks"]["of"] == (whole.split == "test").sum()
    json.dumps(report, allow_nan=False)


def test_photo_ids_are_the_least_digest_of_the_group(sample):
    table = identified(sample).photos
    least = table.groupby("photo_id").sha256.min().str[:16]
    assert (least.index == least).all()
    assert table.drop(columns="photo_id").equals(sample.photos)


@pytest.mark.long
def test_the_audit_is_kept_and_made_anew_with_the_same_result(sample, tmp_path):
    found = audit(sample)
    elsewhere = replace(sample, store=Store(tmp_path))
    again = audit(elsewhere)
    assert again.photos.equals(found.photos) and again.pairs.equals(found.pairs)
    (kept,) = (path for path in (tmp_path / "audits").rglob("*") if path.is_file())
    kept.write_text('[["half a')  # a file that was damaged is no answer
    assert audit(elsewhere).photos.equals(found.photos)
    kept_again = audit(elsewhere)
    assert kept_again.pairs.equals(found.pairs) and kept_again.seconds < 0.5


@pytest.mark.long
def test_a_result_that_cannot_be_kept_is_a_result(sample, tmp_path):
    (tmp_path / "file").write_text("in the way of a folder")
    assert audit(replace(sample, store=Store(tmp_path / "file"))).pairs.equals(audit(sample).pairs)


@pytest.mark.long
def test_the_result_does_not_depend_on_the_number_of_threads(sample, tmp_path, monkeypatch):
    found = copies._copies(sample, threads)
    for module in (copies, runner):
        monkeypatch.setattr(module, "cores", lambda: 1)
    search = guess.Index.search
    monkeypatch.setattr(guess.Index, "search", lambda *arguments: search(*arguments, threads=1))
    assert copies._copies(replace(sample, store=Store(tmp_path)), threads) == found


@pytest.mark.long
def test_the_result_does_not_depend_on_the_runner(sample, tmp_path):
    """The worker goes to another process as bytes; here it comes back from them."""

    def one_by_one(make, items):
        return map(pickle.loads(pickle.dumps(make))(), items)

    assert copies._copies(replace(sample, store=Store(tmp_path)), one_by_one) == copies._copies(sample, threads)


@pytest.mark.long
def test_many_small_indexes_find_what_one_finds(sample, tmp_path, monkeypatch):
    found, made = audit(sample), []
    index = guess.feature_index
    monkeypatch.setattr(copies, "feature_index", lambda *arguments: made.append(1) or index(*arguments))
    monkeypatch.setattr(copies, "PART", 7)
    in_parts = audit(replace(sample, store=Store(tmp_path)))
    assert len(made) > 5
    assert in_parts.photos.equals(found.photos)
    columns = ["path", "other", "how"]
    assert set(map(tuple, in_parts.pairs[columns].values)) == set(map(tuple, found.pairs[columns].values))


@pytest.fixture
def sketched(monkeypatch):
    """Return a list that grows by one with each sketch made."""
    made, ours = [], sketch.sketch
    monkeypatch.setattr(shelf, "sketch", lambda photo: made.append(photo.shape) or ours(photo))
    return made


def test_photos_that_come_later_are_the_only_ones_sketched(drawn, tmp_path, sketched):
    folder = f"test_set/{FOLDERS[0]}"
    files = {f"{folder}/{key}.jpg": drawn[key] for key in KEYS[:3]}
    files |= {f"train_set/{FOLDERS[1]}/other.jpg": drawn[KEYS[3]]}
    audit(folder_of(files, tmp_path))
    assert len(sketched) == 4
    found = audit(folder_of({f"{folder}/again.jpg": drawn[KEYS[0]][::-1]}, tmp_path))
    assert len(sketched) == 5
    assert found.groups == [[f"{folder}/again.jpg", f"{folder}/{KEYS[0]}.jpg"]]


@pytest.mark.long
def test_no_photo_is_sketched_twice_even_where_nothing_can_be_kept(sample, tmp_path, sketched):
    (tmp_path / "file").write_text("in the way of a folder")
    audit(replace(sample, store=Store(tmp_path / "file")))
    assert len(sketched) == sample.photos.sha256.nunique()


@pytest.mark.long
def test_nothing_but_sketches_stays_on_the_shelf(sample, tmp_path):
    copies._copies(replace(sample, store=Store(tmp_path)), threads)
    assert [folder.name for folder in tmp_path.iterdir()] == ["sketches"]
    (sketches,) = (tmp_path / "sketches").iterdir()
    assert {file.name for file in sketches.rglob("*") if file.is_file()} == set(sample.photos.sha256)
    assert all(len(folder.name) == 2 for folder in sketches.iterdir())


DAMAGES = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[:-100],
    "a bit turned": lambda data: data[:5000] + bytes([data[5000] ^ 4]) + data[5001:],
    "zeros, as after a power cut": lambda data: bytes(len(data)),
    "too long": lambda data: data + b"more",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_sketch_is_made_anew(damage, drawn, tmp_path, sketched):
    photo = tmp_path / "photo.png"
    cv2.imwrite(str(photo), drawn["shingles"][..., ::-1])
    sketches = shelf.Shelf(Store(tmp_path / "cache"), tmp_path, "key")
    whole = sketches.sketch("ab12", photo.name)
    file = tmp_path / "cache" / "sketches" / "key" / "ab" / "ab12"
    right = file.read_bytes()
    file.write_bytes(DAMAGES[damage](right))
    again = sketches.sketch("ab12", photo.name)
    assert len(sketched) == 2 and file.read_bytes() == right
    kept = sketches.sketch("ab12", photo.name)
    assert len(sketched) == 2
    for field in ("square", "positions", "descriptors", "mirrored"):
        assert np.array_equal(getattr(again, field), getattr(whole, field))
        assert np.array_equal(getattr(kept, field), getattr(whole, field))
        assert getattr(kept, field).dtype == getattr(whole, field).dtype


def test_a_sketch_without_features_is_kept_as_well():
    blank = sketch.sketch(np.full((50, 70, 3), 90, np.uint8))
    kept = shelf._from_bytes(shelf._to_bytes(blank))
    assert kept.positions.shape == (0, 2) and kept.descriptors.shape == (0, 128) and kept.mirrored.shape == (0,)
    assert np.array_equal(kept.square, blank.square)


AUDIT_OF_MADE_UP_PHOTOS = """
import sys, threading
from hashlib import sha256
from pathlib import Path
import numpy as np, pandas as pd
from skinlib.audit import copies, guess, shelf, sketch
from skinlib.base.store import Store
from skinlib.data.classes import Class, Classes
from skinlib.data.dataset import DataSet
from skinlib.data.folders import Layout

count, copies.PART, cache = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
guess.ASKED = 4  # What takes longest here is asking, and it has nothing to find.

def made_up(number):
    rng = np.random.default_rng(number)
    descriptors = rng.standard_normal((sketch.FEATURES, 128)) ** 2
    descriptors *= 127 / np.linalg.norm(descriptors, axis=1, keepdims=True)
    square = rng.integers(0, 255, (sketch.SQUARE, sketch.SQUARE), np.uint8)
    positions = rng.uniform(0, sketch.SQUARE, (sketch.FEATURES, 2)).astype(np.float32)
    return sketch.Sketch(square, positions, descriptors.astype(np.int8), np.zeros(sketch.FEATURES, bool))

shelf.sketch, shelf.read = made_up, lambda path: int(path.name)
table = pd.DataFrame({"path": [str(i) for i in range(count)]})
table = table.assign(sha256=[sha256(b"%d" % i).hexdigest() for i in range(count)], condition="one", split="train")
nothing = pd.DataFrame({"path": [], "reason": []})
layout = Layout(Path("."), (("train", ""),), Classes((Class("one", "one", "One"),)))
data = DataSet("made up", "own", layout, table, nothing, str(count), None, Store(cache))

peak, done = [0], threading.Event()

def watch():
    while not done.wait(0.005):
        status = Path("/proc/self/status").read_text()
        peak[0] = max(peak[0], int(status.split("RssAnon:")[1].split()[0]))

watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
assert copies.audit(data).photos.photo_id.nunique() == count
done.set()
watcher.join()
print(peak[0])
"""


def anonymous_kilobytes(count, part, cache):
    """Audit ``count`` made-up photos in a process of its own; return the most memory that belonged to no file."""
    script = [sys.executable, "-c", AUDIT_OF_MADE_UP_PHOTOS, str(count), str(part), str(cache)]
    return int(subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True, timeout=300).stdout)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells what memory belongs to no file")
@pytest.mark.slow
def test_memory_does_not_grow_with_sketches_and_indexes(tmp_path):
    """A sketch is 60 kilobytes and a photo's share of the index 20: neither may stay in memory."""
    few, many, whole = (
        anonymous_kilobytes(count, part, tmp_path / f"{count} {part}")
        for count, part in ((300, 300), (1500, 300), (1500, 1500))
    )
    assert (many - few) / 1200 < 8
    assert (whole - few) / 1200 > 12, "the measurement doesn't even see a whole index"


@pytest.mark.clinical
def test_clinical_photos_show_about_400_photos(clinical_folder, sample_settings):
    found = audit(open_data(replace(sample_settings, data=str(clinical_folder))))
    report = found.report()
    assert report["n_files"] == 1159 and 380 <= report["n_photos"] <= 420
    assert report["leaks"]["of"] == 234 and 190 <= report["leaks"]["test_files"] <= 215
    assert len(report["conflicts"]) >= 1
    # Nail-fungus names tell their source: files with the same one are augmented copies of one photo.
    nails = found.photos[found.photos.condition == "nail-fungus"]
    number = nails.path.str.extract(r"/_(\d+)_\d+\.\w+$")[0]
    pairs = nails.assign(number=number).dropna(subset="number").groupby("number").photo_id.nunique()
    assert len(pairs) > 10 and (pairs == 1).mean() >= 0.97
