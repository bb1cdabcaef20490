"""The drawn sample: repeatable, shaped like the clinical set, and truthful about its faults."""

import hashlib
import json
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from drawn import fill

from skinlib.base.errors import InputError
from skinlib.base.files import written_whole
from skinlib.base.settings import SPEEDS, load_settings
from skinlib.data import brushes, drawings, sample
from skinlib.data.conditions import CONDITIONS, KEYS, SPLIT_FOLDERS

PER_CLASS = 10


def digest(folder):
    """Return one hash of all names and bytes under a folder."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def photo(path):
    """Read a photo as int (H, W, 3) RGB."""
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)


def mask(path):
    """Read a mask as bool (H, W)."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(values)) <= {0, 255}
    return values == 255


@pytest.fixture(scope="module", autouse=True)
def a_cache_of_its_own(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKINLIB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "sample"
    return folder, sample.write_sample(folder, PER_CLASS, seed=3)


@pytest.fixture(scope="module")
def truth(simulated):
    return simulated[1]


@pytest.fixture(scope="module")
def drawn_photos():
    """Two photos of every condition on the lightest and the darkest tone: {(key, tone): [(photo, mask), …]}."""
    return {
        (key, tone): [drawings.draw(key, np.random.default_rng([i, tone]), tone) for i in range(2)]
        for key in KEYS
        for tone in (brushes.TONES[0], brushes.TONES[-1])
    }


@pytest.mark.long
def test_same_seed_same_bytes_here_and_in_another_process(simulated, tmp_path):
    folder, _ = simulated
    sample.write_sample(tmp_path / "again", PER_CLASS, seed=3)
    code = "import sys; from pathlib import Path; from skinlib.data import sample; "
    code += f"sample.write_sample(Path(sys.argv[1]), {PER_CLASS}, 3)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "other")], check=True)
    assert digest(folder) == digest(tmp_path / "again") == digest(tmp_path / "other")


@pytest.mark.long
def test_another_seed_gives_other_photos(simulated, tmp_path):
    folder, truth = simulated
    other = sample.write_sample(tmp_path / "other", PER_CLASS, seed=4)
    hashes = [
        {hashlib.sha256((root / path).read_bytes()).hexdigest() for path in table.path[table.damage == ""]}
        for root, table in ((folder, truth), (tmp_path / "other", other))
    ]
    assert hashes[0].isdisjoint(hashes[1])


def test_folders_have_the_clinical_shape(simulated):
    folder, truth = simulated
    for condition in CONDITIONS:
        counts = {
            split: len(list((folder / place / condition.folder).iterdir())) for split, place in SPLIT_FOLDERS.items()
        }
        assert counts == {"train": 8, "test": 2}
    files = {
        p.relative_to(folder).as_posix() for place in SPLIT_FOLDERS.values() for p in (folder / place).rglob("*.*")
    }
    assert files == set(truth.path)
    assert {p.name for p in folder.iterdir()} == {"train_set", "test_set", "masks", "truth.csv"}


def test_truth_csv_is_the_returned_table(simulated):
    folder, truth = simulated
    pd.testing.assert_frame_equal(pd.read_csv(folder / "truth.csv", keep_default_na=False), truth)
    assert tuple(truth.columns) == sample.TRUTH_COLUMNS
    assert truth.path.is_unique
    for row in truth.itertuples():
        assert row.path.startswith(f"{SPLIT_FOLDERS[row.split]}/{CONDITIONS[row.label].folder}/{row.label}-")
        assert row.mislabelled == (row.condition != row.label)
        assert row.tone in brushes.TONES
        assert row.sha256 == hashlib.sha256((folder / row.path).read_bytes()).hexdigest()


def test_copies_share_all_that_is_true_of_their_original(truth):
    by_path = truth.set_index("path")
    copies = truth[truth.of != ""]
    assert set(copies.kind) == set(sample.COPY_KINDS)
    assert (truth.kind[truth.of == ""] == "original").all()
    assert truth.source[truth.kind == "original"].is_unique
    originals = by_path.loc[copies.of]
    assert (originals.kind == "original").all() and (originals.damage == "").all()
    for column in ("source", "condition", "tone", "watermark"):
        assert (originals[column].to_numpy() == copies[column].to_numpy()).all()
    assert ((originals.split == "train").to_numpy() & (copies.split == "test").to_numpy()).any()


def test_copies_show_what_the_truth_says(simulated):
    folder, truth = simulated
    masks = truth.set_index("path")["mask"]
    for row in truth[truth.of != ""].itertuples():
        original, here = folder / row.of, folder / row.path
        shape = mask(folder / masks[row.of]).astype(np.uint8)
        arguments = json.loads(row.transform)
        if row.kind == "exact":
            assert here.read_bytes() == original.read_bytes() and arguments == {}
            wanted, shape = photo(original), shape
        else:
            change = getattr(sample, row.kind)
            wanted = change(photo(original).astype(np.uint8), **arguments).astype(int)
            shape = change(shape, **arguments)
        assert photo(here).shape == wanted.shape
        assert np.abs(photo(here) - wanted).mean() < 6  # the error of saving as JPEG once more
        assert (mask(folder / row.mask) == shape.astype(bool)).all()


def test_the_eight_dihedral_transforms_are_all_different():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    results = {
        sample.dihedral(picture, flip, turns).tobytes() + bytes(sample.dihedral(picture, flip, turns).shape)
        for flip in (False, True)
        for turns in range(4)
    }
    assert len(results) == 8


def test_transforms_of_a_plan_never_leave_a_photo_as_it_is():
    rng = np.random.default_rng(0)
    drawn = {tuple(sample._transform("dihedral", rng).values()) for _ in range(200)}
    assert drawn == {(flip, turns) for flip in (False, True) for turns in range(4)} - {(False, 0)}


def test_damaged_files_are_damaged_as_said(simulated):
    folder, truth = simulated
    damaged = truth[truth.damage != ""]
    assert set(damaged.damage) == set(sample.DAMAGES)
    assert (damaged["mask"] == "").all()
    for row in damaged.itertuples():
        data = (folder / row.path).read_bytes()
        if row.damage == "empty":
            assert data == b""
        elif row.damage == "text":
            assert data.decode().startswith("<html>")
        else:
            assert data[:2] == b"\xff\xd8" and data[-2:] != b"\xff\xd9" and len(data) > 500


def test_formats_and_names(simulated):
    folder, truth = simulated
    starts = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG"}
    for row in truth[truth.format != ""].itertuples():
        assert (folder / row.path).read_bytes().startswith(starts[row.format])
    suffix = truth.path.str.rpartition(".")[2]
    lies = truth[(truth.format != "") & ((suffix == "png") != (truth.format == "PNG"))]
    assert len(lies[lies.kind != "exact"]) == sample.LYING_NAMES


def test_masks_fit_their_photos(simulated):
    folder, truth = simulated
    for row in truth[truth.damage == ""].itertuples():
        inside, pixels = mask(folder / row.mask), photo(folder / row.path)
        assert inside.shape == pixels.shape[:2]
        if row.kind == "original":
            assert 0.005 < inside.mean() < 0.95
            apart = np.abs(pixels[inside].mean(axis=0) - pixels[~inside].mean(axis=0)).max()
            assert apart > 2, row.path


def test_one_condition_has_one_size(truth, simulated):
    folder, _ = simulated
    whole = truth[truth.damage == ""]
    sizes = {
        key: {photo(folder / path).shape for path in group}
        for key, group in whole.path.groupby(whole.condition)
    }  # fmt: skip
    assert sizes[drawings.ONE_SIZE] == {(drawings.ONE_SIZE_PIXELS, drawings.ONE_SIZE_PIXELS, 3)}
    assert all(len(shapes) > 1 for key, shapes in sizes.items() if key != drawings.ONE_SIZE)
    assert not truth.mislabelled[truth.label == drawings.ONE_SIZE].any()


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_rates_of_faults_at_full_size(seed):
    plan = pd.DataFrame(sample._plan(50, seed))
    originals = plan[plan.kind == "original"]
    assert 0.42 < len(originals) / len(plan) < 0.55
    splits = plan.set_index("path").split
    leaked = (plan.split == "test") & (plan.of.map(splits) == "train")
    assert 0.55 < leaked.sum() / (plan.split == "test").sum() < 0.8
    marked = originals.watermark.groupby(originals.condition).mean()
    assert marked[sample.WATERMARKED] > 0.65
    assert marked.drop(sample.WATERMARKED).mean() < 0.12
    assert 0.02 < plan.mislabelled.mean() < 0.05
    assert 0.005 < (plan.damage != "").mean() < 0.02
    assert (plan.split[plan.damage != ""] == "train").mean() >= 0.7
    assert plan.groupby("condition").tone.nunique().min() == len(brushes.TONES)


@pytest.mark.parametrize("per_class", [5, 6, 7, 12])
@pytest.mark.parametrize("seed", range(5))
def test_every_size_can_be_planned(per_class, seed):
    plan = pd.DataFrame(sample._plan(per_class, seed))
    assert (plan.groupby("label").size() == per_class).all()
    assert set(plan.damage) == {"", *sample.DAMAGES}
    assert plan.mislabelled.any() and not plan.mislabelled.all()
    assert set(plan.of) - {""} <= set(plan.path[plan.kind == "original"])


def test_the_watermark_lightens_a_small_part_of_the_photo():
    grey = np.full((240, 320, 3), 90, np.uint8)
    marked = sample.watermark(grey, np.random.default_rng(0))
    changed = (marked != grey).any(axis=2)
    assert 0.002 < changed.mean() < 0.1
    assert (marked >= grey).all() and marked.max() < 255


def test_redness_shows_less_red_on_dark_skin():
    """Blood on dark skin takes away red too: the patch gets darker and more violet, with less contrast."""
    gain, contrast = {}, {}
    for tone in brushes.TONES:
        scene = brushes.new_scene(np.random.default_rng(0), tone, (8, 8), 0.0)
        scene.colour += brushes.rgb(brushes.MONK[tone - 1])
        before = cv2.cvtColor(scene.colour, cv2.COLOR_RGB2LAB)[0, 0]
        brushes.redden(scene, np.ones((8, 8), np.float32))
        after = cv2.cvtColor(scene.colour, cv2.COLOR_RGB2LAB)[0, 0]
        gain[tone], contrast[tone] = after[1] - before[1], np.linalg.norm(after - before)
    assert list(gain.values()) == sorted(gain.values(), reverse=True)
    assert list(contrast.values()) == sorted(contrast.values(), reverse=True)
    assert all(value > 0 for value in gain.values())


def test_redness_in_finished_photos(drawn_photos):
    def redder(tone):
        photos = [pair for key in ("cellulitis", "shingles") for pair in drawn_photos[key, tone]]
        excess = [(p[..., 0].astype(int) - p[..., 1], m > 0) for p, m in photos]
        return np.mean([red[inside].mean() - red[~inside].mean() for red, inside in excess])

    assert redder(brushes.TONES[0]) > 3 * max(redder(brushes.TONES[-1]), 1)


def test_skin_has_the_colour_of_its_tone():
    """Averaged over light and exposure, healthy skin keeps the order of the scale and stays near its colours."""
    found = []
    for tone in brushes.TONES:
        colours = []
        for seed in range(6):
            scene = brushes.new_scene(np.random.default_rng(seed), tone, (96, 96), 0.0)
            brushes.closeup(scene)
            brushes.skin(scene)
            colours.append(scene.colour.mean(axis=(0, 1)))
        found.append(np.mean(colours, axis=0))
        assert np.abs(found[-1] - brushes.rgb(brushes.MONK[tone - 1])).max() < 0.16
    assert (np.diff(np.mean(found, axis=1)) < 0).all()


def test_finished_photos_of_dark_skin_are_darker(drawn_photos):
    light, dark = brushes.TONES[0], brushes.TONES[-1]
    brightness = {
        tone: np.mean([p.mean() for key in KEYS for p, _ in drawn_photos[key, tone]]) for tone in (light, dark)
    }  # fmt: skip
    assert brightness[dark] < 0.75 * brightness[light]


def test_draw_returns_a_photo_and_a_mask(drawn_photos):
    for pairs in drawn_photos.values():
        for picture, lesion in pairs:
            assert picture.dtype == lesion.dtype == np.uint8
            assert picture.shape == (*lesion.shape, 3)
            assert set(np.unique(lesion)) <= {0, 255}
            assert picture.std() > 5
    with pytest.raises(KeyError):
        drawings.draw("measles", np.random.default_rng(0), 5)


def test_interrupted_drawing_leaves_nothing_behind(tmp_path, monkeypatch):
    whole, calls = sample._make_original, []

    def failing(row, rng):
        calls.append(row)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return whole(row, rng)

    monkeypatch.setattr(sample, "_make_original", failing)
    with pytest.raises(KeyboardInterrupt):
        sample.write_sample(tmp_path / "sample", 5)
    assert len(calls) > 5
    assert list(tmp_path.iterdir()) == []


def test_the_memory_does_not_grow_with_the_photos(tmp_path, monkeypatch):
    """Of all originals only those at work are held, each with its copies."""
    whole, drawn, alive = sample._make_original, [], []

    def noting(row, rng):
        content, mask = whole(row, rng)
        drawn.append(weakref.ref(mask))
        alive.append(sum(one() is not None for one in drawn))
        return content, mask

    monkeypatch.setenv("SKINLIB_CORES", "2")
    monkeypatch.setattr(sample, "_make_original", noting)
    sample.write_sample(tmp_path / "sample", 5)
    assert len(alive) > 10 and max(alive) <= 3


def test_unusable_calls_say_what_to_do(tmp_path):
    with pytest.raises(InputError, match="ask for 5 or more"):
        sample.write_sample(tmp_path / "sample", 4)
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(InputError, match="is not an empty folder: choose another, or remove it"):
        sample.write_sample(tmp_path, 5)
    with pytest.raises(InputError, match="is not an empty folder: choose another, or remove it"):
        sample.write_sample(tmp_path / "mine.txt", 5)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "sample").mkdir()
    sample.write_sample(tmp_path / "sample", 5)
    assert (tmp_path / "sample" / "truth.csv").is_file()


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setitem(SPEEDS, "quick", 5)
    return load_settings(cache=tmp_path / "cache", speed="quick", seed=1)


