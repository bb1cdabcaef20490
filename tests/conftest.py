"""What the tests share: a small sample, the clinical photos where they are, and a run's settings held still."""

import ast
import functools
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from drawn import draw_pets

from skinlib.base.fingerprint import imports_of, modules_behind
from skinlib.base.settings import load_settings
from skinlib.data.opening import open_data

REPOSITORY = Path(__file__).parents[1]


@functools.cache
def imports_network(code: bytes | str) -> bool:
    """Tell whether a source imports TensorFlow, by way of skinlib or of another file in this folder."""
    ours, others = imports_of(code)
    beside = (Path(__file__).with_name(f"{name}.py") for name in others - {"conftest"})
    return any("skinlib.learn.engines" in modules_behind(name) for name in ours) or any(
        imports_network(file.read_bytes()) for file in beside if file.is_file()
    )


@functools.cache
def network_fixtures() -> frozenset[str]:
    """Return the names of the fixtures below that import TensorFlow."""
    functions = [node for node in ast.parse(Path(__file__).read_bytes()).body if isinstance(node, ast.FunctionDef)]
    return frozenset(function.name for function in functions if imports_network(ast.unparse(function)))


def pytest_ignore_collect(collection_path, config):
    """With `-m "not network"`, don't even import the tests that import TensorFlow, which takes seconds."""
    if "not network" in config.getoption("markexpr") and collection_path.suffix == ".py":
        return imports_network(collection_path.read_bytes()) or None
    return None


def pytest_itemcollected(item):
    """Mark tests that need TensorFlow, by what they or their fixtures import, and those on clinical photos as slow."""
    if network_fixtures() & set(getattr(item, "fixturenames", ())) or imports_network(item.path.read_bytes()):
        item.add_marker("network")
    if item.get_closest_marker("clinical") or "clinical_folder" in getattr(item, "fixturenames", ()):
        item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def fixed_settings():
    """Untrained weights, so that no result depends on a download; nothing else from the caller's environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BACKBONE", "DATA", "SPEED", "SEED"):
            patch.delenv(f"SKINLIB_{name}", raising=False)
        patch.setenv("SKINLIB_WEIGHTS", "untrained")
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Return an empty cache folder, which :func:`load_settings` then names."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("SKINLIB_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session")
def sample_settings(tmp_path_factory):
    """Return settings for the quick sample, with a cache that the whole test session shares, all its processes."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return load_settings(data="sample", speed="quick", seed=0, cache=base / "shared-cache")


@pytest.fixture(scope="session")
def sample(sample_settings):
    """Return the quick sample as a DataSet. It is shared: don't write into its folder."""
    return open_data(sample_settings)


@pytest.fixture(scope="session")
def pets_settings(sample_settings, tmp_path_factory):
    """Return settings for photos of cats and dogs in train/, val/ and test/, with the sample's cache."""
    folder = tmp_path_factory.mktemp("drawn") / "pets"
    draw_pets(folder)
    return replace(sample_settings, data=str(folder))


@pytest.fixture(scope="session")
def plain_pets_settings(sample_settings, tmp_path_factory):
    """Return settings for other photos of cats and dogs, in a plain folder of class folders."""
    folder = tmp_path_factory.mktemp("drawn") / "plain pets"
    draw_pets(folder, splits=False, seed=1)
    return replace(sample_settings, data=str(folder))


@pytest.fixture(scope="session")
def pets(pets_settings):
    """Return the cats and dogs in train/, val/ and test/ as a DataSet. It is shared: don't write into its folder."""
    return open_data(pets_settings)


@pytest.fixture(scope="session")
def plain_pets(plain_pets_settings):
    """Return the cats and dogs in a plain folder as a DataSet. It is shared, too."""
    return open_data(plain_pets_settings)


@pytest.fixture(scope="session")
def tiny():
    """Make the small backbone of tests/tiny.py one of the package's, and return it."""
    import tiny

    tiny.register()
    return tiny.TINY


@pytest.fixture(scope="session")
def tiny_settings(sample_settings, tiny):
    """Return the settings of the quick sample with the small backbone: what all fixtures below are made with."""
    return replace(sample_settings, backbone=tiny.name)


@pytest.fixture(scope="session")
def weights(tiny_settings, sample):
    """Return the untrained weights that the small backbone gets from the quick sample."""
    from skinlib.learn.pretrained import get_weights

    return get_weights(tiny_settings, sample)


@pytest.fixture(scope="session")
def resnet_weights(sample_settings, sample):
    """Return ResNet50's untrained weights, from a few photos only: for the few tests that need the whole network."""
    from skinlib.learn import pretrained

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "CALIBRATION_PHOTOS", 8)
        return pretrained.get_weights(sample_settings, sample)


@pytest.fixture(scope="session")
def run(tiny_settings, sample):
    """Return the run of the plain recipe on the official split of the quick sample. It is shared: don't write there."""
    from skinlib.learn.prepared import prepare
    from skinlib.learn.train import train

    return train(prepare(sample, tiny_settings, "official"))


@pytest.fixture(scope="session")
def grouped_run(tiny_settings, sample):
    """Return the run of the plain recipe on the clean split of the quick sample. It is shared, too."""
    from skinlib.learn.prepared import prepare
    from skinlib.learn.train import train

    return train(prepare(sample, tiny_settings, "grouped"))


@pytest.fixture(scope="session")
def exported(grouped_run, sample, tiny_settings):
    """Return that run, exported. It is shared: don't write into its folder."""
    from skinlib.serve.export import export

    return export(grouped_run, sample, tiny_settings)


@pytest.fixture
def disk(tmp_path):
    """Return a function that mounts a disk of so many kilobytes, or skips the test where that is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(kilobytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(place)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("only root can mount a small disk")
        return place

    yield mounted
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


@pytest.fixture(scope="session")
def clinical_folder():
    """Return the folder of the clinical photos, or skip the test."""
    named = os.environ.get("SKINLIB_CLINICAL")
    beside = REPOSITORY.parent.glob("*/data/skin-disease-dataset")  # a folder of data that stands beside the repository
    for folder in [Path(named)] if named else sorted(beside):
        if (folder / "train_set").is_dir():
            return folder
    pytest.skip("the clinical photos are not here: set SKINLIB_CLINICAL to their folder to run this test")
