"""Hold every notebook to the book's style. Each rule is a small function that returns what it finds wrong.

The rules come first, then the notebooks of the book held to them, then each rule shown able to fail on a notebook made
for it here.
"""

import copy
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = (
    "01_data_exploration", "01b_audit", "02_preprocessing", "03_training", "04_evaluation", "04b_confidence",
    "05_error_analysis", "05b_shortcuts", "06_deployment", "07_scaling",
)  # fmt: skip

VERBS = frozenset(
    """build calculate check choose compare compute count decide describe detect draw estimate explain find fix give
    identify judge list make measure name plot predict put rank read reproduce rewrite run save say score separate show
    spot state tell test train trace turn use weigh write""".split()  # noqa: SIM905 (a page of quotes reads worse)
)
STYLE = "plt.style.use(shared.STYLE)"
PROVENANCE = ("data", "photos", "fingerprint", "weights", "seed", "Python", "skinlib")


# ---- reading a notebook -----------------------------------------------------------------------------------------


def markdown(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(source: str) -> str:
    """Return a Markdown source less what is not prose: code, roles, math, addresses, comments."""
    for pattern in (
        r"```.*?```(?=\s|$)",  # fences, directives with backticks among them
        r"\{[\w:+-]+\}`[^`]*`",  # roles, {glue:text}`…` among them
        r"`[^`]*`",
        r"\$\$.*?\$\$",
        r"\$[^$\n]+\$",
        r"https?://\S+",
        r"\]\([^)]*\)",
        r"<!--.*?-->",
    ):
        source = re.sub(pattern, " ", source, flags=re.DOTALL)
    return source


def position(notebook: NotebookNode, heading: str) -> int | None:
    """Return the number of the cell that has ``heading`` on a line of its own, or None."""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and heading in cell.source.splitlines():
            return number
    return None


def outputs(notebook: NotebookNode) -> list[tuple[int, NotebookNode, NotebookNode]]:
    """Return (number of the cell, cell, output) for each saved output."""
    return [
        (number, cell, output)
        for number, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def text_of(output: NotebookNode) -> str:
    """Return everything in an output that a person could read."""
    words = [output.get("text", "")]
    words += [text for kind, text in output.get("data", {}).items() if "image/png" not in kind and "jpeg" not in kind]
    return "\n".join(map(str, words))


# ---- the rules --------------------------------------------------------------------------------------------------


def opening(notebook: NotebookNode) -> list[str]:
    """The first cell has the title and the chapter's question, and there is one title only."""
    first = notebook.cells[0]
    wrong = []
    if first.cell_type != "markdown" or not re.match(r"# \S", first.source):
        wrong.append("cell 0 does not begin with '# Title'")
    if not re.search(r"^\*\*[^*]+\?\*\*", first.source, re.MULTILINE):
        wrong.append("cell 0 has no question of its own, like '**What is in these folders, really?**'")
    titles = sum(len(re.findall(r"^# ", prose(source), re.MULTILINE)) for source in markdown(notebook))
    if titles != 1:
        wrong.append(f"there are {titles} titles ('# …'), not one")
    return wrong


def objectives(notebook: NotebookNode) -> list[str]:
    """Cell 1 lists three to six objectives, each beginning with a verb that can be tested."""
    box = re.search(
        r":::\{admonition\} After this chapter you can\n:class: objectives\n(.*?):::", text(notebook, 1), re.S
    )
    if not box:
        return ["cell 1 has no box 'After this chapter you can' of class objectives"]
    items = re.findall(r"^- (.*)$", box[1], re.MULTILINE)
    wrong = [] if 3 <= len(items) <= 6 else [f"{len(items)} objectives, not three to six"]
    return wrong + [
        f"objective {item!r} does not begin with a verb that can be tested"
        for item in items
        if item.split()[0].lower().strip(",") not in VERBS
    ]


def prerequisites(notebook: NotebookNode) -> list[str]:
    """Cell 1 says what the reader needs, and how long reading and running take."""
    if not re.search(r":::\{admonition\} Before you start\n:class: prerequisites\n", text(notebook, 1)):
        return ["cell 1 has no box 'Before you start' of class prerequisites"]
    return [
        f"cell 1 does not say '*{what}:* about so many minutes or seconds'"
        for what in ("Reading", "Running")
        if not re.search(rf"\*{what}:\* about \S+ (to \S+ )?(seconds?|minutes?)", text(notebook, 1))
    ]


def text(notebook: NotebookNode, number: int) -> str:
    """Return the source of a Markdown cell, or nothing where there is none of that number."""
    cells = notebook.cells
    return cells[number].source if number < len(cells) and cells[number].cell_type == "markdown" else ""


def imports_first(notebook: NotebookNode) -> list[str]:
    """The first code cell holds imports and the style of figures, no more; no later cell but exercises' imports."""
    cells = code(notebook)
    if not cells:
        return ["there is no code"]
    is_import = re.compile(r"(import|from) |[)\s#]|%config|$")
    wrong = [
        f"the first code cell does more than import: {line!r}"
        for line in cells[0].source.splitlines()
        if not is_import.match(line) and line != STYLE
    ]
    if not re.search(r"^(import|from) ", cells[0].source, re.MULTILINE):
        wrong.append("the first code cell imports nothing")
    end = position(notebook, "## Exercises") or len(notebook.cells)
    for number, cell in enumerate(notebook.cells[:end]):
        if (
            cell.cell_type == "code"
            and cell is not cells[0]
            and re.search(r"^(import|from) ", cell.source, re.MULTILINE)
        ):
            wrong.append(f"cell {number} imports: all imports belong in the first code cell")
    return wrong


def provenance(notebook: NotebookNode) -> list[str]:
    """The second code cell shows the table of data, weights, seed and versions, made on the sample."""
    cells = code(notebook)
    if len(cells) < 2:
        return ["there is no second code cell with the table of data, weights, seed and versions"]
    table = "\n".join(text_of(output) for output in cells[1].outputs if "data" in output)
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines() if len(line.split()) > 1}
    wrong = [f"the table in the second code cell has no row {row!r}" for row in PROVENANCE if row not in rows]
    if "data" in rows and rows["data"] != ["sample"]:
        wrong.append(f"the saved outputs were made on {' '.join(rows['data'])!r}, not on the sample")
    if "nbval-ignore-output" not in cells[1].metadata.get("tags", []):
        wrong.append("the table of versions is not tagged nbval-ignore-output")
    return wrong


def boxes(notebook: NotebookNode) -> list[str]:
    """The reader guesses before looking, and is told what could go wrong."""
    everything = "\n".join(markdown(notebook))
    return [
        f"there is no box {title!r} of class {kind}"
        for title, kind in (("Guess before you look", "guess"), ("What could go wrong here", "warning"))
        if f":::{{admonition}} {title}\n:class: {kind}\n" not in everything
    ]


def ending(notebook: NotebookNode) -> list[str]:
    """Summary, Exercises and Further reading are the last sections, in this order, and hold what they promise."""
    headings = [line for source in markdown(notebook) for line in source.splitlines() if line.startswith("## ")]
    if headings[-3:] != ["## Summary", "## Exercises", "## Further reading"]:
        return ["the last sections are not Summary, Exercises and Further reading, in this order"]
    wrong = []
    summary, reading = position(notebook, "## Summary"), position(notebook, "## Further reading")
    points = re.findall(r"^- ", notebook.cells[summary].source, re.MULTILINE)
    if not 3 <= len(points) <= 7:
        wrong.append(f"the summary has {len(points)} points, not three to seven")
    books = "\n".join(cell.source for cell in notebook.cells[reading:] if cell.cell_type == "markdown")
    items = re.findall(r"^- .*?(?=^- |\n\n|\Z)", books, re.MULTILINE | re.DOTALL)
    if sum("{cite" in item for item in items) < 2:
        wrong.append("further reading cites fewer than two works")
    return wrong


def exercises(notebook: NotebookNode) -> list[str]:
    """At least four exercises, each followed by a folded solution with code that the tests run."""
    wrong, asked, solved = [], [], {}
    current = None
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            if current is not None:
                solved[current] += 1
            continue
        asked += re.findall(r"^```\{exercise-start\}.*\n:label: (\S+)", cell.source, re.MULTILINE)
        starts = re.findall(r"^```\{solution-start\} (\S+)\n((?::.*\n)*)", cell.source, re.MULTILINE)
        for label, options in starts:
            current = label
            solved[label] = 0
            if ":class: dropdown" not in options:
                wrong.append(f"cell {number}: the solution of {label} is not folded away (:class: dropdown)")
        if "```{solution-end}" in cell.source:
            current = None
    if len(asked) < 4:
        wrong.append(f"{len(asked)} exercises, not four or more")
    wrong += [f"exercise {label} has no solution" for label in asked if label not in solved]
    return wrong + [f"the solution of {label} has no code" for label, cells in solved.items() if not cells]


def length(notebook: NotebookNode) -> list[str]:
    """30 to 60 cells, the exercises not counted."""
    end, again = position(notebook, "## Exercises"), position(notebook, "## Further reading")
    if end is None or again is None:
        return ["the exercises can't be told from the chapter"]
    cells = len(notebook.cells) - (again - end)
    return [] if 30 <= cells <= 60 else [f"{cells} cells besides the exercises, not 30 to 60"]


def numbers_from_the_run(notebook: NotebookNode) -> list[str]:
    """No typed percentage and no typed accuracy in the prose: they come by glue. A 95 % interval is a name."""
    wrong = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        words = re.sub(r"95\s*(%|per ?cent)[\s-]*(Wilson\s+)?(confidence|interval|level)", " ", prose(cell.source))
        found = re.findall(r"\d[\d.,]*\s*(?:%|per ?cent\b|percentage points?)|(?<![\d.])0?\.\d{2,}", words)
        wrong += [f"cell {number}: the number {match.strip()!r} is typed: glue it" for match in found]
    return wrong


def figures(notebook: NotebookNode) -> list[str]:
    """Each shown image has an alternative text: a sentence, and not a path. One image to a cell."""
    wrong = []
    shown = [
        (number, cell)
        for number, cell, output in outputs(notebook)
        if {"image/png", "image/jpeg", "image/svg+xml"} & set(output.get("data", {}))
    ]
    for number, cell in shown:
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if len(alt) < 25 or not alt.endswith("."):
            wrong.append(f"cell {number}: the image needs an alternative text, a sentence of 25 characters or more")
        elif re.search(r"\S/\S+/|\.(png|jpe?g|svg)\b", alt):
            wrong.append(f"cell {number}: the alternative text reads like a path")
    numbers = [number for number, _ in shown]
    return wrong + [f"cell {number} shows more than one image" for number in set(numbers) if numbers.count(number) > 1]


def outputs_in_order(notebook: NotebookNode) -> list[str]:
    """Every code cell ran, once and in order, in a fresh kernel, and the notebook shows results."""
    counts = [cell.execution_count for cell in code(notebook)]
    wrong = (
        []
        if counts == list(range(1, len(counts) + 1))
        else ["code cells did not run 1 to n in order: run make notebooks"]
    )
    if not outputs(notebook):
        wrong.append("there are no saved outputs")
    return wrong


def clean_outputs(notebook: NotebookNode) -> list[str]:
    """No error, nothing on standard error, no progress bar, no widget among the saved outputs."""
    wrong = []
    for number, _, output in outputs(notebook):
        if output.output_type == "error":
            wrong.append(f"cell {number} failed: {output.ename}")
        elif output.output_type == "stream" and output.name == "stderr":
            wrong.append(f"cell {number} wrote to standard error: {output.text[:80]!r}")
        elif any("widget" in kind for kind in output.get("data", {})):
            wrong.append(f"cell {number} shows a widget, which needs scripts from elsewhere")
        elif re.search(r"\d+%\|", text_of(output)):
            wrong.append(f"cell {number} saved a progress bar")
    return wrong


def whole_tables(notebook: NotebookNode) -> list[str]:
    """No word of a table is cut off: pandas ends what it finds too long with three dots."""
    return [
        f"cell {number} shows {match!r}, cut off: set display.max_colwidth to None"
        for number, _, output in outputs(notebook)
        for match in re.findall(r"<t[dh]>([^<]+\.\.\.)</t[dh]>", output.get("data", {}).get("text/html", ""))
    ]


def no_paths(notebook: NotebookNode) -> list[str]:
    """No absolute path, in sources or in outputs: they tell of one machine and break on the next."""
    path = re.compile(r"(?<![\w.:/<>~)])/(?:home|root|tmp|work|Users|usr|opt|mnt|var|content)/[\w.-]|\b[A-Z]:\\\w")
    wrong = []
    for number, cell in enumerate(notebook.cells):
        texts = [cell.source]
        if cell.cell_type == "code":
            texts += [text_of(output) for output in cell.outputs]
        found = [match[0] for text in texts for match in path.finditer(text)]
        wrong += [f"cell {number}: absolute path {match!r}" for match in found]
    return wrong


def tidy_code(notebook: NotebookNode) -> list[str]:
    """No empty cell, none that ends in a semicolon, no installing, no cell longer than a screen."""
    wrong = []
    for number, cell in enumerate(notebook.cells):
        if not cell.source.strip():
            wrong.append(f"cell {number} is empty")
        if cell.cell_type != "code":
            continue
        if cell.source.rstrip().endswith(";"):
            wrong.append(f"cell {number} ends in ';': the tests would compare nothing")
        if re.search(r"^\s*[%!].*\bpip\b", cell.source, re.MULTILINE):
            wrong.append(f"cell {number} installs something")
        if len(cell.source.splitlines()) > 40:
            wrong.append(f"cell {number} has {len(cell.source.splitlines())} lines, more than a screen")
        if cell.metadata.get("execution"):
            wrong.append(f"cell {number} keeps timings in its metadata: run make notebooks")
    return wrong


def glued_figures_ignored(notebook: NotebookNode) -> list[str]:
    """A glued figure is compared byte for byte by nbval, so its cell is tagged nbval-ignore-output."""
    return [
        f"cell {number} glues a figure and is not tagged nbval-ignore-output"
        for number, cell, output in outputs(notebook)
        if any(kind.endswith("image/png") and kind != "image/png" for kind in output.get("data", {}))
        and "nbval-ignore-output" not in cell.metadata.get("tags", [])
    ]


def glued_once(notebook: NotebookNode) -> list[str]:
    """No key is glued twice: the page could show either value, and the build fails with a warning."""
    keys = [output.get("metadata", {}).get("scrapbook", {}).get("name") for _, _, output in outputs(notebook)]
    return [f"the key {key!r} is glued twice" for key in sorted({key for key in keys if key and keys.count(key) > 1})]


def drawn_here(notebook: NotebookNode) -> list[str]:
    """A cell that draws by itself does so in the book's style, labels its axes, and shows its figure, once."""
    drawing = re.compile(r"plt\.(figure|subplots)\(|\.plot\.\w+\(")
    wrong = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not drawing.search(cell.source):
            continue
        if STYLE not in code(notebook)[0].source.splitlines():
            wrong.append(f"cell {number} draws, and the first code cell lacks {STYLE}")
        if cell.source.count("plt.show()") != 1:
            wrong.append(f"cell {number} draws, and does not show its figure once, by plt.show()")
        if not re.search(r"[xy]label\b", cell.source):
            wrong.append(f"cell {number} draws, and labels no axis")
    return wrong


def kernel(notebook: NotebookNode) -> list[str]:
    """The kernel is called python3, so that it is whichever environment the reader runs."""
    name = notebook.metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"the kernel is called {name!r}, not 'python3'"]


