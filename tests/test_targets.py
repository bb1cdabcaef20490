"""Writing at a path of the user's: whatever is there is changed no further than was asked for."""

import errno
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from skinlib.base import files, targets
from skinlib.base.errors import InputError
from skinlib.base.files import array_on_disk, in_need_of, room, sweep, written_whole
from skinlib.base.store import KINDS, Store
from skinlib.base.targets import check_apart, check_file, check_folder, end_of_links, is_standard_output

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, tmp_path_factory, monkeypatch):
    """Have no test leave a draft, neither beside its target nor in the folder for temporary files."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    assert not list(temporary.iterdir())
    assert not [path for path in tmp_path.rglob("*.part") if path.is_dir() and targets.ROOM.fullmatch(path.name)]


def write(target: Path, content: str = "new") -> None:
    with written_whole(target) as draft:
        draft.write_text(content)


def fill(target: Path) -> None:
    with written_whole(target) as draft:
        (draft / "below").mkdir(parents=True)
        (draft / "a.txt").write_text("one")
        (draft / "below" / "b.txt").write_text("two")


def is_filled(folder: Path) -> bool:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {"a.txt", "below", "below/b.txt"}


# ---- a file


def test_a_new_file_has_the_mode_of_any_other(tmp_path):
    (tmp_path / "usual").write_text("")
    write(tmp_path / "deep" / "new.json")
    fill(tmp_path / "folder")
    usual = stat.S_IMODE((tmp_path / "usual").stat().st_mode)
    assert stat.S_IMODE((tmp_path / "deep" / "new.json").stat().st_mode) == usual
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == usual | 0o111 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_a_file_keeps_its_mode_and_its_owner(tmp_path, mode):
    file = tmp_path / "old.json"
    file.write_text("old and longer")
    file.chmod(mode)
    if AS_ROOT:
        os.chown(file, 12345, 54321)
    before = file.stat()
    write(file)
    after = file.stat()
    assert file.read_text() == "new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_mtime >= before.st_mtime


@pytest.mark.parametrize("chain", [1, 3])
@pytest.mark.parametrize("kind", ["file", "nothing", "absolute"])
def test_a_link_stays_and_its_end_gets_the_content(tmp_path, kind, chain):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "links").mkdir()
    end = tmp_path / "elsewhere" / "end.json"
    if kind == "file":
        end.write_text("old")
    link, to = tmp_path / "links" / "0", end if kind == "absolute" else Path("../elsewhere/end.json")
    for number in range(chain):
        link = tmp_path / "links" / str(number)
        link.symlink_to(to)
        to = Path(link.name)
    write(link)
    assert link.is_symlink() and end.read_text() == "new" and not end.is_symlink()
    assert sorted(path.name for path in (tmp_path / "links").iterdir()) == [str(number) for number in range(chain)]


def test_other_names_of_a_file_have_its_new_content(tmp_path):
    (tmp_path / "one").write_text("old and longer")
    os.link(tmp_path / "one", tmp_path / "two")
    write(tmp_path / "one")
    assert (tmp_path / "two").read_text() == "new" and (tmp_path / "one").samefile(tmp_path / "two")


def test_a_pipe_gets_the_content_and_stays(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for name in (pipe, tmp_path / "link"):
        reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
        reader.start()
        write(name)
        reader.join(10)
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert read == ["new", "new"] and (tmp_path / "link").is_symlink()


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a device")
@pytest.mark.parametrize(("number", "name"), [(3, "null"), (7, "full")])
def test_a_device_stays_one(tmp_path, number, name):
    device = tmp_path / name
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, number))
    except OSError:
        pytest.skip("devices can't be made here")
    if name == "full":
        with pytest.raises(OSError, match="No space left") as caught:
            write(device)
        assert caught.value.filename == str(device)
    else:
        write(device)
    assert stat.S_ISCHR(device.stat().st_mode)


def test_descriptors_are_written_into(tmp_path):
    """As of a process substitution. What stands in the file stays, as with the shell's >>."""
    with (tmp_path / "log").open("ab") as log:
        log.write(b"before\n")
        log.flush()
        for name in (
            f"/dev/fd/{log.fileno()}",
            f"/proc/self/fd/{log.fileno()}",
            f"/proc/{os.getpid()}/fd/{log.fileno()}",
        ):
            assert end_of_links(Path(name)) == log.fileno()
            write(Path(name), "new\n")
    assert (tmp_path / "log").read_text() == "before\n" + 3 * "new\n"


