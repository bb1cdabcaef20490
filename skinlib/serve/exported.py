"""Ask an exported model: one file that takes a photo as it is, in any program that runs ONNX.

It needs ONNX Runtime, NumPy and Pillow, and neither TensorFlow nor Keras: the command line, the app and any small
server can use it. The page of the book does the same in JavaScript. Introduced in chapter 6, Deployment.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

# Before ONNX Runtime is imported, which else would report on its use to its makers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from skinlib.base.errors import InputError
from skinlib.base.files import check_shape
from skinlib.base.runner import cores, threads
from skinlib.data import reading

FORMAT = 3
"""Version of what an exported folder holds."""
FULL = "model.onnx"
"""The network in 32-bit numbers, as Keras has it."""
SMALL = "model-16bit.onnx"
"""The file that every client runs, so that all give the same answer."""
LABELS = "labels.json"
"""Beside it: classes, limits, words and where the model comes from."""
CLEAN = "grouped"
"""The split that keeps all files of a photo on one side: no score on another may be shown to strangers."""
SHAPE = {
    "notice": str,
    "conditions": [{"key": str, "title": str, "colour": str, "learned": bool}],
    "threshold": (float, int, type(None)),
    "strangeness_limit": (float, int),
    "limits": {"bytes": int, "pixels": int},
    "model": {"backbone": str, "kind": str},
    "words": {},
}
"""What clients read of the labels, and of which types it is."""
HEAT = (230, 97, 1)
"""The colour laid over a photo where it speaks for the answer: orange shows on light and on dark photos."""


@dataclass(frozen=True)
class Answer:
    """What the model says about one photo."""

    probabilities: dict[str, float]
    """Calibrated probability of each class, by key, in the model's order."""
    condition: str
    """The key of the most probable class: what the model says, or would say if it had to."""
    doubt: str | None
    """None, "unsure" (no class is probable enough, or nothing can be promised) or "strange" (it noticed that the photo
    is unlike what it learned): then the answer is "I don't know". None vouches for nothing."""
    strangeness: float
    """Distance to the photos it learned from, 0 to 2: see :func:`skinlib.judge.abstention.neighbour_distance`."""
    evidence: np.ndarray
    """float32 (classes, 7, 7): how much each place speaks for each class, or against it, in logits."""

    def heat(self) -> np.ndarray:
        """Return where the photo speaks for :attr:`condition`, float32 (7, 7), 0 to 1: its Grad-CAM."""
        heat = np.maximum(self.evidence[list(self.probabilities).index(self.condition)], 0)
        return heat / heat.max() if heat.max() > 0 else heat

    def as_dict(self) -> dict:
        """Return the answer ready for JSON: what the command line and the app's API give."""
        return {
            "condition": None if self.doubt else self.condition,
            "doubt": self.doubt,
            "best_guess": self.condition,
            "probabilities": {key: round(p, 6) for key, p in self.probabilities.items()},
            "percent": {key: percent(p) for key, p in self.probabilities.items()},
            "strangeness": round(self.strangeness, 6),
        }


def percent(probability: float) -> int:
    """Return a probability as whole percent, halves upwards: what people are shown. JavaScript rounds in this way too.

    A few hundred photos cannot tell 62.3 % from 62.4 %, so no client shows more digits.
    """
    return int(np.floor(100 * probability + 0.5))


