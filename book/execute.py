"""Run notebooks from top to bottom and save them with their outputs. `make notebooks` and `make clinical` call this.

What is saved repeats: no timings, no cell numbering left over from a session, one kernel name for everybody.
"""

import argparse
import base64
import io
import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from skinlib.base.files import written_whole

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def smaller(png: str) -> str:
    """Return a base64 PNG with at most 256 colours, a third of the size: what is saved stays in the history for ever.

    The built book draws its figures anew and keeps all their colours.
    """
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    few_colours = image.convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    packed = io.BytesIO()
    few_colours.save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()


def execute(source: Path, target: Path) -> None:
    """Run the notebook ``source`` in its own folder and a fresh kernel, and write it with its outputs to ``target``.

    Raises CellExecutionError when a cell fails. ``target`` is only ever a whole notebook.
    """
    notebook = nbformat.read(source, as_version=4)
    notebook.metadata = nbformat.from_dict(KERNEL)
    resources = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources=resources,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
    )
    client.execute()
    notebook.metadata = nbformat.from_dict(KERNEL)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = smaller(output.data["image/png"])
    with written_whole(target) as draft:
        nbformat.write(notebook, draft)


def main() -> int:
    """Run the notebooks named on the command line, or all. Returns 1 when a cell failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument("--out", type=Path, required=True, help="folder to save them in")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if out == NOTEBOOKS and os.environ.get("SKINLIB_DATA", "sample") != "sample":
        parser.error("notebooks/ holds results on the sample only: choose another --out")
    out.mkdir(parents=True, exist_ok=True)

    failed = 0
    for source in arguments.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        start = time.perf_counter()
        try:
            execute(source.resolve(), out / source.name)
        except CellExecutionError as error:
            failed += 1
            print(f"{source.name}: a cell failed\n{error}", file=sys.stderr)
        else:
            print(f"{source.name}: {time.perf_counter() - start:.0f} s, saved to {os.path.relpath(out / source.name)}")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
