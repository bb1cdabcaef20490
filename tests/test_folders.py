"""What a folder of photos is, told by looking: its splits, its classes and their names, and what is no photo of it."""

import os
import shutil
import unicodedata

import pytest
from drawn import COPIES, PETS, draw_pets, fill, tiny

from skinlib.audit import audit, identified
from skinlib.base.errors import InputError
from skinlib.base.settings import Settings
from skinlib.data import splits
from skinlib.data.classes import COLOURS, RESERVED, from_folders, same_name
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.data.folders import find_root, list_files, look, split_of
from skinlib.data.opening import open_data
from skinlib.judge import evaluate

PETS_ABOVE = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(3)]
"""Photos of two classes, below whatever folder."""


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def opened(folder, cache):
    return open_data(Settings(data=str(folder), cache=cache))


def below(*folders):
    """Return the names of photos of two classes in each of these folders: all different."""
    return [f"{folder}/{name}" for folder in folders for name in PETS_ABOVE]


# ---------------------------------------------------------------- the shapes


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["train_set", "test_set"], ["train", "test"]),
        (["train", "test"], ["train", "test"]),
        (["train", "val", "test"], ["train", "validation", "test"]),
        (["Training", "Validation", "Testing"], ["train", "validation", "test"]),
        (["TRAINING", "validation", "tEsTiNg"], ["train", "validation", "test"]),
        (["training-set", "Valid Set", "test_data"], ["train", "validation", "test"]),
        (["Train Images", "dev", "test-photos"], ["train", "validation", "test"]),
        (["train", "valid"], ["train", "validation"]),
        (["train", "training", "test"], ["train", "train", "test"]),
        (["train"], ["train"]),
    ],
    ids=" ".join,
)
def test_splits_are_told_by_the_names_of_their_folders(tmp_path, cache, folders, expected):
    data = opened(fill(tmp_path / "pets", below(*folders)), cache)
    assert data.kind == "own" and data.name == "pets"
    assert data.classes.keys == ("cat", "dog")
    by_folder = data.photos.split.groupby(data.photos.path.str.split("/").str[0]).unique()
    assert {name: list(found) for name, found in by_folder.items()} == {
        name: [split] for name, split in zip(folders, expected, strict=True)
    }
    assert data.has_test == ("test" in expected)
    assert data.left_out.empty
    shown = [split for split in ("train", "validation", "test") if split in ("train", "test", *expected)]
    assert list(data.counts().columns) == shown
    assert (data.counts().sum(axis=1) == 3 * len(folders)).all()


@pytest.mark.parametrize("name", ["cat", "trainer", "tests", "test 2", "attest", "trainees", "valley", "deviant", ""])
def test_other_names_are_no_splits(name):
    assert split_of(name) is None


def test_a_plain_folder_has_no_official_split_and_gets_a_clean_one_after_the_audit(plain_pets):
    assert plain_pets.kind == "own" and not plain_pets.has_test
    assert plain_pets.classes.keys == tuple(PETS)
    assert set(plain_pets.photos.split) == {"train"}
    assert plain_pets.counts().to_dict("list") == {"train": [14, 14], "test": [0, 0]}
    with pytest.raises(InputError, match="no official test photos: use the split 'grouped'"):
        splits.official(plain_pets.photos)
    with pytest.raises(InputError, match="nobody has looked for copies"):
        splits.grouped(plain_pets.photos)
    photos = identified(plain_pets).photos
    split = splits.grouped(photos)
    assert set(split) == {"train", "validation", "test"}
    assert (photos.assign(split=split).groupby("photo_id").split.nunique() == 1).all()
    assert splits.notes(photos, split, plain_pets.classes) == []


