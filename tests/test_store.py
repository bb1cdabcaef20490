"""The one store: whole or not at all, first wins, damaged made anew, whatever is kept in it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from skinlib.base import store as store_module
from skinlib.base.errors import InputError
from skinlib.base.store import KINDS, Store, is_whole, pack, seal, unpack

DAMAGES = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "cut at the end": lambda content: content[:-1],
    "other bytes": lambda content: bytes(reversed(content)),
    "one bit": lambda content: bytes([content[0] ^ 1]) + content[1:],
}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def write(folder: Path) -> None:
    """Make a folder as makers do."""
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"one")
    (folder / "below" / "b.txt").write_bytes(b"two")


def damage(file: Path, how: str) -> None:
    file.write_bytes(DAMAGES[how](file.read_bytes()))
    os.utime(file, ns=(1, 1))  # as by another program, another day


# ---- values


def test_a_value_is_made_once(store):
    made = []
    for _ in range(3):
        assert store.value("views", "k", lambda: made.append(1) or b"content") == b"content"
    assert made == [1] and store.has("views", "k") and not store.has("views", "other")
    assert store.load("views", "other") is None


def test_an_empty_value_is_a_value(store):
    store.keep("views", "k", b"")
    assert store.load("views", "k") == b""


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_value_is_made_anew_without_a_word(store, how, capfd):
    store.keep("weights", "k", b"the numbers")
    (file,) = (path for path in store.root.rglob("*") if path.is_file())
    damage(file, how)
    assert store.load("weights", "k") is None
    assert store.value("weights", "k", lambda: b"the numbers") == b"the numbers"
    assert store.load("weights", "k") == b"the numbers"
    assert capfd.readouterr() == ("", "")


def test_values_of_one_key_lie_apart(store):
    for name in ("ab12", "abff", "cd00"):
        store.keep("features", "k", name.encode(), name)
    assert [store.load("features", "k", name) for name in ("ab12", "abff", "cd00")] == [b"ab12", b"abff", b"cd00"]
    assert [entry.files for entry in store.entries()] == [3]


def test_arrays_come_back_as_they_were():
    first, second = np.arange(6, dtype=np.float32).reshape(2, 3), np.array([True, False])
    assert [array.dtype for array in unpack(pack(first, second)).values()] == [first.dtype, second.dtype]
    assert np.array_equal(unpack(pack(first, named=second))["named"], second)


def test_nothing_is_left_of_a_value_that_could_not_be_written(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            store.keep("views", "k", b"content")
    assert not any(path.is_file() for path in store.root.rglob("*"))


# ---- folders


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["a.txt", "below/b.txt", store_module.CONTENTS])
def test_a_damaged_folder_is_made_anew(store, how, name):
    folder = store.folder("exports", "k", write)
    assert is_whole(folder)
    damage(folder / name, how)
    made = []
    assert store.folder("exports", "k", lambda draft: made.append(draft) or write(draft)) == folder
    assert made and is_whole(folder) and (folder / "below/b.txt").read_bytes() == b"two"


def test_a_folder_that_lost_files_is_made_anew(store):
    folder = store.folder("samples", "k", write)
    (folder / "below/b.txt").unlink()
    assert not is_whole(folder)
    assert (store.folder("samples", "k", write) / "below/b.txt").read_bytes() == b"two"


def test_a_whole_folder_is_not_made_again_nor_read_in_full(store, monkeypatch):
    folder = store.folder("runs", "k", write)

    def never(*_):
        raise AssertionError

    monkeypatch.setattr(store_module, "sha256_of", never)
    assert store.folder("runs", "k", never) == folder


def test_a_copied_store_is_as_good(store, tmp_path):
    folder = store.folder("runs", "k", write)
    os.utime(folder / "a.txt", ns=(1, 1))  # the content decides where the time of change is another
    assert is_whole(folder)


def test_nothing_is_left_of_a_folder_whose_maker_failed(store):
    def fails(draft):
        write(draft)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        store.folder("samples", "k", fails)
    assert not any(path.is_file() and path.suffix != ".lock" for path in store.root.rglob("*"))
    assert store.folder("samples", "k", write).is_dir()


def test_a_copy_holds_what_the_entry_holds_and_no_list(store, tmp_path):
    store.copy(store.folder("runs", "k", write), tmp_path / "mine")
    files = {path.relative_to(tmp_path / "mine").as_posix() for path in (tmp_path / "mine").rglob("*")}
    assert files == {"a.txt", "below", "below/b.txt"}


def test_of_two_at_once_the_first_wins_and_the_second_takes_its_result(store):
    made, began = [], threading.Event()

    def slow(draft):
        made.append(threading.get_ident())
        began.set()
        time.sleep(0.2)
        write(draft)

    folders = []
    threads = [threading.Thread(target=lambda: folders.append(store.folder("runs", "k", slow))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and folders == [store.root / "runs" / "k"] * 3


def test_two_processes_make_one_entry_once(store):
    code = (
        "import sys, time; from pathlib import Path; from skinlib.base.store import Store\n"
        "def make(draft):\n"
        "    draft.mkdir(); time.sleep(0.5); (draft / 'made').write_text('x')\n"
        "    print('made')\n"
        "print(Store(Path(sys.argv[1])).folder('runs', 'k', make))"
    )
    command = [sys.executable, "-c", code, str(store.root)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert "".join(said).count("made\n") == 1 and "".join(said).count(str(store.root / "runs" / "k")) == 2


# ---- places of the user's


def test_a_claimed_place_is_refused_to_others_before_any_work(store, tmp_path):
    with store.claimed(tmp_path / "out", "one"):
        refused = pytest.raises(InputError, match=r"out: another process is writing something else there")
        with refused, store.claimed(tmp_path / "out", "another"):
            raise AssertionError
        with store.claimed(tmp_path / "elsewhere", "another"):
            pass
    with store.claimed(tmp_path / "out", "another"):
        pass
    assert not list(tmp_path.glob("*out*"))  # nothing beside it


def test_the_same_work_waits_for_the_first(store, tmp_path):
    order, inside = [], threading.Event()

    def second():
        inside.wait()
        with store.claimed(tmp_path / "out", "one"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with store.claimed(tmp_path / "out", "one"):
        inside.set()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


# ---- looking after it


def fill(store: Store) -> None:
    store.keep("sketches", "old", b"12345", "ab")
    store.keep("audits", "new", b"123")
    store.folder("samples", "folder", write)
    os.utime(store.root / "sketches/old", (0, 0))


def test_entries_know_their_size_and_last_use(store):
    assert store.entries() == []
    fill(store)
    entries = {entry.key: entry for entry in store.entries()}
    assert [entry.kind for entry in store.entries()] == ["samples", "sketches", "audits"]
    assert (entries["old"].files, entries["old"].bytes) == (1, 5 + 4)
    assert (entries["folder"].files, entries["folder"].bytes) == (2, 6)
    assert entries["old"].used == 0 and time.time() - entries["new"].used < 60
    store_module._noted.clear()
    store.load("sketches", "old", "ab")
    assert time.time() - {entry.key: entry for entry in store.entries()}["old"].used < 60


def test_what_nobody_used_is_pruned_and_the_rest_stays(store):
    fill(store)
    store.remove(store.unused_for(days=3))
    assert sorted(entry.key for entry in store.entries()) == ["folder", "new"]
    assert store.load("sketches", "old", "ab") is None


def test_what_is_no_entry_is_never_removed(store):
    fill(store)
    (store.root / "skin-disease-dataset").mkdir()
    (store.root / "skin-disease-dataset" / "photo.jpg").write_bytes(b"photo")
    (store.root / "notes.txt").write_text("mine")
    store.remove(store.entries())
    assert store.entries() == []
    assert {path.name for path in store.root.iterdir()} - {*KINDS} == {"skin-disease-dataset", "notes.txt"}


def test_a_store_that_can_only_be_read_is_read(store, monkeypatch):
    fill(store)

    def refuses(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", refuses)
    store_module._noted.clear()
    assert store.load("audits", "new") == b"123"
    assert store.folder("samples", "folder", write).is_dir()


def test_sealing_is_of_contents_and_not_of_places(tmp_path):
    write(tmp_path / "a")
    seal(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert is_whole(tmp_path / "b") and not is_whole(tmp_path / "a")
