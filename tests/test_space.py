"""The folder of the app as it is published: it holds all that the app needs, and nothing else."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from skinlib.base.fingerprint import PACKAGE, modules_behind, source_of
from skinlib.serve import publish
from skinlib.serve.exported import ExportedModel

ROOT = Path(__file__).parents[1]
BLOCKER = """
import os, sys
sys.modules |= dict.fromkeys(("tensorflow", "keras", "cv2", "onnx", "sklearn"))  # None: cannot be imported
sys.path.insert(0, ".")
switched_off = {}

class Watch:
    def find_spec(name, *_):
        switch = {"gradio": "GRADIO_ANALYTICS_ENABLED", "onnxruntime": "ORT_DISABLE_TELEMETRY"}.get(name)
        if switch:
            switched_off[name] = os.environ.get(switch)

sys.meta_path.insert(0, Watch)
import skinlib.serve.app
assert switched_off == {"gradio": "False", "onnxruntime": "1"}, switched_off
print(skinlib.__file__, skinlib.serve.app.gr.__version__)
"""


@pytest.fixture(scope="module")
def space(exported, tmp_path_factory):
    return publish.space(exported, tmp_path_factory.mktemp("published") / "space")


def test_the_space_needs_no_tensorflow(space):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", BLOCKER], cwd=space, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (space / "skinlib").samefile(Path(done.stdout.split()[0]).parent)


def test_the_space_tells_a_missing_model_in_one_line(space, tmp_path):
    shutil.copytree(space, tmp_path / "space", ignore=shutil.ignore_patterns("model"))
    done = subprocess.run([sys.executable, "app.py"], cwd=tmp_path / "space", capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.count("\n") == 1 and "skinlib export" in done.stderr


def test_the_space_asks_for_the_versions_of_the_book(space):
    def pins(file):
        lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
        return dict(line.split("==") for line in lines if line)

    ours, asked = pins(ROOT / "requirements.txt"), pins(space / "requirements.txt")
    named = {
        line.split("==")[0]: line.split("==")[1].split()[0]
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if re.match(r"[a-z].*==", line)
    }
    assert asked == {name: ours.get(name, named[name]) for name in asked}
    front = yaml.safe_load((space / "README.md").read_text("utf-8").split("---")[1])
    assert front["sdk"] == "gradio" and front["sdk_version"] == asked["gradio"]
    assert (space / front["app_file"]).is_file() and front["license"] == "mit"
    assert len(front["short_description"]) <= 60
    assert not list((ROOT / "skinlib").rglob("*.pyi"))  # which Gradio writes beside subclasses of its components
    assert {front["colorFrom"], front["colorTo"]} <= {
        "red",
        "yellow",
        "green",
        "blue",
        "indigo",
        "purple",
        "pink",
        "gray",
    }


def test_the_space_holds_no_more_than_it_needs(space):
    files = {file.relative_to(space).as_posix() for file in space.rglob("*") if file.is_file()}
    needed = {"skinlib", "skinlib.base", "skinlib.data", "skinlib.serve", *modules_behind("skinlib.serve.app")}
    # Another test has run the app here, and Python may have left its bytecode.
    assert {file for file in files if "__pycache__" not in file} == {
        "README.md", "app.py", "requirements.txt", "model/labels.json", "model/model-16bit.onnx",
        *(f"skinlib/{source_of(name).relative_to(PACKAGE).as_posix()}" for name in needed),
    }  # fmt: skip
    assert ExportedModel(space / "model").answer(np.zeros((5, 5, 3), np.uint8)).probabilities


def test_the_space_asks_for_what_it_imports(space):
    """And for nothing else: what Gradio brings is Gradio's own business."""
    nodes = [node for file in (space / "skinlib").rglob("*.py") for node in ast.walk(ast.parse(file.read_bytes()))]
    idle = {
        id(line)
        for node in nodes
        if isinstance(node, ast.If)
        for line in node.body
        if "TYPE_CHECKING" in ast.unparse(node.test)
    }
    nodes = [node for node in nodes if id(node) not in idle]  # what is for type checkers alone is not imported
    imported = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module.partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    lines = (space / "requirements.txt").read_text().splitlines()
    asked = {line.partition("==")[0] for line in lines if "==" in line}
    outside = imported - set(sys.stdlib_module_names) - {"skinlib", "starlette"}
    assert {{"PIL": "pillow"}.get(name, name) for name in outside} == asked
