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

words = Path("space/words.txt").read_text()
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


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Return the folder of a tiny book: one page, a notebook that reads skinlib/number.txt, the real build script."""
    for name in ("BOOK_REPOSITORY", "GITHUB_REPOSITORY", "SKINLIB_DATA"):
        monkeypatch.delenv(name, raising=False)
    for folder in ("book", "notebooks", "skinlib", "space"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "book" / "build.py", tmp_path / "book")
    shutil.copytree(ROOT / "book" / "_ext", tmp_path / "book" / "_ext")
    (tmp_path / "book" / "try_page.py").write_text(TRY_PAGE)
    (tmp_path / "skinlib" / "number.txt").write_text("42")
    (tmp_path / "space" / "words.txt").write_text("drop a photo")
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
    page = "# Tiny\n\n{glue:text}`../notebooks/one.ipynb::number:d`\n\n"
    page += "```{glued-figure} drawing\n:doc: ../notebooks/one.ipynb\n:alt: One black dot.\n\nA dot.\n```\n"
    (tmp_path / "book" / "index.md").write_text(page)
    write_notebook(
        tmp_path, "number = int(open('../skinlib/number.txt').read())\nglue('number', number, display=False)"
    )
    return tmp_path


def write_notebook(folder: Path, source: str) -> None:
    """Write the tiny book's only notebook, with ``source`` as its second code cell."""
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
    dot = f"Image(base64.b64decode({png!r}))"
    cells = [
        nbformat.v4.new_markdown_cell("# One"),
        nbformat.v4.new_code_cell("import base64\nfrom IPython.display import Image\nfrom myst_nb import glue"),
        nbformat.v4.new_code_cell(source),
        nbformat.v4.new_code_cell(f"glue('drawing', {dot}, display=False)"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "P"}})
    nbformat.write(notebook, folder / "notebooks" / "one.ipynb")


def build(folder: Path, **changes: str) -> subprocess.CompletedProcess:
    command = [sys.executable, folder / "book" / "build.py"]
    return subprocess.run(command, env=os.environ | changes, capture_output=True, text=True)


def page(folder: Path) -> str:
    return (folder / "_build" / "html" / "book" / "index.html").read_text("utf-8")


def test_a_build_is_repeated_only_when_needed(tiny, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    kernel = home / "jupyter" / "kernels" / "python3"  # a kernel of the user's, of the same name, that can't start
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "Mine", "language": "python"}))
    own = {"JUPYTER_DATA_DIR": str(home / "jupyter"), "JUPYTER_PATH": str(home / "jupyter")}

    first = build(tiny, **own)
    assert first.returncode == 0, first.stdout + first.stderr
    assert ">42<" in page(tiny)
    assert 'alt="One black dot."' in page(tiny)

    again = build(tiny, **own)
    assert again.returncode == 0 and "up to date" in again.stdout

    # The notebook is the same; what it imports from has changed, and so must its result.
    (tiny / "skinlib" / "number.txt").write_text("43")
    third = build(tiny, **own)
    assert third.returncode == 0, third.stdout + third.stderr
    assert ">43<" in page(tiny)


def test_a_failing_cell_fails_every_build(tiny):
    """Also the second one, on a warm cache; and a build that failed leaves no site behind that looks like a success."""
    assert build(tiny).returncode == 0
    write_notebook(tiny, "1 / 0")
    for _ in range(2):
        failed = build(tiny)
        assert failed.returncode != 0
        assert "ZeroDivisionError" in failed.stdout + failed.stderr
        assert not (tiny / "_build" / "html" / "index.html").exists()
        assert not (tiny / "_build" / "stamp.json").exists()
    write_notebook(tiny, "glue('number', 7, display=False)")
    assert build(tiny).returncode == 0
    assert ">7<" in page(tiny)


def test_the_page_with_the_model_is_made_when_it_must_be(tiny):
    """It reaches the site as it is, is not made again for a change of prose, and a failure of its fails the build."""
    tried = tiny / "_build" / "html" / "try" / "index.html"
    assert build(tiny).returncode == 0
    assert tried.read_text() == "drop a photo"
    with (tiny / "book" / "index.md").open("a") as file:
        file.write("\nMore words.\n")
    assert build(tiny).returncode == 0
    assert tried.exists() and (tiny / "made.txt").read_text() == "made "
    (tiny / "space" / "words.txt").write_text("take a photo")
    assert build(tiny).returncode == 0
    assert tried.read_text() == "take a photo"
    (tiny / "space" / "words.txt").write_text("broken")
    failed = build(tiny)
    assert failed.returncode == 3 and "could not be made" in failed.stderr
    assert not (tiny / "_build" / "html" / "index.html").exists()


def test_a_warning_fails_the_build(tiny):
    (tiny / "book" / "index.md").write_text("# Tiny\n\n{glue:text}`../notebooks/one.ipynb::nothing:d`\n")
    assert build(tiny).returncode != 0


def test_fingerprints_tell_pages_from_results(tiny, monkeypatch):
    script = load(tiny / "book" / "build.py")
    before = script.fingerprints()
    assert script.fingerprints() == before

    (tiny / "book" / "index.md").write_text("# Other\n")
    pages = script.fingerprints()
    assert pages["pages"] != before["pages"] and pages["results"] == before["results"]

    for change in (
        lambda: (tiny / "requirements.lock").write_text("numpy==3\n"),
        lambda: monkeypatch.setenv("SKINLIB_SEED", "1"),
        lambda: monkeypatch.setenv("SKINLIB_DATA", str(tiny / "notebooks")),
        lambda: (tiny / "notebooks" / "photo.jpg").write_bytes(b"a photo in the data folder"),
    ):
        old = script.fingerprints()["results"]
        change()
        assert script.fingerprints()["results"] != old


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
    script = load(tiny / "book" / "build.py")
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
