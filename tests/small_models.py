"""Models to serve in tests: of anybody's own photos, which show nothing but colours, and one with every answer."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from skinlib.base.settings import Settings
from skinlib.data.conditions import CONDITIONS
from skinlib.data.opening import open_data
from skinlib.learn.prepared import prepare
from skinlib.learn.train import train
from skinlib.serve.export import export
from skinlib.serve.exported import LABELS, ExportedModel
from skinlib.serve.words import words_for

PETS = ("cat", "dog")
FORTY = (*(f"kind {number:02d}" for number in range(1, 40)), "<b>long & odd<b> " + "name " * 20)
OTHERS = (("pets", PETS, 10), ("many", FORTY, 6))
"""Models of other classes: folder, classes and photos of each, as :func:`exported` takes them."""


def spoken_of_skin(text: str) -> bool:
    """Return whether a text names skin, a condition of it, or how it is told: what is false of other photos."""
    diseases = (re.escape(word) for one in CONDITIONS for word in (one.key, one.title))
    return re.search("|".join((*diseases, r"\bskin\b(?!-try)", "dermat", r"\beight\b")), text, re.I) is not None


def write(folder: Path, names: tuple[str, ...] = PETS, per_class: int = 10) -> Path:
    """Write ``per_class`` photos for each name into a folder of its own below ``folder``, and return ``folder``.

    Each class has a colour of its own, each photo a pattern of its own. The same arguments give the same bytes.
    """
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        rng = np.random.default_rng(place)
        tint = rng.integers(60, 196, 3)
        for number in range(per_class):
            pattern = np.clip(tint + rng.integers(-60, 60, (8, 8, 3)), 0, 255).astype(np.uint8)
            picture = Image.fromarray(pattern).resize((96, 80), Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{number}.png")
    return folder


def exported(settings: Settings, title: str, names: tuple[str, ...] = PETS, per_class: int = 10) -> ExportedModel:
    """Return a model of such photos, in a folder called ``title``, exported; made once in the store of ``settings``."""
    return export(*trained(settings, title, names, per_class))


def trained(settings: Settings, title: str, names: tuple[str, ...] = PETS, per_class: int = 10) -> tuple:
    """Return the run of the recipe on such photos, the photos, and the settings: the arguments of an export."""
    folder = settings.cache / "own photos" / title
    if not folder.is_dir():
        write(folder, names, per_class)
    settings = replace(settings, data=str(folder))
    data = open_data(settings)
    return train(prepare(data, settings)), data, settings


def between(values: list[float], place: int) -> float:
    """Return a number below the value at a place or the next places and above the one before it.

    On a value itself two engines, which round in their own ways, would give the photo different answers.
    """
    place = next(i for i in range(max(place, 1), len(values)) if values[i] - values[i - 1] > 1e-4)
    return (values[place - 1] + values[place]) / 2


def with_all_answers(model: ExportedModel, photos: list[Path], folder: Path) -> tuple[ExportedModel, dict]:
    """Return a copy of a model, in ``folder``, with limits so that it answers, is unsure, and finds photos strange.

    Beside it, for each of these doubts (None, "unsure", "strange"), one of the photos and the answer to it.
    """
    answers = [model.answer(model.read(photo)) for photo in photos]
    strange = sorted(answer.strangeness for answer in answers)
    limit = between(strange, len(strange) - len(strange) // 4)
    likely = sorted(max(answer.probabilities.values()) for answer in answers if answer.strangeness <= limit)
    promise = {"target": 0.8, "photos": 61, "answered": 23, "correct": 19, "low": 0.63}  # as if on more photos
    threshold = between(likely, len(likely) // 2)
    labels = model.labels | {"strangeness_limit": limit, "threshold": threshold, "promise": promise}
    labels["words"] = words_for(labels)
    shutil.copytree(model.folder, folder)
    (folder / LABELS).write_text(json.dumps(labels), "utf-8")
    copy, examples = ExportedModel(folder), {}
    for photo in photos:
        answer = copy.answer(copy.read(photo)).as_dict()
        examples.setdefault(answer["doubt"], (photo, answer))
    return copy, examples