@pytest.mark.parametrize("folders", [["pets"], ["archive", "pets"], ["a", "b", "pets"]], ids="/".join)
@pytest.mark.parametrize("shape", [["train", "test"], []], ids=["with splits", "plain"])
def test_the_folder_that_an_archive_unpacked_to_is_found(tmp_path, cache, shape, folders):
    inner = fill(tmp_path.joinpath("unpacked", *folders), below(*shape) if shape else PETS_ABOVE)
    # As archives from a Mac have it.
    fill(tmp_path / "unpacked", {"__MACOSX/pets/cat/._0.png": b"x", ".DS_Store": b"x", "readme.txt": b"about"})
    data = opened(tmp_path / "unpacked", cache)
    assert data.root == inner and data.name == "pets"
    assert data.classes.keys == ("cat", "dog")
    assert data.left_out.empty


def test_of_a_folder_with_splits_the_one_above_is_not_searched_further(tmp_path):
    fill(tmp_path, below("train", "test", "skin-disease-dataset/train_set"))
    assert find_root(tmp_path) == tmp_path


def test_photos_beside_a_single_folder_are_not_forgotten(tmp_path, cache):
    """Where nobody can say what is meant, the folder given is the one, and what has no place in it is told."""
    data = opened(fill(tmp_path / "mine", ["pets/cat/1.png", "pets/dog/2.png", "3.png"]), cache)
    assert data.root == tmp_path / "mine" and data.classes.keys == ("pets",)
    assert dict(data.left_out.itertuples(index=False)) == {"3.png": "not in the folder of a class"}


def test_a_class_alone_stays_a_class(tmp_path, cache):
    assert opened(fill(tmp_path, ["cat/1.png", "cat/old/2.png"]), cache).classes.keys == ("cat",)


def test_photos_in_deeper_folders_count_for_the_class_above(tmp_path, cache):
    files = ["train/cat/1.png", "train/cat/2019/summer/2.png", "test/dog/dog/3.png", "test/dog/cat/4.png"]
    data = opened(fill(tmp_path / "split", files), cache)
    assert data.photos.set_index("path").condition.to_dict() == dict(
        zip(files, ("cat", "cat", "dog", "dog"), strict=True)
    )
    data = opened(fill(tmp_path / "plain", ["cat/a/1.png", "cat/b/2.png", "dog/c/d/3.png"]), cache)
    assert data.photos.condition.tolist() == ["cat", "cat", "dog"]


def test_other_folders_beside_the_splits_that_hold_photos_are_told(tmp_path, cache):
    files = [*below("train", "test"), "extra/cat/1.png", "unlabelled/2.JPEG", "train/3.webp", "4.png"]
    folder = fill(tmp_path, files)
    fill(folder, {"notes/readme.md": b"about", "labels.csv": b"a", "notes/no picture.jpg": b"text"})
    data = opened(folder, cache)
    assert len(data.photos) == 12
    reasons = dict(data.left_out.itertuples(index=False))
    assert reasons == dict.fromkeys(
        ["extra/cat/1.png", "unlabelled/2.JPEG", "train/3.webp", "4.png", "notes/no picture.jpg"],
        "not in the folder of a class",
    )
    assert data.damaged.empty


def test_hidden_folders_and_system_files_are_no_photos_and_no_classes(tmp_path, cache):
    folder = fill(tmp_path, below("train", "test"))
    odd = [
        "train/.cache/1.png", "train/cat/.thumbs/2.png", "train/cat/._0.png", "train/cat/Thumbs.db",
        "train/cat/desktop.ini", "train/dog/@eaDir/3.png", "train/__MACOSX/cat/4.png", ".train/cat/5.png",
        "$RECYCLE.BIN/6.png", "test/System Volume Information/7.png",
    ]  # fmt: skip
    data = opened(fill(folder, odd), cache)
    assert data.classes.keys == ("cat", "dog") and len(data.photos) == 12
    assert dict(data.left_out.itertuples(index=False)) == {
        "train/cat/.thumbs/2.png": "hidden file",
        ".train/cat/5.png": "hidden file",
        "train/cat/._0.png": "left by the operating system",
        "train/cat/Thumbs.db": "left by the operating system",
        "train/cat/desktop.ini": "left by the operating system",
        "train/dog/@eaDir/3.png": "left by the operating system",
    }
    assert set(data.missed.path) == {"train/cat/.thumbs/2.png", ".train/cat/5.png"}, "a person would miss these alone"
    plain = fill(
        tmp_path / "plain", [*PETS_ABOVE, ".git/objects/1.png", "@eaDir/2.png", "old/.DS_Store", "old/.x/3.png"]
    )
    assert look(plain).classes.keys == ("cat", "dog")