def drawn_folders(settings):
    """Return the folders of samples in the store."""
    return [path for path in (settings.cache / "samples").iterdir() if path.is_dir()]


@pytest.mark.long
def test_sample_folder_is_drawn_once(small, monkeypatch):
    folder = sample.sample_folder(small)
    assert len(pd.read_csv(folder / "truth.csv")) == 5 * len(KEYS)
    monkeypatch.setattr(sample, "draw_sample", lambda *_: pytest.fail("drawn again"))
    assert sample.sample_folder(small) == folder
    assert drawn_folders(small) == [folder]


@pytest.fixture
def drawn_quickly(monkeypatch):
    """Have samples drawn in no time, without photos; return the list of the sizes and seeds drawn."""
    calls = []

    def draw(folder, per_class, seed):
        calls.append((per_class, seed))
        fill(folder, {"truth.csv": b"path", "train_set/a.png": f"{per_class} {seed}".encode()})

    monkeypatch.setattr(sample, "draw_sample", draw)
    return calls


def test_a_damaged_sample_is_drawn_anew(small, drawn_quickly):
    folder = sample.sample_folder(small)
    (folder / "train_set" / "a.png").write_bytes(b"not what was drawn")
    assert sample.sample_folder(small) == folder
    assert (folder / "train_set" / "a.png").read_bytes() == b"5 1"
    assert drawn_quickly == [(5, 1), (5, 1)] and drawn_folders(small) == [folder]


