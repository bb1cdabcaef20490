"""Rules for the source that a person forgets: what would change with the machine's locale, or with its processor."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [file for folder in ("skinlib", "book", "benchmarks") for file in sorted((ROOT / folder).rglob("*.py"))]
SORTS = {"argsort", "sort_values", "nlargest", "nsmallest", "argpartition"}


def without_encoding(code: str) -> list[str]:
    """Return the calls that read or write text in whatever encoding the locale has."""
    return [ast.unparse(call) for call in _calls(code) if _is_text(call) and not _names_encoding(call)]


def _calls(code: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_text(call: ast.Call) -> bool:
    name, options = _name(call), {option.arg: ast.unparse(option.value) for option in call.keywords}
    if name in ("read_text", "write_text"):
        return True
    if name in ("run", "Popen", "check_output"):
        return "True" in (options.get("text"), options.get("universal_newlines"))
    if name in ("open", "TemporaryFile", "NamedTemporaryFile"):
        if ast.unparse(call.func) in ("Image.open", "zipfile.open", "os.open", "webbrowser.open", "tarfile.open"):
            return False
        modes = [one.value for one in (*call.args, *(option.value for option in call.keywords)) if _is_mode(one)]
        return not any("b" in mode for mode in modes) and (name == "open" or bool(modes))
    return False


def _is_mode(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) <= 3


def _names_encoding(call: ast.Call) -> bool:
    named = [option.value for option in call.keywords if option.arg in ("encoding", None)]
    return bool(named) or any(isinstance(one, ast.Constant) and one.value == "utf-8" for one in call.args)


def unstable(code: str) -> list[str]:
    """Return the sorts that may put equal values in an order of their own, on one processor or another."""

    def is_stable(call: ast.Call) -> bool:
        return any(option.arg == "kind" and ast.unparse(option.value) == "'stable'" for option in call.keywords)

    return [ast.unparse(call) for call in _calls(code) if _name(call) in SORTS and not is_stable(call)]


@pytest.mark.parametrize(
    "code",
    [
        "p.read_text({})",
        "p.write_text(text{})",
        "open(p{})",
        "p.open('w'{})",
        "run(command, text=True{})",
        "TemporaryFile('w'{})",
    ],
)
def test_a_missing_encoding_is_found(code):
    named = ", encoding='utf-8'"
    assert without_encoding(code.format("")) and not without_encoding(code.format(named).replace("(, ", "("))


@pytest.mark.parametrize("code", ["p.read_bytes()", "p.open('rb')", "TemporaryFile(dir=d)", "p.read_text('utf-8')"])
def test_no_encoding_is_asked_of_bytes(code):
    assert not without_encoding(code)


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_text_is_utf_8_in_every_locale(file):
    assert not without_encoding(file.read_text("utf-8"))


@pytest.mark.parametrize("code", ["a.argsort()", "np.argsort(-a, axis=1)", "t.sort_values('x', kind='quicksort')"])
def test_an_unstable_sort_is_found(code):
    assert unstable(code) and not unstable("a.argsort(kind='stable')")


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_equal_values_are_sorted_alike_on_every_processor(file):
    assert not unstable(file.read_text("utf-8"))


FIGURES = sorted((ROOT / "skinlib" / "figures").rglob("*.py"))


@pytest.mark.parametrize("file", FIGURES, ids=lambda file: file.name)
def test_no_figure_drops_what_it_has_no_place_for(file):
    zips = [call for call in _calls(file.read_text("utf-8")) if _name(call) == "zip"]
    loose = [ast.unparse(call) for call in zips if not any(ast.unparse(one) == "strict=True" for one in call.keywords)]
    assert not loose, "a ninth class would be left out in silence: cut the places to what there is, with strict=True"
