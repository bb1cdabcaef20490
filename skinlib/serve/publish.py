"""Put the exported model beside what serves it, the page or the app. Introduced in chapter 6, Deployment."""

import html
import shutil
from collections.abc import Iterable
from pathlib import Path
from string import Template

import numpy as np
from PIL import Image

from skinlib.base.errors import InputError
from skinlib.base.files import write_json, written_whole
from skinlib.base.fingerprint import PACKAGE, modules_behind, source_of
from skinlib.base.store import Store
from skinlib.base.targets import check_folder
from skinlib.data import brushes, drawings
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.serve.exported import LABELS, SMALL, ExportedModel
from skinlib.serve.words import plain

SPACE = Path(__file__).with_name("space")
"""The sources of the app and of the page."""


def model(exported: ExportedModel, out: Path) -> None:
    """Copy the exported model's own folder to ``out``."""
    Store.copy(exported.folder, out)


def web(exported: ExportedModel, out: Path) -> Path:
    """Write the page that runs the model in the browser to the folder ``out``: a static Space, or any web server's."""
    return _assemble(SPACE / "web", exported, out, lambda draft: _write_samples(exported, draft / "samples"))


def space(exported: ExportedModel, out: Path) -> Path:
    """Write the app that serves the model to the folder ``out``: a Gradio Space, with all that it needs."""

    def add(draft):
        for module in _with_packages(modules_behind("skinlib.serve.app")):  # none of them imports TensorFlow
            file = source_of(module)
            assert file, "what stands behind a module has a source"
            target = draft / "skinlib" / file.relative_to(PACKAGE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)

    return _assemble(SPACE, exported, out, add, "model")


def _with_packages(modules: Iterable[str]) -> set[str]:
    """Return modules and the packages that they lie in, by full name."""
    parts = [module.split(".") for module in modules]
    return {".".join(names[:depth]) for names in parts for depth in range(1, len(names) + 1)}


def _assemble(source: Path, exported: ExportedModel, out: Path, add, folder: str = ".") -> Path:
    """Copy a folder of sources, without folders in it that are published apart, and put the model into ``folder``."""
    if not source.is_dir():
        raise InputError(f"{source}: no such folder: run this in a checkout, or install skinlib anew")
    out = Path(out)
    check_folder(out)
    with written_whole(out) as draft:
        shutil.copytree(source, draft, ignore=shutil.ignore_patterns("web", "__pycache__", "*.pyc"))
        _fill(draft, exported)
        (draft / folder).mkdir(exist_ok=True)
        for name in (SMALL, LABELS):
            shutil.copy(exported.folder / name, draft / folder)
        add(draft)
    return out


def _fill(draft: Path, exported: ExportedModel) -> None:
    """Put the model's words into the pages of a draft: they hold $notice and the like."""
    labels = exported.labels
    words = exported.words | {"notice": labels["notice"], "backbone": labels["model"]["backbone"]}
    for page in (file for file in draft.iterdir() if file.suffix in (".md", ".html")):
        escape = html.escape if page.suffix == ".html" else plain
        escaped = {name: escape(text) for name, text in words.items()}
        page.write_text(Template(page.read_text("utf-8")).substitute(escaped), "utf-8")


def _write_samples(exported: ExportedModel, folder: Path) -> None:
    """Draw photos to try the page on: one of each condition, and two that show none. No person is in any of them.

    A model of other classes gets none: nobody drew them, and other people's photos are not ours to publish.
    """
    folder.mkdir()
    if exported.labels["model"]["kind"] == "own":
        write_json(folder / "samples.json", [])
        return
    seed = np.random.SeedSequence(0, spawn_key=(len(KEYS), 6))  # of no sample that a run learned from
    listed = []

    def add(name, photo, title):
        Image.fromarray(photo).save(folder / f"{name}.jpg", quality=92)
        listed.append({"file": f"{name}.jpg", "title": title})

    for place, (condition, child) in enumerate(zip(CONDITIONS, seed.spawn(len(CONDITIONS)), strict=True)):
        tone = brushes.TONES[place % len(brushes.TONES)]
        photo, _ = drawings.draw(condition.key, np.random.default_rng(child), tone)
        add(condition.key, photo, f"{condition.title}, drawn")
    strangers = {"healthy": "Healthy skin, drawn", "object": "A thing, drawn"}
    for (kind, title), child in zip(strangers.items(), seed.spawn(len(strangers)), strict=True):
        add(kind, drawings.draw_other(kind, np.random.default_rng(child), brushes.TONES[1]), title)
    write_json(folder / "samples.json", listed)