def test_each_size_and_seed_has_a_sample_of_its_own(small, drawn_quickly, monkeypatch):
    folders = {sample.sample_folder(small), sample.sample_folder(replace(small, seed=2))}
    monkeypatch.setitem(SPEEDS, "quick", 6)
    folders |= {sample.sample_folder(small)}
    assert drawn_quickly == [(5, 1), (5, 2), (6, 1)]
    assert len(folders) == 3 and set(drawn_folders(small)) == folders


@pytest.mark.long
def test_sample_folder_when_another_process_is_at_it(small, monkeypatch):
    """The second waits for the first and takes its folder."""
    draw, begun = sample.draw_sample, threading.Event()
    drawn_by = []

    def slower(*arguments):
        drawn_by.append(threading.current_thread().name)
        begun.set()
        time.sleep(0.2)
        return draw(*arguments)

    monkeypatch.setattr(sample, "draw_sample", slower)
    found = []
    first = threading.Thread(target=lambda: found.append(sample.sample_folder(small)), name="first")
    first.start()
    assert begun.wait(20)
    found.append(sample.sample_folder(small))
    first.join()
    assert found[0] == found[1] and drawn_by == ["first"]
    assert (found[0] / "truth.csv").is_file()
    assert drawn_folders(small) == [found[0]]


