"""Refuse files that don't belong in the repository: big ones, and anything from the clinical photos.

Called before a commit with the files that it holds. A photo is known by its SHA-256 in the package's manifest.
"""

import csv
import hashlib
import sys
from pathlib import Path

LIMIT = 5_000_000
"""Bytes. The largest files we want are notebooks with their figures."""
MANIFEST = Path(__file__).resolve().parent.parent / "skinlib" / "data" / "clinical_manifest.csv"


def complaints(paths: list[Path]) -> list[str]:
    """Return one line for each file that must not be committed."""
    with MANIFEST.open(newline="", encoding="utf-8") as stream:
        photos = {row["sha256"] for row in csv.DictReader(stream)}
    found = []
    for path in paths:
        content = path.read_bytes()
        if len(content) > LIMIT:
            found.append(f"{path}: {len(content) / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f} MB")
        if hashlib.sha256(content).hexdigest() in photos:
            found.append(f"{path}: one of the clinical photos, which are other people's")
    return found


if __name__ == "__main__":
    wrong = complaints([Path(argument) for argument in sys.argv[1:]])
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    sys.exit(bool(wrong))