RULES = (
    opening,
    objectives,
    prerequisites,
    imports_first,
    provenance,
    boxes,
    ending,
    exercises,
    length,
    numbers_from_the_run,
    figures,
    outputs_in_order,
    clean_outputs,
    whole_tables,
    no_paths,
    tidy_code,
    glued_figures_ignored,
    glued_once,
    drawn_here,
    kernel,
)


# ---- the book's notebooks ---------------------------------------------------------------------------------------


def test_all_chapters_are_here():
    assert [path.stem for path in NOTEBOOKS][: len(CHAPTERS)] == list(CHAPTERS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, rule):
    wrong = rule(nbformat.read(path, as_version=4))
    assert not wrong, f"{path.relative_to(ROOT)}:\n  " + "\n  ".join(wrong)


def test_labels_are_unique_in_the_book():
    labels = [
        label
        for path in NOTEBOOKS
        for source in markdown(nbformat.read(path, as_version=4))
        for label in re.findall(r"^:label: (\S+)", source, re.MULTILINE)
    ]
    assert len(labels) == len(set(labels))


# ---- each rule can fail -----------------------------------------------------------------------------------------

TABLE = """               value
data          sample
photos           400
fingerprint   0123ab
weights         none
seed               0
Python        3.11.7
skinlib        0.1.0"""


