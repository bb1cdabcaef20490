"""Run the book's notebooks, several at a time, and keep what comes out until something that shapes it changes.

The build, the tests and `make notebooks` call this, and share what it keeps: a notebook runs once, whoever asks first.
An executed notebook lies in _build/executed, in a folder for the choices it was made with (data, weights, …), with two
digests. One is over its code, the code of skinlib that it imports, the files that it names and the versions of all
packages, the other over the weights at hand. Neither changes with words: the notebook's, a comment's or a docstring's.

What is kept repeats: no timings, no cell numbering left over from a session, one kernel name for everybody.
"""

# ruff: noqa: E402 (of the imports some come after a line that makes them quick)

import argparse
import ast
import base64
import functools
import hashlib
import io
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Absent: else nbformat's checks, which look at no address, begin with making a grammar of them, for a second or two.
sys.modules.setdefault("rfc3987_syntax", None)

import nbformat
import yaml
from filelock import FileLock
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from skinlib.base import fingerprint
from skinlib.base.errors import SkinlibError
from skinlib.base.files import sha256_of, written_whole
from skinlib.base.runner import cores
from skinlib.base.settings import anchored, home_expanded, load_settings

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
BUILD = ROOT / "_build"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SHARED = Path(__file__).with_name("shared.py")
ROUNDING = ROOT / "tests" / "rounding.txt"
"""The witness of the machine that saved the outputs."""
AT_ONCE = 4
"""Notebooks that run at a time, at most: each holds a network in memory."""
TIMEOUT = 1800
"""Seconds that a cell may take."""

# Places are named from where this was called, and notebooks run in a folder of their own.
os.environ.update(anchored(os.environ))


# ---- sources ----------------------------------------------------------------------------------------------------


def notebooks() -> list[Path]:
    """Return the book's notebooks."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def pages() -> list[Path]:
    """Return the book's pages that hold code to be run, which are notebooks written as text."""
    return [page for page in sorted((ROOT / "book").glob("*.md")) if is_page(page)]


def is_page(source: Path) -> bool:
    """Tell whether a text is a notebook: its head says so."""
    head, *_ = source.read_text("utf-8").removeprefix("---\n").partition("\n---\n")
    return "file_format: mystnb" in head.splitlines()


def read(source: Path) -> NotebookNode:
    """Return the notebook in a file, which may be a page of text."""
    if source.suffix == ".ipynb":
        return nbformat.read(source, as_version=4)
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    # With the book's own extensions: what is a cell hangs on them.
    parse = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["parse"]
    config = MdParserConfig(enable_extensions=set(parse.get("myst_enable_extensions", [])))
    return read_myst_markdown_notebook(source.read_text("utf-8"), config, add_source_map=True, path=source)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells of a notebook that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


# ---- what shapes the outputs ------------------------------------------------------------------------------------


def digest(files: Iterable[Path], *words: str) -> str:
    """Return the SHA-256 of the names and contents of ``files``, and of ``words``."""
    total = hashlib.sha256(repr(words).encode())
    for file in sorted(files):
        state = file.stat()
        total.update(f"{file}\0{_sha256(file, state.st_size, state.st_mtime_ns)}\n".encode())
    return total.hexdigest()


@functools.cache
def _sha256(file: Path, _size: int, _changed: int) -> str:
    return sha256_of(file)


def tree(folder: Path) -> list[Path]:
    """Return every file under ``folder``, less what Python and Jupyter leave lying about."""
    left_out = {"__pycache__", ".ipynb_checkpoints"}
    return [file for file in folder.rglob("*") if file.is_file() and not left_out & set(file.parts)]


def code_digest(source: Path) -> str:
    """Return a digest of all that shapes a notebook's outputs but the weights, which a run may have to fetch."""
    cells = [cell.source for cell in code_cells(read(source))]
    try:
        behind = _behind("\n".join(map(TransformerManager().transform_cell, cells)), source.parent)
    except SyntaxError:  # it can't run either, and the run says where the error is
        behind = ""
    return digest([], *cells, behind, _surroundings())


def script_digest(script: Path) -> str:
    """Return the same for a script of Python, whose comments shape nothing."""
    return digest([], _behind(script.read_text("utf-8"), script.parent), _surroundings())


def _behind(code: str, folder: Path) -> str:
    """Return a digest of a code that runs in ``folder``, of what it imports and of the files that its strings name.

    What is imported lies in skinlib, or in a folder that a string names, as `sys.path` wants it.
    """
    named = _named_in(code, folder)
    texts, modules = [code], set()
    for text in texts:  # which grow meanwhile
        ours, others = fingerprint.imports_of(text)
        modules |= set(ours)
        beside = [path / f"{name}.py" for path in named for name in sorted(others)]
        texts += [new for new in (file.read_text("utf-8") for file in beside if file.is_file()) if new not in texts]
    files = {file for path in named for file in (tree(path) if path.is_dir() else [path]) if file.suffix != ".py"}
    trees = map(fingerprint.syntax, texts)
    return digest(files | _data_behind(modules), fingerprint.code_digest(*modules), *trees)


