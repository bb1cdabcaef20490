"""What commands write, each at every kind of place: nothing is changed that is not theirs, and nothing half is left."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from skinlib.__main__ import GOES_ON, main
from skinlib.base.store import Store
from skinlib.base.targets import ROOM
from skinlib.data import sample as drawing
from skinlib.learn import ladder
from skinlib.learn.runs import Run
from skinlib.serve.exported import ExportedModel

FILES = ("audit --json", "audit --splits", "evaluate --json", "croissant --out")
"""Every option that takes a file to write."""
FOLDERS = ("sample --out", "train --out", "export --out", "audit --sheets", "fetch --out")
"""Every option that takes a folder to make; that of `results` may hold other things."""


@pytest.fixture
def call(sample, grouped_run, tiny_settings, monkeypatch):
    """Return what runs a command with a target, in this process and on what the whole session shares."""
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    monkeypatch.setenv("SKINLIB_SPEED", "quick")
    monkeypatch.setenv("SKINLIB_BACKBONE", tiny_settings.backbone)
    arguments = {
        "sample": ["--per-class", "5"],
        "fetch": [],
        "audit": [sample.root],
        "croissant": [sample.root],
        "train": [sample.root, "--epochs", "1"],
        "results": [sample.root, "--weights", "untrained"],
        "evaluate": [grouped_run.path],
        "export": [grouped_run.path],
    }

    def run(option: str, target) -> int:
        command, _, name = option.partition(" ")
        return main([command, *map(str, arguments[command]), name, str(target)])

    return run


@pytest.fixture
def store(tiny_settings) -> Store:
    return tiny_settings.store


def rooms(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob("*") if ROOM.fullmatch(path.name)]


def content_of(option: str, file: Path) -> bool:
    """Tell whether a file holds what an option writes."""
    text = file.read_text("utf-8")
    return text.startswith("sha256,photo_id") if option == "audit --splits" else isinstance(json.loads(text), dict)


# ---- files


@pytest.mark.parametrize("option", FILES)
def test_a_file_keeps_its_mode_a_link_stays_and_a_pipe_is_written_into(option, call, tmp_path, capsys):
    old, link, pipe = (tmp_path / name for name in ("old", "link", "pipe"))
    (tmp_path / "elsewhere").mkdir()
    link.symlink_to("elsewhere/end")
    old.write_text("old " * 10_000)
    old.chmod(0o640)
    os.link(old, tmp_path / "other name")
    os.mkfifo(pipe)
    received = tmp_path / "received"
    reader = threading.Thread(target=lambda: received.write_bytes(pipe.read_bytes()))
    reader.start()
    for target in (old, link, pipe, Path(os.devnull), tmp_path / "deep" / "new"):
        assert call(option, target) == 0
    reader.join(10)
    for file in (old, tmp_path / "other name", tmp_path / "elsewhere" / "end", received, tmp_path / "deep" / "new"):
        assert content_of(option, file)
    assert link.is_symlink() and stat.S_ISFIFO(pipe.stat().st_mode) and stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode) and not rooms(tmp_path)


@pytest.mark.parametrize("option", FILES)
@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_on_standard_output_the_file_is_alone(option, name, call, tmp_path, capfd):
    assert call(option, name) == 0
    out, err = capfd.readouterr()
    (tmp_path / "out").write_text(out)
    assert content_of(option, tmp_path / "out")
    assert err.strip() and "Traceback" not in err, "what is said goes elsewhere"


@pytest.mark.parametrize("option", FILES)
def test_a_folder_is_no_file(option, call, tmp_path, capsys):
    (tmp_path / "link").symlink_to(".")
    for target in (tmp_path, tmp_path / "link"):
        assert call(option, target) == 2
        out, err = capsys.readouterr()
        assert out == "" and len(err.splitlines()) == 1 and "is a folder: name a file" in err, "before any work"


def test_two_files_have_two_names(sample, call, tmp_path, capsys):
    same = str(tmp_path / "same")
    assert main(["audit", str(sample.root), "--json", same, "--splits", same]) == 2
    assert "are one file: name two" in capsys.readouterr().err


# ---- folders


@pytest.mark.parametrize("option", [*FOLDERS, "results --out"])
def test_what_is_no_empty_folder_is_refused_before_any_work(option, call, tmp_path, capsys, monkeypatch):
    for module in (drawing, ladder):
        monkeypatch.setattr(module, "written_whole", lambda _: pytest.fail("it began"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    names = ["file", "link", "pipe", "file/below"] + (["full"] if option != "results --out" else [])
    before = {path: (path.lstat().st_mode, path.lstat().st_ino) for path in tmp_path.rglob("*")}
    for target in (*(tmp_path / name for name in names), os.devnull, "/dev/stdout"):
        assert call(option, target) == 2
        out, err = capsys.readouterr()
        assert out == "" and len(err.splitlines()) == 1 and err.startswith("skinlib: ")
    assert {path: (path.lstat().st_mode, path.lstat().st_ino) for path in tmp_path.rglob("*")} == before
    assert (tmp_path / "full/thesis.txt").read_text() == (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    "option",  # that of fetch is in test_fetch.py
    ["sample --out", *(pytest.param(option, marks=pytest.mark.slow) for option in FOLDERS[1:-1])],
)
def test_an_empty_folder_is_taken_and_links_to_folders_stay(option, call, tmp_path, capsys):
    for name in ("empty", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "empty").chmod(0o750)
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "dangling").symlink_to("elsewhere")
    (tmp_path / "usual").write_text("")
    holds, usual = [], stat.S_IMODE((tmp_path / "usual").stat().st_mode)
    for name in ("empty", "link", "dangling"):
        if name == "dangling":
            shutil.rmtree(tmp_path / "elsewhere")
        assert call(option, tmp_path / name) == 0
        holds.append({file.relative_to(tmp_path / name) for file in (tmp_path / name).rglob("*")})
        files = [file for file in (tmp_path / name).rglob("*") if file.is_file()]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {usual}, "as of any other file"
    assert holds[0] and holds[0] == holds[1] == holds[2] and not rooms(tmp_path)
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o750
    assert (tmp_path / "link").is_symlink() and (tmp_path / "dangling").is_symlink()


@pytest.fixture
def one_rung(monkeypatch):
    """Have the ladder be climbed in no time."""
    row = dict.fromkeys(ladder.RESULT_COLUMNS, 0.5)
    monkeypatch.setattr(ladder, "climb", lambda *_: iter([row]))


def test_results_are_put_beside_what_is_there(call, one_rung, tmp_path, sample, capsys):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "notes.txt").write_text("precious")
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "elsewhere" / f"{sample.root.name}.csv").symlink_to("../table.csv")
    assert call("results --out", tmp_path / "link") == 0
    assert len(pd.read_csv(tmp_path / "table.csv")) == 1 and not rooms(tmp_path)
    assert len(list((tmp_path / "elsewhere").iterdir())) == 3
    assert (tmp_path / "elsewhere" / "notes.txt").read_text() == "precious"
    (tmp_path / "other" / f"{sample.root.name}.json").mkdir(parents=True)
    assert call("results --out", tmp_path / "other") == 2 and "is a folder" in capsys.readouterr().err


# ---- two at once


@pytest.mark.parametrize("option", [*FOLDERS, "results --out"])
def test_another_work_at_the_same_place_is_refused_before_it_begins(option, call, store, tmp_path, sample, capsys):
    target = tmp_path / "out"
    claimed = target / f"{sample.root.name}.csv" if option == "results --out" else target
    with store.claimed(claimed, "other work"):
        assert call(option, target) == 2
    assert "another process is writing something else there" in capsys.readouterr().err
    assert not target.exists()


@pytest.mark.parametrize("option", ["sample --out", "export --out", "audit --sheets", "results --out"])
def test_the_same_work_at_once_is_done_once(option, call, store, tmp_path, one_rung, monkeypatch, sample, capsys):
    """The second begins while the first is at it: here, by the first's very claim."""
    keys, target = [], tmp_path / "out"
    claim = Store.claimed

    def noting(self, place, key):
        keys.append(key)
        return claim(self, place, key)

    monkeypatch.setattr(Store, "claimed", noting)
    assert call(option, target) == 0
    files = {file: file.stat().st_mtime_ns for file in target.rglob("*")}
    moved = tmp_path / "aside"
    target.rename(moved)

    begun, results = threading.Event(), []

    def first():
        with claim(store, target / f"{sample.root.name}.csv" if "results" in option else target, keys[0]):
            begun.set()
            time.sleep(0.5)
            moved.rename(target)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    results.append(call(option, target))
    thread.join()
    assert results == [0] and {file: file.stat().st_mtime_ns for file in target.rglob("*")} == files