def test_an_empty_class_folder(tmp_path, cache):
    """Within the splits every folder is a class, with photos or without; beside others it may be anything."""
    folder = fill(tmp_path / "split", below("train", "test"))
    (folder / "train" / "bird").mkdir()
    data = opened(folder, cache)
    assert data.classes.keys == ("bird", "cat", "dog")
    assert data.counts().loc["bird"].tolist() == [0, 0]
    assert data.labels().tolist() == [1, 1, 1, 2, 2, 2] * 2
    sentences = splits.notes(data.photos, splits.official(data.photos), data.classes)
    assert "1 of 3 classes have no photos" in sentences
    folder = fill(tmp_path / "plain", PETS_ABOVE)
    (folder / "bird").mkdir()
    assert opened(folder, cache).classes.keys == ("cat", "dog")


def test_a_class_that_is_in_one_split_only_is_a_class_of_all(tmp_path, cache):
    data = opened(fill(tmp_path, [*below("train", "test"), "test/bird/1.png"]), cache)
    assert data.counts().to_dict("index") == {
        "bird": {"train": 0, "test": 1}, "cat": {"train": 3, "test": 3}, "dog": {"train": 3, "test": 3},
    }  # fmt: skip


def test_a_folder_of_the_eight_has_them_in_their_order_and_others_between(tmp_path):
    folder = fill(tmp_path, [f"train_set/{one.folder}/1.png" for one in CONDITIONS] + ["train_set/Eczema/1.png"])
    classes = look(folder).classes
    assert [key for key in classes.keys if key != "eczema"] == list(KEYS)
    assert classes["eczema"].colour not in {one.colour for one in CONDITIONS}
    assert all(classes[key] is CONDITIONS[key] for key in KEYS)


# ---------------------------------------------------------------- what can't be opened


def test_a_folder_that_does_not_exist(tmp_path, cache):
    fill(tmp_path, ["photo.png"])
    for wrong in (tmp_path / "absent", tmp_path / "photo.png"):
        with pytest.raises(
            InputError, match=r"no such folder: expected a folder for each class, or train/.*README"
        ) as told:
            opened(wrong, cache)
        assert str(told.value).startswith(f"{wrong}: ") and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "files",
    [[], ["1.png", "2.png"], ["train/1.png", "test/2.png"], [".cat/1.png"], ["cat/.DS_Store"]],
    ids=["empty", "photos alone", "splits without classes", "hidden", "system files"],
)
def test_a_folder_without_class_folders(tmp_path, cache, files):
    folder = tmp_path / "mine"
    folder.mkdir()
    with pytest.raises(InputError, match=r"holds no folder with photos.*: expected a folder for each class") as told:
        opened(fill(folder, files), cache)
    assert str(told.value).startswith(f"{folder}: ")


def test_a_folder_of_files_that_are_no_photos_tells_how_many_and_why(tmp_path, cache):
    files = {"cat/1.jpg": b"<html>", "cat/2.jpg": b"<html>", "dog/3.jpg": b"", "dog/Thumbs.db": b"x"}
    folder = fill(tmp_path / "mine", files)
    with pytest.raises(InputError) as told:
        opened(folder, cache)
    reason = "the commonest reason: a web page (HTML), no photo (2 of 3)"
    assert str(told.value) == f"{folder}: none of 3 files can be used; {reason}"


# ---------------------------------------------------------------- names of classes


