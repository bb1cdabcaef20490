"""TensorFlow, Keras and OpenVINO, imported once and quietly, whatever else they are set to elsewhere.

Import them from here: ``from skinlib.learn.engines import keras, tf``.
"""

import os
import sys

from skinlib.base.files import silent

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # absent: else importing OpenVINO is reported to its makers
import openvino  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever a user set for other work
with silent():  # TensorFlow talks there before anyone can ask it not to
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()  # the last of the start-up messages comes with the devices
tf.get_logger().setLevel("ERROR")  # it warns of tracing functions anew, which many short trainings have to do

__all__ = ["keras", "openvino", "set_seed", "tf"]


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and Keras, and ask TensorFlow for operations that repeat exactly."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