def shown(text: str) -> NotebookNode:
    return nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=1)


def image() -> NotebookNode:
    data = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 600x300 with 1 Axes>"}
    return nbformat.v4.new_output("display_data", data)


@pytest.fixture
def good() -> NotebookNode:
    """Return a small notebook that every rule accepts."""
    words, run = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [
        words("# Data exploration\n\n**What is in these folders, really?**"),
        words(
            ":::{admonition} After this chapter you can\n:class: objectives\n- count photos\n- explain copies\n"
            "- compute a share\n:::\n\n:::{admonition} Before you start\n:class: prerequisites\nPython.\n\n"
            "*Reading:* about 30 minutes. *Running:* about 20 seconds on two cores.\n:::"
        ),
        run("import numpy as np\nfrom skinlib import (\n    photos,\n)"),
        run("table", outputs=[shown(TABLE)], metadata={"tags": ["nbval-ignore-output"]}),
        words(":::{admonition} Guess before you look\n:class: guess\nHow many?\n:::"),
        run("figure", outputs=[image()], metadata={"mystnb": {"image": {"alt": "Two bars, one twice the other."}}}),
        words("So {glue:text}`share:.0%` were found, with a 95 % interval, and $p = 0.05$."),
        words(":::{admonition} What could go wrong here\n:class: warning\nMuch.\n:::"),
        *[run(f"{number} + 1", outputs=[shown(str(number + 1))]) for number in range(24)],
        words("## Summary\n\n- one\n- two\n- three"),
        words("## Exercises"),
    ]
    for number in range(4):
        cells += [
            words(f"```{{exercise-start}} Count\n:label: ex-{number}\n```\nTask.\n```{{exercise-end}}\n```"),
            words(f"```{{solution-start}} ex-{number}\n:class: dropdown\n```\nHow."),
            run("1 + 1", outputs=[shown("2")]),
            words("```{solution-end}\n```"),
        ]
    cells.append(words("## Further reading\n\n- {cite:t}`a` say why.\n- {cite:t}`b` say\n  how."))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "P"}})
    for count, cell in enumerate(code(notebook), 1):
        cell.execution_count = count
    return notebook


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_accepts_a_good_notebook(rule, good):
    assert rule(good) == []


