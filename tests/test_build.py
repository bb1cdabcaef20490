"""Build a tiny book with the book's own build script, and break it in the ways that often go unnoticed."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent

TRY_PAGE = """
import sys
from pathlib import Path

words = Path("skinlib/serve/space/words.txt").read_text()
if words == "broken":
    sys.exit(3)
Path(sys.argv[1]).mkdir(parents=True)
(Path(sys.argv[1]) / "index.html").write_text(words)
with open("made.txt", "a") as log:
    log.write("made ")
"""
"""Stands for the script that trains and exports: it writes a page, says that it did, and can fail."""


def load(path: Path):
    """Return the module at ``path``, which belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NUMBER = """
from pathlib import Path

NUMBER = int(Path(__file__).with_name("number.txt").read_text())
"""
PAGE = """---
file_format: mystnb
kernelspec:
  name: python3
---

# Tiny

{glue:text}`../notebooks/one.ipynb::number:d`

```{glued-figure} drawing
:doc: ../notebooks/one.ipynb
:alt: One black dot.

A dot.
```

```{code-cell} ipython3
from pathlib import Path

print("kept:", Path("numbers/one.txt").read_text())
```
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Return the folder of a tiny book: a page with a cell, a notebook, a small skinlib, the real build scripts."""
    names = ("DATA", "WEIGHTS", "SPEED", "SEED", "BACKBONE")
    for name in ("BOOK_REPOSITORY", "GITHUB_REPOSITORY", *(f"SKINLIB_{name}" for name in names)):
        monkeypatch.delenv(name, raising=False)
    for folder in ("book/numbers", "notebooks", "skinlib/numbers", "skinlib/serve/space"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("book/build.py", "book/execute.py", "skinlib/__init__.py"):
        shutil.copy(ROOT / file, tmp_path / file)
    for folder in ("book/_ext", "skinlib/base"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "book" / "try_page.py").write_text(TRY_PAGE)
    (tmp_path / "book" / "numbers" / "one.txt").write_text("1")
    (tmp_path / "skinlib" / "numbers" / "__init__.py").write_text(NUMBER)
    (tmp_path / "skinlib" / "numbers" / "number.txt").write_text("42")
    (tmp_path / "skinlib" / "serve" / "space" / "words.txt").write_text("drop a photo")
    (tmp_path / "requirements.lock").write_text("numpy==2\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/one\n")
    config = {
        "title": "Tiny",
        "only_build_toc_files": True,
        "execute": {"execute_notebooks": "cache", "raise_on_error": True, "timeout": 60},
        "parse": {},
        "html": {},
        "sphinx": {"local_extensions": {"glued_figure": "book/_ext"}, "config": {"html_extra_path": []}},
    }
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "book" / "index.md").write_text(PAGE)
    write_notebook(tmp_path)
    return tmp_path


def write_notebook(folder: Path, source: str = "glue('number', NUMBER, display=False)", words: str = "# One") -> None:
    """Write the tiny book's notebook, with ``source`` as its second code cell. It notes each run in the file RAN."""
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
    dot = f"Image(base64.b64decode({png!r}))"
    imports = "import base64, os\nfrom IPython.display import Image\nfrom myst_nb import glue\n"
    cells = [
        nbformat.v4.new_markdown_cell(words),
        nbformat.v4.new_code_cell(imports + "from skinlib.numbers import NUMBER"),
        nbformat.v4.new_code_cell(source),
        nbformat.v4.new_code_cell(f"glue('drawing', {dot}, display=False)"),
        nbformat.v4.new_code_cell("with open(os.environ['RAN'], 'a') as log:\n    _ = log.write('ran ')"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "P"}})
    nbformat.write(notebook, folder / "notebooks" / "one.ipynb")


