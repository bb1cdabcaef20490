"""Keys: only what can change a result changes its name, and all that can does."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from skinlib.base import fingerprint
from skinlib.base.fingerprint import code_digest, key_for, key_of, modules_behind, package_versions

MAKERS = ("skinlib.data.sample", "skinlib.audit.sketch", "skinlib.learn.extraction", "skinlib.learn.train")


@pytest.fixture
def changed(tmp_path):
    """Return a function that changes a copy of the package and returns the digests of MAKERS by it."""
    copy = tmp_path / "skinlib"
    shutil.copytree(fingerprint.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "space"))
    code = "import json; from skinlib.base.fingerprint import code_digest as digest\n"
    code += f"print(json.dumps({{name: digest(name) for name in {MAKERS}}}))"

    def digests(module: str, old: str, new: str) -> dict[str, str]:
        file = copy / f"{module}.py"
        source = file.read_text("utf-8")
        assert old in source
        file.write_text(source.replace(old, new, 1), "utf-8")
        answer = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        file.write_text(source, "utf-8")
        return json.loads(answer.stdout)

    return digests


def now() -> dict[str, str]:
    return {name: code_digest(name) for name in MAKERS}


def test_a_comment_and_a_docstring_change_no_key(changed):
    assert changed("judge/evaluate", "def accuracy(", "# why\n\n\ndef accuracy(") == now()
    assert changed("judge/evaluate", '"""Return the share of photos', '"""Give back the share of photos') == now()
    assert changed("learn/extraction", '"""Features, once', '"""Features, but once') == now()


def test_a_change_of_code_changes_the_keys_of_those_who_import_it(changed):
    new = changed("learn/extraction", "uniform(-20, 20)", "uniform(-90, 90)")  # in augment
    assert {name for name in MAKERS if new[name] != now()[name]} == {"skinlib.learn.extraction", "skinlib.learn.train"}
    new = changed("audit/sketch", "WORKING_SIDE = 224", "WORKING_SIDE = 225")
    assert {name for name in MAKERS if new[name] != now()[name]} == {"skinlib.audit.sketch", "skinlib.learn.train"}
    new = changed("data/conditions", '"FU-ringworm"', '"FU-ring"')
    assert new["skinlib.data.sample"] != now()["skinlib.data.sample"]


def test_every_module_behind_a_maker_is_found():
    behind = modules_behind("skinlib.data.sample")
    assert {"skinlib.data.sample", "skinlib.data.drawings", "skinlib.data.brushes", "skinlib.data.conditions"} <= set(
        behind
    )
    assert "skinlib.learn.preprocessing" in modules_behind("skinlib.learn.extraction")
    # What a photo is drawn with must not decide about features of photos, nor figures about runs.
    assert "skinlib.data.brushes" not in modules_behind("skinlib.learn.extraction")
    assert not any("figures" in name for name in modules_behind("skinlib.learn.train"))


def test_imports_inside_functions_count_and_those_for_type_checkers_do_not(tmp_path, monkeypatch):
    package = tmp_path / "skinlib"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text(
        "from typing import TYPE_CHECKING\nimport numpy as np\nif TYPE_CHECKING:\n    from skinlib import b\n"
        "else:\n    import cv2\ndef f():\n    from skinlib.c import g\n    import PIL.Image\n"
    )
    (package / "b.py").write_text("import scipy\n")
    (package / "c.py").write_text("")
    monkeypatch.setattr(fingerprint, "PACKAGE", package)
    ours, others = fingerprint._imported.__wrapped__("skinlib.a")
    assert set(ours) == {"skinlib.c"} and {"numpy", "cv2", "PIL"} <= others and "scipy" not in others


def test_the_versions_of_what_shapes_a_result_are_part_of_its_key(monkeypatch):
    before = key_for("skinlib.learn.extraction", "input")
    assert before == key_for("skinlib.learn.extraction", "input") != key_for("skinlib.learn.extraction", "other")
    assert {"pillow", "opencv-python-headless", "keras", "tensorflow", "openvino"} <= set(
        package_versions("skinlib.learn.extraction")
    )
    version = fingerprint.metadata.version
    monkeypatch.setattr(fingerprint.metadata, "version", lambda name: "0" if name == "pillow" else version(name))
    assert key_for("skinlib.learn.extraction", "input") != before


def test_packages_that_are_absent_are_left_out(monkeypatch):
    def absent(name):
        raise fingerprint.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(fingerprint.metadata, "version", absent)
    assert fingerprint.installed_versions() == {}


def test_a_key_is_of_values_and_not_of_their_order_in_a_dictionary():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1}) != key_of({"a": 1, "b": 3})
    assert len(key_of()) == 16 and int(key_of(), 16) >= 0


def test_several_threads_may_ask_at_once():
    fingerprint.syntax.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(lambda _: code_digest("skinlib.serve.export"), range(32)))
    assert len(set(digests)) == 1
