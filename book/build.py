"""Build the book into _build/html, running again only what changed. `make book` calls this.

Two fingerprints decide what is done. Where neither changed since the last good build, nothing. Where only pages or
notebooks changed, the build runs the notebooks that changed. Where what shapes every result changed (skinlib, the
lock, Python, the data, the weights, the seed), the execution cache is emptied first, so that every notebook runs.

BOOK_REPOSITORY, the address of the repository on GitHub, adds launch buttons for Colab and Binder. In GitHub Actions
it is known from GITHUB_REPOSITORY.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPACE = ROOT / "skinlib/serve/space"
BUILD = ROOT / "_build"
STAMP = BUILD / "stamp.json"
CONFIG = BUILD / "_config.yml"
EXTRA = BUILD / "extra"  # goes to the root of the site as it is
CHOICES = ("SKINLIB_DATA", "SKINLIB_WEIGHTS", "SKINLIB_SPEED", "SKINLIB_SEED")


def digest(files: Iterable[Path], *words: str) -> str:
    """Return the SHA-256 of the names and contents of ``files``, and of ``words``."""
    total = hashlib.sha256(repr(words).encode())
    for file in sorted(files):
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file}\0{content}\n".encode())
    return total.hexdigest()


def tree(folder: Path) -> list[Path]:
    """Return every file under ``folder``, less what Python and Jupyter leave lying about."""
    left_out = {"__pycache__", ".ipynb_checkpoints"}
    return [file for file in folder.rglob("*") if file.is_file() and not left_out & set(file.parts)]


def weights_at_hand() -> list[Path]:
    """Return the weights files that a run would find: the one that is named, or those that Keras has downloaded."""
    named = Path(os.environ.get("SKINLIB_WEIGHTS", "auto")).expanduser()
    keras = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
    return [named] if named.is_file() else sorted(keras.glob("resnet50*"))


def fingerprints() -> dict[str, str]:
    """Return a digest of the pages and notebooks, and one of all else that shapes the results in them."""
    pages = [*tree(ROOT / "book"), *tree(ROOT / "notebooks"), *tree(SPACE)]
    pages += [ROOT / "_config.yml", ROOT / "_toc.yml"]
    data = Path(os.environ.get("SKINLIB_DATA", "sample")).expanduser()
    shapers = [*tree(ROOT / "skinlib"), ROOT / "requirements.lock", *tree(ROOT / "book/results"), *weights_at_hand()]
    if data.is_dir():
        shapers += tree(data)
    choices = [f"{name}={os.environ.get(name, '')}" for name in CHOICES]
    return {
        "pages": digest(pages, repository() or ""),
        "results": digest(shapers, platform.python_version(), *choices),
    }


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


def environment() -> dict[str, str]:
    """Return the environment of the build: kernels are this Python's, and skip the user's own start-up files."""
    profile = BUILD / "ipython" / "profile_default" / "ipython_kernel_config.py"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text("c.IPKernelApp.log_level = 40  # errors only\n", encoding="utf-8")
    changes = {
        "IPYTHONDIR": str(BUILD / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }
    return {name: value for name, value in os.environ.items() if name != "JUPYTER_PATH"} | changes


def make_page(results: str) -> int:
    """Put the page that runs the model in the browser where the site takes it from. Returns 0, or what failed gave."""
    now, made = digest(tree(SPACE), results), BUILD / "page.txt"
    if (EXTRA / "try").is_dir() and made.exists() and made.read_text() == now:
        return 0
    made.unlink(missing_ok=True)
    shutil.rmtree(EXTRA / "try", ignore_errors=True)
    command = [sys.executable, ROOT / "book/try_page.py", EXTRA / "try"]
    status = subprocess.run(command, cwd=ROOT, env=environment()).returncode
    if not status:
        made.write_text(now)
    return status


def main() -> int:
    """Build what changed. Returns the exit status: 0, or jupyter-book's own after a failure."""
    now = fingerprints()
    before = json.loads(STAMP.read_text()) if STAMP.exists() else {}
    index = BUILD / "html" / "index.html"
    if now == before and index.exists():
        print(f"The book is up to date: {index.relative_to(ROOT)}")
        return 0

    # A build that fails must not leave the last one's stamp behind, nor pages that look like a success.
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(BUILD / "html", ignore_errors=True)
    cache = BUILD / ".jupyter_cache"
    results = BUILD / "results.txt"  # which results the cache holds; kept also when a build fails half way
    if not results.exists() or results.read_text() != now["results"]:
        shutil.rmtree(cache, ignore_errors=True)
        BUILD.mkdir(exist_ok=True)
        results.write_text(now["results"])

    status = make_page(now["results"])
    if status:
        print("The book was not built: its page with the model could not be made.", file=sys.stderr)
        return status
    write_config()
    # --all: an incremental build after a failed one would forget the warnings of the first.
    command = [Path(sys.executable).with_name("jupyter-book"), "build", ".", "--all", "-W", "-n", "--keep-going"]
    status = subprocess.run([*command, "--config", CONFIG], cwd=ROOT, env=environment()).returncode
    if status:
        shutil.rmtree(BUILD / "html", ignore_errors=True)
        print("The book was not built: the first error above says why.", file=sys.stderr)
        return status
    # `auto` weights may have been downloaded meanwhile, so look again at what shaped the results.
    results.write_text(fingerprints()["results"])
    STAMP.write_text(json.dumps({"pages": now["pages"], "results": results.read_text()}))
    print(f"The book is ready: {index.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
