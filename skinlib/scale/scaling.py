"""What more photos, more cores and more machines would take: measured times, and sums that go on from them.

``scaling.json``, which ``benchmarks/scale.py`` wrote, travels with the package: what each stage of this book took on
one machine as the photos grew. All else here is arithmetic on it. Introduced in chapter 7, Scaling up.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.base.errors import InputError

MEASURED = Path(__file__).with_name("scaling.json")
STAGES = ("opening", "audit", "features", "head", "fine-tuning", "answers")
"""The stages that are measured, in the order in which they are gone through."""


def measured(file: Path = MEASURED) -> pd.DataFrame:
    """Return what was measured: one row for each stage, number of files, bits and number of cores.

    Columns are stage, bits, cores, files; seconds, processor_seconds (of all cores together); peak_megabytes and
    anonymous_megabytes, of memory; disk_megabytes; and what a stage has to say of itself. Date, machine and versions
    are in ``attrs``. Raises InputError where the file is no such table.
    """
    try:
        content = json.loads(Path(file).read_text("utf-8"))
        table = pd.DataFrame(content.pop("rows"))
        table[["stage", "bits", "cores", "files", "seconds", "processor_seconds"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} has no measured stages ({error}): write it with benchmarks/scale.py") from None
    table.attrs = content
    return table


def stages(table: pd.DataFrame, column: str = "seconds") -> pd.DataFrame:
    """Return a column of :func:`measured`: one row per number of files, one column per stage.

    Of each stage the rows on most cores count, and of these the ones in the fewest bits. NaN is not measured.
    """
    used = table[table.cores == table.cores.max()]
    used = used[used.bits == used.groupby("stage").bits.transform("min")]
    return used.pivot(index="files", columns="stage", values=column).reindex(columns=list(STAGES))


def projected(table: pd.DataFrame, files: Sequence[float] | np.ndarray, column: str = "seconds") -> pd.DataFrame:
    """Return what each stage takes for any number of files on the measured machine: one row per number.

    Between two measured sizes it lies on the straight line between them. Beyond the largest it grows as the files to
    the power of an exponent: the one that leads from the last size but one to the last, but at least 1, since starting
    up makes the first exponents too small. Below the smallest size it is what that one took, which is too much. Raises
    InputError for a number below 1.
    """
    wanted = np.asarray(files, float)
    if not (wanted >= 1).all():
        raise InputError(f"{wanted.min():g} files can't be projected: use 1 or more")
    answer = pd.DataFrame(index=pd.Index(wanted, name="files"))
    for stage, points in stages(table, column).items():
        points = points.dropna()
        if len(points) < 2:
            raise InputError(f"{stage} was measured at {len(points)} sizes: a projection needs two")
        sizes, values = points.index.to_numpy(float), points.to_numpy(float)
        exponent = max(1.0, np.log(values[-1] / values[-2]) / np.log(sizes[-1] / sizes[-2]))
        beyond = values[-1] * np.maximum(wanted / sizes[-1], 1) ** exponent
        answer[stage] = np.where(wanted > sizes[-1], beyond, np.interp(wanted, sizes, values))
    return answer


def reading_seconds(table: pd.DataFrame) -> float:
    """Return the processor seconds of reading one photo for the network, decoded and resized, at the largest size."""
    rows = table[(table.stage == "reading") & (table.cores == table.cores.max())]
    if rows.empty:
        raise InputError("reading was not measured: write the table anew with benchmarks/scale.py")
    largest = rows.loc[rows.files.idxmax()]
    return float(largest.processor_seconds / largest.files)


def amdahl(serial_share, workers) -> np.ndarray:
    """Return how many times as fast n workers are as one, by Amdahl's law (Amdahl, 1967): 1 / (s + (1 - s) / n).

    ``serial_share`` s, 0 to 1, is the share of the time on one worker in which the others can't help; the job stays
    the same. Both may be arrays. Raises InputError for other shares, and for less than one worker.
    """
    share, n = np.asarray(serial_share, float), np.asarray(workers, float)
    if not ((share >= 0) & (share <= 1)).all():
        raise InputError("a serial share lies between 0 and 1")
    if not (n >= 1).all():
        raise InputError("there must be one worker or more")
    return 1 / (share + (1 - share) / n)


def serial_share(seconds_on_one, seconds_on_n, n: int) -> np.ndarray:
    """Return the serial share that two measured times stand for: the metric of Karp and Flatt (1990).

    With e = the speed-up, it is (1 / e - 1 / n) / (1 - 1 / n): Amdahl's law, solved for s. Times may be arrays. Below 0
    the workers helped more than there are of them, above 1 they were in the way; near the ends either may be noise.
    Raises InputError for fewer than two workers or for times that are not above 0.
    """
    one, many = np.asarray(seconds_on_one, float), np.asarray(seconds_on_n, float)
    if n < 2 or not ((one > 0).all() and (many > 0).all()):
        raise InputError(f"a serial share needs times above 0 on one worker and on two or more (here {n})")
    return (many / one - 1 / n) / (1 - 1 / n)


@dataclass(frozen=True)
class Assumptions:
    """What a bill assumes beyond the measured times. Change one with ``dataclasses.replace``."""

    operations_per_photo: float = 7.7e9
    """Floating-point operations of ResNet50 for one photo of 224 × 224 pixels: multiplications and additions."""
    operations_to_fine_tune: float = 4.4e9
    """The same for one photo in one epoch of training the last stage: three times its forward pass."""
    gpu_peak: float = 312e12
    """Floating-point operations a second of one GPU in 16 bits, as its data sheet has them: an NVIDIA A100's."""
    share_of_peak: float = 0.1
    """Share of that peak which the network reaches, 0 to 1. Convolutions wait for memory; measure yours."""
    fine_tuning_epochs: int = 4
    """Epochs of training the last stage."""
    photo_bytes: float = 2e6
    """Bytes of one photo as a phone stores it."""
    feature_bytes: float = 208_896
    """Bytes kept of one photo for training again: the last stage's input; 8,192 if only the head is ever trained."""
    sketch_bytes: float = 60e3
    """Bytes that the audit keeps of one photo."""
    months: float = 12
    """Months for which photos, features and sketches are kept."""
    gpu_hour: float = 2.0
    """Price of one GPU for an hour, in dollars."""
    core_hour: float = 0.04
    """Price of one processor core for an hour, in dollars."""
    gigabyte_month: float = 0.02
    """Price of 10^9 bytes of storage for a month, in dollars."""

    def __post_init__(self):
        """Raise InputError for a number below 0, and for a GPU that does nothing."""
        for name, value in asdict(self).items():
            if not value >= 0:
                raise InputError(f"{name} is {value}: use 0 or more")
        if not self.gpu_peak * self.share_of_peak > 0:
            raise InputError("a GPU does something: gpu_peak and share_of_peak must be above 0")