def test_a_socket_as_descriptor_is_written_into_and_as_a_file_is_refused(tmp_path, monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        write(Path(f"/dev/fd/{ours.fileno()}"))
        assert theirs.recv(10) == b"new"
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(InputError, match="is a socket"):
            check_file(Path("socket"))
        with pytest.raises(OSError):
            write(Path("socket"))
        assert stat.S_ISSOCK(os.stat("socket").st_mode)


def test_a_closed_descriptor_is_an_error_that_names_it():
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        write(Path("/dev/fd/987"))
    assert caught.value.filename == "/dev/fd/987"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "same file", "link"])
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_standard_output_by_any_name(tmp_path, name, way):
    """The file that it goes to is not replaced below the shell's feet, and what was printed before stands before."""
    out = tmp_path / "out.txt"
    (tmp_path / "link").symlink_to("/dev/stdout")
    path = {"same file": out, "link": tmp_path / "link"}.get(name, Path(name))
    code = (
        "import sys; from pathlib import Path\n"
        "from skinlib.base.files import written_whole\n"
        "from skinlib.base.targets import is_standard_output\n"
        "assert is_standard_output(Path(sys.argv[1])) == (sys.argv[2] == 'True')\n"
        "print('before')\n"
        "with written_whole(Path(sys.argv[1])) as draft: draft.write_text('new\\n')\n"
        "print('after')"
    )
    is_it = way == "file" or path != out
    with out.open("w") as stream:
        streams = {"stdout": stream if way == "file" else subprocess.PIPE}
        done = subprocess.run([sys.executable, "-c", code, path, str(is_it)], text=True, check=True, **streams)
    if is_it:
        assert (done.stdout or out.read_text()) == "before\nnew\nafter\n"
    else:
        assert (done.stdout, out.read_text()) == ("before\nafter\n", "new\n")


def test_nowhere_is_not_standard_output(capfd):
    assert not is_standard_output(Path(os.devnull)) and not is_standard_output(None)
    assert is_standard_output(Path("/dev/stdout"))


def test_after_an_error_the_old_content_stays(tmp_path):
    (tmp_path / "old").write_text("old")
    os.link(tmp_path / "old", tmp_path / "other name")
    for target in (tmp_path / "old", tmp_path / "new"):
        for error in (ValueError, KeyboardInterrupt, OSError):
            with pytest.raises(error), written_whole(target) as draft:
                draft.write_text("half")
                raise error
    assert (tmp_path / "old").read_text() == "old" and not (tmp_path / "new").exists()


def test_a_long_name_is_no_longer_for_its_draft(tmp_path):
    write(tmp_path / ("n" * 250 + ".json"))
    fill(tmp_path / ("f" * 255))


def test_paths_that_lead_in_a_circle_are_an_error(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError):
        write(tmp_path / "a")
    assert (tmp_path / "a").is_symlink()


# ---- a folder


@pytest.mark.parametrize("name", ["new", "deep/new", "empty", "link", "dangling", "link/new"])
def test_a_folder_is_made_or_filled(tmp_path, name):
    for folder in ("empty", "elsewhere"):
        (tmp_path / folder).mkdir()
    (tmp_path / "empty").chmod(0o750)
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "dangling").symlink_to("elsewhere/end")
    check_folder(tmp_path / name)
    before = os.stat(tmp_path / name) if (tmp_path / name).exists() else None
    fill(tmp_path / name)
    assert is_filled(tmp_path / name)
    if before:
        after = os.stat(tmp_path / name)
        assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode), "it is the same folder as before"
    assert (tmp_path / "link").is_symlink() and (tmp_path / "dangling").is_symlink()
    with pytest.raises(InputError, match="exists already"):
        check_folder(tmp_path / name)