def _named_in(code: str, folder: Path) -> set[Path]:
    """Return the files and folders of the repository that strings in a code name: "../benchmarks", say."""
    strings = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    strings = {text for text in strings if isinstance(text, str) and re.fullmatch(r"[\w./ -]{1,200}", text)}
    paths = {(folder / text).resolve() for text in strings}
    return {path for path in paths if path.is_relative_to(ROOT) and not folder.is_relative_to(path) and path.exists()}


def _data_behind(modules: set[str]) -> set[Path]:
    """Return the files besides code, such as tables, of the sub-packages that modules of skinlib lead to."""
    behind = set().union(*map(fingerprint.modules_behind, modules))
    folders = {fingerprint.PACKAGE / name.split(".")[1] for name in behind if name.count(".")}
    files = {file for folder in folders if folder.is_dir() for file in tree(folder)}
    return {file for file in files if file.suffix != ".py" or "space" in file.parts}


def choices() -> dict[str, str]:
    """Return what the environment chooses: data, weights, backbone, speed and seed."""
    settings = load_settings()
    return {name: str(getattr(settings, name)) for name in ("data", "weights", "backbone", "speed", "seed")}


def lacking() -> str:
    """Say in one line which choice can't be used, or what the chosen photos lack for the book; "" where all is well."""
    try:
        settings = load_settings()
        if settings.data != "sample":
            from skinlib.learn.ready import open_ready

            open_ready(settings)
    except SkinlibError as error:
        return str(error)
    return ""


def _surroundings() -> str:
    """Return a digest of what shapes every notebook: the choices, the photos, the locked packages, Python."""
    data = home_expanded(choices()["data"])
    photos = tree(data) if data.is_dir() and str(data) not in ("sample", "clinical") else []
    return digest([ROOT / "requirements.lock", *photos], platform.python_version(), *choices().values())


def weights_digest() -> str:
    """Return a digest of the weights files that a run would find: the one that is named, or those Keras has fetched."""
    named, backbone = choices()["weights"], choices()["backbone"]
    if home_expanded(named).is_file():
        return digest([home_expanded(named)])
    fetched = home_expanded(os.environ.get("KERAS_HOME") or "~/.keras") / "models"
    return digest([] if named == "untrained" else fetched.glob(f"{backbone}*"))


# ---- running ----------------------------------------------------------------------------------------------------


def place(source: Path) -> Path:
    """Return where a notebook is kept, once it is executed with the choices that the environment makes."""
    folder = "-".join(re.sub(r"[^\w.]+", "_", value) for value in choices().values())
    if len(folder) > 100:  # the whole path of a folder of photos may be longer than a name can be
        folder = f"{folder[:80]}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    name = source.relative_to(ROOT) if source.is_relative_to(ROOT) else Path(source.name)
    return BUILD / "executed" / folder / name.with_suffix(".ipynb")


def executed(source: Path) -> NotebookNode | None:
    """Return a notebook with the outputs that are kept of it; None where there are none, or none that hold any more."""
    try:
        kept = nbformat.read(place(source), as_version=4)
    except (OSError, nbformat.reader.NotJSONError):
        return None
    if kept.metadata.get("made") != {"code": code_digest(source), "weights": weights_digest()}:
        return None
    notebook = read(source)
    for cell, ran in zip(code_cells(notebook), code_cells(kept), strict=True):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    return notebook


def execute(source: Path, code: str) -> None:
    """Run a notebook in its own folder and a fresh kernel, and keep it with ``code``, its digest from before.

    Raises CellExecutionError when a cell fails; nothing is kept then.
    """
    from nbclient import NotebookClient

    notebook = read(source)
    notebook.metadata = nbformat.from_dict(KERNEL)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(source.parent)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
    )
    client.execute()
    # Weights may have been fetched meanwhile.
    made = {"code": code, "weights": weights_digest()}
    notebook.metadata = nbformat.from_dict({**KERNEL, "made": made})
    with written_whole(place(source)) as draft:
        nbformat.write(notebook, draft)