def start(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess:
    """Run Python in the folder of a tiny book."""
    changes |= {"RAN": str(folder / "ran.txt"), "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "book")])}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | changes, capture_output=True, text=True)


def build(folder: Path, **changes: str) -> subprocess.CompletedProcess:
    return start(folder, "book/build.py", **changes)


def execute(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the executor; return its exit status, and all output of the notebook and the page that are kept then."""
    ran = start(folder, "book/execute.py", "notebooks/one.ipynb", "book/index.md", *arguments)
    kept = sorted((folder / "_build" / "executed").rglob("*.ipynb"))
    cells = [cell for path in kept for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return ran.returncode, ran.stdout + ran.stderr + str([cell.outputs for cell in cells])


def runs(folder: Path) -> int:
    """Return how often the notebook has been run."""
    log = folder / "ran.txt"
    return log.read_text().count("ran") if log.exists() else 0


def page(folder: Path, name: str = "book/index") -> str:
    return (folder / "_build" / "html" / f"{name}.html").read_text("utf-8")


def test_the_build(tiny, tmp_path_factory):
    """It runs a notebook once and lays out anew what has new words; a warning fails it, and leaves no site behind."""
    home = tmp_path_factory.mktemp("home")
    kernel = home / "jupyter" / "kernels" / "python3"  # a kernel of the user's, of the same name, that can't start
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "Mine", "language": "python"}))
    own = {"JUPYTER_DATA_DIR": str(home / "jupyter"), "JUPYTER_PATH": str(home / "jupyter")}

    first = build(tiny, **own)
    assert first.returncode == 0, first.stdout + first.stderr
    assert ">42<" in page(tiny) and "kept: 1" in page(tiny)
    assert 'alt="One black dot."' in page(tiny)
    assert (tiny / "_build" / "html" / "try" / "index.html").read_text() == "drop a photo"
    assert runs(tiny) == 1, "laying out the pages ran it once more"

    again = build(tiny, **own)
    assert again.returncode == 0 and "up to date" in again.stdout

    write_notebook(tiny, words="# Two")
    assert build(tiny, **own).returncode == 0
    assert ">Two<" in page(tiny, "notebooks/one") and ">42<" in page(tiny)
    assert runs(tiny) == 1

    (tiny / "book" / "index.md").write_text("# Tiny\n\n{glue:text}`../notebooks/one.ipynb::nothing:d`\n")
    assert build(tiny, **own).returncode != 0
    assert not (tiny / "_build" / "html" / "index.html").exists()
    assert not (tiny / "_build" / "stamp.json").exists()


def test_a_failing_cell_fails_every_build(tiny):
    """Also the second one, on a warm cache; and a build that failed leaves no site behind that looks like a success."""
    write_notebook(tiny, "1 / 0")
    for _ in range(2):
        (tiny / "_build" / "html").mkdir(parents=True)
        (tiny / "_build" / "html" / "index.html").write_text("of an earlier build")
        (tiny / "_build" / "stamp.json").write_text("{}")
        failed = build(tiny)
        assert failed.returncode != 0
        assert "ZeroDivisionError" in failed.stdout + failed.stderr
        assert not (tiny / "_build" / "html" / "index.html").exists()
        assert not (tiny / "_build" / "stamp.json").exists()


@pytest.mark.slow
def test_a_notebook_is_run_again_only_when_it_must_be(tiny):
    assert "'42'" in execute(tiny)[1] and runs(tiny) == 1

    # Words and comments.
    write_notebook(tiny, words="# Two")
    module = tiny / "skinlib" / "numbers" / "__init__.py"
    module.write_text('"""A docstring."""\n' + NUMBER + "# a comment\n")
    assert execute(tiny)[0] == 0 and runs(tiny) == 1

    # What the notebook imports from: a file of skinlib besides its code, and its code.
    (tiny / "skinlib" / "numbers" / "number.txt").write_text("43")
    assert "'43'" in execute(tiny)[1] and runs(tiny) == 2
    module.write_text(NUMBER + "NUMBER += 1\n")
    assert "'44'" in execute(tiny)[1] and runs(tiny) == 3

    # A file that the code of the page names, and the notebook's doesn't.
    (tiny / "book" / "numbers" / "one.txt").write_text("2")
    assert "kept: 2" in execute(tiny)[1] and runs(tiny) == 3


@pytest.mark.slow
def test_a_notebook_is_saved_with_what_an_earlier_run_gave(tiny):
    """What is saved repeats; damage is no result; and after a failure the last good one stays."""
    out = ("--out", str(tiny / "saved"))
    assert execute(tiny, *out)[0] == 0
    saved = tiny / "saved" / "one.ipynb"
    first = saved.read_bytes()
    (executed,) = (tiny / "_build" / "executed").rglob("one.ipynb")
    executed.write_bytes(executed.read_bytes()[:-100])
    assert execute(tiny, *out)[0] == 0 and runs(tiny) == 2 and saved.read_bytes() == first
    assert "made" not in nbformat.read(saved, as_version=4).metadata
    assert execute(tiny, *out)[0] == 0 and runs(tiny) == 2
    write_notebook(tiny, "1 / 0")
    status, said = execute(tiny, *out)
    assert status == 1 and "one.ipynb: a cell failed" in said and saved.read_bytes() == first


def test_only_the_sample_may_be_saved_among_the_notebooks(tiny):
    refused = start(tiny, "book/execute.py", "--out", "notebooks", SKINLIB_DATA=str(tiny))
    assert refused.returncode == 2 and "sample only" in refused.stderr and not runs(tiny)


@pytest.mark.slow
def test_the_page_with_the_model_is_made_when_it_must_be(tiny):
    """It is not made again for a change of prose, and a failure of its is one of the build."""
    made, words = tiny / "_build" / "extra" / "try" / "index.html", tiny / "skinlib" / "serve" / "space" / "words.txt"
    write_notebook(tiny, "")
    run = ("-c", "import build; print(build.run_notebooks())")
    assert "[]" in start(tiny, *run).stdout and made.read_text() == "drop a photo"
    with (tiny / "book" / "index.md").open("a") as file:
        file.write("\nMore words.\n")
    assert "[]" in start(tiny, *run).stdout and (tiny / "made.txt").read_text() == "made "
    words.write_text("take a photo")
    assert "[]" in start(tiny, *run).stdout and made.read_text() == "take a photo"
    words.write_text("broken")
    assert "['try_page.py']" in start(tiny, *run).stdout and not made.exists()
    assert runs(tiny) == 1


def test_fingerprints_tell_pages_from_results(tiny, monkeypatch):
    script = load_build(tiny, monkeypatch)
    before = script.fingerprints()
    assert script.fingerprints() == before

    (tiny / "book" / "index.md").write_text(PAGE + "More words.\n")
    pages = script.fingerprints()
    assert pages["pages"] != before["pages"] and pages["results"] == before["results"]

    weights = tiny / "own.weights.h5"
    weights.write_bytes(b"numbers")
    for change in (
        lambda: (tiny / "requirements.lock").write_text("numpy==3\n"),
        lambda: monkeypatch.setenv("SKINLIB_SEED", "1"),
        lambda: monkeypatch.setenv("SKINLIB_BACKBONE", "resnet18"),
        lambda: monkeypatch.setenv("SKINLIB_DATA", str(tiny / "notebooks")),
        lambda: (tiny / "notebooks" / "photo.jpg").write_bytes(b"a photo in the data folder"),
        lambda: monkeypatch.setenv("SKINLIB_WEIGHTS", str(weights)),
        lambda: weights.write_bytes(b"other numbers"),
        lambda: write_notebook(tiny, "glue('number', 1, display=False)"),
        lambda: (tiny / "book" / "try_page.py").write_text(TRY_PAGE + "print()\n"),
    ):
        old = script.fingerprints()["results"]
        change()
        assert script.fingerprints()["results"] != old


def test_a_page_follows_the_scripts_that_it_imports(tiny, monkeypatch):
    script = load_build(tiny, monkeypatch)
    tools = tiny / "tools"
    tools.mkdir()
    (tools / "all_of_it.py").write_text("from steps import FIRST\n\nSTEPS = [FIRST]\n")
    (tools / "steps.py").write_text("FIRST = 1\n")
    cell = 'import sys\n\nsys.path.append(str(Path("../tools").resolve()))\nimport all_of_it\n\nprint('
    (tiny / "book" / "index.md").write_text(PAGE.replace("print(", cell))
    before = script.fingerprints()["results"]
    (tools / "steps.py").write_text("FIRST = 1  # in other words\n")
    (tools / "unused.py").write_text("OTHER = 1\n")
    assert script.fingerprints()["results"] == before
    for name in ("all_of_it.py", "steps.py"):
        (tools / name).write_text((tools / name).read_text() + "SECOND = 2\n")
        after = script.fingerprints()["results"]
        assert after != before, name
        before = after


def load_build(tiny: Path, monkeypatch):
    """Return the tiny book's build script as a module, with the executor that lies beside it."""
    monkeypatch.syspath_prepend(tiny / "book")
    monkeypatch.delitem(sys.modules, "execute", raising=False)
    script = load(tiny / "book" / "build.py")
    monkeypatch.delitem(sys.modules, "execute")
    return script


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"BOOK_REPOSITORY": "https://github.com/ann/book/"}, "https://github.com/ann/book"),
        ({"GITHUB_REPOSITORY": "ann/book"}, "https://github.com/ann/book"),
        ({"GITHUB_REPOSITORY": "ann/book", "GITHUB_SERVER_URL": "https://git.example"}, "https://git.example/ann/book"),
    ],
)
def test_launch_buttons_only_where_they_can_work(tiny, monkeypatch, given, expected):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    script = load_build(tiny, monkeypatch)
    script.write_config()
    config = yaml.safe_load(script.CONFIG.read_text("utf-8"))
    assert config.get("repository", {}).get("url") == expected
    assert ("launch_buttons" in config) == (expected is not None)


def test_big_files_and_clinical_photos_are_refused(tmp_path):
    check = load(ROOT / "book" / "check_files.py")
    content = b"stands for a photo"
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(f"path,bytes,sha256\na.jpg,18,{hashlib.sha256(content).hexdigest()}\n")
    check.MANIFEST = manifest
    files = {"fine.txt": b"fine", "renamed.bin": content, "big.bin": bytes(check.LIMIT + 1)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = check.complaints([tmp_path / name for name in files])
    assert len(found) == 2
    assert "renamed.bin" in found[0] and "big.bin" in found[1]


def test_no_clinical_photo_is_in_the_repository():
    """None of the tracked files, whatever its name, has the bytes of one of the clinical photos."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("this is not a git checkout: nothing is tracked")
    tracked = [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert tracked
    assert load(ROOT / "book" / "check_files.py").complaints(tracked) == []
