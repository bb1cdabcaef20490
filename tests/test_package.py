"""Hold the package together: rooms on floors, docstrings, names, declared dependencies, one version, one lock."""

import ast
import graphlib
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

import skinlib
from skinlib.__main__ import EXTRAS
from skinlib.base import fingerprint

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "skinlib"

# A room imports only from rooms on floors below its own. The order is that in which a reader can learn them. Judging
# needs nothing but a table of predictions, so it stands below the training that writes its metrics.
FLOORS = (
    ("__init__",),
    ("base",),
    ("data", "judge", "scale"),
    ("figures",),
    ("audit",),
    ("learn",),
    ("doubt",),
    ("serve",),
    ("commands",),
    ("__main__",),
)
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
# Of serve/space the app and the page are made, which are no modules of the package.
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "space" not in path.relative_to(PACKAGE).parts)
LINES = 450
"""A module of more lines is two."""
EMPTY_WORDS = {"told", "found", "kept", "each"}
"""Names that say nothing of what they hold."""
DISEASES = re.compile(
    r"cellulitis|impetigo|athlete.?s?.foot|nail.fungus|ringworm|larva|chickenpox|shingles", re.IGNORECASE
)
DISEASES_NAMED_IN = {"data/conditions.py", "data/drawings.py", "data/sample.py", "data/croissant.py"}
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Packages that are installed under another name than they are imported as."""
NEEDS = {
    "skinlib.data.fetch": "fetch",
    "skinlib.data.splits": "judge",
    "skinlib.data.croissant": "judge",
    "skinlib.judge": "judge",
    "skinlib.figures": "figures",
    "skinlib.audit.sheets": "all",
    "skinlib.audit": "audit",
    "skinlib.learn": "learn",
    "skinlib.doubt": "learn",
    "skinlib.doubt.labels": "labels",
    "skinlib.serve": "export",
    "skinlib.serve.app": "app",
    "skinlib.serve.door": "app",
    "skinlib.serve.exported": "app",
    "skinlib.scale.cluster": "cluster",
    "skinlib.commands": "all",
    "skinlib.__main__": "all",
}
"""Which extra brings what a module and all behind it need; the longest beginning counts. Others need no extra."""


def name_of(path: Path) -> str:
    """Return the name of the module in a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def label(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def room_of(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def imports(source: str) -> set[str]:
    """Return the modules of skinlib that a source imports, wherever in it, also for type checkers, however spelled."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "name the whole module"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "skinlib" and fingerprint.source_of(name)}


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


def constants(tree: ast.Module) -> dict[str, str]:
    """Return the module-level names in capitals, and the expressions that they stand for."""
    values = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and re.fullmatch(r"[A-Z][A-Z0-9_]*", target.id):
                    values[target.id] = ast.unparse(node.value)
    return values


def names_given(tree: ast.Module) -> set[str]:
    """Return every name that a source gives to a variable or an argument."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def test_imports_finds_every_spelling():
    source = "import skinlib.data.dataset\nfrom skinlib.data import splits, reading as r\n"
    source += "from skinlib.base.settings import SPLITS\n"
    source += "def f():\n    from skinlib.learn.train import train\n    import numpy\n"
    modules = {"data", "data.dataset", "data.splits", "data.reading", "base.settings", "learn.train"}
    assert imports(source) == {f"skinlib.{name}" for name in modules}


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_imports_go_down_only(path):
    room = room_of(name_of(path))
    assert room in FLOOR, f"give the room {room} its floor in this test"
    others = {name for name in imports(path.read_text("utf-8")) if room_of(name) != room}
    upward = {name for name in others if FLOOR[room_of(name)] >= FLOOR[room]}
    assert not upward, f"{label(path)} imports {sorted(upward)}, which is not below it"


@pytest.mark.parametrize("room", sorted({room_of(name_of(path)) for path in MODULES} - {"__init__", "__main__"}))
def test_a_room_has_no_circle(room):
    graph = {}
    for path in MODULES:
        name = name_of(path)
        if room_of(name) == room:
            ours = fingerprint.imports_of(path.read_bytes())[0]
            graph[name] = {other for other in ours if room_of(other) == room and other not in (name, f"skinlib.{room}")}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_modules_are_short(path):
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LINES, f"{label(path)} has {lines} lines, more than {LINES}: divide it"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), f"{label(path)} does not say what it is"
    missing = [node.name for node in public_definitions(tree) if not ast.get_docstring(node)]
    assert not missing, f"{label(path)}: no docstring for {missing}"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_public_functions_have_types(path):
    """Results of public functions are annotated; mypy checks that they are so."""
    tree = ast.parse(path.read_text("utf-8"))
    missing = [
        node.name for node in public_definitions(tree) if not isinstance(node, ast.ClassDef) and node.returns is None
    ]
    assert not missing, f"{label(path)}: no annotation of what these return: {missing}"


def test_a_constant_has_one_value():
    values = defaultdict(lambda: defaultdict(list))
    for path in MODULES:
        for name, value in constants(ast.parse(path.read_text("utf-8"))).items():
            values[name][value].append(label(path))
    twice = {name: dict(places) for name, places in values.items() if len(places) > 1}
    assert not twice, f"one name, several values: {twice}"


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_names_say_what_they_hold(path):
    empty = names_given(ast.parse(path.read_text("utf-8"))) & EMPTY_WORDS
    assert not empty, f"{label(path)}: name {sorted(empty)} for what they hold"


def test_the_rules_can_fail():
    tree = ast.parse("A = 1\nfor each in told:\n    pass\ndef f(kept): return [x for x, found in kept]\nB: int = 2\n")
    assert names_given(tree) & EMPTY_WORDS == {"each", "kept", "found"}
    assert constants(tree) == {"A": "1", "B": "2"}
    assert DISEASES.search("Athlete's foot") and DISEASES.search("nail-fungus") and not DISEASES.search("a nail")


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_diseases_are_named_where_they_belong(path):
    """Every other room takes the classes from the data, whichever they are."""
    if label(path) not in DISEASES_NAMED_IN:
        lines = path.read_text("utf-8").splitlines()
        naming = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if DISEASES.search(line)]
        assert not naming, f"{label(path)} names diseases:\n" + "\n".join(naming)


