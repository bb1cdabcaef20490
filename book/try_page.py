"""Make the page on which readers try the model: train it on a clean split, export it, put page and model together.

`make book` calls this. What was trained and exported before is taken from the cache.
"""

import sys
from pathlib import Path

from skinlib import export, photos, settings, train
from skinlib.settings import SkinlibError


def main(out: Path) -> None:
    """Write the folder ``out``, of the data and weights that the environment chooses."""
    choices = settings.load()
    data = photos.open_data(choices)
    run = train.train(data, choices, split="grouped")
    export.web(export.export(run, data, choices), out)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except SkinlibError as error:
        print(f"try_page: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
