"""The metadata of a model card: its numbers are the run's, its form is the one that the Hugging Face Hub reads."""

import copy
from types import SimpleNamespace

import yaml

from skinlib.serve import cards


def test_every_value_is_the_runs_own(run, grouped_run):
    both = [run, grouped_run]
    (entry,) = cards.metadata(both)["model-index"]
    assert [result["dataset"]["config"] for result in entry["results"]] == ["official", "grouped"]
    for result, run in zip(entry["results"], both, strict=True):
        test = run.metrics["test"]
        values = {metric["type"]: metric["value"] for metric in result["metrics"]}
        assert values == {
            "accuracy": round(test["correct"] / test["photos"], 4),
            "balanced_accuracy": round(test["balanced_accuracy"], 4),
            "f1": round(test["macro_f1"], 4),
            "log_loss": round(test["log_loss"], 4),
            "brier_score": round(test["brier"], 4),
        }
        assert result["dataset"]["revision"] == run.provenance["data"]["fingerprint"][:12]
        sureness = result["metrics"][0]["args"]
        assert sureness["photos"] == test["photos"]
        assert sureness["low"] < values["accuracy"] < sureness["high"]


def test_it_has_the_keys_that_the_hub_asks_for(run):
    """Task and dataset with a type, a dataset name, and each metric with type and value; licence and library known."""
    card = cards.metadata([run], "a-name")
    assert {"license", "library_name", "pipeline_tag", "tags", "datasets", "metrics", "model-index"} == set(card)
    assert card["pipeline_tag"] == "image-classification"
    assert card["model-index"][0]["name"] == "a-name"
    for result in card["model-index"][0]["results"]:
        assert result["task"]["type"] == card["pipeline_tag"]
        assert {"type", "name", "split"} <= set(result["dataset"])
        assert [metric["type"] for metric in result["metrics"]] == card["metrics"]


def test_it_survives_yaml(run):
    card = cards.metadata([run])
    assert yaml.safe_load(yaml.safe_dump(card, sort_keys=False, allow_unicode=True)) == card


def of_kind(run, kind, name):
    """Return the run as if it had learned from other photos."""
    provenance = copy.deepcopy(run.provenance)
    provenance["data"] |= {"kind": kind, "name": name}
    return SimpleNamespace(
        provenance=provenance, metrics=run.metrics, backbone=run.backbone, predictions=run.predictions
    )


def test_photos_of_people_have_no_licence_of_ours(run):
    other = of_kind(run, "clinical", "clinical")
    assert cards.metadata([run])["license"] == "mit"
    assert cards.metadata([other])["license"] == "unknown"
    assert cards.metadata([run, other])["license"] == "unknown"
    assert cards.metadata([run, other])["datasets"] == ["clinical", "sample"]


def test_what_it_is_about_depends_on_the_kind_and_on_no_name(run):
    for kind in ("drawn", "clinical"):
        card = cards.metadata([of_kind(run, kind, "cats")])
        assert "dermatology" in card["tags"]
        assert card["model-index"][0]["name"] == "skin-conditions-tiny"
        assert card["model-index"][0]["results"][0]["task"]["name"] == "eight skin conditions"
    card = cards.metadata([of_kind(run, "own", "sample: <b>1/2")])
    assert "dermatology" not in card["tags"] and card["license"] == "unknown"
    assert card["model-index"][0]["name"] == "sample-b-1-2-tiny"
    assert card["model-index"][0]["results"][0]["task"]["name"] == "eight classes of photos"


def test_the_weights_are_named(run):
    assert "untrained-weights" in cards.metadata([run])["tags"]