def test_sample_folder_passes_on_real_failures(small, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(sample, "draw_sample", full)
    with pytest.raises(OSError, match="no space left"):
        sample.sample_folder(small)
    assert drawn_folders(small) == []


def test_a_folder_in_use_is_never_replaced(tmp_path):
    with pytest.raises(OSError), written_whole(tmp_path / "sample") as draft:
        draft.mkdir()
        (tmp_path / "sample").mkdir()  # meanwhile another process has finished
        (tmp_path / "sample" / "truth.csv").write_text("theirs")
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]
    assert (tmp_path / "sample" / "truth.csv").read_text() == "theirs"


# ---------------------------------------------------------------- photos that are none of the eight


@pytest.mark.parametrize("kind", drawings.OTHERS)
def test_other_photos_are_photos(kind):
    for tone in (brushes.TONES[0], brushes.TONES[-1]):
        picture = drawings.draw_other(kind, np.random.default_rng([1, tone]), tone)
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        assert 5 < picture.std() < 90


@pytest.mark.long
def test_every_other_drawing_gets_its_turn(monkeypatch):
    known = dict(drawings._OTHER_DRAWINGS)
    assert tuple(known) == drawings.OTHERS
    drawn = set()
    for kind, ways in known.items():
        noting = [lambda scene, way=way: drawn.add(way) for way in ways]
        monkeypatch.setitem(drawings._OTHER_DRAWINGS, kind, tuple(noting))
        for seed in range(25):
            drawings.draw_other(kind, np.random.default_rng(seed), 5)
    assert drawn == {drawing for drawn_photos in known.values() for drawing in drawn_photos}


