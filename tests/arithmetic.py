"""Say how this machine is to run the notebooks' tests: comparing the saved outputs to the last digit shown, or not.

    python tests/arithmetic.py          prints --nbval, or --nbval-lax and why on standard error
    python tests/arithmetic.py --save   notes how this machine calculates (`make notebooks` does)

Processors of another kind take sums in another order. The differences, in the eighth digit, grow in training to some in
the third, so the digits that one machine saved are not those of another. Whether two machines calculate alike shows in
a few small calculations of the kinds that the notebooks use: their last bits make a digest, and the digest of the
machine that saved the outputs is kept beside this file.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from skinlib.learn import extraction, networks, runs, train

KEPT = Path(__file__).with_suffix(".txt")


def digest() -> str:
    """Return 64 hex digits over the last bits of a product, a pass through the network, and trainings of its parts."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 512, 512))
    network = networks.build(seed=0)
    photo = rng.integers(0, 256, (networks.SIZE, networks.SIZE, 3)).astype(np.float32)
    results = [a @ b, *np.linalg.eigh(a + a.T), *extraction.extractor(network).one(photo)]
    for layer, n in (("pool", 256), (networks.LAST_STAGE, 8)):
        part = train.compile_recipe(networks.part_after(network, layer))
        rows = rng.random((n, *networks.SHAPES[layer]), np.float32)
        part, _ = train.fit(part, [rows], np.arange(n) % 8, (rows[:0], rows[:0]), 2, runs.BATCH_SIZE, 0)
        results += part.get_weights()
    return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in results)).hexdigest()


def main() -> None:
    """Print the option, or save the digest."""
    now = digest()
    if "--save" in sys.argv[1:]:
        KEPT.write_text(now + "\n")
    elif KEPT.exists() and KEPT.read_text().strip() == now:
        print("--nbval")
    else:
        print(
            "The notebooks' outputs were saved on a machine that rounds otherwise than this one: all cells are run, "
            "and their outputs are not compared (NBVAL=--nbval compares them).",
            file=sys.stderr,
        )
        print("--nbval-lax")


if __name__ == "__main__":
    main()
