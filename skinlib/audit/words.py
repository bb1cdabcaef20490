"""What the audit found, in a few lines for people: also what it can't speak of.

Introduced in chapter 1, Data exploration.
"""

from skinlib.data.reading import printable
from skinlib.data.unseen import commonest, number, were


def in_words(report: dict) -> list[str]:
    """Return the lines for :meth:`skinlib.audit.copies.Audit.report`.

    Where files were not looked at, the first line says so and the last one that nothing is known of them: nobody may
    take "0 copies" for an all-clear on what was not seen.
    """
    leaks, reasons = report["leaks"], [row["reason"] for row in report["left_out"]["files"]]
    first = f"{report['n_files']} files show {report['n_photos']} photos"
    if reasons:
        first += f"; {number(reasons)} {were(reasons)} not looked at (commonest reason: {commonest(reasons)})"
    lines = [first]
    if leaks["of"]:
        lines.append(f"{leaks['test_files']} of {leaks['of']} test files show a photo of the training set")
    else:
        lines.append("there are no official test files: whether copies leak into a test depends on how you split")
    lines.append(f"{len(report['conflicts'])} photos lie in the folders of two conditions; {report['seconds']:.1f} s")
    if reasons:
        where = ", ".join(f"{printable(folder)} ({count})" for folder, count in _most(report["left_out"]["folders"]))
        lines.append(
            f"this is no all-clear: nothing is known of the {number(reasons)} that {were(reasons)} not looked at, in "
            f"{where}; --json lists them"
        )
    return lines


def _most(folders: dict[str, int], shown: int = 3) -> list[tuple[str, int]]:
    """Return the folders with the most files, and the others as one."""
    ordered = sorted(folders.items(), key=lambda item: (-item[1], item[0]))
    rest = ordered[shown:]
    return [*ordered[:shown], *([(f"{len(rest)} other folders", sum(count for _, count in rest))] if rest else [])]
