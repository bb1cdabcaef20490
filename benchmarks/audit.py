"""How long the audit takes, how much memory, how both grow with the number of photos, and what it finds.

    python benchmarks/audit.py [DATA] [--per-class N] [--times K] [--samples DIR] [--json FILE]

Draws two samples, one of N photos per condition (145: as many files as the clinical set has) and one K times as large
(10), and audits each in a process of its own with nothing kept from before. DATA, where given, is audited first. The
large sample takes long to draw: with --samples it is kept in DIR for the next time. The exponent is that of
seconds ~ photos ** exponent; 1 is linear, and 13 times the time for 10 times the photos is 1.11. Peak memory is
that of the whole process. Run it on a machine that has nothing else to do.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from skinlib import audit, photos, settings, simulate


def measured(folder: str) -> dict:
    """Audit a folder in a new process with an empty cache; return what :func:`measure` prints there."""
    done = subprocess.run([sys.executable, __file__, "--one", folder], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(folder: str) -> dict:
    """Audit a folder in this process. Opening it, which reads and checks each file, is timed apart."""
    with tempfile.TemporaryDirectory() as cache:
        started = time.perf_counter()
        data = photos.open_data(settings.load(data=folder, cache=cache))
        opened, opened_cpu = time.perf_counter(), time.process_time()
        found = audit.audit(data)
        ended, cpu = time.perf_counter(), time.process_time()
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    result = {
        "files": len(data.photos) + len(data.damaged),
        "photos": int(found.photos.photo_id.nunique()),
        "leaked": int(found.leaked.sum()),
        "conflicts": len(found.conflicts),
        "open_seconds": round(opened - started, 1),
        "audit_seconds": round(ended - opened, 1),
        "audit_processor_seconds": round(cpu - opened_cpu, 1),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6),
    }
    if data.truth is not None:
        scores = audit.score(found, data.truth)
        result["scores"] = {kind: [round(row.precision, 4), round(row.recall, 4)] for kind, row in scores.iterrows()}
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", metavar="DATA")
    parser.add_argument("--per-class", type=int, default=145, metavar="N")
    parser.add_argument("--times", type=int, default=10, metavar="K")
    parser.add_argument("--samples", type=Path, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    result = {"data": measured(options.data)} if options.data else {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, per_class in (("small", options.per_class), ("large", options.per_class * options.times)):
            folder = (options.samples or Path(scratch)) / f"sample-{per_class}"
            if not folder.exists():
                simulate.write_sample(folder, per_class)
            result[name] = measured(str(folder))
    ratio = result["large"]["audit_seconds"] / result["small"]["audit_seconds"]
    size = result["large"]["files"] / result["small"]["files"]
    result |= {"times_the_files": round(size, 2), "times_the_seconds": round(ratio, 2)}
    result |= {"exponent": round(math.log(ratio) / math.log(size), 3), "versions": settings.versions()}
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
