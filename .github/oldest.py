"""Print requirements with which the package still has to work: its oldest versions, and the pinned tools.

    python .github/oldest.py > oldest.txt && uv pip install --resolution lowest-direct -r oldest.txt

Of each dependency in pyproject.toml, extras included, the lower bound becomes the pin. What else requirements.txt pins
for tests and book stays as it is.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_TESTED_WITH = {"jupyterlab", "mypy", "playwright", "pre-commit", "ruff"}


def name_of(line: str) -> str:
    """Return the normalised name of the package that a requirement asks for."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", line)[0]).lower()


def main() -> None:
    """Print the requirements, one a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    bounds = {name_of(line): line for line in wanted if name_of(line) != project["name"]}
    pinned = [re.sub(r">=([\w.]+).*", r"==\1", line) for line in bounds.values()]
    lines = re.findall(r"^[\w.-]+(?:\[.*\])?==\S+", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    tools = [line for line in lines if name_of(line) not in NOT_TESTED_WITH | set(bounds)]
    print("\n".join(sorted({*pinned, *tools})))


if __name__ == "__main__":
    main()
