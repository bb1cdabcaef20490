"""The metadata of a model card: its numbers are the run's, its form is the one that the Hugging Face Hub reads."""

import copy
from types import SimpleNamespace

import pytest
import yaml

from skinlib.learn import train
from skinlib.serve import cards


@pytest.fixture
def both(run, sample, sample_settings):
    return [run, train.train(sample, sample_settings, split="grouped")]


def test_every_value_is_the_runs_own(both):
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


def test_photos_of_people_have_no_licence_of_ours(run):
    provenance = copy.deepcopy(run.provenance)
    provenance["data"]["name"] = "clinical"
    other = SimpleNamespace(provenance=provenance, metrics=run.metrics)
    assert cards.metadata([run])["license"] == "mit"
    assert cards.metadata([other])["license"] == "unknown"
    assert cards.metadata([run, other])["license"] == "unknown"
    assert cards.metadata([run, other])["datasets"] == ["clinical", "sample"]


def test_the_weights_are_named(run):
    assert "untrained-weights" in cards.metadata([run])["tags"]
