"""Make the page on which readers try the model: train it on a clean split, export it, put page and model together.

`make book` calls this. What was trained and exported before is taken from the store.
"""

import sys
from pathlib import Path

from skinlib.base.errors import SkinlibError
from skinlib.base.settings import load_settings
from skinlib.learn.prepared import prepare
from skinlib.learn.ready import open_ready
from skinlib.learn.train import train
from skinlib.serve.export import export
from skinlib.serve.publish import web


def main(out: Path) -> None:
    """Write the folder ``out``, of the data and weights that the environment chooses."""
    settings = load_settings()
    data = open_ready(settings)
    run = train(prepare(data, settings, "grouped"))
    web(export(run, data, settings), out)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except SkinlibError as error:
        print(f"try_page: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
