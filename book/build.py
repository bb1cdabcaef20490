"""Build the book into _build/html, running again only what changed. `make book` calls this.

First execute.py runs the notebooks whose outputs no longer hold, and with them the script that makes the page with the
model. Then Jupyter Book lays out all pages, which takes the outputs from there and runs nothing. Where nothing changed
since the last good build, nothing is done.

BOOK_REPOSITORY, the address of the repository on GitHub, adds launch buttons for Colab and Binder. In GitHub Actions
it is known from GITHUB_REPOSITORY.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import execute
import yaml
from execute import BUILD, ROOT, digest, tree
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

SPACE = ROOT / "skinlib/serve/space"
TRY_PAGE = ROOT / "book/try_page.py"
STAMP = BUILD / "stamp.json"
CONFIG = BUILD / "_config.yml"
CACHE = BUILD / ".jupyter_cache"  # Jupyter Book's own name for it
EXTRA = BUILD / "extra"  # goes to the root of the site as it is
PAGE_STAMP = BUILD / "page.txt"


def sources() -> list[Path]:
    """Return all notebooks of the book, those that are written as pages among them."""
    return [*execute.notebooks(), *execute.pages()]


def fingerprints() -> dict[str, str]:
    """Return a digest of the pages and notebooks, and one of all else that shapes the results in them."""
    pages = [*tree(ROOT / "book"), *tree(ROOT / "notebooks"), *tree(SPACE)]
    pages += [ROOT / "_config.yml", ROOT / "_toc.yml"]
    return {
        "pages": digest(pages, repository() or ""),
        "results": digest([], page_digest(), *map(execute.code_digest, sources()), execute.weights_digest()),
    }


def page_digest() -> str:
    """Return a digest of all that shapes the page with the model."""
    return digest(tree(SPACE), execute.script_digest(TRY_PAGE), execute.weights_digest())


def repository() -> str | None:
    """Return the address of the repository on GitHub, or None where nobody has said."""
    address = os.environ.get("BOOK_REPOSITORY")
    if not address and os.environ.get("GITHUB_REPOSITORY"):
        address = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{os.environ['GITHUB_REPOSITORY']}"
    return address.removesuffix("/") if address else None


def write_config() -> None:
    """Write the configuration that this build uses: _config.yml, and the launch buttons where they can work."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    extensions = config["sphinx"]["local_extensions"]
    for name, folder in extensions.items():
        extensions[name] = str(ROOT / folder)
    address = repository()
    if address:
        config["repository"] = {"url": address, "branch": "main", "path_to_book": ""}
        config["html"] |= {"use_repository_button": True, "use_issues_button": True}
        config["launch_buttons"] = {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        }
    config["sphinx"]["config"]["html_extra_path"] += [str(EXTRA)]
    config["parse"]["myst_substitutions"] = {"repository": address or "https://github.com/OWNER/REPOSITORY"}
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")


def page_is_made() -> bool:
    """Tell whether the page that runs the model in the browser lies where the site takes it from, and still holds."""
    return (EXTRA / "try").is_dir() and PAGE_STAMP.exists() and PAGE_STAMP.read_text("utf-8") == page_digest()


def run_notebooks() -> list[str]:
    """Run what has to be run, the script that makes the page with the model included. Returns what failed."""
    if page_is_made():
        return execute.run(sources())
    PAGE_STAMP.unlink(missing_ok=True)
    shutil.rmtree(EXTRA / "try", ignore_errors=True)
    failed = execute.run(sources(), [TRY_PAGE, EXTRA / "try"])
    if TRY_PAGE.name not in failed:
        PAGE_STAMP.write_text(page_digest(), "utf-8")
    return failed


def hand_over() -> None:
    """Put the executed notebooks where MyST-NB looks before it runs one, with the words and tags that they have now."""
    shutil.rmtree(CACHE, ignore_errors=True)
    cache = get_cache(CACHE)
    for source in sources():
        notebook = execute.executed(source)
        notebook.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
        cache.cache_notebook_bundle(CacheBundleIn(notebook, str(source)), overwrite=True)


def main() -> int:
    """Build what changed. Returns the exit status: 0, 2 for unusable choices, or jupyter-book's own after a failure."""
    if why := execute.lacking():
        print(f"The book was not built: {why}", file=sys.stderr)
        return 2
    now = fingerprints()
    before = json.loads(STAMP.read_text("utf-8")) if STAMP.exists() else {}
    index = BUILD / "html" / "index.html"
    if now == before and index.exists():
        print(f"The book is up to date: {index.relative_to(ROOT)}")
        return 0

    # A build that fails must not leave the last one's stamp behind, nor pages that look like a success.
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(BUILD / "html", ignore_errors=True)
    failed = run_notebooks()
    if failed:
        print(f"The book was not built: {', '.join(failed)} failed, see above.", file=sys.stderr)
        return 1
    hand_over()
    write_config()
    # --all: an incremental build after a failed one would forget the warnings of the first.
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "--all", "-W", "-n", "--keep-going"]
    status = subprocess.run([*command, "--config", CONFIG], cwd=ROOT, env=execute.environment()).returncode
    if status:
        shutil.rmtree(BUILD / "html", ignore_errors=True)
        print("The book was not built: the first error above says why.", file=sys.stderr)
        return status
    # `auto` weights may have been downloaded meanwhile, so look again at what shaped the results.
    STAMP.write_text(json.dumps(now | {"results": fingerprints()["results"]}), "utf-8")
    print(f"The book is ready: {index.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
