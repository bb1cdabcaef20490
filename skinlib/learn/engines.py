"""TensorFlow, Keras and OpenVINO, imported once and quietly, and computing alike whatever else they are set to.

Import them from here: ``from skinlib.learn.engines import keras, tf``. Where nobody imported them before, what a user
set for other work is passed over: ``keras.json`` is neither read nor written, and of the environment what would change
a result (:data:`SHAPING`) is taken out of this process. Where somebody did, theirs stays as it is, and what this
package computes is computed :func:`standard`.
"""

import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from skinlib.base.errors import InputError
from skinlib.base.files import silent

SHAPING = ("KERAS_", "TF_", "XLA_", "ONEDNN_", "DNNL_")
"""What the names of variables of the environment begin with by which the engines compute in another way."""
HARMLESS = ("KERAS_HOME", "TF_CPP_", "TF_CONFIG", "TF_FORCE_GPU_", "TF_GPU_")
"""Among these, those that are about memory, messages and places."""


@contextmanager
def _apart() -> Iterator[None]:
    """Have an import see none of a user's settings. Raises InputError where it is too late for one that matters."""
    if "keras" in sys.modules and sys.modules["keras"].config.backend() != "tensorflow":
        raise InputError(
            f"Keras runs on {sys.modules['keras'].config.backend()} in this Python, and this needs TensorFlow: "
            "import skinlib before keras, or set KERAS_BACKEND=tensorflow"
        )
    shaping = {name for name in os.environ if name.startswith(SHAPING) and not name.startswith(HARMLESS)}
    keras_own = {name: os.environ[name] for name in os.environ if name.startswith("KERAS_")}
    for name in shaping:
        del os.environ[name]
    # A home in which nothing can be: Keras looks there for its file, and would write one.
    os.environ |= {"KERAS_HOME": os.devnull, "KERAS_BACKEND": "tensorflow"}
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"], os.environ["KERAS_BACKEND"]
        os.environ |= keras_own


sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # absent: else importing OpenVINO is reported to its makers
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
_IS_FIRST = "keras" not in sys.modules
with _apart():
    import openvino

    with silent():  # TensorFlow talks there before anyone can ask it not to
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()  # the last of the start-up messages comes with the devices
from keras.src.backend import config as keras_config  # noqa: E402
from tensorflow.python.framework import config as tf_config  # noqa: E402

if _IS_FIRST:  # it keeps downloads where it always does
    keras_config._KERAS_DIR = os.path.expanduser(os.environ.get("KERAS_HOME") or os.path.join("~", ".keras"))
tf.get_logger().setLevel("ERROR")  # it warns of tracing functions anew, which many short trainings have to do

__all__ = ["downloads", "keras", "openvino", "seeded", "standard", "tf"]


def downloads() -> str:
    """Return the folder in which Keras keeps downloads, having made it: else Keras would take one below /tmp."""
    folder = keras_config.keras_home()
    if os.path.isabs(folder):
        with suppress(OSError):
            os.makedirs(folder, exist_ok=True)
    return folder


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what Keras draws initial weights from, Python's own generator, while the block lasts."""
    before = random.getstate()
    random.seed(int(seed))
    try:
        yield
    finally:
        random.setstate(before)


_CHANGING = threading.Lock()
_inside = 0
_theirs: tuple = ()


@contextmanager
def standard() -> Iterator[None]:
    """Have Keras and TensorFlow compute in the standard way while the block lasts, or the function that this decorates.

    That is in float32, channels last, with an epsilon of 1e-7, and with operations that repeat exactly. Afterwards all
    is set as before. Several threads may be in such blocks at a time.
    """
    global _inside, _theirs
    with _CHANGING:
        if not _inside:
            deterministic = tf_config.is_op_determinism_enabled()
            _theirs = (
                keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(),
                keras.config.dtype_policy(), deterministic,
            )  # fmt: skip
            _set("float32", 1e-7, "channels_last", "float32", True)
        _inside += 1
    try:
        yield
    finally:
        with _CHANGING:
            _inside -= 1
            if not _inside:
                _set(*_theirs)


def _set(floatx: str, epsilon: float, data_format: str, policy, deterministic: bool) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(data_format)
    keras.config.set_dtype_policy(policy)
    if deterministic:
        tf_config.enable_op_determinism()
    else:
        tf_config.disable_op_determinism()
