"""What the workflows publish: the book on the sample, unless the owner of a repository says otherwise."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))}


def read(name: str) -> dict:
    return yaml.safe_load(WORKFLOWS[name].read_text("utf-8"))


def chosen(variable: str | None) -> str:
    """Return the data that the published book is built on, where the repository's variable has this value."""
    expression = re.fullmatch(r"\$\{\{(.*)\}\}", read("book")["jobs"]["build"]["env"]["SKINLIB_DATA"])[1].strip()
    assert re.fullmatch(r"[\w.' =&|]+", expression), "write it with ==, && and || alone, so that this test can read it"
    value = repr((variable or "").lower())  # GitHub compares without regard to capitals; a variable not set is empty
    return eval(expression.replace("vars.BOOK_DATA", value).replace("&&", " and ").replace("||", " or "))


@pytest.mark.parametrize("variable", [None, "", "sample", "yes", "1", "true", "clinical photos", "/photos", "none"])
def test_a_push_publishes_the_sample(variable):
    assert chosen(variable) == "sample"


def test_the_clinical_photos_are_published_where_the_variable_says_so():
    assert chosen("clinical") == "clinical"


def test_nothing_else_chooses_photos_or_publishes():
    build = read("book")["jobs"]["build"]
    fetching = [step for step in build["steps"] if "fetch" in step.get("run", "")]
    assert [step["if"] for step in fetching] == ["env.SKINLIB_DATA == 'clinical'"]
    assert not any("SKINLIB_DATA" in str(step.get("env", "")) + step.get("run", "") for step in build["steps"])
    for name, path in WORKFLOWS.items():
        text = path.read_text("utf-8")
        assert name == "book" or not re.search(r"pages: |-pages@|clinical|SKINLIB_DATA|skinlib fetch", text), (
            f"{name} publishes, or fetches"
        )


@pytest.mark.parametrize("page", ["README.md", "book/responsible-use.md", ".github/workflows/book.yml"])
def test_pages_say_how_the_clinical_photos_come_into_it(page):
    text = " ".join((ROOT / page).read_text("utf-8").replace("#", "").split())
    assert re.search(r"variable `?BOOK_DATA`?[^.]{0,20}`?clinical`?", text), f"{page} doesn't name the variable"
