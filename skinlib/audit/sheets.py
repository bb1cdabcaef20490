"""Contact sheets of what the audit found: a person's eye is the last check, so make looking easy.

Introduced in chapter 1, Data exploration.
"""

from pathlib import Path

from skinlib.audit.copies import Audit
from skinlib.base.files import write_table, written_whole
from skinlib.base.targets import check_folder
from skinlib.data.dataset import DataSet
from skinlib.figures import shared

PAIRS = 30
"""Pairs on one sheet."""


def draw(data: DataSet, audited: Audit, folder: Path) -> int:
    """Draw all pairs that the audit joined and those it nearly joined into ``folder``; return the number of sheets.

    ``joined-001.png`` shows the pairs that it was least sure of, so errors of one kind stand on the first sheets.
    ``doubtful-001.png`` and on show pairs that came close, the closest first, where errors of the other kind stand.
    Conflicting labels are in ``conflicts-001.png``. What was not looked at is on no sheet: ``left-out.csv`` lists it,
    path and reason, where there is any. Raises InputError where ``folder`` exists and is not empty.
    """
    check_folder(folder)
    condition = data.photos.set_index("path").condition
    doubtful = audited.doubtful[::-1]
    conflicts = [
        (paths[0], other)
        for paths in audited.conflicts
        for other in paths[1:]
        if condition[other] != condition[paths[0]]
    ]
    kinds = {
        "joined": list(zip(audited.pairs.path, audited.pairs.other, audited.pairs.agreement, strict=True)),
        "doubtful": list(zip(doubtful.path, doubtful.other, doubtful.agreement, strict=True)),
        "conflicts": [(*pair, None) for pair in conflicts],
    }
    count = 0
    with written_whole(folder) as draft:
        draft.mkdir()
        if len(audited.missed):
            write_table(draft / "left-out.csv", audited.missed)
        for kind, pairs in kinds.items():
            for number, start in enumerate(range(0, len(pairs), PAIRS), start=1):
                part = pairs[start : start + PAIRS]
                photos = [(data.read(path), data.read(other)) for path, other, _ in part]
                names = [_names(condition[path], condition[other], sure) for path, other, sure in part]
                shared.photo_pairs(photos, names).savefig(draft / f"{kind}-{number:03d}.png", dpi=110)
                count += 1
    return count


def _names(condition: str, other: str, agreement: float | None) -> tuple[str, str]:
    return condition, other if agreement is None else f"{other} {agreement:.2f}"