@pytest.mark.long
def test_two_processes_draw_the_same_sample(tmp_path):
    command = [sys.executable, "-m", "skinlib", "sample", "--out", tmp_path / "out", "--per-class", "5"]
    environment = os.environ | {"SKINLIB_CACHE": str(tmp_path / "cache")}
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert errors == ["", ""] and not rooms(tmp_path)


# ---- signals


@pytest.mark.parametrize("option", [*FILES, *FOLDERS[:-1], "results --out"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_leaves_nothing_half(option, number, code, call, store, one_rung, tmp_path, capsys, monkeypatch):
    """It comes at the last moment: all is made, and about to be put in its place."""
    replace, sent = os.replace, []

    def interrupted(source, target):
        if Path(target).is_relative_to(tmp_path) and not rooms(Path(target)) and not sent:
            sent.append(target)
            os.kill(os.getpid(), number)
            time.sleep(5)
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    assert call(option, tmp_path / "out") == code
    assert sent and not (tmp_path / "out").is_file() and not rooms(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    *_, line = capsys.readouterr().err.splitlines()
    how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    goes_on = "; what is finished is kept: the same command goes on from there"
    assert line == f"skinlib: {how}{goes_on if option.split()[0] in GOES_ON else ''}"


def test_only_those_promise_to_go_on_that_do():
    """What they keep is tested where it is made: sketches, features, epochs, checked files."""
    assert not {"sample", "predict", "evaluate", "cache"} & set(GOES_ON)


@pytest.mark.long
def test_drawing_ends_at_once_when_asked_to(tmp_path):
    command = [sys.executable, "-m", "skinlib", "sample", "--out", tmp_path / "out", "--per-class", "500"]
    environment = os.environ | {"SKINLIB_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    while not list(tmp_path.rglob("*.jpg")):
        time.sleep(0.2)
        assert process.poll() is None
    process.terminate()
    assert process.communicate(timeout=60)[1] == "skinlib: ended by SIGTERM\n" and process.returncode == 143
    assert [path.name for path in tmp_path.iterdir()] == ["cache"] and not rooms(tmp_path)


# ---- answers


@pytest.fixture(autouse=True)
def usual_signals():
    """Whoever started the tests may have some signals ignored, as `nohup` and `&` do."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def photos(sample) -> list[str]:
    return [str(sample.path(path)) for path in sample.photos.path[:3]]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_each_answer_of_a_run_is_printed_when_it_is_there(options, run, photos, capsys, monkeypatch):
    printed, predict = [], Run.predict

    def looking(self, some):
        printed.append(capsys.readouterr().out)
        return predict(self, some)

    monkeypatch.setattr(Run, "predict", looking)
    assert main(["predict", str(run.path), *photos, *options]) == 0
    first, second, third, rest = (*printed, capsys.readouterr().out)
    assert first == "" and photos[0] in second and photos[1] in third and photos[2] in rest
    if options:
        whole = second + third + rest
        assert whole == json.dumps(json.loads(whole), indent=2) + "\n", "as if it were printed at once"
        assert len(json.loads(whole)) == 3


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_interrupt_keeps_the_answers_so_far(options, exported, photos, capsys, monkeypatch):
    answer, asked = ExportedModel.answer, []

    def interrupted(self, photo):
        asked.append(photo)
        if len(asked) == 3:
            time.sleep(0.3)  # the answers before are on their way
            raise KeyboardInterrupt
        return answer(self, photo)

    monkeypatch.setenv("SKINLIB_CORES", "1")
    monkeypatch.setattr(ExportedModel, "answer", interrupted)
    assert main(["predict", str(exported.folder), *photos, *options]) == 130
    out, err = capsys.readouterr()
    assert photos[0] in out and photos[1] in out and photos[2] not in out and err == "skinlib: interrupted\n"
    if options:
        with pytest.raises(ValueError):
            json.loads(out)


COMMANDS = {
    "help": ["--help"],
    "cache": ["cache"],
    "audit": ["audit", "PHOTOS"],
    "audit on standard output": ["audit", "PHOTOS", "--json", "/dev/stdout"],
    "predict": ["predict", "MODEL", "PHOTO", "PHOTO", "PHOTO"],
    "predict as JSON": ["predict", "MODEL", "PHOTO", "PHOTO", "PHOTO", "--json"],
}


@pytest.mark.long
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("name", COMMANDS)
def test_who_has_read_enough_hears_nothing_of_it(name, unbuffered, exported, sample, photos, tiny_settings):
    """As with `| head -1`: no traceback, and none of Python's complaints at its end."""
    names = {"PHOTOS": sample.root, "MODEL": exported.folder, "PHOTO": photos[0]}
    command = [sys.executable, "-m", "skinlib", *(str(names.get(word, word)) for word in COMMANDS[name])]
    environment = os.environ | {"SKINLIB_CACHE": str(tiny_settings.cache), "PYTHONUNBUFFERED": unbuffered}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(120) in (0, 141)
    assert "".join(line for line in err.splitlines() if name != "audit on standard output") == ""


@pytest.mark.long
@pytest.mark.parametrize("closed", ["out", "err", "both"])
def test_closed_streams_are_no_error(closed, exported, photos, tiny_settings):
    command = [sys.executable, "-m", "skinlib", "predict", exported.folder, photos[0]]
    shell = f'"$@" {">&-" if closed != "err" else ""} {"2>&-" if closed != "out" else ""}'
    done = subprocess.run(["sh", "-c", shell, "sh", *command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("not a diagnosis" in done.stdout) == (closed == "err")


def test_a_full_standard_output_is_one_line(own_cache, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skinlib.commands.keeping.print", full, raising=False)
    assert main(["cache"]) == 1
    assert capsys.readouterr().err.startswith("skinlib: standard output: [Errno 28] No space left on device")
