"""Fetching the clinical photos, against a real server on this machine. No photo is needed: any bytes will do."""

import csv
import hashlib
import io
import os
import resource
import stat
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pooch
import pytest

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.settings import load_settings
from skinlib.data import fetch
from skinlib.data.conditions import CONDITIONS
from skinlib.data.opening import open_data

FILES = {
    "train_set/BA- cellulitis/BA- cellulitis (1).jpg": b"first" * 400,
    "train_set/VI-shingles/2_VI-shingles.png": b"second" * 300,
    "test_set/BA- cellulitis/BA- cellulitis (3).webp": b"third" * 200,
    "test_set/VI-shingles/_4_.jpeg": b"fourth" * 100,
}
WRONG = "train_set/VI-shingles/2_VI-shingles.png"


class Server(ThreadingHTTPServer):
    """Serves ``pages`` (path: bytes or a function of the request) and notes which paths were asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {}
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = unquote(self.path)
        self.server.asked.append(path)
        page = self.server.pages.get(path)
        if callable(page):
            page(self)
        elif page is None:
            self.send_error(404)
        else:
            self.answer(page, len(page))

    do_HEAD = do_GET

    def answer(self, body, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def archive(files, folder="Skin-Disease-b7c97f0/skin-disease-dataset/"):
    """Return the bytes of a zip like GitHub's."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("Skin-Disease-b7c97f0/README.md", "read me")
        for path, data in files.items():
            zipped.writestr(folder + path, data)
    return packed.getvalue()


def single(path):
    return f"/files/{path}"


