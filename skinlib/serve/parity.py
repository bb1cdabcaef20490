"""Is it the same? Compare the answers of two files that should give one. Introduced in chapter 6, Deployment."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
import pandas as pd

from skinlib.serve.exported import onnxruntime


def answers(file: Path | onnx.ModelProto, photos: Iterable[np.ndarray]) -> np.ndarray:
    """Return the probabilities, float32 (n, classes), of one ONNX file or model for uint8 RGB photos of any sizes."""
    source = file.SerializeToString() if isinstance(file, onnx.ModelProto) else file
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return np.stack([session.run(["probabilities"], {"photo": photo})[0] for photo in photos])


def parity(reference: np.ndarray, others: dict[str, np.ndarray], truth: np.ndarray | None = None) -> pd.DataFrame:
    """Compare answers, each float (n, classes), with those of a reference: one row for each of ``others``.

    Columns: largest_difference (of any probability), same_answer (share of the photos) and, where ``truth``, int (n,),
    is given, accuracy.
    """
    rows = []
    for name, probabilities in others.items():
        top = probabilities.argmax(axis=1)
        row = {
            "name": name,
            "largest_difference": float(np.abs(probabilities - reference).max()),
            "same_answer": float((top == reference.argmax(axis=1)).mean()),
        }
        rows.append(row | ({} if truth is None else {"accuracy": float((top == truth).mean())}))
    return pd.DataFrame(rows).set_index("name")
