"""How long the audit takes, how much memory, how both grow with the number of photos, and what it finds.

    python benchmarks/audit.py [DATA] [--per-class N] [--times K ...] [--samples DIR] [--no-peers] [--json FILE]

Draws samples of N photos per condition (8), of 4, 16 and 64 times as many (``--times``), and audits each in a process
of its own with nothing kept from before. DATA, where given, is audited first. With ``--samples`` what is drawn is kept
in DIR for the next time. Beside the audit, the same photos go through two peers: every pair compared with every other,
and imagededup's hashing where it is installed. ``benchmarks/peers.py`` tells how to install it, and where the time of
the first is reckoned from a part of the pairs.

The exponent is that of seconds ~ photos ** exponent, the line of best fit through all sizes; 1 is linear. Small samples
flatter it, so the exponent between the last two is given as well. Peak memory is that of the whole process.
*Anonymous* memory belongs to no file, so the system can't take it back; only Linux tells how much that is. Run it on a
machine that has nothing else to do.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
from processes import Watch, in_a_new_process, on_disk, peak_megabytes

from skinlib.audit import copies
from skinlib.audit.copies import audit
from skinlib.base.fingerprint import result_versions
from skinlib.base.settings import load_settings
from skinlib.data.opening import open_data

PEERS = ("all-pairs", "imagededup")


def measure(folder: str) -> dict:
    """Audit a folder in this process. Opening it, which reads and checks each file, is timed apart."""
    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        data = open_data(load_settings(data=folder, cache=cache))
        opened, opened_cpu = time.perf_counter(), time.process_time()
        with Watch() as memory:
            found = audit(data)
        ended, cpu = time.perf_counter(), time.process_time()
        kept = on_disk(cache)
    result = {
        "files": len(data.photos) + len(data.damaged),
        "photos": int(found.photos.photo_id.nunique()),
        "leaked": int(found.leaked.sum()),
        "conflicts": len(found.conflicts),
        "open_seconds": round(opened - started, 2),
        "seconds": round(ended - opened, 2),
        "processor_seconds": round(cpu - opened_cpu, 2),
        "peak_megabytes": peak_megabytes(),
        "anonymous_megabytes": None if memory.peak is None else round(memory.peak),
        "anonymous_megabytes_before": None if memory.before is None else round(memory.before),
        "disk_megabytes": round(kept / 1e6),
    }
    if data.truth is not None:
        scores = copies.score(found, data.truth).dropna()  # of some kinds a small sample has no copies
        result["scores"] = {kind: [round(row.precision, 4), round(row.recall, 4)] for kind, row in scores.iterrows()}
    return result


def growth(results: list[dict], name: str = "seconds") -> dict:
    """Return the exponents of ``name`` in the number of files: fitted to all sizes, and between the last two."""
    size, value = (np.log([result[key] for result in results]) for key in ("files", name))
    last = (value[-1] - value[-2]) / (size[-1] - size[-2])
    return {"fitted": round(float(np.polyfit(size, value, 1)[0]), 3), "last": round(float(last), 3)}


def kilobytes_a_photo(results: list[dict], name: str) -> float | None:
    """Return by how much ``name`` grows from the first size to the last, in kilobytes for each file more."""
    first, last = results[0], results[-1]
    if first[name] is None:
        return None
    return round(1000 * (last[name] - first[name]) / (last["files"] - first["files"]), 1)


def table(rows: list[dict]) -> str:
    """Return the results of all sizes as text: one line per size and way."""
    lines = [f"{'files':>6} {'way':<10} {'seconds':>9} {'processor':>9} {'peak MB':>8} {'anonymous':>9}  recall"]
    for row in rows:
        for way in ("audit", *PEERS):
            result = row.get(way, {})
            if "seconds" in result:
                quality = result.get("precision_recall") or result.get("scores", {}).get("all")
                note = "extrapolated" if result.get("extrapolated") else f"{quality[1]:.3f}" if quality else ""
                anonymous = result.get("anonymous_megabytes") or ""
                lines.append(
                    f"{row['audit']['files']:>6} {way:<10} {result['seconds']:>9.1f} "
                    f"{result['processor_seconds']:>9.1f} {result['peak_megabytes']:>8} {anonymous:>9}  {note}"
                )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", metavar="DATA")
    parser.add_argument(
        "--per-class", type=int, default=8, metavar="N", help="photos per condition of the least sample"
    )
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16, 64], metavar="K", help="sizes, two or more")
    parser.add_argument("--samples", type=Path, metavar="DIR", help="keep the samples here")
    parser.add_argument("--no-peers", action="store_true", help="the audit alone")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    if len(set(options.times)) < 2:
        parser.error("--times: growth needs two sizes or more")
    result = {"data": in_a_new_process(__file__, "--one", options.data)} if options.data else {}
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for times in sorted(set(options.times)):
            folder = common.sample(options.samples or Path(scratch), options.per_class * times)
            row = {"times": times, "audit": in_a_new_process(__file__, "--one", folder)}
            for peer in () if options.no_peers else PEERS:
                row[peer] = in_a_new_process(Path(__file__).with_name("peers.py"), peer, folder)
            rows.append(row)
            print(f"{row['audit']['files']} files: {row['audit']['seconds']} s", file=sys.stderr)
    audits = [row["audit"] for row in rows]
    result |= {
        "sizes": rows,
        "exponent": growth(audits),
        "exponent_of_processor_seconds": growth(audits, "processor_seconds"),
        "anonymous_kilobytes_a_photo": kilobytes_a_photo(audits, "anonymous_megabytes"),
        "disk_kilobytes_a_photo": kilobytes_a_photo(audits, "disk_megabytes"),
        "cores": os.cpu_count(),
        "versions": result_versions(),
    }
    print(table(rows))
    print(f"exponent: {result['exponent']['fitted']} fitted, {result['exponent']['last']} between the last two sizes")
    for peer in PEERS:
        if reason := rows[0].get(peer, {}).get("skipped"):
            print(f"{peer} was skipped: {reason}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
