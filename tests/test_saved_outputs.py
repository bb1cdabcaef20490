"""Each notebook's saved outputs are those that its code gives today.

The notebooks are run by the book's own executor, and only if the build or an earlier test has not done so: see
book/execute.py. nbval compares what came out with what is saved: every cell that is not tagged `nbval-ignore-output`,
to the last letter but for what nbval_sanitize.cfg takes out, and never the pixels of a picture. Cells tagged `rounding`
hang on how a processor rounds; they are compared where this one rounds as the one did that saved them.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import IPyNbFile, coalesce_streams

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RULES = Path(__file__).with_name("nbval_sanitize.cfg")
# What the saved outputs were made with: see the Makefile.
SAMPLE = {
    "SKINLIB_DATA": "sample",
    "SKINLIB_WEIGHTS": "untrained",
    "SKINLIB_BACKBONE": "resnet50",
    "SKINLIB_SPEED": "full",
    "SKINLIB_SEED": "0",
}


@pytest.fixture(scope="module")
def execute():
    """Return the executor as a module, in the environment of the saved outputs."""
    spec = importlib.util.spec_from_file_location("execute", ROOT / "book" / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SAMPLE.items():
            patch.setenv(name, value)
        yield module


@pytest.fixture(scope="module")
def said(execute):
    """Run the notebooks that have to be run, all of them together; return what the executor said."""
    ran = subprocess.run([sys.executable, execute.__file__], env=os.environ, capture_output=True, text=True)
    return ran.stdout + ran.stderr


class Saved(IPyNbFile):
    """A notebook with its saved outputs, as nbval reads it, with our rules."""

    def get_sanitize_files(self) -> list[Path]:
        return [RULES]


def differences(node: pytest.Item, path: Path, executed: nbformat.NotebookNode, rounds_alike: bool = True) -> list[str]:
    """Return what nbval says of each cell whose outputs in ``executed`` are not the ones saved in the file ``path``."""
    saved = Saved.from_parent(node.session, path=path)
    saved.setup_sanitize_files()
    wrong = []
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    for compared, cell in zip(saved.collect(), ran, strict=True):
        name = f"{path.name}, code cell {compared.cell_num}"
        if compared.cell.source != cell.source:
            wrong.append(f"{name} was executed with other code")
        elif compared.cell.execution_count is None:
            wrong.append(f"{name} was saved without having been run: run make notebooks")
        elif compared.options["check"] and (rounds_alike or "rounding" not in compared.cell.metadata.get("tags", [])):
            outputs = [coalesce_streams(some.outputs) for some in (cell, compared.cell)]
            if not compared.compare_outputs(*outputs):
                wrong.append("\n".join([f"{name}:", compared.cell.source, *compared.comparison_traceback]))
    return wrong


@pytest.fixture(scope="module")
def rounds_alike(execute, said) -> bool:
    """Tell whether this machine rounds as the one did that saved the outputs."""
    return execute.ROUNDING.read_text().strip() == execute.witness()


@pytest.mark.network
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_saved_outputs(path, execute, said, rounds_alike, request):
    executed = execute.executed(path)
    assert executed is not None, f"{path.name} could not be run:\n{said}"
    wrong = differences(request.node, path, executed, rounds_alike)
    assert not wrong, "\n\n".join(wrong)


# ---- the comparison can fail ------------------------------------------------------------------------------------


def shown(text: str, png: str = "") -> nbformat.NotebookNode:
    data = {"text/plain": text} | ({"image/png": png} if png else {})
    return nbformat.v4.new_output("execute_result", data, execution_count=1)


def notebook(*outputs: nbformat.NotebookNode, tags: tuple[str, ...] = (), count: int | None = 1):
    cell = nbformat.v4.new_code_cell("x", outputs=list(outputs), execution_count=count, metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Words"), cell])


def printed(*texts: str) -> list[nbformat.NotebookNode]:
    return [nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]


@pytest.mark.parametrize(
    ("saved", "executed", "said"),
    [
        (notebook(shown("0.81")), notebook(shown("0.81")), None),
        (notebook(shown("0.81")), notebook(shown("0.82")), "0.82"),
        (notebook(shown("0.81"), tags=("nbval-ignore-output",)), notebook(shown("0.82")), None),
        (notebook(shown("<A at 0x7f0012ab>")), notebook(shown("<A at 0x7fffffff>")), None),
        (notebook(shown("A", "iVBORw0KGgo=")), notebook(shown("A", "iVBORw0KGgp=")), None),
        (notebook(shown("A", "iVBORw0KGgo=")), notebook(shown("B", "iVBORw0KGgo=")), "text/plain"),
        (notebook(*printed("a\n", "b\n")), notebook(*printed("a\nb\n")), None),
        (notebook(*printed("a\n")), notebook(*printed("c\n")), "stdout"),
        (notebook(shown("1")), notebook(), "Missing output"),
        (notebook(), notebook(shown("1")), "Unexpected output"),
        (notebook(count=None), notebook(), "make notebooks"),
    ],
)
def test_the_comparison(saved, executed, said, request, tmp_path):
    nbformat.write(saved, tmp_path / "one.ipynb")
    wrong = differences(request.node, tmp_path / "one.ipynb", executed)
    if said is None:
        assert wrong == []
    else:
        assert len(wrong) == 1 and "code cell 0" in wrong[0] and said in wrong[0]


@pytest.mark.parametrize(("rounds_alike", "n_wrong"), [(True, 1), (False, 0)])
def test_what_hangs_on_rounding_is_compared_where_rounding_is_alike(rounds_alike, n_wrong, request, tmp_path):
    nbformat.write(notebook(shown("0.81"), tags=("rounding",)), tmp_path / "one.ipynb")
    executed = notebook(shown("0.82"))
    assert len(differences(request.node, tmp_path / "one.ipynb", executed, rounds_alike)) == n_wrong
    nbformat.write(notebook(shown("0.81")), tmp_path / "one.ipynb")
    assert len(differences(request.node, tmp_path / "one.ipynb", executed, rounds_alike)) == 1


def test_most_cells_are_compared_on_every_processor():
    cells = [cell for path in NOTEBOOKS for cell in nbformat.read(path, 4).cells if cell.get("outputs")]
    hanging = [cell for cell in cells if "rounding" in cell.metadata.get("tags", [])]
    assert len(hanging) < len(cells) / 2