def environment() -> dict[str, str]:
    """Return the environment in which notebooks run: kernels are this Python's, and skip the user's start-up files."""
    profile = BUILD / "ipython" / "profile_default" / "ipython_kernel_config.py"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text("c.IPKernelApp.log_level = 40  # errors only\n", encoding="utf-8")
    changes = {
        "IPYTHONDIR": str(BUILD / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONUTF8": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    return {name: value for name, value in os.environ.items() if name != "JUPYTER_PATH"} | changes


def run(sources: Sequence[Path], *scripts: Sequence[str | Path]) -> list[str]:
    """Execute those of the notebooks whose outputs are not kept or no longer hold. Returns the names of what failed.

    ``scripts`` are the arguments of further runs of Python, which are done among them, first.
    """
    BUILD.mkdir(exist_ok=True)
    with FileLock(BUILD / "executed.lock"):  # whoever comes second finds what the first has made
        before, stale = weights_digest(), _stale(sources)
        if len(stale) > 1:
            _together({SHARED.name: [SHARED]})
        failed = _together({Path(script[0]).name: script for script in scripts} | stale)
        if not failed and weights_digest() != before:
            # One has fetched weights. Those that came sooner may have done without.
            failed = _together(_stale(sources))
    return failed


def _stale(sources: Sequence[Path]) -> dict[str, Sequence[str | Path]]:
    """Return by name how Python runs each of the notebooks that have to be run."""
    stale = [source for source in sources if executed(source) is None]
    return {source.name: [__file__, "--one", code_digest(source), source] for source in stale}


def _together(jobs: dict[str, Sequence[str | Path]]) -> list[str]:
    """Run Python with each of the arguments, several at a time, each with its share of the cores; see :func:`run`."""
    at_once = max(min(cores(), AT_ONCE, len(jobs)), 1)
    limits = ("SKINLIB_CORES", "OMP_NUM_THREADS")  # TensorFlow's own number of threads would change its sums
    share = dict.fromkeys(limits, str(cores() // at_once)) if at_once > 1 else {}

    def well(name: str) -> bool:
        start = time.perf_counter()
        command = [sys.executable, *jobs[name]]
        ended = subprocess.run(command, cwd=ROOT, env=environment() | share, capture_output=True, encoding="utf-8")
        word = "failed" if ended.returncode else "done"
        print(f"{name}: {word} after {time.perf_counter() - start:.0f} s\n{ended.stderr}", end="", flush=True)
        return not ended.returncode

    pool = ThreadPoolExecutor(at_once)
    try:
        return [name for name, went_well in zip(jobs, pool.map(well, jobs), strict=True) if not went_well]
    finally:
        pool.shutdown(cancel_futures=True)


def witness() -> str:
    """Return a digest that is the same on machines on which every number of the notebooks is: see book/shared.py."""
    ran = subprocess.run([sys.executable, SHARED], cwd=ROOT, env=environment(), capture_output=True, encoding="utf-8")
    return ran.stdout.strip()


# ---- saving -----------------------------------------------------------------------------------------------------


def smaller(png: str) -> str:
    """Return a base64 PNG with at most 256 colours, a third of the size: what is saved stays in the history for ever.

    The built book draws its figures anew and keeps all their colours.
    """
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(png)))
    few_colours = image.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    packed = io.BytesIO()
    few_colours.save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def save(notebook: NotebookNode, target: Path) -> None:
    """Write an executed notebook to ``target``, ready for others. ``target`` is only ever a whole notebook."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    with written_whole(target) as draft:
        nbformat.write(notebook, draft)


def main() -> int:
    """Run the notebooks named on the command line, or all. Returns 1 when a cell failed, 2 for unusable choices."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument("--out", type=Path, help="folder to save them in, too, with their outputs")
    parser.add_argument("--one", metavar="DIGEST", help=argparse.SUPPRESS)  # as `run` calls this for each notebook
    arguments = parser.parse_args()
    sources = [path.resolve() for path in arguments.notebooks] or notebooks()
    if arguments.one:
        return _execute_one(sources[0], arguments.one)
    out = arguments.out and arguments.out.resolve()
    if out == NOTEBOOKS and os.environ.get("SKINLIB_DATA", "sample") not in ("sample", ""):
        parser.error("notebooks/ holds results on the sample only: choose another --out")
    if why := lacking():
        print(f"No notebook was run: {why}", file=sys.stderr)
        return 2

    failed = run(sources)
    if out == NOTEBOOKS:
        with written_whole(ROUNDING) as draft:
            draft.write_text(witness() + "\n", "utf-8")
    for source in sources if out else []:
        notebook = executed(source)
        if notebook is not None:
            save(notebook, out / f"{source.stem}.ipynb")
    for name in failed:
        print(f"{name}: a cell failed; see above", file=sys.stderr)
    return 1 if failed else 0


def _execute_one(source: Path, code: str) -> int:
    from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError

    try:
        execute(source, code)
    except (CellControlSignal, CellExecutionError, DeadKernelError) as error:
        print(f"{source.name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