class ExportedModel:
    """A model exported by :func:`skinlib.serve.export.export`, read from its folder.

    Raises InputError where the folder is not one, where a part is damaged, where it is of another version, or where
    copies of training photos may be among the photos that judged it.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.path = self.folder / SMALL
        for file in (self.path, self.folder / LABELS):
            if not file.is_file():
                raise InputError(f"{self.folder} is not an exported model ({file.name} is missing): use skinlib export")
        try:
            self.labels: dict = json.loads((self.folder / LABELS).read_text("utf-8"))
            version = self.labels["format"]
            if version != FORMAT:
                raise InputError(f"{self.folder} has format {version}, this is for {FORMAT}: export the run again")
            check_shape(self.labels, SHAPE)
            self.keys = [str(condition["key"]) for condition in self.labels["conditions"]]
            self.words: dict[str, str] = self.labels["words"]
            split = self.labels["model"].get("split")
            self.threshold, self.limit = self.labels["threshold"], float(self.labels["strangeness_limit"])
        except (LookupError, OSError, RecursionError, TypeError, ValueError) as error:
            raise InputError(f"{self.folder / LABELS} is damaged ({error!r}): export the run again") from error
        if split != CLEAN:
            raise InputError(
                f"{self.folder} was judged on the split {split!r}, where copies of training photos may be among the "
                "photos that judge: train with --split grouped, and export that run"
            )
        self._session: onnxruntime.InferenceSession | None = None
        self._opening = threading.Lock()

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """ONNX Runtime's session: the network, loaded once. It may be asked by several threads at a time."""
        with self._opening:  # else as many threads as ask for the first time would load it as often
            if self._session is None:
                self._session = self._open()
            return self._session

    def _open(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        # A thread that waits must not keep a core busy: where another program runs beside, that costs three times more.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.intra_op_num_threads = cores()
        try:
            session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
            classes = {output.name: output.shape for output in session.get_outputs()}["probabilities"][0]
            if classes != len(self.keys):
                raise ValueError(f"it knows {classes} classes, {LABELS} {len(self.keys)}")
            return session
        except Exception as error:  # ONNX Runtime has classes of its own for every kind of damage
            reason = str(error).strip().split("\n")[0][:120]
            raise InputError(f"{self.path} cannot be opened ({reason}): export the run again") from error

    def title(self, key: str) -> str:
        """Return the name of a class, for people."""
        return self.labels["conditions"][self.keys.index(key)]["title"]

    def answer(self, photo: np.ndarray) -> Answer:
        """Return what the model says about a photo, uint8 (H, W, 3), RGB, of any size from 1 × 1 on."""
        outputs = ("probabilities", "strangeness", "evidence")
        probabilities, strangeness, evidence = self.session.run(outputs, {"photo": np.ascontiguousarray(photo)})
        by_key = dict(zip(self.keys, probabilities.tolist(), strict=True))
        best = max(by_key, key=by_key.__getitem__)
        if strangeness > self.limit:
            doubt = "strange"
        elif self.threshold is None or by_key[best] < self.threshold:
            doubt = "unsure"
        else:
            doubt = None
        return Answer(by_key, best, doubt, float(strangeness), evidence)

    def read(self, path: Path | str) -> np.ndarray:
        """Read a photo from a file that a stranger sent: within the limits on bytes and pixels in ``labels``.

        Returns uint8 (H, W, 3), RGB. Raises :class:`skinlib.data.reading.PhotoError` for anything that isn't a photo,
        or is too small to show anything.
        """
        path, limits = Path(path), self.labels["limits"]
        try:
            if not path.is_file():  # a pipe would never end, nor would /dev/zero
                raise reading.PhotoError(path, "no such file", "check the path")
            with path.open("rb") as stream:
                content = stream.read(limits["bytes"] + 1)
        except (OSError, ValueError) as error:  # a name may hold a null byte
            reason = getattr(error, "strerror", None) or error
            raise reading.PhotoError(path, f"cannot be opened ({reason})", "check the path") from None
        if len(content) > limits["bytes"]:
            limit = limits["bytes"] // 10**6
            raise reading.PhotoError(path, f"too large, more than {limit} MB", "save it smaller, as JPEG")
        return reading.large_enough(reading.decode(content, path, limits["pixels"]), path)


def answer_files(folder: Path | str, paths: Iterable[Path | str], runner: Callable = threads) -> Iterator[dict]:
    """Yield what the model exported to ``folder`` says of each photo file, in order: for folders of any size.

    Each is ``path`` and the keys of :meth:`Answer.as_dict`, or ``path`` and ``error`` where the file is no photo.
    ``runner`` calls the model for each: see :mod:`skinlib.base.runner`. Raises InputError where the folder is no
    exported model.
    """
    ExportedModel(folder)  # a wrong folder is told before any work begins
    return runner(partial(_Teller, str(folder)), map(str, paths))


class _Teller:
    """What answers for one file after another: a worker of :func:`answer_files`."""

    def __init__(self, folder: str):
        self.model = ExportedModel(folder)
        _ = self.model.session  # before several threads ask for it at once, and each makes its own

    def __call__(self, path: str) -> dict:
        try:
            return {"path": path, **self.model.answer(self.model.read(path)).as_dict()}
        except reading.PhotoError as error:
            return {"path": path, "error": error.reason}


def laid_over(photo: np.ndarray, heat: np.ndarray, strength: float = 0.7, longest: int = 640) -> np.ndarray:
    """Return a photo, uint8 (H, W, 3), made no longer than ``longest`` pixels, with a heat map laid over it.

    ``heat`` is float (h, w), 0 to 1, as :meth:`Answer.heat` gives it; ``strength`` is the colour's share where it is 1.
    """
    image = Image.fromarray(photo)
    image.thumbnail((longest, longest))
    alpha = np.asarray(Image.fromarray(np.asarray(heat, np.float32)).resize(image.size, Image.Resampling.BILINEAR))
    alpha = strength * np.clip(alpha, 0, 1)[..., None]
    return (np.asarray(image) * (1 - alpha) + np.array(HEAT) * alpha).round().astype(np.uint8)
