"""Croissant: the description holds what the files are, a validator takes it, and a reader finds the photos by it."""

import copy
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import yaml

from skinlib.audit.copies import identified
from skinlib.base.settings import load_settings
from skinlib.data import clinical, croissant, fetch
from skinlib.data.opening import open_data

mlcroissant = pytest.importorskip("mlcroissant")
ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")  # of a library below mlcroissant


@pytest.fixture(scope="module")
def sample(sample):
    """Return the quick sample with the photo_id of its audit, which a description needs."""
    return identified(sample)


@pytest.fixture(scope="module")
def description(sample):
    return croissant.describe(sample)


def files_of(description: dict) -> list[dict]:
    return [part for part in description["distribution"] if part["@type"] == "cr:FileObject"]


def test_the_validator_has_nothing_against_the_sample(description):
    issues = mlcroissant.Dataset(jsonld=description).metadata.ctx.issues
    assert (issues.errors, issues.warnings) == (set(), set())


def test_the_validator_can_complain(description):
    with pytest.raises(mlcroissant.ValidationError, match="sha256"):
        mlcroissant.Dataset(jsonld=description | {"distribution": [without(files_of(description)[0], "sha256")]})


def without(mapping: dict, key: str) -> dict:
    return {name: value for name, value in mapping.items() if name != key}


def test_sizes_and_hashes_are_the_files_own(sample, description):
    listed = files_of(description)
    assert {file["contentUrl"] for file in listed} == {*sample.photos.path, "truth.csv"}
    for file in listed:
        content = (sample.root / file["contentUrl"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["contentSize"] == f"{len(content)} B"


def test_the_catalogue_needs_no_file(sample, description):
    records = list(mlcroissant.Dataset(jsonld=description).records("catalogue"))
    assert len(records) == len(sample.photos)
    for record, row in zip(records, sample.photos.itertuples(), strict=True):
        assert record == {f"catalogue/{name}": getattr(row, name) for name in croissant.DESCRIBED_COLUMNS}


def test_a_reader_finds_photos_and_truth(sample, tmp_path):
    """Read the data by the written file alone; the damaged files, which are in the truth, are no photos."""
    folder = tmp_path / "sample"
    shutil.copytree(sample.root, folder, ignore=shutil.ignore_patterns("masks"))
    croissant.write(sample, folder / "croissant.json")
    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))

    images = {record["images/path"].decode(): record for record in dataset.records("images")}
    assert set(images) == set(sample.photos.path)
    for row in sample.photos.itertuples():
        record = images[row.path]
        found = {name: record[f"images/{name}"].decode() for name in ("condition", "split", "photo_id", "sha256")}
        assert found == {name: getattr(row, name) for name in found}
        assert np.array_equal(np.asarray(record["images/image"].convert("RGB")), sample.read(row.path))

    truth = list(dataset.records("truth"))
    assert [record["truth/path"].decode() for record in truth] == list(sample.truth.path)
    assert [record["truth/tone"] for record in truth] == list(sample.truth.tone)
    assert len(truth) > len(images)


def test_a_changed_file_is_noticed(sample, tmp_path):
    folder = tmp_path / "sample"
    shutil.copytree(sample.root, folder, ignore=shutil.ignore_patterns("masks"))
    croissant.write(sample, folder / "croissant.json")
    truth = folder / "truth.csv"
    truth.write_text(truth.read_text().replace("train", "tests", 1))
    with pytest.raises(Exception, match=r"Hash of downloaded file|Download\(truth\.csv\)"):
        list(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("truth"))


def test_it_tells_the_leak_that_the_audit_found(sample, description):
    """Scored against what was planted: the counts are those of the truth, less the files that can't be read."""
    whole = sample.truth[sample.truth.damage == ""]
    test = whole[whole.split == "test"]
    leaked = test.source.isin(whole.source[whole.split == "train"]).sum()
    told = description["rai:dataLimitations"][-1]
    assert f"{len(whole)} files show {whole.source.nunique()} photos" in told
    assert f"{leaked} of {len(test)} test files" in told
    assert leaked > 0


def test_it_tells_the_size_that_gives_a_condition_away(sample, description):
    (told,) = [text for text in description["rai:dataBiases"] if "pixels" in text]
    small = (sample.photos[["width", "height"]] == 128).all(axis=1)
    is_nail = sample.photos.condition == "nail-fungus"
    files = sample.photos[is_nail]
    expected = f"All {len(files)} files of nail fungus have 128 × 128 pixels, as have {(small & ~is_nail).sum()} of "
    assert told.startswith(expected)

    same = sample.photos.assign(width=64, height=64)
    told = [text for text in croissant.describe(replace(sample, photos=same))["rai:dataBiases"] if "pixels" in text]
    assert len(told) == 8
    assert f"as have {len(same) - len(files)} of the {len(same) - len(files)} others" in told[3]


