"""Say in machine-readable words what a model is and how good it is: the metadata of a model card.

A *model card* (Mitchell and others, 2019) tells people what a model is for and how it was judged. The Hugging Face Hub
reads the same from a few lines of YAML at the top of a card; this module makes them. Introduced on the page of the
model card.
"""

from collections.abc import Iterable

from skinlib.conditions import CONDITIONS

METRICS = {
    "accuracy": ("accuracy", "Accuracy"),
    "balanced_accuracy": ("balanced_accuracy", "Balanced accuracy"),
    "macro_f1": ("f1", "F1, macro-averaged"),
    "log_loss": ("log_loss", "Log loss, nats"),
    "brier": ("brier_score", "Brier score"),
}
"""Of each number in a run's metrics that the card quotes: the Hub's name for it, and ours."""

TEST_SETS = {
    "official": "the data set's own test files, copies of training photos among them",
    "grouped": "a clean split: no photo on both sides",
}
"""What the test photos of each kind of split are."""


def metadata(runs: Iterable, name: str = "skin-conditions-resnet50") -> dict:
    """Return the metadata of a model card, ready for YAML, from finished runs (:class:`skinlib.train.Run`).

    ``runs`` are trainings by one recipe with one set of weights, such as one on each split; every one of them becomes
    a result, with its 95 % interval, each photo having one vote. Keys: license, library_name, pipeline_tag, tags,
    datasets, metrics, model-index. The licence is MIT where the training photos were drawn, and else "unknown": nobody
    can say what the owners of the photos would allow.
    """
    runs = list(runs)
    drawn = all(run.provenance["data"]["name"] == "sample" for run in runs)
    return {
        "license": "mit" if drawn else "unknown",
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": ["dermatology", "resnet50", "not-a-medical-device", *_weights_tags(runs)],
        "datasets": sorted({run.provenance["data"]["name"] for run in runs}),
        "metrics": [hub_name for hub_name, _ in METRICS.values()],
        "model-index": [{"name": name, "results": [_result(run) for run in runs]}],
    }


def _weights_tags(runs: list) -> list[str]:
    return sorted({f"{run.provenance['weights']['name']}-weights" for run in runs})


def _result(run) -> dict:
    told, numbers = run.provenance, run.metrics["test"]
    split = told["settings"]["split"]
    return {
        "task": {"type": "image-classification", "name": f"{len(CONDITIONS)} skin conditions"},
        "dataset": {
            "type": told["data"]["name"],
            "name": f"{told['data']['name']}: {TEST_SETS[split]}",
            "config": split,
            "split": "test",
            "revision": told["data"]["fingerprint"][:12],
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