def test_the_folder_that_one_is_in_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_folder(Path("."))
    fill(Path("."))
    assert is_filled(tmp_path) and os.path.samefile(".", tmp_path)


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount a disk")
def test_a_disk_that_is_mounted_there_is_filled(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        fill(place)
        assert is_filled(place) and place.is_mount()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        for target in (place / "new.json", place / "a.txt"):
            with pytest.raises(OSError, match=r"Read-only|Permission denied") as caught:
                write(target)
            assert caught.value.filename == str(target)
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount a file")
def test_a_file_that_is_mounted_by_itself_is_written_into(tmp_path):
    (tmp_path / "outside").write_text("old and longer")
    (tmp_path / "inside").write_text("")
    mount = ["mount", "--bind", tmp_path / "outside", tmp_path / "inside"]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        write(tmp_path / "inside")
        assert (tmp_path / "outside").read_text() == "new"
    finally:
        subprocess.run(["umount", tmp_path / "inside"], check=True)


@pytest.mark.parametrize("kind", ["file", "pipe", "full folder", "hidden file in it", "link to a file"])
def test_what_is_no_empty_folder_is_refused_and_stays(tmp_path, kind):
    target = tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(target)
    elif "folder" in kind or "hidden" in kind:
        target.mkdir()
        (target / (".DS_Store" if "hidden" in kind else "thesis.txt")).write_text("precious")
    else:
        (tmp_path / "file").write_text("precious")
        target.symlink_to("file") if "link" in kind else target.write_text("precious")
    before = {path: path.lstat().st_mode for path in tmp_path.rglob("*")}
    with pytest.raises(InputError, match="exists already and is not an empty folder"):
        check_folder(target)
    if kind != "pipe":
        with pytest.raises(OSError):
            fill(target)
    assert {path: path.lstat().st_mode for path in tmp_path.rglob("*")} == before
    assert all(path.read_text() == "precious" for path in before if path.is_file())


def test_files_that_can_never_be_written_are_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "file" / "a.json", "is a file, and no folder")):
        with pytest.raises(InputError, match=words):
            check_file(path)
    with pytest.raises(InputError, match="is a file, and no folder"):
        check_folder(tmp_path / "file" / "run")
    with pytest.raises(InputError, match="are one file"):
        (tmp_path / "link").symlink_to("file")
        check_apart([tmp_path / "link", None, tmp_path / "file"])
    check_apart([Path("/dev/stdout"), None, Path(os.devnull), Path(os.devnull), tmp_path / "a", tmp_path / "b"])
    for path in (None, tmp_path / "file", tmp_path / "new" / "file", Path("/dev/stdout"), Path(os.devnull)):
        check_file(path)


def test_a_file_that_must_not_be_written_is_not(tmp_path, monkeypatch):
    """Renaming would get by its mode."""
    (tmp_path / "file").write_text("precious")
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "file" and allowed(path, mode))
    for attempt in (check_file, write):
        with pytest.raises(PermissionError, match="Permission denied"):
            attempt(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


# ---- drafts that were left


KILLED = """
import os, signal, sys
from pathlib import Path
from skinlib.base.files import written_whole
from skinlib.base.store import Store
def die(draft):
    draft.mkdir()
    (draft / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "store":
    Store(Path(sys.argv[2])).folder("samples", "k", die)
else:
    with written_whole(Path(sys.argv[2])) as draft:
        die(draft)
"""


def rooms(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if targets.ROOM.fullmatch(path.name)]


def age(paths: list[Path], seconds: float = 10) -> None:
    for path in paths:
        os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("place", ["beside", "inside", "store"])
def test_the_drafts_of_a_killed_process_are_swept_at_the_next_start(tmp_path, place):
    target = tmp_path / "out"
    if place == "inside":
        target.mkdir()
    killed = subprocess.run([sys.executable, "-c", KILLED, place, target])
    assert killed.returncode < 0 and len(rooms(tmp_path)) == 1
    age(rooms(tmp_path))
    if place == "store":
        Store(target).folder("samples", "other", lambda draft: draft.mkdir())
    else:
        check_folder(target)
        fill(target)
        assert is_filled(target)
    assert not rooms(tmp_path)


def test_drafts_are_swept_when_the_cache_is_cleared(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, "store", tmp_path])
    age(rooms(tmp_path))
    Store(tmp_path).remove([])
    assert not rooms(tmp_path)


def test_only_what_is_ours_and_dead_is_swept(tmp_path):
    names = (
        ".skinlib-abcdefgh.part",
        ".out.abcdefgh.part",
        "mine.part",
        ".skinlib-abc.part",
        ".skinlib-abcdefgh.part2",
    )
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / ".skinlib-bcdefghi.part").write_text("a file")
    (tmp_path / ".skinlib-cdefghij.part").symlink_to(tmp_path / "mine.part")
    with room(tmp_path) as alive:
        age(list(tmp_path.iterdir()), 3600)
        sweep(tmp_path)
        assert alive.is_dir(), "its process lives"
        left = {path.name for path in tmp_path.iterdir()} - {alive.name}
        assert left == {*names[1:], ".skinlib-bcdefghi.part", ".skinlib-cdefghij.part"}
        (tmp_path / ".skinlib-bcdefghi.part").unlink()
        (tmp_path / ".skinlib-cdefghij.part").unlink()
    (tmp_path / names[0]).mkdir()
    sweep(tmp_path)
    assert (tmp_path / names[0]).is_dir(), "it is so young that its process may be about to lock it"
    (tmp_path / names[0]).rmdir()
    (tmp_path / names[3]).rmdir()


def test_without_locks_only_old_drafts_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_lock", lambda _: None)
    (tmp_path / ".skinlib-abcdefgh.part").mkdir()
    age(rooms(tmp_path), 3600)
    sweep(tmp_path)
    assert rooms(tmp_path)
    age(rooms(tmp_path), 2 * files.OLD)
    sweep(tmp_path)
    assert not rooms(tmp_path)


