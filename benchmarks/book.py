"""How long the book takes to build and its tests to run: ``make bench-book``.

    python benchmarks/book.py [--only book|tests] [--tests FILE] [--repeats 2] [--out FILE]

Copies the files of this checkout that git knows into a temporary folder and builds the book there with this Python:
*cold* with an empty cache, so that the sample is drawn, every notebook runs and the model of its page is made; *warm*
where nothing changed; *touched* where one notebook did, in a line of code that changes no result. Then the tests run
there, as ``make test`` runs them, on the notebooks that the build has run. What pytest has measured is read from its
report in JUnit's form, or from the one that ``--tests`` names, of ``pytest --junitxml FILE``.

This is no part of ``make bench``: the cold build and the tests alone take longer than all of that may. The result goes
to book/performance/book.json. Run it on a machine that has nothing else to do.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import common

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.files import write_json, written_whole

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "book" / "performance" / "book.json"
TOUCHED = "notebooks/03_training.ipynb"
SLOWEST = 10
TEST_OPTIONS = ("-n", "2", "--dist", "loadfile", "-m", "not slow")
SAMPLE = {"SKINLIB_DATA": "sample", "SKINLIB_WEIGHTS": "untrained", "SKINLIB_SPEED": "full", "SKINLIB_SEED": "0"}


def copy(folder: Path) -> Path:
    """Copy the files that git knows, as they are now, to a folder; return it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():  # else it was deleted, and git has not been told
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def touch(notebook: Path) -> None:
    """Add a comment to the first code cell of a notebook, so that it has to run again."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cell = next(cell for cell in content["cells"] if cell["cell_type"] == "code")
    cell["source"] = [*"".join(cell["source"]).splitlines(keepends=True), "\n# touched"]
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def run(folder: Path, *command: str, may_fail: bool = False) -> None:
    """Run a command of this Python in the copy, with a cache and a package of its own, and the sample.

    Raises SkinlibError, with its last line, where it fails and may not.
    """
    own = SAMPLE | {"SKINLIB_CACHE": str(folder.parent / "cache"), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode and not may_fail:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["it said nothing"]
        raise SkinlibError(f"{' '.join(command)} failed in a copy of this checkout: {lines[-1].strip()}")


def of_the_book(folder: Path, repeats: int) -> dict:
    """Build the book in a fresh copy, again with nothing changed, and with one notebook touched; return the times."""

    def build():
        return common.timed(run, folder, "book/build.py")[1]

    cold = [build()]
    warm = [build() for _ in range(repeats)]
    touched = []
    for _ in range(repeats):
        touch(folder / TOUCHED)
        touched.append(build())
    shutil.copy2(ROOT / TOUCHED, folder / TOUCHED)  # the tests want it as it is
    times = {"cold": cold, "warm": warm, "touched": touched}
    return {name: common.spread(seconds) for name, seconds in times.items()} | {"notebook": TOUCHED}


def of_the_tests(report: Path) -> dict:
    """Read a report in JUnit's form; return how many tests there were, their time, and where most of it went.

    ``slowest`` are single tests, ``files`` all tests of a file together.
    """
    try:
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"{report} is no report of pytest --junitxml: {error}") from None
    counts = {
        name: sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    }
    tests, files = [], {}
    for case in (case for suite in suites for case in suite.iter("testcase")):
        seconds, file = float(case.get("time", 0)), case.get("classname", "")
        tests.append({"test": f"{file}: {case.get('name')}".removeprefix("tests."), "seconds": round(seconds, 1)})
        files[file] = files.get(file, 0) + seconds
    slowest = sorted(tests, key=lambda each: -each["seconds"])[:SLOWEST]
    of_files = sorted(files.items(), key=lambda pair: -pair[1])[:SLOWEST]
    return {
        "seconds": round(sum(float(suite.get("time", 0)) for suite in suites), 1),
        **counts,
        "slowest": slowest,
        "files": [{"file": name.removeprefix("tests."), "seconds": round(seconds, 1)} for name, seconds in of_files],
    }


def in_words(tests: dict) -> str:
    """Say how many tests took how long, and how many of them did not pass, from :func:`of_the_tests`."""
    others = {"failures": "failed", "errors": "could not run", "skipped": "were left out"}
    not_passed = [f"{tests[name]:,} {word}" for name, word in others.items() if tests.get(name)]
    told = f"{tests['tests']:,} tests, cells of notebooks among them, take {tests['seconds'] / 60:.1f} minutes"
    return f"{told}; {', '.join(not_passed)}." if not_passed else f"{told}, and all pass."


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print, write and return the figures. What is not measured stays as it was in the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("book", "tests"))
    parser.add_argument("--tests", type=Path, metavar="FILE", help="a report of pytest --junitxml: no test is run")
    parser.add_argument("--repeats", type=common.at_least_one, default=2, help="builds, warm and touched (default: 2)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help="(default: book/performance/book.json)")
    options = parser.parse_args(arguments)
    result = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    made = {"date": datetime.now(UTC).date().isoformat(), "machine": common.machine(), "versions": common.versions()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = copy(Path(scratch) / "book") if options.only != "tests" or not options.tests else Path(scratch)
        if options.only != "tests":
            result["book"] = made | of_the_book(folder, options.repeats)
        if options.only != "book":
            report = options.tests or Path(scratch) / "report.xml"
            if not options.tests:  # a test that fails takes its time, too; the report says how many did
                run(folder, "-m", "pytest", *TEST_OPTIONS, f"--junitxml={report}", may_fail=True)
            result["tests"] = made | of_the_tests(report)
    if "book" in result:
        print(common.table([{"book": name} | result["book"][name] for name in ("cold", "warm", "touched")]))
    if "tests" in result:
        told = result["tests"]
        print(f"\n{in_words(told)} The slowest:")
        print(common.table(told["slowest"]) + "\n\nby file:\n" + common.table(told["files"]))
    with written_whole(options.out) as draft:
        write_json(draft, result)
    return result


if __name__ == "__main__":
    common.run(main)