def test_names_that_differ_in_case_and_spaces_are_one_class(tmp_path, cache):
    files = [
        "train/Golden Retriever/1.png",
        "test/golden_retriever/2.png",
        "val/GOLDEN-retriever /3.png",
        "train/cat/4.png",
    ]
    data = opened(fill(tmp_path, files), cache)
    assert data.classes.keys == ("cat", "golden-retriever")
    assert data.classes["golden-retriever"].title.casefold() == "golden retriever"
    assert data.counts().loc["golden-retriever"].tolist() == [1, 1, 1]


def test_one_accent_written_in_two_ways_is_one_class(tmp_path, cache):
    """A Mac takes é apart, and archives keep it so."""
    files = [
        f"train/{unicodedata.normalize('NFC', 'bébé')}/1.png",
        f"test/{unicodedata.normalize('NFD', 'bébé')}/2.png",
    ]
    data = opened(fill(tmp_path, [*files, "train/chat/3.png"]), cache)
    assert data.classes.keys == ("bébé", "chat")
    assert data.counts().loc["bébé"].tolist() == [1, 1]


def test_forty_classes_have_forty_keys_and_titles_and_the_colours_come_again(tmp_path, cache):
    folder = fill(tmp_path, [f"n{number:08d}/{number}.png" for number in range(40)])
    classes = opened(folder, cache).classes
    assert len(classes) == len(set(classes.keys)) == len({one.title for one in classes}) == 40
    colours = [one.colour for one in classes]
    assert len(COLOURS) == len(set(COLOURS)) == 20
    assert tuple(colours[:20]) == tuple(colours[20:]) == COLOURS


def test_colours_of_known_classes_are_taken():
    classes = from_folders(
        [*(one.folder for one in CONDITIONS), *(f"other {number}" for number in range(12))], CONDITIONS
    )
    assert len({one.colour for one in classes}) == 20
    # Without a colour left, all come again.
    taken = [one for one in from_folders([str(number) for number in range(20)])]
    assert from_folders([*(one.folder for one in taken), "more"], taken)["more"].colour == COLOURS[0]


def test_no_class_is_called_like_a_column():
    assert set(RESERVED) == set(evaluate.PREDICTION_COLUMNS), "two rooms write down the same list"
    classes = from_folders([*RESERVED, "Photo ID", "path-class", "path class 2"])
    assert not set(classes.keys) & set(RESERVED)
    assert len(set(classes.keys)) == len(classes) == len(RESERVED) + 2, "photo_id and Photo ID are one"
    assert classes.of_folder("PATH").key == "path-class" and classes.of_folder("path_class").key == "path-class-class"


def test_a_class_of_ones_own_does_not_take_the_key_of_one_of_the_eight():
    classes = from_folders(["cellulitis", "BA-cellulitis", "ringworm"], CONDITIONS)
    assert classes.of_folder("BA- cellulitis").key == "cellulitis"
    assert classes.of_folder("cellulitis").key == "cellulitis-class"
    assert classes.of_folder("ringworm").key == "ringworm-class", "its key is kept for photos of the eight"


@pytest.mark.parametrize(
    ("folder", "key", "title"),
    [
        ("Golden  retriever_2", "golden-retriever_2", "Golden retriever 2"),
        ("n02086240-Shih-Tzu", "n02086240-shih-tzu", "N02086240 Shih Tzu"),
        ("Größe (klein)", "grösse-klein", "Größe (klein)"),
        ("猫", "猫", "猫"),
        ("Кошка", "кошка", "Кошка"),
        ("7", "7", "7"),
        ("!!!", "class-1", "!!!"),
        ("---", "class-1", "---"),
        ("🐈", "class-1", "🐈"),
        ("a\\b", "a-b", "A\\b"),
        ("\x1b[2Jcat\u202egod", "2jcat-god", "?[2Jcat?god"),
    ],
)
def test_keys_and_titles(folder, key, title):
    (one,) = from_folders([folder])
    assert (one.key, one.title, one.folder, one.group, one.marks) == (key, title, folder, "", "")
    assert one.title.isprintable()


