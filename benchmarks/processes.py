"""What a benchmark needs to know of a process: its time, its memory, and how to begin a new one."""

import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

STATUS = Path("/proc/self/status")


def in_a_new_process(*command: str) -> dict:
    """Run a script of this folder; return the JSON that it prints."""
    script = [sys.executable, *map(str, command)]
    # Two levels of progress bars would be mixed; what goes wrong still shows.
    done = subprocess.run(script, check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{' '.join(script)} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def anonymous_megabytes() -> float | None:
    """Return how much memory of this process belongs to no file, in 10**6 bytes; None where the system doesn't tell."""
    try:
        return int(STATUS.read_text("utf-8").split("RssAnon:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        return None


class Watch:
    """Looks at the anonymous memory every hundredth of a second while a block runs. ``peak`` is the most it saw."""

    def __enter__(self):
        self.before = self.peak = anonymous_megabytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def _look(self) -> None:
        while self.peak is not None and not self._done.wait(0.01):
            self.peak = max(self.peak, anonymous_megabytes())

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()


def on_disk(folder: Path, pattern: str = "*") -> int:
    """Return the bytes of all files below a folder whose names match."""
    return sum(file.stat().st_size for file in Path(folder).rglob(pattern) if file.is_file())


def used() -> tuple[float, float]:
    """Return seconds on the clock, and processor seconds of this process and those it has waited for."""
    times = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in times)


def peak_megabytes() -> int:
    """Return the most memory that this process, or one that it has waited for, held at a time, in 10**6 bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most * unit / 1e6)
