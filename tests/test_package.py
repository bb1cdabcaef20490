"""Hold the package together: floors, docstrings, one version, one lock."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

import skinlib

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "skinlib"

# Each module imports only from floors below its own. The order is the order in which a reader can learn them. Measuring
# (evaluate) needs nothing but a table of predictions, so it stands below the training that writes its metrics.
FLOORS = (
    ("__init__",),
    ("files", "work"),
    ("conditions", "settings"),
    ("simulate",),
    ("photos",),
    ("exported", "cluster", "scaling"),
    ("audit", "splits", "evaluate"),
    ("calibration", "abstention", "tone"),
    ("model",),
    ("baselines", "train"),
    ("explain", "shortcuts", "labels", "cards", "plots"),
    ("sheets", "ladder", "croissant"),
    ("export", "app"),
    ("__main__",),
)
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor}
MODULES = sorted(PACKAGE.glob("*.py"))


def imports(source: str) -> set[str]:
    """Return the modules of skinlib that a module imports, wherever in its source and however spelled."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            whole = ("skinlib." if node.level else "") + (node.module or "")
            whole = whole.rstrip(".")
            names = [whole] if whole.count(".") else [f"{whole}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if re.match(r"skinlib\.\w", name)}
    return found & {path.stem for path in MODULES}


def public_definitions(tree: ast.Module) -> list[ast.AST]:
    """Return the module's public functions and classes, and the public methods of those classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    top = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    methods = [
        method
        for node in top
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, kinds) and not method.name.startswith("_")
    ]
    return top + methods


def test_imports_finds_every_spelling():
    source = "import skinlib.data.dataset\nfrom . import plots, settings as s\nfrom .conditions import KEYS\n"
    source += "def f():\n    from skinlib import model\n    from skinlib.learn.train import train\n    import numpy\n"
    assert imports(source) == {"photos", "plots", "settings", "conditions", "model", "train"} & {
        path.stem for path in MODULES
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_go_down_only(path):
    assert path.stem in FLOOR, f"give skinlib/{path.name} its floor in this test"
    upward = {module for module in imports(path.read_text("utf-8")) if FLOOR[module] >= FLOOR[path.stem]}
    assert not upward, f"skinlib/{path.name} imports {sorted(upward)}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"skinlib/{path.name} does not say what it is"
    missing = [node.name for node in public_definitions(tree) if not ast.get_docstring(node)]
    assert not missing, f"skinlib/{path.name}: no docstring for {missing}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_public_functions_have_types(path):
    """Arguments and results of public functions are annotated, but for arrays whose shape the docstring gives."""
    tree = ast.parse(path.read_text("utf-8"))
    missing = [
        f"{node.name}: what it returns"
        for node in public_definitions(tree)
        if not isinstance(node, ast.ClassDef) and node.returns is None
    ]
    assert not missing, f"skinlib/{path.name}: no annotation of {missing}"


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert citation["version"] == newest[1] == skinlib.__version__


def pins(text: str) -> dict[str, str]:
    """Return the packages that a requirements file pins, by normalised name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\#]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_lock_is_in_step():
    """Every direct dependency stands in the lock at its version, and each locked file has a hash."""
    wanted = pins((ROOT / "requirements.txt").read_text("utf-8"))
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    locked = pins(lock)
    assert wanted, "requirements.txt pins nothing"
    assert wanted == {name: locked.get(name) for name in wanted}, "run `make lock`"
    for entry in re.split(r"\n(?=\S)", lock):
        assert "==" not in entry.splitlines()[0] or "--hash=sha256:" in entry or entry.startswith("#"), entry[:60]


def test_the_package_asks_for_what_is_locked():
    """Each dependency of the package is among the pinned ones, and its range holds the pinned version."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    locked = pins((ROOT / "requirements.txt").read_text("utf-8"))
    for line in project["dependencies"]:
        requirement = Requirement(line)
        version = locked.get(requirement.name.lower())
        assert version, f"{requirement.name} is not pinned in requirements.txt"
        assert requirement.specifier.contains(version), f"{line} does not hold the pinned {version}"


def test_python_versions_agree():
    """The package, the Makefile and the workflow name the same versions of Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text("utf-8")
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text("utf-8"))
    assert tests["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_every_reference_is_cited():
    """No entry of the bibliography is there for show, and none is cited that isn't there."""
    entries = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text("utf-8"), re.MULTILINE))
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    text = "\n".join(path.read_text("utf-8") for path in pages)
    cited = {key.strip() for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in keys.split(",")}
    assert cited <= entries, f"not in references.bib: {cited - entries}"
    assert entries <= cited, f"cited nowhere: {entries - cited}"


@pytest.mark.parametrize("name", ["logo.svg", "favicon.svg"])
def test_drawings_are_well_formed(name):
    from xml.etree import ElementTree

    assert ElementTree.parse(ROOT / "book/_static" / name).getroot().tag.endswith("svg")


def test_mathjax_is_the_file_we_say_it_is():
    import hashlib

    folder = ROOT / "book/_static/mathjax"
    digest = hashlib.sha256((folder / "tex-svg-full.js").read_bytes()).hexdigest()
    assert digest in (folder / "README.txt").read_text("utf-8")