def test_names_without_letters_are_told_apart_in_data_as_well(tmp_path, cache):
    names = ["!!!", "???", "🐈", "🐕", "--", "class-3", "猫", "कुत्ता"]
    data = opened(fill(tmp_path, [f"{name}/{number}.png" for number, name in enumerate(names)]), cache)
    assert len(data.photos) == len(set(data.photos.condition)) == len(set(data.classes.keys)) == len(names)
    for row in data.photos.itertuples():
        assert data.classes[row.condition].folder == row.path.split("/")[0]


def test_a_class_folder_whose_name_is_no_text_is_no_class(tmp_path, cache):
    folder = fill(tmp_path / "mine", PETS_ABOVE)
    os.makedirs(os.fsencode(folder) + b"/caf\xe9")
    with open(os.fsencode(folder) + b"/caf\xe9/1.png", "wb") as file:
        file.write(tiny("café"))
    data = opened(folder, cache)
    assert data.classes.keys == ("cat", "dog")
    assert dict(data.left_out.itertuples(index=False)) == {"caf?/1.png": "its name is not valid text"}


def test_a_link_to_a_class_folder_is_told(tmp_path):
    folder = fill(tmp_path / "mine", below("train"))
    fill(tmp_path / "elsewhere", ["1.png"])
    (folder / "train" / "bird").symlink_to(tmp_path / "elsewhere")
    (folder / "train" / "kitten").symlink_to(folder / "train" / "cat")
    layout = look(folder)
    assert layout.classes.keys == ("cat", "dog")
    assert list_files(layout)[1] == [
        ("train/bird", "a link that leads out of the folder"), ("train/kitten", "a link to a folder"),
    ]  # fmt: skip


def test_what_no_spelling_changes():
    assert same_name("BA- cellulitis") == same_name("ba_Cellulitis") != same_name("cellulitis")
    assert len({same_name(name) for name in ("-", "--", "_", "a", "b")}) == 5


# ---------------------------------------------------------------- cats and dogs


def test_cats_and_dogs_with_splits_of_their_own(pets):
    assert (pets.kind, pets.name, pets.classes.keys) == ("own", "pets", tuple(PETS))
    assert pets.counts().to_dict("list") == {"train": [8, 8], "validation": [3, 3], "test": [3, 3]}
    assert pets.left_out.empty and pets.truth is None
    assert pets.photos[["width", "height"]].min().min() >= 48 and pets.photos[["width", "height"]].max().max() <= 96
    assert len(pets.photos.sha256.unique()) == 26, "two files are copies to the byte"


@pytest.mark.parametrize("name", ["pets", "plain_pets"])
def test_the_audit_finds_the_copies_among_cats_and_dogs_and_no_others(name, request, tmp_path):
    data = request.getfixturevalue(name)
    shown = draw_pets(tmp_path, splits=name == "pets", seed=0 if name == "pets" else 1)
    found = audit(data)
    planted = {}
    for path, photo in shown.items():
        planted.setdefault(photo, []).append(path)
    assert found.groups == sorted(sorted(paths) for paths in planted.values() if len(paths) > 1)
    assert len(found.groups) == 6 and found.conflicts == []
    assert sorted(found.photos.path[found.leaked]) == (
        sorted(path for path in shown if path.startswith("test") and len(planted[shown[path]]) > 1)
    )
    assert found.leaked.sum() == (2 if name == "pets" else 0)
    assert set(COPIES) == {"val", "test"}


def test_cats_and_dogs_are_drawn_alike_each_time(tmp_path, pets):
    draw_pets(tmp_path / "again")
    for row in pets.photos.itertuples():
        assert (tmp_path / "again" / row.path).read_bytes() == pets.path(row.path).read_bytes()
    draw_pets(tmp_path / "other", seed=5)
    assert all((tmp_path / "other" / path).read_bytes() != pets.path(path).read_bytes() for path in pets.photos.path)


def test_an_audited_data_set_moves_with_its_folder(pets, tmp_path):
    """The same photos elsewhere have the same identities."""
    shutil.copytree(pets.root, tmp_path / "moved")
    moved = identified(opened(tmp_path / "moved", tmp_path / "cache"))
    assert moved.photos.equals(identified(pets).photos)