# ---- a full disk


@pytest.fixture
def small_files():
    """Have no file of this process grow beyond a megabyte."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_does_not_fit_is_an_error_that_names_the_place(tmp_path, small_files):
    """What has several names is written into, from a draft in the folder for temporary files."""
    for name in ("old", "linked"):
        (tmp_path / name).write_text("old")
    os.link(tmp_path / "linked", tmp_path / "other name")
    places = {"old": tmp_path / "old", "new": tmp_path / "new", "linked": tempfile.gettempdir()}
    for name, place in places.items():
        with pytest.raises(OSError, match="File too large") as caught, written_whole(tmp_path / name) as draft:
            draft.write_bytes(bytes(2**21))
        assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(place))
    assert {(tmp_path / name).read_text() for name in ("old", "linked", "other name")} == {"old"}
    with pytest.raises(OSError, match="File too large") as caught:
        array_on_disk((2**21,), np.uint8, tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_other_words_for_a_full_disk_are_put_right(tmp_path, small_files):
    """Libraries raise what they like: the system is asked."""
    for error in (RuntimeError("Failed to write"), OSError("Can't write data"), ValueError("protobuf is invalid")):
        with pytest.raises(OSError, match="File too large") as caught, in_need_of(2**21, tmp_path):
            raise error if not isinstance(error, OSError) else RuntimeError
        assert caught.value.filename == str(tmp_path)
    with pytest.raises(RuntimeError, match="of its own"), in_need_of(1000, tmp_path):
        raise RuntimeError("of its own")


def test_errors_in_a_draft_that_have_no_number_are_of_the_disk_where_it_is_full(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for error in (OSError("h5py"), RuntimeError("C++")):
        with pytest.raises(type(error), match=str(error)), written_whole(tmp_path / "out"):
            raise error
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", full)
            with pytest.raises(OSError, match="No space left") as caught, written_whole(tmp_path / "out"):
                raise error
        assert caught.value.filename == str(tmp_path / "out")


def test_room_is_reserved_where_the_file_system_cannot_promise_it(tmp_path, monkeypatch):
    def cannot(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", cannot)
    array = array_on_disk((3, 2**20), np.uint8, tmp_path)
    array[:] = 7
    assert array.sum() == 7 * 3 * 2**20 and list(tmp_path.iterdir()) == []


def test_an_error_about_another_file_names_that_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, written_whole(tmp_path / "out"):
        (tmp_path / "absent").read_bytes()
    assert caught.value.filename == str(tmp_path / "absent")


def test_an_error_in_copying_to_a_draft_names_the_target(tmp_path, small_files):
    """Which of the two disks is full, must not be guessed."""
    (tmp_path / "source").write_bytes(bytes(2**20))
    with pytest.raises(OSError, match="File too large") as caught, written_whole(tmp_path / "out") as draft:
        shutil.copyfile(tmp_path / "source", draft)
        with draft.open("ab") as stream:
            stream.write(b"1")
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "out"), None)
    with pytest.raises(OSError, match="File name too long") as caught, written_whole(tmp_path / "out") as draft:
        shutil.copyfile(tmp_path / "source", draft)
        os.rename(draft, draft.with_name("n" * 300))
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "out"), None)


# ---- what is kept, whatever happened to it


def is_made_anew(store: Store) -> bool:
    """Ask a store for a value and a folder twice; return whether both are there, and made once at most."""
    made = []

    def fill_folder(draft: Path) -> None:
        made.append(draft)
        draft.mkdir()
        (draft / "a.txt").write_text("one")

    for _ in range(2):
        value = store.value("features", "k", lambda: made.append("value") or b"numbers", "abcd")
        folder = store.folder("samples", "k", fill_folder)
    return value == b"numbers" and (folder / "a.txt").read_text() == "one" and len(made) <= 2


@pytest.mark.parametrize(
    "place",
    ["features", "features/k", "features/k/ab", "features/k/ab/abcd", "samples", "samples/k", "samples/k/a.txt"],
)
@pytest.mark.parametrize("how", ["a file", "a folder", "a full folder", "a dangling link", "gone"])
def test_something_else_in_the_place_of_what_is_kept(tmp_path, place, how):
    store = Store(tmp_path / "store")
    assert is_made_anew(store)
    spoiled = store.root / place
    files.remove(spoiled)
    if how == "a file":
        spoiled.write_text("other bytes")
    elif "folder" in how:
        spoiled.mkdir()
        if how == "a full folder":
            (spoiled / "stray").write_text("stray")
    elif how == "a dangling link":
        spoiled.symlink_to("nowhere")
    assert is_made_anew(store)
    assert {entry.kind for entry in store.entries()} <= set(KINDS)
