"""Run the book's chapters on other people's folders and with other seeds, and list every cell that stops or mutters.

    python tests/anywhere.py --data eight pets --speed quick --seeds 0-9 4294967295 --chapters 01 02

Folders are made of the drawn sample, or drawn, below --work, where the cache of all runs lies as well. A chapter goes
on after a cell that failed, so that one run shows them all. Nothing here is a test; test_anywhere.py calls it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from drawn import draw_pets, fill

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book"))

import execute  # noqa: E402 (lies in book/)

from skinlib.base.files import written_whole  # noqa: E402
from skinlib.base.settings import load_settings  # noqa: E402
from skinlib.data.conditions import CONDITIONS, SPLIT_FOLDERS  # noqa: E402
from skinlib.data.sample import sample_folder  # noqa: E402

# ---- folders --------------------------------------------------------------------------------------------------------


def _of_sample(out: Path, sample: Path, n_train: int, n_test: int, rows: pd.DataFrame, into=SPLIT_FOLDERS) -> None:
    """Copy so many files a condition from the sample into ``out``; of both parts where one has too few."""
    for _, own in rows.groupby("label", sort=False):
        for split, number in (("train", n_train), ("test", n_test)):
            for path in own.path[own.split == split][:number]:
                target = out / into[split] / Path(path).parent.name / Path(path).name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sample / path, target)


def eight(out: Path, sample: Path, truth: pd.DataFrame) -> None:
    """8 training and 3 test photos of each of the eight conditions."""
    _of_sample(out, sample, 8, 3, truth)


def distinct(out: Path, sample: Path, truth: pd.DataFrame) -> None:
    """20 + 5 of each condition, no photo twice."""
    own = truth[(truth.kind == "original") & (truth.damage == "")]
    own = own.assign(split=np.where(own.groupby("label").cumcount() % 5 == 0, "test", "train"))
    _of_sample(out, sample, 20, 5, own)


def seven(out: Path, sample: Path, truth: pd.DataFrame) -> None:
    """Seven of the eight conditions, as they are."""
    _of_sample(out, sample, 99, 99, truth[truth.label != CONDITIONS.keys[2]])


def uneven(out: Path, sample: Path, truth: pd.DataFrame) -> None:
    """Split 73 to 27."""
    own = truth.assign(split=np.where(truth.groupby("label").cumcount() % 11 < 3, "test", "train"))
    _of_sample(out, sample, 99, 99, own)


def subset(out: Path, sample: Path, truth: pd.DataFrame) -> None:
    """A part of the sample with its truth.csv, which lists more."""
    _of_sample(out, sample, 20, 6, truth[truth.damage == ""])
    shutil.copyfile(sample / "truth.csv", out / "truth.csv")
    shutil.copytree(sample / "masks", out / "masks")


def pets(out: Path, *_) -> None:
    """Cats and dogs, in train/, val/ and test/."""
    draw_pets(out, per_class=26)


def plain(out: Path, *_) -> None:
    """Cats and dogs, in class folders alone."""
    draw_pets(out, splits=False, per_class=26)


def two(out: Path, *_) -> None:
    """Cats and dogs, in train/ and test/, no photo twice, no third split."""
    draw_pets(out / "..drawn", splits=False, per_class=26)
    for number, file in enumerate(sorted((out / "..drawn").rglob("*.jpg"))):
        if file.stem.split()[-1] < "23":  # the last three of a class are copies
            target = out / ("test" if number % 4 == 0 else "train") / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            file.rename(target)
    shutil.rmtree(out / "..drawn")


def grey(out: Path, *_) -> None:
    """The same in grey, in many sizes and two formats."""
    two(out)
    for number, file in enumerate(sorted(out.rglob("*.jpg"))):
        photo = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        photo = cv2.resize(photo, (40 + 37 * (number % 9), 30 + 23 * (number % 7)))
        file.unlink()
        cv2.imwrite(str(file.with_suffix(".png" if number % 2 else ".jpg")), photo)


def forty(out: Path, *_) -> None:
    """Forty classes of six."""
    fill(out, [f"{'test' if n > 3 else 'train'}/kind {one:02d}/{n}.png" for one in range(40) for n in range(6)])


def smallest(out: Path, *_) -> None:
    """As few as the book takes: two classes, five files the one and four the other, in class folders alone."""
    draw_pets(out / "drawn", splits=False, per_class=8)
    for number, file in enumerate(sorted((out / "drawn").rglob("*.jpg"))):
        if number % 8 < 5 - number // 8:
            (out / file.parent.name).mkdir(exist_ok=True)
            file.rename(out / file.parent.name / file.name)
    shutil.rmtree(out / "drawn")


def lonely(out: Path, *_) -> None:
    """One photo a class: too few for a book."""
    fill(out, [f"{name}/1.png" for name in ("cats", "dogs", "hens")])


def meagre(out: Path, *_) -> None:
    """One class rich, the other poor, and no test photo of it."""
    fill(out, [f"train/cats/{n}.png" for n in range(30)] + [f"train/dogs/{n}.png" for n in range(6)])
    fill(out, [f"test/cats/{n}.png" for n in range(30, 40)])


FOLDERS = {one.__name__: one for one in (
    eight, distinct, seven, uneven, subset, pets, plain, two, grey, forty, smallest, lonely, meagre,
)}  # fmt: skip


def folder(name: str, work: Path) -> str:
    """Return the value of SKINLIB_DATA for one of FOLDERS, made on first use; another value as it is."""
    if name not in FOLDERS:
        return name
    out = work / "folders" / name
    if not out.exists():
        sample = sample_folder(load_settings(data="sample", speed="full", seed=0, cache=work / "cache"))
        truth = pd.read_csv(sample / "truth.csv", keep_default_na=False)
        with written_whole(out) as draft:
            draft.mkdir()
            FOLDERS[name](draft, sample, truth)
    return str(out)


# ---- running --------------------------------------------------------------------------------------------------------

UNWANTED = re.compile(r"\bnan\b|Warning|\binf\b")
"""What no reader should see in a printed line or a glued value. Sources that a chapter prints may name them."""


def complaints(notebook) -> Iterator[str]:
    """Yield a line for each error of an executed notebook, and for whatever a reader should not see."""
    explained = any("`NaN`" in cell.source for cell in notebook.cells)  # a chapter may say what it means there
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                arrow = re.findall(r"-+> *\d+ (.*)", re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback)))
                yield f"cell {number}: {output.ename}: {output.evalue[:200]} | {arrow[0].strip() if arrow else ''}"
            elif output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number}: said on stderr: {output.text.strip()[:300]}"
            elif output.output_type == "stream" and "getsource" not in cell.source and UNWANTED.search(output.text):
                yield f"cell {number}: said: {UNWANTED.search(output.text)[0]}: {output.text.strip()[:200]}"
            elif glued := [key for key in output.get("metadata", {}) if key == "scrapbook"]:
                text = " ".join(map(str, output.data.values()))  # of a figure, too: no letters there
                if UNWANTED.search(text):
                    yield f"cell {number}: glued {output.metadata[glued[0]]['name']}: {text[:100]}"
            elif not explained and re.search(r"\bnan\b|\bNaN\b", output.get("data", {}).get("text/plain", "")):
                yield f"cell {number}: shows NaN"


def client(notebook, folder: Path):
    """Return what runs a notebook in a folder, to its end in any case."""
    from nbclient import NotebookClient

    return NotebookClient(
        notebook,
        timeout=execute.TIMEOUT,
        kernel_name="python3",
        allow_errors=True,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--IPKernelApp.log_level=40"],
    )


def run_one(source: Path, environment: dict[str, str], keep: Path | None = None) -> list[str]:
    """Run a notebook with an environment, to its end in any case. Returns its complaints."""
    notebook = execute.read(source)
    notebook.metadata = execute.nbformat.from_dict(execute.KERNEL)
    client(notebook, source.parent).execute(env=environment)
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        execute.nbformat.write(notebook, keep / source.name)
    lines = list(complaints(notebook))
    follow = [line for line in lines if ": NameError: " in line]  # of a cell before
    return [line for line in lines if line not in follow] + [f"and {len(follow)} cells that follow"] * bool(follow)


REGISTER = "import tiny; tiny.register()\n"
"""Makes the tests' small backbone known, which does in a moment what takes ResNet50 a minute."""