def replace(old: str, new: str):
    """Return a change that swaps words in every source, and fails where they aren't there to swap."""

    def change(notebook):
        assert any(old in cell.source for cell in notebook.cells)
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new)

    return change


def put(number: int, **values):
    """Return a change that sets values of one cell."""

    def change(notebook):
        notebook.cells[number].update(copy.deepcopy(values))

    return change


def widget(notebook):
    notebook.cells[8].outputs[0].data["application/vnd.jupyter.widget-view+json"] = {}


def glued_image(notebook):
    notebook.cells[8].outputs[0].data["application/papermill.record/image/png"] = "iVBORw0KGgo="


def glued_twice(notebook):
    for cell in notebook.cells[8:10]:
        cell.outputs[0].metadata["scrapbook"] = {"name": "share", "mime_prefix": "application/papermill.record/"}


STDERR = nbformat.v4.new_output("stream", name="stderr", text="W0000 oneDNN")
CUT = nbformat.v4.new_output("display_data", {"text/html": "<td>the whole network: photo in, a...</td>"})
BAR = nbformat.v4.new_output("stream", name="stdout", text=" 43%|####      | 12/28")
FAILED = nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])


@pytest.mark.parametrize(
    "rule, change, complaint",
    [
        (opening, replace("# Data", "Data"), "does not begin"),
        (opening, replace("really?**", "really.**"), "no question"),
        (opening, replace("## Summary", "# Summary"), "2 titles"),
        (objectives, replace("After this chapter you can", "Aims"), "no box"),
        (objectives, replace("- count photos", "- understand photos"), "can be tested"),
        (objectives, replace("- count photos\n", ""), "2 objectives"),
        (prerequisites, replace("Before you start", "Needs"), "no box"),
        (prerequisites, replace("*Reading:* about 30 minutes.", ""), "Reading"),
        (prerequisites, replace("*Running:* about 20 seconds", "Running: quick"), "Running"),
        (imports_first, put(2, source="import numpy\nx = 1"), "more than import"),
        (imports_first, put(2, source="# none"), "imports nothing"),
        (imports_first, put(8, source="import os"), "cell 8 imports"),
        (provenance, put(3, outputs=[]), "no row 'data'"),
        (provenance, put(3, outputs=[shown(TABLE.replace("sample", "clinical"))]), "clinical"),
        (provenance, put(3, outputs=[shown(TABLE.replace("seed", "dice"))]), "'seed'"),
        (provenance, put(3, metadata={}), "not tagged"),
        (boxes, replace("Guess before you look", "Guess"), "Guess before"),
        (boxes, replace("What could go wrong here", "Beware"), "go wrong"),
        (ending, replace("## Summary", "## In short"), "last sections"),
        (ending, replace("- one\n- two\n- three", "- one"), "1 points"),
        (ending, replace("{cite:t}`b`", "They"), "fewer than two"),
        (exercises, replace("```{solution-start} ex-3", "```{solution-start} ex-9"), "ex-3 has no solution"),
        (exercises, replace(":class: dropdown", ":class: tip"), "folded"),
        (exercises, replace("{exercise-start} Count\n:label: ex-3", "{note}"), "3 exercises"),
        (exercises, put(-3, cell_type="markdown"), "no code"),
        (length, lambda notebook: notebook.cells.pop(8) and notebook.cells.__delitem__(slice(8, 20)), "not 30 to 60"),
        (numbers_from_the_run, put(6, source="It reached 96 %."), "96 %"),
        (numbers_from_the_run, put(6, source="It reached 96.26%."), "96.26%"),
        (numbers_from_the_run, put(6, source="It reached 12 per cent."), "12 per cent"),
        (numbers_from_the_run, put(6, source="An accuracy of 0.94 is high."), "0.94"),
        (figures, put(5, metadata={}), "alternative text"),
        (figures, put(5, metadata={"mystnb": {"image": {"alt": "_images/figures/bars.png shows two bars."}}}), "path"),
        (figures, put(5, outputs=[image(), image()]), "more than one"),
        (outputs_in_order, put(8, execution_count=99), "in order"),
        (outputs_in_order, put(8, execution_count=None), "in order"),
        (clean_outputs, put(8, outputs=[STDERR]), "standard error"),
        (clean_outputs, put(8, outputs=[FAILED]), "failed"),
        (clean_outputs, put(8, outputs=[BAR]), "progress bar"),
        (clean_outputs, widget, "widget"),
        (whole_tables, put(8, outputs=[CUT]), "cut off"),
        (no_paths, put(8, source='read("/home/ann/photos")'), "/home/a"),
        (no_paths, put(8, outputs=[shown("PosixPath('/root/.cache')")]), "/root/."),
        (tidy_code, put(8, source="plot();"), "';'"),
        (tidy_code, put(8, source=" "), "empty"),
        (tidy_code, put(8, source="%pip install x"), "installs"),
        (tidy_code, put(8, source="x\n" * 41), "41 lines"),
        (tidy_code, put(8, metadata={"execution": {"iopub.status.busy": "2026"}}), "timings"),
        (glued_figures_ignored, glued_image, "glues a figure"),
        (glued_once, glued_twice, "'share' is glued twice"),
        (drawn_here, put(8, source='axes = plt.figure().gca()\naxes.set(xlabel="x")\nplt.show()'), "lacks plt.style"),
        (drawn_here, put(8, source='figure, axes = plt.subplots()\naxes.set(xlabel="x")'), "show its figure once"),
        (drawn_here, put(8, source="table.plot.barh()\nplt.show()"), "labels no axis"),
        (kernel, lambda notebook: notebook.metadata.kernelspec.update(name="my-env"), "my-env"),
    ],
)
def test_rule_can_fail(rule, change, complaint, good):
    change(good)
    assert any(complaint in wrong for wrong in rule(good)), rule(good)


def test_no_outputs_at_all_is_noticed(good):
    for cell in code(good):
        cell.outputs = []
    assert "there are no saved outputs" in outputs_in_order(good)
