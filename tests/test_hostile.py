"""A thousand hostile files: each gets an answer or one line, from Python, the command line, the app and the page.

All are read from Python here; the other ways get a spread of them. ``benchmarks/hostile.py`` sends all in every way.
Seventy, of every kind, are tried each time; the thousand are tried by the slow tests.
"""

import contextlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import three_ways  # noqa: E402
from hostile import SHARES, files  # noqa: E402

MEGABYTES = {"Python": 1500, "App": 2000}
"""What the largest process may hold: a photo of 49 million pixels is among the files, and the network itself."""
CLIENTS_DIFFER = {
    # Chromium counts these as whole, Pillow does not, or the other way round. None of them does harm.
    ".tif": "no browser but Safari reads TIFF",
    "PNG with text of 200 MB": "a browser skips it",
    "PNG with a note of 200 MB": "a browser skips it",
    "PNG with a profile of 200 MB": "a browser skips it",
    "PNG with 2 billion frames": "Pillow shows the first",
    "PNG: twice as high": "Pillow leaves the rest black",
    "PNG: a chunk of 2 GB": "Pillow leaves the rest black",
    "BMP: 2 billion colours": "a browser takes fewer",
    "JPEG with restarts only": "where there is nothing, each fills in a grey of its own",
    "GIF: no palette": "Pillow shows it in grey",
    "two orientations, in a JPEG": "a browser takes the first, Pillow the last",
    "two orientations, in a PNG": "a browser takes the first, Pillow the last",
    "AVIF: another brand": "a browser looks further than Pillow",
}
DAMAGED = ("bits flipped", "cut short", "bytes moved")


@pytest.fixture(scope="module", params=[70, pytest.param(1000, marks=pytest.mark.slow)])
def written(request, tmp_path_factory):
    return files(tmp_path_factory.mktemp("hostile") / "files", request.param)


@pytest.fixture(scope="module")
def good(written):
    """Return a good photo, to see that a way still works after all that."""
    return next(file.path for file in written if file.why.startswith("a photo called") and file.path.isascii())


@pytest.fixture(scope="module")
def python(exported, tmp_path_factory):
    """Return the way from Python, in a process whose working and temporary folders are its own and empty."""
    place = tmp_path_factory.mktemp("python")
    (place / "work").mkdir()
    (place / "temporary").mkdir()
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TMPDIR", str(place / "temporary"))  # for this process alone: Chromium leaves things there
            way = stack.enter_context(three_ways.Python(exported.folder, limit=20, cwd=place / "work"))
        way.ask(os.devnull)  # ONNX Runtime is loaded now
        yield way