def test_a_folder_of_unknown_origin_claims_nothing(sample):
    description = croissant.describe(replace(sample, name="mine", kind="own", truth=None))
    assert description["name"] == "mine"
    assert description["license"].startswith("Unknown")
    assert not {"rai:dataCollection", "rai:personalSensitiveInformation", "creator", "citeAs"} & set(description)
    assert [record_set["@id"] for record_set in description["recordSet"]] == ["catalogue", "images"]
    assert not mlcroissant.Dataset(jsonld=description).metadata.ctx.issues.errors


def test_cats_and_dogs_are_described_by_what_is_known(pets, plain_pets):
    """Whose photos they are nobody said; three splits are three, and none is none."""
    described = {data.name: croissant.describe(identified(data)) for data in (pets, plain_pets)}
    for name, description in described.items():
        assert not mlcroissant.Dataset(jsonld=description).metadata.ctx.issues.errors
        assert (description["name"], description["description"]) == (name, "Photos of 2 classes: Cats, Dogs.")
        assert description["license"].startswith("Unknown") and "photographed" not in str(description)
        assert {"dermatology", "skin"}.isdisjoint(description["keywords"])
    splits = {record["catalogue/split"] for record in described["pets"]["recordSet"][0]["data"]}
    assert splits == {"train", "validation", "test"}
    (told,) = described["pets"]["rai:dataLimitations"]
    assert "28 files show 22 photos, and 2 of 6 test files show one" in told
    (told,) = described["plain pets"]["rai:dataLimitations"]
    assert told == "By photo_id, 28 files show 22 photos. Keep each photo_id on one side of a split."


def test_describing_changes_nothing(sample, description):
    """A second description, or that of other data, says nothing of the first one's."""
    before = copy.deepcopy((croissant.SAMPLE, croissant.CLINICAL))
    assert croissant.describe(sample) == description
    assert before == (croissant.SAMPLE, croissant.CLINICAL)
    assert len(croissant.SAMPLE["rai:dataBiases"]) == 1 and len(croissant.SAMPLE["rai:dataLimitations"]) == 1


def test_other_data_has_another_version(sample, description):
    assert croissant.describe(replace(sample, fingerprint="0" * 64))["version"] != description["version"]


def test_odd_names_are_names_and_not_patterns(sample, tmp_path):
    folder = tmp_path / "odd"
    for row in sample.photos.drop_duplicates(["split", "condition"]).itertuples():
        place = folder / row.path
        place.parent.mkdir(parents=True)
        shutil.copy(sample.root / row.path, place.with_name("a [1] ü *.jpg"))
    odd = identified(open_data(load_settings(data=folder, cache=tmp_path / "cache")))
    croissant.write(odd, folder / "croissant.json")
    records = list(mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("images"))
    assert {record["images/path"].decode() for record in records} == set(odd.photos.path)


def test_the_date_is_that_of_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert str(citation["date-released"]) == croissant.RELEASED
    assert citation["title"] in croissant.SAMPLE["citeAs"]


def test_written_file_is_the_description(sample, description, tmp_path):
    croissant.write(sample, tmp_path / "new" / "croissant.json")
    written = (tmp_path / "new" / "croissant.json").read_text("utf-8")
    assert json.loads(written) == description
    assert "×" in written


def test_the_clinical_photos_are_told_by_their_sources(clinical_folder, tmp_path):
    """Every file has a public address and its hash from the manifest; what nobody knows is called unknown."""
    data = open_data(load_settings(data=clinical_folder, cache=tmp_path))
    assert data.kind == "clinical"
    # The audit takes minutes, and who is a copy of whom is told elsewhere.
    description = croissant.describe(replace(data, photos=data.photos.assign(photo_id=data.photos.content_id)))
    issues = mlcroissant.Dataset(jsonld=description).metadata.ctx.issues
    assert not issues.errors

    manifest = pd.read_csv(fetch.MANIFEST).set_index("path")
    listed = {unquote(file["contentUrl"]).removeprefix(fetch.FILES_URL + "/"): file for file in files_of(description)}
    assert set(listed) == set(manifest.index)
    assert all(file["sha256"] == manifest.sha256[path] for path, file in listed.items())
    assert all(file["contentSize"] == f"{manifest.bytes[path]} B" for path, file in listed.items())
    assert description["url"] == clinical.KAGGLE_PAGE
    assert clinical.COMMIT in description["sameAs"]
    for question in ("license", "rai:dataCollection", "rai:dataAnnotationProtocol"):
        assert description[question].startswith("Unknown")
    assert "truth" not in {record_set["@id"] for record_set in description["recordSet"]}
