"""All that the Performance page shows, measured in one go: ``make bench``.

    python benchmarks/everything.py [--only NAME ...] [--quick] [--out FILE]

Runs one script after another, each in a process of its own, with sizes that take less than twenty minutes together on
two cores, and prints one table: what was measured, against what, their ratio with its spread, and the goal. The result
goes to book/performance, a file for each run, and the page shows those of the latest machine. Samples that were drawn
are kept in the cache for the next time. A script that fails is told in one line, and the others go on. Run it on a
machine that has nothing else to do.

``--only`` runs some of the scripts and ``--quick`` all of them on a few photos, to see that they work. What they give
is no measurement for the page: it is written where ``--out`` says, or nowhere.

The least and the greatest ratio come from the shortest and the longest of the times that were repeated within one run.
What is measured once in each run has none: several runs tell its spread.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import common
from processes import used

from skinlib.base.errors import SkinlibError
from skinlib.base.files import write_json, written_whole
from skinlib.base.settings import load_settings

HERE = Path(__file__).parent
RESULTS = HERE.parent / "book" / "performance"


def row(what, ours, against, theirs, ratio, low=None, high=None, at_least=None, at_most=None) -> dict:
    """Return one row of the table.

    ``what`` and ``against`` tell what was compared and are the same in every run; ``ours`` and ``theirs`` are what this
    one measured, in words. ``ratio`` is a number, ``low`` and ``high`` its spread where there is one. ``reached`` is
    None where there is no goal.
    """
    goals = [f"≥ {at_least:g}" if at_least is not None else "", f"≤ {at_most:g}" if at_most is not None else ""]
    reached = None
    if any(goals):
        reached = bool((at_least is None or ratio >= at_least) and (at_most is None or ratio <= at_most))  # not NumPy's
    return {
        "what": what,
        "ours": ours,
        "against": against,
        "theirs": theirs,
        "ratio": ratio,
        "low": low,
        "high": high,
        "goal": " ".join(filter(None, goals)) or None,
        "reached": reached,
    }


def _ratio(ours: float, other: float) -> float:
    """Return ours / other with four digits, however small it is."""
    return float(f"{ours / other:.4g}")


def _seconds(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f} s"
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _rate(photos: float) -> str:
    return f"{photos:,.3g} photos/s" if photos < 1000 else f"{photos:,.0f} photos/s"


def _faster(what: str, ours: dict, name: str, other: dict, at_least: float | None = None) -> dict:
    """Return a row about two rates, as :func:`common.per_second` gives them."""
    ratio, low, high = (
        _ratio(ours[mine], other[theirs])
        for mine, theirs in (("per_second", "per_second"), ("slowest", "fastest"), ("fastest", "slowest"))
    )
    return row(what, _rate(ours["per_second"]), name, _rate(other["per_second"]), ratio, low, high, at_least)


def rows_of_recipe(result: dict) -> list[dict]:
    """Return what the recipe came to, with nothing kept and with everything kept."""
    times, goals = result["times"], {"cold": 12, "warm": 60}
    words = {"cold": "nothing kept", "warm": "features kept"}
    return [
        row(
            f"recipe, {words[kind]}",
            _seconds(times[kind]["seconds"]),
            "the original procedure",
            _seconds(times["original"]["seconds"]),
            *(result["ratios"][kind][name] for name in ("ratio", "low", "high")),
            at_least=goal,
        )
        for kind, goal in goals.items()
    ]


def rows_of_extraction(result: dict) -> list[dict]:
    """Return the engine of this package against the limit, and against the other engines."""
    engines, limit = {each["engine"]: each for each in result["engines"]}, result["limit_photos_a_second"]["32 bits"]
    found = []
    for name, bits, goal in (("OpenVINO", 32, 0.9), ("OpenVINO, 16 bits", 16, 1)):
        if name in engines:
            each = engines[name]
            found.append(
                row(
                    f"features, {bits} bits",
                    _rate(each["per_second"]),
                    "the machine's limit in 32 bits",
                    _rate(limit),
                    *(_ratio(each[speed], limit) for speed in ("per_second", "slowest", "fastest")),
                    at_least=goal,
                )
            )
    ours = engines["OpenVINO"]
    others = ("Keras predict", "tf.function", "ONNX Runtime")
    return found + [_faster("features, 32 bits", ours, name, engines[name]) for name in others]


def rows_of_inputs(result: dict) -> list[dict]:
    """Return how fast photos are read: against the network that takes them, and against other ways."""
    ours, *others = result["ways"]
    others = [(f"the network, {each['engine'].split(', ')[1]}", each, 1) for each in result["network"]] + [
        (each["way"], each, None) for each in others
    ]
    return [_faster("reading photos", ours, name, each, goal) for name, each, goal in others]


def rows_of_fine_tuning(result: dict) -> list[dict]:
    """Return fine-tuning from kept activations against the ordinary way: all of it, and a step."""
    ordinary, found = result["ways"]["ordinary"], []
    kept = {bits: result["ways"].get(f"kept activations, {bits} bits") for bits in (32, 16)}
    for bits, ours in kept.items():
        if ours:
            found.append(
                row(
                    f"fine-tuning, {bits} bits, a step",
                    _seconds(ours["step"]),
                    "the ordinary way",
                    _seconds(ordinary["step"]),
                    _ratio(ordinary["step"], ours["step"]),
                    _ratio(ordinary["fastest_step"], ours["slowest_step"]),
                    _ratio(ordinary["slowest_step"], ours["fastest_step"]),
                    at_least=4,
                )
            )
    for bits, ours in kept.items():
        if ours:
            found.append(
                row(
                    f"fine-tuning, {bits} bits, {result['epochs']} epochs",
                    _seconds(ours["seconds"]),
                    "the ordinary way",
                    _seconds(ordinary["seconds"]),
                    ours["ratio"],
                )
            )
    return found


def rows_of_audit(result: dict) -> list[dict]:
    """Return how the audit grows, what memory it takes, and its peers on the largest sample."""
    first, last = result["sizes"][0], result["sizes"][-1]
    few, many = (f"{each['audit']['files']:,} files" for each in (first, last))
    exponent = result["exponent_of_processor_seconds"]["fitted"]
    found = [row(f"audit, exponent of time, {few} to {many}", f"{exponent:.2f}", "linear", "1", exponent, at_most=1.15)]
    if first["audit"]["anonymous_megabytes"]:
        memory = [each["audit"]["anonymous_megabytes"] for each in (first, last)]
        found.append(
            row(
                f"audit, memory for {many}",
                f"{memory[1]} MB",
                f"itself with {few}",
                f"{memory[0]} MB",
                _ratio(memory[1], memory[0]),
                at_most=1.1,
            )
        )
    names = {"all-pairs": "all pairs", "imagededup": "imagededup's PHash"}
    for peer, name in names.items():
        other = last.get(peer, {})
        if "seconds" in other:
            reckoned = " (reckoned from a part)" if other.get("extrapolated") else ""
            found.append(
                row(
                    f"audit, time for {many}",
                    _seconds(last["audit"]["seconds"]),
                    name,
                    f"{_seconds(other['seconds'])}{reckoned}",
                    _ratio(other["seconds"], last["audit"]["seconds"]),
                )
            )
    return found


def rows_of_one_answer(result: dict) -> list[dict]:
    """Return what one answer takes in each way, against Keras."""
    found = []
    words = {"start": "from the start", "warm": "once warm"}
    keras = result["ways"]["Keras"]
    for asked, when in words.items():
        for name, way in result["ways"].items():
            if name != "Keras" and asked in way:
                mine, other = way[asked], keras[asked]
                found.append(
                    row(
                        f"one answer, {name}, {when}",
                        _seconds(mine["seconds"]),
                        "Keras in Python",
                        _seconds(other["seconds"]),
                        _ratio(other["seconds"], mine["seconds"]),
                        _ratio(other["shortest"], mine["longest"]),
                        _ratio(other["longest"], mine["shortest"]),
                    )
                )
    return found


@dataclass(frozen=True)
class Script:
    """A script of this folder: its rows in the table, and its options, in full and to see that it works."""

    rows: Callable[[dict], list[dict]]
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    draws: bool = False
    """Whether it draws samples, which are kept for the next time."""


SCRIPTS = {
    "recipe": Script(
        rows_of_recipe,
        full=("--per-class", "145"),  # as many photos as the original had
        quick=("--cold", "1", "--warm", "1"),
        draws=True,
    ),
    "extraction": Script(
        rows_of_extraction,
        full=("--photos", "48"),
        quick=("--photos", "4", "--repeats", "1", "--matrix", "1024"),
    ),
    "inputs": Script(rows_of_inputs, full=("--repeats", "5"), quick=("--photos", "8", "--repeats", "1")),
    "fine_tuning": Script(rows_of_fine_tuning, quick=("--photos", "8", "--validation", "4", "--epochs", "2")),
    "audit": Script(rows_of_audit, quick=("--per-class", "5", "--times", "1", "4"), draws=True),
    "one_answer": Script(rows_of_one_answer, quick=("--repeats", "1")),
}


def rows(results: dict[str, dict]) -> list[dict]:
    """Return the table of all results, each row with the script that measured it."""
    return [{"script": name} | each for name, result in results.items() for each in SCRIPTS[name].rows(result)]


def shown(table: list[dict]) -> str:
    """Return the table as text."""
    return common.table(
        [
            {
                "what": each["what"],
                "ours": each["ours"],
                "against": f"{each['against']}: {each['theirs']}",
                "ratio": f"{each['ratio']:.3g}",
                "spread": "" if each["low"] is None else f"{each['low']:.3g} to {each['high']:.3g}",
                "goal": each["goal"],
                "reached": {True: "yes", False: "no", None: ""}[each["reached"]],
            }
            for each in table
        ]
    )


def run_script(name: str, arguments: tuple[str, ...], quick: bool, log: Path) -> dict:
    """Run a script in a process of its own; return its result. All that it prints goes to ``log``.

    Raises SkinlibError, with its last line, where it fails.
    """
    with tempfile.TemporaryDirectory() as folder, log.open("w+", encoding="utf-8") as said:
        out = Path(folder) / "result.json"
        done = subprocess.run(
            [sys.executable, HERE / f"{name}.py", *arguments, "--json", out],
            env=os.environ | ({"SKINLIB_SPEED": "quick"} if quick else {}),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            said.seek(0)
            lines = [line for line in said.read().splitlines() if line.strip()] or [f"ended with {done.returncode}"]
            raise SkinlibError(lines[-1].strip())
        return json.loads(out.read_text(encoding="utf-8"))


def measure(names: list[str], quick: bool) -> dict:
    """Run scripts one after another; return all that they measured, what failed, and what a time depends on."""
    cache = load_settings().cache / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None and load > 0.5:
        print(f"something else is running (load average {load:.1f}): the times will not be those of this machine alone")
    result = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "complete": not quick and set(names) == set(SCRIPTS),
        "load_average_before": None if load is None else round(load, 2),
        # From a process of its own: TensorFlow stays out of this one.
        **json.loads(subprocess.run([sys.executable, HERE / "common.py"], check=True, capture_output=True).stdout),
        "minutes": {},
        "processor_minutes": {},
        "failed": {},
        "results": {},
    }
    for name in names:
        arguments = SCRIPTS[name].quick if quick else SCRIPTS[name].full
        if SCRIPTS[name].draws:
            arguments += ("--samples", str(cache / "samples"))
        clock, processor = used()
        try:
            result["results"][name] = run_script(name, arguments, quick, cache / f"{name}.log")
        except SkinlibError as error:
            result["failed"][name] = str(error)
        ended, processor_ended = used()
        minutes = result["minutes"][name] = round((ended - clock) / 60, 2)
        result["processor_minutes"][name] = round((processor_ended - processor) / 60, 2)
        log = cache / f"{name}.log"
        failure = f", failed: {result['failed'][name]} ({log} has the rest)" if name in result["failed"] else ""
        of_all_cores = f"{result['processor_minutes'][name]:.1f} of all cores"
        print(f"benchmarks/{name}.py: {minutes:.1f} minutes ({of_all_cores}){failure}", flush=True)
    return result


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write. Returns the exit code: 1 where a script failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, metavar="NAME", help=f"some of {', '.join(SCRIPTS)}")
    parser.add_argument("--quick", action="store_true", help="a few photos, to see that everything works")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the result goes (default: book/performance)")
    options = parser.parse_args(arguments)
    result = measure([name for name in SCRIPTS if name in (options.only or SCRIPTS)], options.quick)
    table = rows(result["results"])
    print(f"\n{shown(table)}\n\n{sum(result['minutes'].values()):.1f} minutes")
    stamp = result["date"][:19].replace("-", "").replace(":", "")
    out = options.out or (RESULTS / f"bench-{stamp}Z.json" if result["complete"] else None)
    if out:
        with written_whole(out) as draft:
            write_json(draft, result | {"table": table})
        print(f"written to {out}")
    return 1 if result["failed"] else 0


# ---------------------------------------------------------------- for the page


def kept(folder: Path) -> list[dict]:
    """Return the complete runs that a folder holds, oldest first: those of the machine that the latest was made on."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(Path(folder).glob("bench-*.json"))]
    found = sorted((each for each in found if each["complete"]), key=lambda each: each["date"])
    return [each for each in found if each["machine"] == found[-1]["machine"]]


def over_runs(runs: list[dict]) -> list[dict]:
    """Return the rows of the latest run, with ``ratios``, those of all runs, oldest first.

    ``low`` and ``high`` enclose the spreads of all runs, and a goal is reached where each run has reached it.
    """
    tables = [{(each["what"], each["against"]): each for each in run["table"]} for run in runs]
    found = []
    for name, each in (tables[-1] if tables else {}).items():
        others = [table[name] for table in tables if name in table]
        numbers = [other[key] for other in others for key in ("ratio", "low", "high") if other[key] is not None]
        alone = len(others) == 1 and each["low"] is None
        reached = None if each["goal"] is None else all(other["reached"] for other in others)
        found.append(
            each
            | {
                "ratios": [other["ratio"] for other in others],
                "low": None if alone else min(numbers),
                "high": None if alone else max(numbers),
                "reached": reached,
            }
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