def spread(written, number: int) -> list:
    """Return about ``number`` files that a browser can send, some of each kind and of each thing that can be wrong."""
    chosen, seen = [], Counter()
    for file in sorted((file for file in written if file.sendable), key=lambda file: (file.kind, file.why)):
        if seen[file.kind] % max(1, len(written) // number) == 0:
            chosen.append(file)
        seen[file.kind] += 1
    return chosen


def reason(file) -> str:
    return f"{file.kind}: {file.why}: {Path(file.path).suffix}"


# ---------------------------------------------------------------- the files themselves


@pytest.mark.long
def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first, second, other = (files(tmp_path / name, 120, seed) for name, seed in (("a", 3), ("b", 3), ("c", 4)))

    def contents(written):
        return [(f.kind, f.why, f.expected, Path(f.path).read_bytes()) for f in written if f.sendable]

    assert contents(first) == contents(second)
    assert contents(first) != contents(other)


def test_there_are_as_many_of_each_kind_as_promised(written):
    n = len(written)
    number = Counter(file.kind for file in written)
    if n == 1000:
        assert number == {kind: round(n * share) for kind, share in SHARES.items()}
    assert number.keys() == SHARES.keys()
    assert len({file.path for file in written}) == n
    assert sum(file.sendable for file in written) > 0.97 * n


# ---------------------------------------------------------------- from Python


def test_python_reads_or_refuses_every_one(python, written):
    replies = [python.read(file.path) for file in written if Path(file.path).suffix != ".tif"]
    assert python.told() == "", "nothing but answers and errors"
    tiff = [python.read(file.path) for file in written if Path(file.path).suffix == ".tif"]
    assert "Traceback" not in python.told()  # libtiff tells its own troubles, in C

    inputs = sorted(written, key=lambda file: Path(file.path).suffix == ".tif")
    for file, reply in zip(inputs, replies + tiff, strict=True):
        assert reply.word in ("answered", "refused"), (reason(file), reply.lost)
        assert file.expected in (None, reply.word), (reason(file), reply.error)
        if reply.error:
            assert reply.error.isprintable(), "one line, and nothing in it that a terminal obeys"
            name = "".join(c if c.isprintable() else "?" for c in Path(file.path).name)
            assert name in reply.error
            assert reply.error.count(": ") >= 2, "name, reason and remedy"
        else:
            assert reply.answer["shape"][0] * reply.answer["shape"][1] <= 50_000_000
    slowest = max(zip(replies + tiff, inputs, strict=True), key=lambda pair: pair[0].seconds)
    assert slowest[0].seconds < 15, reason(slowest[1])
    assert python.peak_megabytes() < MEGABYTES["Python"]
    folder = Path(python.cwd).parent
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == ["temporary", "work"]


def test_python_answers_with_a_probability_for_each_class(python, written, exported):
    answers = [python.ask(file.path).answer for file in written[:60]]
    answers = [answer for answer in answers if answer]
    assert len(answers) > 10
    for answer in answers:
        probabilities = np.array(list(answer["probabilities"].values()))
        assert list(answer["probabilities"]) == exported.keys
        assert np.isfinite(probabilities).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert 0 <= answer["strangeness"] <= 2


def test_command_line(exported, written):
    chosen = [file for file in written if "\0" not in file.path and Path(file.path).suffix != ".tif"][:200]
    chosen += [file for file in written if file.kind.startswith("odd") and "\0" not in file.path and file not in chosen]
    chosen = [file for file in chosen if not os.path.isdir(file.path)]  # a folder stands for all photos in it
    called = subprocess.run(
        [sys.executable, "-m", "skinlib", "predict", exported.folder, *(file.path for file in chosen)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},  # as in a shell that is set to a language
    )
    assert called.returncode == 2
    answers, errors = called.stdout.rstrip("\n").split("\n"), called.stderr.rstrip("\n").split("\n")
    assert len(answers) + len(errors) == len(chosen), "one line for each file"
    assert all(line.isprintable() for line in answers + errors)
    assert all(line.endswith("not a diagnosis") for line in answers)
    assert all(line.startswith("skinlib: ") for line in errors)
    assert len(answers) >= sum(file.expected == "answered" for file in chosen)
    assert len(errors) >= sum(file.expected == "refused" for file in chosen)


# ---------------------------------------------------------------- through the app


@pytest.mark.slow
def test_app(exported, written, python, good):
    chosen = spread(written, 110)
    assert {file.kind for file in chosen} == set(SHARES)
    with three_ways.App(exported.folder) as app:
        for file in chosen:
            expected, reply = python.ask(file.path), app.ask(file.path)
            assert reply.word == expected.word, (reason(file), reply)
            if reply.answer:
                assert three_ways.same(expected.answer, reply.answer), reason(file)
            else:
                assert reply.error.isprintable()
                assert "Traceback" not in reply.error
                assert str(app.uploads) not in reply.error, "no place on the server is told"
        assert app.ask(good).answer == python.ask(good).answer
        assert app.process.poll() is None, "the same process as at the start"
        assert app.peak_megabytes() < MEGABYTES["App"]
        assert [path for path in app.uploads.rglob("*") if path.is_file()] == []
        assert "Traceback" not in app.told()


# ---------------------------------------------------------------- on the page


@pytest.fixture(scope="module")
def page(exported):
    if not Path(three_ways.CHROMIUM).is_file():
        lacking = "Chromium is not installed: on Debian and Ubuntu run `sudo apt-get install chromium`"
        if os.environ.get("SKINLIB_REQUIRE_SITE"):
            pytest.fail(lacking)
        pytest.skip(lacking)
    with three_ways.Page(exported.folder) as way:
        yield way


@pytest.mark.slow
@pytest.mark.site
def test_page(page, written, python, good):
    chosen = spread(written, 60)
    assert {file.kind for file in chosen} == set(SHARES)
    unlike = []
    for file in chosen:
        expected, reply = python.ask(file.path), page.ask(file.path)
        assert reply.word in ("answered", "refused"), (reason(file), reply.lost)
        if reply.error:
            assert len(reply.error) > 10
            assert "\n" not in reply.error
        if reply.word != expected.word or (reply.answer and not three_ways.same(expected.answer, reply.answer)):
            unlike.append(file)
    surprises = [reason(file) for file in unlike if not {file.why, Path(file.path).suffix} & CLIENTS_DIFFER.keys()]
    # Two decoders need not agree on what damage does to a picture; on anything else they must.
    assert [words for words in surprises if not words.startswith(DAMAGED)] == []
    assert len(surprises) <= 0.1 * len(chosen), surprises
    assert three_ways.same(page.ask(good).answer, python.ask(good).answer)
    assert page.asked == [], "no other host is asked"
    assert page.troubles == []