# ---- dependencies -----------------------------------------------------------------------------------------------


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def brought_by(extra: str | None) -> set[str]:
    """Return the normalised names of the packages that the package asks for, with one of its extras or without."""
    lines = list(project()["dependencies"]) if extra is None else list(project()["optional-dependencies"][extra])
    names = set() if extra is None else brought_by(None)
    for line in lines:
        name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", line).groups()
        if name == "skinlib":
            names = names.union(*map(brought_by, extras.split(",")))
        else:
            names.add(re.sub(r"[-_.]+", "-", name).lower())
    return names


def installed_as(imported: str) -> str:
    return DISTRIBUTIONS.get(imported, imported).lower()


def others(module: str) -> set[str]:
    """Return the top-level packages of other people that a module and all behind it import."""
    behind = fingerprint.modules_behind(module)
    names = set().union(*(fingerprint.imports_of(fingerprint.source_of(name).read_bytes())[1] for name in behind))
    return names - set(sys.stdlib_module_names) - {"skinlib"}


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_what_is_imported_is_declared(path):
    """By the package itself, or by the extra that the module's room needs."""
    module = name_of(path)
    extra = NEEDS.get(max((start for start in NEEDS if module.startswith(start)), key=len, default=""))
    missing = {name for name in others(module) if installed_as(name) not in brought_by(extra)}
    place = f"the extra {extra}" if extra else "the dependencies"
    assert not missing, f"{label(path)} needs {sorted(missing)}, not among {place} in pyproject.toml"


def test_a_command_names_the_extra_that_it_lacks():
    core = brought_by(None)
    beyond = {name for name in others("skinlib.__main__") if installed_as(name) not in core}
    assert set(EXTRAS) == beyond
    wrong = {name: extra for name, extra in EXTRAS.items() if installed_as(name) not in brought_by(extra)}
    assert not wrong


# ---- versions and the rest --------------------------------------------------------------------------------------


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

    locked = pins((ROOT / "requirements.txt").read_text("utf-8"))
    extras = project()["optional-dependencies"].values()
    lines = [*project()["dependencies"], *(line for extra in extras for line in extra)]
    for line in (line for line in lines if not line.startswith("skinlib[")):
        requirement = Requirement(line)
        version = locked.get(requirement.name.lower())
        assert version, f"{requirement.name} is not pinned in requirements.txt"
        assert requirement.specifier.contains(version), f"{line} does not hold the pinned {version}"


def test_python_versions_agree():
    """The package, the Makefile and the workflow name the same versions of Python."""
    assert project()["requires-python"] == ">=3.11,<3.14"
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