ABOUT_RESNET = ("03_", "07_")
"""Chapters that take ResNet50 apart, or start processes that know nothing of another backbone: they run with it."""


def _profile(work: Path, backbone: str) -> Path:
    """Return a folder of settings for IPython in which kernels know the backbone."""
    startup = work / f"ipython-{backbone}" / "profile_default" / "startup" / "backbone.py"
    startup.parent.mkdir(parents=True, exist_ok=True)
    startup.write_text(REGISTER if backbone == "tiny" else "")
    return startup.parents[2]


def run(
    data: str, seed: int, speed: str, sources: list[Path], work: Path, backbone: str = "resnet50", keep: bool = False
) -> dict[str, list[str]]:
    """Run chapters on a folder with a seed. Returns {chapter: complaints}, and prints a line for each."""
    own = execute.environment() | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "IPYTHONDIR": str(_profile(work, backbone)),
        "SKINLIB_CACHE": str(work / "cache"), "SKINLIB_DATA": folder(data, work), "SKINLIB_SEED": str(seed),
        "SKINLIB_SPEED": speed, "SKINLIB_WEIGHTS": "untrained", "SKINLIB_BACKBONE": backbone,
    }  # fmt: skip
    at_once = min(execute.cores(), 2, len(sources))
    limits = ("SKINLIB_CORES", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    if at_once > 1:
        if len(sources) > 3:
            code = f"import runpy; runpy.run_path({str(execute.SHARED)!r}, run_name='__main__')"
            code = REGISTER * (backbone == "tiny") + code
            subprocess.run([sys.executable, "-c", code], env=own, cwd=ROOT, capture_output=True)
        own |= dict.fromkeys(limits, str(execute.cores() // at_once))
    os.environ |= {name: own[name] for name in ("JUPYTER_PREFER_ENV_PATH", "PATH")}
    kept = work / "executed" / f"{data}-{speed}-{seed}" if keep else None

    def one(source: Path) -> list[str]:
        start = time.perf_counter()
        whole = {"SKINLIB_BACKBONE": "resnet50"} if source.stem.startswith(ABOUT_RESNET) else {}
        lines = run_one(source, own | whole, kept)
        head = f"{data} {speed} seed {seed} {source.stem[:3].rstrip('_')}: {time.perf_counter() - start:.0f} s"
        print("\n    ".join([f"{head}: {len(lines)} complaints" if lines else f"{head}: well", *lines]), flush=True)
        return lines

    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip((source.stem for source in sources), pool.map(one, sources), strict=True))


def _numbers(words: list[str]) -> list[int]:
    ranges = [word.partition("-") for word in words]
    return [number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)]


def main() -> int:
    """Run what the command line asks for. Returns 1 where anything was complained of."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=["sample"], help=f"sample, a folder, or of {', '.join(FOLDERS)}")
    parser.add_argument("--seeds", nargs="*", default=["0"], help="numbers, and ranges as 0-9")
    parser.add_argument("--speed", default="quick", choices=("quick", "full"))
    parser.add_argument("--chapters", nargs="*", default=[], help="01, 04b, model-card, …; default: all")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "anywhere")
    parser.add_argument("--backbone", default="resnet50", help="tiny: the tests' own, in a tenth of the time")
    parser.add_argument("--keep", action="store_true", help="keep the executed notebooks below --work")
    arguments = parser.parse_args()
    all_sources = [*execute.notebooks(), *execute.pages()]
    begins = tuple(f"{one}_" for one in arguments.chapters)
    sources = [one for one in all_sources if f"{one.stem}_".startswith(begins) or not arguments.chapters]
    failed = False
    for data in arguments.data:
        for seed in _numbers(arguments.seeds):
            given = data, seed, arguments.speed, sources, arguments.work, arguments.backbone, arguments.keep
            failed |= any(run(*given).values())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
