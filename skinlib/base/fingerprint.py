"""Name a result after all that shapes it: its inputs, the code behind it, the packages that this code imports.

The code is found, not listed: a module and what it imports from this package, down to the ground. Of each, the syntax
tree is taken without docstrings, and comments are no part of one: only what can change a result changes its name.
"""

import ast
import functools
import hashlib
import json
import platform
import threading
from importlib import metadata
from pathlib import Path

import skinlib

PACKAGE = Path(skinlib.__file__).parent
_ONE_AT_A_TIME = threading.Lock()

DISTRIBUTIONS = {
    "PIL": ("pillow",),
    "cleanlab": ("cleanlab",),
    "cv2": ("opencv-python", "opencv-python-headless"),
    "keras": ("keras",),
    "numpy": ("numpy",),
    "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "scipy": ("scipy",),
    "sklearn": ("scikit-learn",),
    "tensorflow": ("tensorflow",),
    "tf2onnx": ("tf2onnx",),
    "usearch": ("usearch",),
}
"""Packages whose version can change a result: what they are imported as, and under which names they are installed."""


def key_for(module: str, *inputs) -> str:
    """Return 16 hex digits over ``inputs``, as JSON, and all that stands behind what ``module`` makes of them.

    ``module`` is the full name of a module of this package, such as "skinlib.learn.extraction".
    """
    return key_of(code_digest(module), package_versions(module), inputs)


def key_of(*shapers) -> str:
    """Return 16 hex digits over values that JSON can hold."""
    return hashlib.sha256(json.dumps(shapers, sort_keys=True).encode()).hexdigest()[:16]


def code_digest(*modules: str) -> str:
    """Return 16 hex digits over the code of modules and of all that they import from this package."""
    behind = sorted(set().union(*map(modules_behind, modules)))
    trees = "\n".join(f"{name}\n{syntax(_code_of(name))}" for name in behind)
    return hashlib.sha256(trees.encode()).hexdigest()[:16]


def package_versions(module: str) -> dict[str, str]:
    """Return the versions of the packages of :data:`DISTRIBUTIONS` that stand behind a module, by installed name."""
    imported = set().union(*(_imported(name)[1] for name in modules_behind(module)))
    return installed_versions(imported & set(DISTRIBUTIONS))


def installed_versions(imported=tuple(DISTRIBUTIONS)) -> dict[str, str]:
    """Return the versions of packages, given as they are imported, by installed name; absent ones are left out."""
    versions = {}
    for name in sorted(imported):
        for distribution in DISTRIBUTIONS[name]:
            try:
                versions[distribution] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return versions


def result_versions() -> dict[str, str]:
    """Return Python's version, skinlib's, and those of all packages of :data:`DISTRIBUTIONS` that are installed."""
    return {"Python": platform.python_version(), "skinlib": skinlib.__version__, **installed_versions()}


@functools.cache
def modules_behind(module: str) -> tuple[str, ...]:
    """Return the modules of this package that a module imports, directly or by way of others, itself among them."""
    behind, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in behind:
            behind.add(name)
            waiting += _imported(name)[0]
    return tuple(sorted(behind))


@functools.cache
def _imported(module: str) -> tuple[tuple[str, ...], frozenset[str]]:
    return imports_of(_code_of(module))


def imports_of(code: bytes | str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return what a source imports, wherever in it: (modules of this package, top-level names of other packages).

    What is imported for type checkers alone shapes no result. Raises SyntaxError for what is not Python.
    """
    ours: list[str] = []
    others: set[str] = set()
    waiting: list[ast.AST] = [*_parsed(code).body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            ours += [name for name in names if name.startswith("skinlib.")]
            others |= {name.partition(".")[0] for name in names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] == "skinlib":
                ours += [module, *(f"{module}.{alias.name}" for alias in node.names)]
            else:
                others.add(module.partition(".")[0])
        else:
            waiting += ast.iter_child_nodes(node)
    return tuple(name for name in ours if source_of(name)), frozenset(others)


def source_of(module: str) -> Path | None:
    """Return the file of a module of this package, or None where the name is none."""
    below = PACKAGE.joinpath(*module.split(".")[1:])
    return next((file for file in (below.with_suffix(".py"), below / "__init__.py") if file.is_file()), None)


def _code_of(module: str) -> bytes:
    source = source_of(module)
    if source is None:
        raise ModuleNotFoundError(f"{module} is no module of this package")
    return source.read_bytes()


def _parsed(code: bytes | str) -> ast.Module:
    with _ONE_AT_A_TIME:  # Python 3.11 counts how deep it is in a tree for all threads together, and gives up
        return ast.parse(code)


@functools.lru_cache(256)
def syntax(code: bytes | str) -> str:
    """Return the syntax tree of a source as text, without comments, docstrings and other strings that stand alone."""
    tree = _parsed(code)
    for node in ast.walk(tree):
        for body in (getattr(node, field, None) for field in ("body", "orelse", "finalbody")):
            if isinstance(body, list):
                body[:] = [part for part in body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
