"""Say in machine-readable words what a model is and how good it is: the metadata of a model card.

A *model card* (Mitchell and others, 2019) tells people what a model is for and how it was judged. The Hugging Face Hub
reads the same from a few lines of YAML at the top of a card; this module makes them. Introduced on the page of the
model card.
"""

import re
from collections.abc import Iterable

import yaml

from skinlib.judge.measured import learned_from
from skinlib.learn.runs import Run
from skinlib.serve.exported import FULL, LABELS, SMALL
from skinlib.serve.words import listed, plain, subject


def card(run: Run, labels: dict) -> str:
    """Return the model card that travels with the files: metadata for the Hub in YAML, then words for people."""
    model, words, limits, n = labels["model"], labels["words"], labels["limits"], len(labels["conditions"])
    head = metadata([run], labels["name"]) | {"library_name": "onnx"}
    rows, columns, _ = run.backbone.last_stage_shape
    titles = {
        learned: [one["title"] for one in labels["conditions"] if one["learned"] == learned] for learned in (1, 0)
    }
    never = f"It never learned {listed(titles[0])}: there was no photo to learn from." if titles[0] else ""
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---

# {labels["name"]}

**{labels["notice"]}**

A {model["backbone"]} with a small head that tells {words["subject"]} apart:
{plain(", ".join(titles[1]))}.
{plain(never)}

## How good it is

{plain(words["record"])}

Each photo has one vote; the test photos come from {TEST_SETS[model["split"]]}.

{plain(words["promise"])}

It may also say "I don't know" where it notices that a photo is unlike those it learned from. It may notice nothing:
no answer says that a photo shows one of the above. Both limits were chosen on validation photos, and do worse on
others.

## Files

- `{SMALL}`: what the app, the page and the command line run. Weights in 16 bits, computing in 32.
- `{FULL}`: the same in 32 bits.
- `{LABELS}`: the classes in the order of the outputs, the limits, and what this model is.
- `provenance.json`: data, weights, seed and versions. `SHA256SUMS`: check with `sha256sum -c`.

## How to ask it

One input, `photo`: a decoded photo, uint8 (height, width, 3), RGB, upright, of any size. Resizing, preprocessing,
network and temperature ({labels["temperature"]:.3f}) are inside. Outputs: `probabilities` ({n}, calibrated),
`strangeness` (above {labels["strangeness_limit"]:.4f} a photo seems unlike the training photos; below it nobody knows)
and `evidence` ({n} × {rows} × {columns}: what each place adds to the logit of each {words["class"]}).

```python
import numpy, onnxruntime
from PIL import Image, ImageOps

photo = numpy.array(ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB"))
session = onnxruntime.InferenceSession("{SMALL}")
probabilities, strangeness = session.run(["probabilities", "strangeness"], {{"photo": photo}})
```

Clients of this model take photos of up to {limits["bytes"] // 10**6} MB and {limits["pixels"] // 10**6} million pixels.
"""


METRICS = {
    "accuracy": ("accuracy", "Accuracy"),
    "balanced_accuracy": ("balanced_accuracy", "Balanced accuracy"),
    "macro_f1": ("f1", "F1, macro-averaged"),
    "log_loss": ("log_loss", "Log loss, nats"),
    "brier": ("brier_score", "Brier score"),
}
"""Of each number in a run's metrics that the card quotes: the Hub's name for it, and ours."""

TEST_SETS = {
    "official": "the data set's own test files, among which may be copies of training photos",
    "grouped": "a clean split: no photo on both sides",
}
"""What the test photos of each kind of split are."""


def metadata(runs: Iterable, name: str | None = None) -> dict:
    """Return the metadata of a model card, ready for YAML, from finished runs (:class:`skinlib.learn.runs.Run`).

    ``runs`` are trainings by one recipe with one set of weights, such as one on each split; every one of them becomes
    a result, with its 95 % interval, each photo having one vote. Keys: license, library_name, pipeline_tag, tags,
    datasets, metrics, model-index. The licence is MIT where the training photos were drawn, and else "unknown": nobody
    can say what the owners of the photos would allow.
    """
    runs = list(runs)
    kinds = {run.provenance["data"]["kind"] for run in runs}
    return {
        "license": "mit" if kinds == {"drawn"} else "unknown",
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": [*([] if "own" in kinds else ["dermatology"]), *_tags(runs), "not-a-medical-device"],
        "datasets": sorted({run.provenance["data"]["name"] for run in runs}),
        "metrics": [hub_name for hub_name, _ in METRICS.values()],
        "model-index": [{"name": name or model_name(runs[0]), "results": [_result(run) for run in runs]}],
    }


def model_name(run: Run) -> str:
    """Return what an exported model is called: after what it tells apart and its backbone."""
    data = run.provenance["data"]
    name = "skin-conditions" if data["kind"] != "own" else re.sub(r"\W+", "-", data["name"]).strip("-") or "photos"
    return f"{name}-{run.backbone.name}"


def _tags(runs: list[Run]) -> list[str]:
    backbones, weights = {run.backbone.name for run in runs}, {run.provenance["weights"]["name"] for run in runs}
    return [*sorted(backbones), *sorted(f"{name}-weights" for name in weights)]


def _result(run: Run) -> dict:
    provenance, numbers = run.provenance, run.metrics["test"]
    data, split = provenance["data"], provenance["settings"]["split"]
    return {
        "task": {"type": "image-classification", "name": subject(data["kind"], len(learned_from(run.predictions)))},
        "dataset": {
            "type": data["name"],
            "name": f"{data['name']}: {TEST_SETS[split]}",
            "config": split,
            "split": "test",
            "revision": data["fingerprint"][:12],
        },
        "metrics": [
            {"type": hub_name, "name": ours, "value": round(numbers[key], 4)}
            | ({"args": _sureness(numbers)} if key == "accuracy" else {})
            for key, (hub_name, ours) in METRICS.items()
        ],
    }


def _sureness(numbers: dict) -> dict:
    """Return how many photos an accuracy rests on, and between what its 95 % interval lies."""
    low, high = numbers["accuracy_interval"]
    return {"photos": numbers["photos"], "low": round(low, 4), "high": round(high, 4)}
