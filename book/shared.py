"""Make what most notebooks share, with all cores, before they run side by side with a core each.

The book's executor calls this where several notebooks have to run. Everything goes to the store, where the notebooks
find it: left alone, two of them would compute the same features at the same time, or one would wait for the other.

It prints a digest of both runs' predictions. Processors of another kind take sums in another order. With an untrained
network the differences grow from the eighth digit to whole answers, and what hangs on these is other there: such cells
have the tag `rounding`. Where the digest is the one that `make notebooks` has saved, they are compared as well.
"""

import hashlib
import sys

from skinlib.base.errors import SkinlibError
from skinlib.base.settings import load_settings
from skinlib.learn.prepared import prepare
from skinlib.learn.ready import open_ready
from skinlib.learn.train import train


def main() -> str:
    """Draw the sample, look for copies, compute features and train on both splits, as the environment chooses.

    Returns the SHA-256 of both runs' tables of predictions.
    """
    settings = load_settings()
    data = open_ready(settings)
    runs = [train(prepare(data, settings, split)) for split in ("official", "grouped")]
    return hashlib.sha256(b"".join((run.path / "predictions.csv").read_bytes() for run in runs)).hexdigest()


if __name__ == "__main__":
    try:
        print(main())
    except SkinlibError as error:  # the notebooks say it, too, each in its place
        print(f"shared: {error}", file=sys.stderr)