def below(folder):
    """Return {relative path: bytes} of every file in ``folder``; empty when it is absent."""
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Return a server that all of fetch's addresses point to, with nothing on it. Each is asked once."""
    monkeypatch.setenv("SKINLIB_CACHE", str(tmp_path / "cache"))
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        rows = [(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in FILES.items()]
        csv.writer(file).writerows([("path", "bytes", "sha256"), *rows])
    monkeypatch.setattr(fetch, "MANIFEST", manifest)
    monkeypatch.setattr(fetch, "ARCHIVE_URL", f"{server.url}/archive.zip")
    monkeypatch.setattr(fetch, "FILES_URL", f"{server.url}/files")
    monkeypatch.setattr(fetch, "TIMEOUT", 5)
    monkeypatch.setattr(fetch, "RETRIES", 0)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "here" / "clinical"


def part_of(out):
    return out.with_name(out.name + ".part")


def fails(out, kept=()):
    """Check that fetching fails in one line and leaves nothing but the whole files ``kept``. Return the line."""
    with pytest.raises(SkinlibError) as caught:
        fetch.fetch(out)
    assert not out.exists()
    assert below(out.parent) == {f"{out.name}.part/{path}": FILES[path] for path in kept}
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{part_of(out)}: could not fetch {len(FILES) - len(kept)} of 4 clinical photos")
    assert fetch.KAGGLE_PAGE in message and "SKINLIB_DATA" in message
    assert caught.value.exit_code == 1
    return message


def test_archive_is_fetched_and_checked(server, out, capfd):
    server.pages["/archive.zip"] = archive(FILES)
    assert fetch.fetch(out) == out
    assert below(out) == FILES
    assert list(out.parent.iterdir()) == [out]
    assert server.asked == ["/archive.zip"]
    assert capfd.readouterr() == ("", "")


def test_default_place_is_where_clinical_looks(server, own_cache):
    server.pages["/archive.zip"] = archive(FILES)
    with pytest.raises(InputError, match=r"python -m skinlib fetch.*SKINLIB_DATA"):
        open_data(load_settings(data="clinical"))
    folder = fetch.fetch()
    assert below(folder) == FILES
    # These four files are no photos, so the catalogue complains; but it found them.
    with pytest.raises(InputError, match="none of 4 files can be used") as caught:
        open_data(load_settings(data="clinical"))
    assert str(folder) in str(caught.value)


def test_complete_photos_cost_no_request(server, out):
    server.pages["/archive.zip"] = archive(FILES)
    fetch.fetch(out)
    server.asked.clear()
    assert fetch.fetch(out) == out
    assert server.asked == []


def test_another_folder_is_left_alone(server, out):
    for path, data in FILES.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_bytes(data)
    (out / WRONG).write_bytes(b"mine")
    before = below(out)
    with pytest.raises(InputError, match="choose another folder") as caught:
        fetch.fetch(out)
    assert WRONG in str(caught.value)
    assert below(out) == before
    assert list(out.parent.iterdir()) == [out]
    assert server.asked == []


def test_out_may_be_empty_but_no_file(server, out):
    server.pages["/archive.zip"] = archive(FILES)
    out.mkdir(parents=True)
    assert below(fetch.fetch(out)) == FILES
    file = out / WRONG
    with pytest.raises(InputError, match="in use"):
        fetch.fetch(file)
    with pytest.raises(InputError, match="cannot be made"):
        fetch.fetch(file / "below-a-file")
    assert below(out) == FILES


def test_wrong_byte_in_the_archive(server, out):
    changed = FILES | {WRONG: FILES[WRONG][:-1] + b"!"}
    server.pages["/archive.zip"] = archive(changed)
    message = fails(out, kept=FILES.keys() - {WRONG})
    assert WRONG in message


def test_wrong_byte_in_the_archives_own_bytes(server, out):
    packed = bytearray(archive(FILES))
    with zipfile.ZipFile(io.BytesIO(packed)) as zipped:
        start = next(member.header_offset for member in zipped.infolist() if member.filename.endswith(WRONG))
    packed[start + 30 + len("Skin-Disease-b7c97f0/skin-disease-dataset/" + WRONG) + 4] ^= 0xFF
    server.pages["/archive.zip"] = bytes(packed)
    assert WRONG in fails(out, kept=FILES.keys() - {WRONG})


def test_wrong_byte_is_mended_from_the_single_file(server, out):
    server.pages["/archive.zip"] = archive(FILES | {WRONG: b"wrong"})
    server.pages[single(WRONG)] = FILES[WRONG]
    assert below(fetch.fetch(out)) == FILES
    assert server.asked == ["/archive.zip", single(WRONG)]


def test_wrong_byte_in_a_single_file(server, out):
    server.pages |= {single(path): data for path, data in FILES.items()}
    server.pages[single(WRONG)] = FILES[WRONG][:-1] + b"!"
    assert WRONG in fails(out, kept=FILES.keys() - {WRONG})


def test_short_archive(server, out):
    packed = archive(FILES)
    server.pages["/archive.zip"] = lambda request: request.answer(packed[: len(packed) // 2], len(packed))
    assert "GitHub's archive: the download broke off" in fails(out)


def test_short_archive_without_a_length(server, out):
    packed = archive(FILES)

    def cut(request):
        request.send_response(200)
        request.end_headers()
        request.wfile.write(packed[: len(packed) // 2])

    server.pages["/archive.zip"] = cut
    assert "GitHub's archive: not a whole zip archive" in fails(out)


def test_short_single_file(server, out):
    first = next(iter(FILES))
    server.pages[single(first)] = lambda request: request.answer(FILES[first][:9], len(FILES[first]))
    assert "GitHub's single files: the download broke off" in fails(out)


@pytest.mark.parametrize("climbing", ["../../evil.jpg", "train_set/../../../evil.jpg", "..\\..\\evil.jpg"])
def test_archive_cannot_write_outside(server, out, tmp_path, climbing):
    server.pages["/archive.zip"] = archive({climbing: b"evil"} | FILES)
    fetch.fetch(out)
    assert below(out) == FILES
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


def test_archive_with_absolute_and_linked_members(server, out, tmp_path):
    packed = io.BytesIO(archive(FILES))
    with zipfile.ZipFile(packed, "a") as zipped:
        zipped.writestr(str(tmp_path / "evil.jpg"), b"evil")
        link = zipfile.ZipInfo("Skin-Disease-b7c97f0/skin-disease-dataset/train_set/evil")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, str(tmp_path))
    server.pages["/archive.zip"] = packed.getvalue()
    fetch.fetch(out)
    assert below(out) == FILES
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


def test_archive_member_that_would_fill_the_memory(server, out):
    server.pages["/archive.zip"] = archive(FILES | {WRONG: bytes(50_000_000)})
    assert len(server.pages["/archive.zip"]) < 100_000
    assert WRONG in fails(out, kept=FILES.keys() - {WRONG})


def test_not_found(server, out):
    message = fails(out)
    assert message.count("404") == 2  # the archive and the first single file; the other three are not tried
    assert server.asked == ["/archive.zip", single(next(iter(FILES)))]


def test_a_server_that_does_not_answer(server, out, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    done = threading.Event()
    slow = lambda request: done.wait(10)  # noqa: E731
    server.pages |= {"/archive.zip": slow, single(next(iter(FILES))): slow}
    start = time.monotonic()
    message = fails(out)
    assert time.monotonic() - start < 5
    done.set()
    assert message.count("no answer within 0.2 s") == 2


def test_a_server_that_stops_halfway(server, out, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT", 0.2)
    done = threading.Event()
    packed = archive(FILES)

    def stall(request):
        request.answer(packed[:200], len(packed))
        request.wfile.flush()
        done.wait(10)

    server.pages["/archive.zip"] = stall
    message = fails(out)
    done.set()
    assert "GitHub's archive: no answer within 0.2 s" in message


def test_nobody_there(server, out):
    server.shutdown()
    server.server_close()
    assert fails(out).count("no connection") == 2


def test_resumes_where_the_connection_broke(server, out):
    first, second, *rest = FILES
    server.pages |= {single(path): FILES[path] for path in (first, second)}
    fails(out, kept=(first, second))

    server.asked.clear()
    server.pages |= {single(path): FILES[path] for path in rest}
    assert below(fetch.fetch(out)) == FILES
    assert server.asked == [single(path) for path in rest]
    assert not part_of(out).exists()


def test_resumes_after_an_interrupt(server, out, monkeypatch):
    server.pages |= {single(path): data for path, data in FILES.items()}
    first, second, third, _ = FILES
    right_one = pooch.HTTPDownloader.__call__

    def interrupted(self, url, output_file, *args):
        if unquote(url).endswith(third):
            Path(output_file).write_bytes(b"half")
            raise KeyboardInterrupt
        return right_one(self, url, output_file, *args)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(out)
    assert not out.exists()
    assert below(part_of(out)) == {path: FILES[path] for path in (first, second)}

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", right_one)
    server.asked.clear()
    assert below(fetch.fetch(out)) == FILES
    assert server.asked == [single(path) for path in list(FILES)[2:]]


def test_resumes_from_another_source(server, out):
    first = next(iter(FILES))
    server.pages[single(first)] = FILES[first]
    fails(out, kept=(first,))
    del server.pages[single(first)]
    server.pages["/archive.zip"] = archive(FILES)
    assert below(fetch.fetch(out)) == FILES


def test_a_small_rest_that_single_files_have_not_comes_from_the_archive(server, out):
    first, second, third, _ = FILES
    server.pages |= {single(path): FILES[path] for path in (first, second)}
    fails(out, kept=(first, second))
    server.asked.clear()
    server.pages = {"/archive.zip": archive(FILES)}
    assert below(fetch.fetch(out)) == FILES
    assert server.asked == [single(third), "/archive.zip"]


def test_a_large_rest_comes_from_the_archive(server, out):
    first = next(iter(FILES))
    (part_of(out) / first).parent.mkdir(parents=True)
    (part_of(out) / first).write_bytes(FILES[first])
    server.pages["/archive.zip"] = archive({path: FILES[path] for path in FILES if path != first})
    assert below(fetch.fetch(out)) == FILES
    assert server.asked == ["/archive.zip"]


def test_a_single_file_is_asked_for_again(server, out, monkeypatch):
    """The first time it is not there, the second time it is another one, the third time it breaks off."""
    waits = []
    monkeypatch.setattr(fetch, "RETRIES", 3)
    monkeypatch.setattr(time, "sleep", waits.append)
    server.pages |= {single(path): data for path, data in FILES.items()}
    right = FILES[WRONG]
    answers = [
        lambda request: request.send_error(503),
        lambda request: request.answer(b"!" + right[1:], len(right)),
        lambda request: request.answer(right[:9], len(right)),
        lambda request: request.answer(right, len(right)),
    ]
    server.pages[single(WRONG)] = lambda request: answers.pop(0)(request)
    assert below(fetch.fetch(out)) == FILES
    assert server.asked.count(single(WRONG)) == 4 and waits == [1, 2, 3]


def test_names_that_mean_something_in_an_address(server, out, monkeypatch, tmp_path):
    names = ["train_set/a b (1).jpg", "train_set/#1.jpg", "train_set/50%.jpg", "train_set/who?.jpg", "test_set/ä.jpg"]
    rows = "".join(f"{name},5,{hashlib.sha256(name.encode()).hexdigest()}\n" for name in names)
    fetch.MANIFEST.write_text("path,bytes,sha256\n" + rows, encoding="utf-8")
    server.pages |= {single(name): name.encode() for name in names}
    assert below(fetch.fetch(out)) == {name: name.encode() for name in names}


@pytest.mark.parametrize("terminal", [False, True])
def test_bars_are_for_terminals(server, out, monkeypatch, capsys, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    server.pages["/archive.zip"] = archive(FILES | {WRONG: b"wrong"})
    server.pages[single(WRONG)] = FILES[WRONG]
    fetch.fetch(out)
    printed = capsys.readouterr()
    assert printed.out == "" and ("clinical photos" in printed.err) == ("B/s" in printed.err) == terminal


def test_what_a_killed_run_left_is_cleared(server, out):
    first, second, *_ = FILES
    stray = part_of(out) / ".tmp123" / "half.zip"
    for path, data in ((part_of(out) / first, FILES[first]), (part_of(out) / second, b"half"), (stray, b"half")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (part_of(out) / "tmplink").symlink_to(out.parent)
    fails(out, kept=(first,))

    stray.parent.mkdir()
    stray.write_bytes(b"half")
    server.pages["/archive.zip"] = archive(FILES)
    assert below(fetch.fetch(out)) == FILES
    assert not (out / ".tmp123").exists()


def test_a_folder_of_that_name_that_is_somebodys_own_is_left_alone(server, out):
    server.pages["/archive.zip"] = archive(FILES)
    (part_of(out) / "holiday").mkdir(parents=True)
    (part_of(out) / "holiday" / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(InputError, match=r"clinical\.part: holds other files, such as holiday: move them"):
        fetch.fetch(out)
    assert below(out.parent) == {"clinical.part/holiday/photo.jpg": b"precious"}


@pytest.mark.parametrize("way", ["archive", "single files"])
@pytest.mark.parametrize("name", ["empty", "link", "dangling"])
def test_an_empty_folder_is_taken_and_links_stay(server, tmp_path, name, way):
    for folder in ("empty", "elsewhere"):
        (tmp_path / folder).mkdir(mode=0o750)
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "dangling").symlink_to("deep/new")
    server.pages |= {"/archive.zip": archive(FILES)} if way == "archive" else {single(p): d for p, d in FILES.items()}
    before = os.stat(tmp_path / name).st_ino if name != "dangling" else None
    assert fetch.fetch(tmp_path / name) == tmp_path / name
    assert below(tmp_path / name) == FILES and not list(tmp_path.rglob("*.part"))
    assert before in (None, os.stat(tmp_path / name).st_ino) and (name == "empty" or (tmp_path / name).is_symlink())
    modes = {stat.S_IMODE((tmp_path / name / path).stat().st_mode) for path in FILES}
    assert modes == {0o666 & stat.S_IMODE((tmp_path / "manifest.csv").stat().st_mode)}, "as of any other file"


def test_what_an_interrupt_left_in_an_empty_folder_is_gone_on_with(server, out):
    out.mkdir(parents=True)
    with pytest.raises(SkinlibError):
        fetch.fetch(out)
    first = next(iter(FILES))
    target = out / part_of(out).name / first
    target.parent.mkdir(parents=True)
    target.write_bytes(FILES[first])
    server.pages["/archive.zip"] = archive(FILES)
    assert below(fetch.fetch(out)) == FILES


def test_of_two_at_once_the_second_waits_and_asks_for_nothing(server, out):
    server.pages["/archive.zip"] = archive(FILES)
    threads = [threading.Thread(target=fetch.fetch, args=[out]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert below(out) == FILES and not part_of(out).exists()
    assert server.asked == ["/archive.zip"]


@pytest.mark.parametrize("pages", ["archive", "single files"])
def test_disk_trouble_is_one_line(server, out, monkeypatch, pages):
    """A disk on which no file grows beyond 1,000 bytes: less than the archive and the first photo."""
    one_archive, singles = {"/archive.zip": archive(FILES)}, {single(path): data for path, data in FILES.items()}
    server.pages |= one_archive if pages == "archive" else singles
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        assert "File too large" in fails(out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_shipped_manifest_and_addresses():
    with fetch.MANIFEST.open(newline="") as file:
        rows = list(csv.DictReader(file))
    folders = {condition.folder for condition in CONDITIONS}
    assert len(rows) == 1159
    assert len({row["path"] for row in rows}) == 1159
    for row in rows:
        split_folder, folder, _name = row["path"].split("/")
        assert split_folder in ("train_set", "test_set")
        assert folder in folders
        assert int(row["bytes"]) > 0
        assert len(bytes.fromhex(row["sha256"])) == 32
        assert ".." not in Path(row["path"]).parts
    assert fetch.ARCHIVE_URL.startswith("https://github.com/SumeetSinghBhati/")
    assert fetch.FILES_URL.startswith("https://raw.githubusercontent.com/SumeetSinghBhati/")
    assert "b7c97f0aab7fbea850fa4be02c720f299f33b3c3" in fetch.ARCHIVE_URL
    assert "b7c97f0aab7fbea850fa4be02c720f299f33b3c3" in fetch.FILES_URL