@pytest.mark.long
def test_other_photos_have_the_tone_they_were_asked_for():
    """Healthy skin gets darker from tone to tone; objects have no skin that could."""

    def brightness(kind, tone):
        return np.mean([drawings.draw_other(kind, np.random.default_rng(seed), tone).mean() for seed in range(6)])

    assert brightness("healthy", brushes.TONES[0]) > 1.3 * brightness("healthy", brushes.TONES[-1])
    assert brightness("object", brushes.TONES[0]) == brightness("object", brushes.TONES[-1])


@pytest.mark.parametrize("drawing", drawings._OTHER_DRAWINGS["mark"])
def test_a_mark_changes_the_skin_in_one_place(drawing):
    """The same skin, with and without: it differs somewhere, plainly as a rule, and stays as it is in most places."""
    for tone in (brushes.TONES[0], brushes.TONES[-1]):
        greatest = []
        for seed in range(6):
            colours = []
            for paint in (brushes.anywhere, drawing):
                scene = brushes.new_scene(np.random.default_rng(seed), tone, (160, 200), 0.5)
                paint(scene)
                colours.append(scene.colour)
            change = np.abs(colours[1] - colours[0]) / np.maximum(colours[0], 0.05)
            change = change.max(axis=2)  # in red, green or blue
            assert 0.002 < (change > 0.1).mean() < 0.5
            greatest.append(change.max())
        assert min(greatest) > 0.1 and np.median(greatest) > 0.2, "a pale scar on pale skin may be faint, not all may"


def test_others_come_in_the_numbers_asked_for_and_again(small):
    first, again = sample.others(small, 2), sample.others(small, 2)
    assert tuple(first) == drawings.OTHERS and all(len(photos) == 2 for photos in first.values())
    for kind in drawings.OTHERS:
        assert all(np.array_equal(a, b) for a, b in zip(first[kind], again[kind], strict=True))
        assert not np.array_equal(*[cv2.resize(photo, (32, 32)) for photo in first[kind]])
    elsewhere = sample.others(load_settings(cache=small.cache, seed=2), 1)
    assert elsewhere["mark"][0].shape != first["mark"][0].shape or (elsewhere["mark"][0] != first["mark"][0]).any()


def test_unknown_kinds_are_refused():
    with pytest.raises(KeyError):
        drawings.draw_other("ghost", np.random.default_rng(0), 5)