def costs(sizes: Sequence[float], assumptions: Assumptions, table: pd.DataFrame) -> pd.DataFrame:
    """Return the bill for so many photos, gone through once from opening to a fine-tuned network: one row per size.

    GPUs compute features and fine-tune: operations over operations a second. Cores open, audit, and train the head: the
    processor seconds of ``table`` as :func:`projected` has them, on cores like those; and they read for the GPU.
    Columns: gpu_hours, core_hours, terabytes (10^12 bytes), then dollars for each of the three, dollars in all and
    dollars_per_photo; the index is photos. Raises InputError for sizes below 1.
    """
    a, photos = assumptions, np.asarray(sizes, float)
    work = projected(table, photos, "processor_seconds")
    operations = a.operations_per_photo + a.operations_to_fine_tune * a.fine_tuning_epochs
    bill = pd.DataFrame(index=pd.Index(photos, name="photos"))
    bill["gpu_hours"] = photos * operations / (a.gpu_peak * a.share_of_peak) / 3600
    of_cores = work[["opening", "audit", "head"]].sum(axis=1).to_numpy() + photos * reading_seconds(table)
    bill["core_hours"] = of_cores / 3600
    bill["terabytes"] = photos * (a.photo_bytes + a.feature_bytes + a.sketch_bytes) / 1e12
    bill["gpu_dollars"] = bill.gpu_hours * a.gpu_hour
    bill["core_dollars"] = bill.core_hours * a.core_hour
    bill["storage_dollars"] = bill.terabytes * 1000 * a.gigabyte_month * a.months
    bill["dollars"] = bill.gpu_dollars + bill.core_dollars + bill.storage_dollars
    bill["dollars_per_photo"] = bill.dollars / bill.index
    return bill
