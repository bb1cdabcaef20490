"""A thousand hostile files in three ways: from Python, through the app, and on the page in a browser.

    python benchmarks/hostile.py MODEL [--files N] [--seed N] [--ways Python App Page] [--json FILE]

MODEL is an exported model: the folder model/ that `python -m skinlib export` makes. The files are those of
tests/hostile.py, the ways those of benchmarks/three_ways.py. For each kind of file the table tells how many Python
refused and answered, how many were lost in any way (it took too long, or a process died), how often the app and the
page came to another verdict or answer than Python, and the longest that a file took. A file that the app or the page
cannot be sent, such as a path that leads nowhere, is asked of Python only. Below the table: the most memory of each
way's largest process, and every disagreement with its reason. Exit code 1 where a file was lost, or treated otherwise
than the only right way. All three ways take ten minutes.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
from three_ways import ROOT, App, Page, Python, Reply, same

from skinlib.base.fingerprint import result_versions

sys.path.insert(0, str(ROOT / "tests"))

WAYS = {"Python": Python, "App": App, "Page": Page}


def ask_all(way, written) -> list[Reply | None]:
    """Return a reply for each file; None where this way cannot be sent it."""
    return [way.ask(file.path) if isinstance(way, Python) or file.sendable else None for file in written]


def verdict(first: Reply, other: Reply | None) -> str:
    """Tell how another way's reply differs from Python's: "" where it does not."""
    if other is None:
        return ""
    if first.word != other.word:
        return f"Python {first.word}, here {other.word}"
    return "" if first.word != "answered" or same(first.answer, other.answer) else "another answer"


def table(written, replies: dict[str, list[Reply | None]]) -> pd.DataFrame:
    """Return one row for each kind of file, and one for all."""
    first = replies["Python"]
    rows = []
    for i, file in enumerate(written):
        row = {"kind": file.kind, "files": 1, "refused": first[i].word == "refused"}
        row["answered"] = first[i].word == "answered"
        row["lost"] = any(found[i] is not None and found[i].word == "lost" for found in replies.values())
        for name, found in replies.items():
            if name != "Python":
                row[f"{name} differs"] = bool(verdict(first[i], found[i]))
        row |= {f"{name} s": found[i].seconds if found[i] else 0.0 for name, found in replies.items()}
        rows.append(row)
    rows = pd.DataFrame(rows)
    how = {column: "max" if column.endswith(" s") else "sum" for column in rows.columns[1:]}
    kinds = rows.groupby("kind", sort=False).agg(how)
    return pd.concat([kinds, rows.agg(how).to_frame("all").T]).round(1).astype({c: int for c in how if how[c] == "sum"})


def main() -> int:
    """Write the files, ask, and print. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--files", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    from hostile import files

    with tempfile.TemporaryDirectory() as folder:
        written = files(Path(folder) / "files", options.files, options.seed)
        replies, memory, minutes = {}, {}, {}
        for name in ["Python", *(name for name in options.ways if name != "Python")]:
            with WAYS[name](options.model) as way:
                started = time.perf_counter()
                replies[name] = ask_all(way, written)
                minutes[name] = round((time.perf_counter() - started) / 60, 1)
                memory[name] = way.peak_megabytes()

    rows = table(written, replies)
    print(rows.to_string())
    print("Memory at the most, MB:", memory, " Minutes:", minutes)
    wrong = [
        (name, file, reply)
        for name, found in replies.items()
        for file, reply in zip(written, found, strict=True)
        if reply and (reply.word == "lost" or (name == "Python" and file.expected not in (None, reply.word)))
    ]
    for name, file, reply in wrong:
        print(f"WRONG {name}: {file.kind}: {file.why}: {reply.word}, not {file.expected} {reply.lost or reply.error}")
    differing = Counter(
        (name, file.kind, file.why, found)
        for name, way in replies.items()
        for file, first, reply in zip(written, replies["Python"], way, strict=True)
        if (found := verdict(first, reply))
    )
    for (name, *words), number in sorted(differing.items()):
        print(f"{number:4d} × {name}: {': '.join(words)}")
    if options.json:
        result = {
            "files": len(written),
            "seed": options.seed,
            "kinds": rows.to_dict("index"),
            "peak_megabytes": memory,
            "minutes": minutes,
            "wrong": len(wrong),
            "versions": result_versions(),
        }
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
