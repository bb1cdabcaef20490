"""Fit a network, epoch after epoch, so that an interrupted training goes on where it stopped.

Keras's own ``fit`` and ``BackupAndRestore`` do nearly the same; this one ends with the same bits whether or not it was
interrupted, and takes features from disk. Introduced in chapter 3, Training.
"""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from skinlib.base.files import remove, replaced, sweep
from skinlib.base.store import is_whole, seal
from skinlib.learn.engines import keras, standard

LEARNING_RATE = 1e-3
"""Adam's default, with which the recipe trains the head."""
KEEP_EVERY = 20.0
"""Seconds of training after which the next whole epoch is kept on disk: what an interrupt can cost."""


class Progress:
    """Epochs done so far, kept in a folder so that an interrupted training goes on where it stopped.

    In it are folders by stage and number of epochs, each sealed: what is damaged counts for nothing.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        if os.path.lexists(folder) and not folder.is_dir():
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)

    @standard()
    def load(self, stage: str) -> tuple[list[dict], keras.Model | None]:
        """Return the finished epochs of a stage and the network as it was after the last of them.

        Where these are absent or damaged the stage begins anew.
        """
        for saved in sorted(self.folder.glob(f"{stage}-*"), key=_epochs, reverse=True):
            if is_whole(saved):
                history = json.loads((saved / "history.json").read_text("utf-8"))
                return history, keras.models.load_model(saved / "network.keras")
        return [], None

    def save(self, stage: str, history: list[dict], network: keras.Model) -> None:
        """Keep the network, with its optimiser's state, and then remove what was kept before."""
        target, others = self.folder / f"{stage}-{len(history)}", list(self.folder.glob(f"{stage}-*"))
        with replaced(target, self.folder) as draft:
            draft.mkdir()
            network.save(draft / "network.keras")
            (draft / "history.json").write_text(json.dumps(history), "utf-8")
            seal(draft)
            remove(target)
        for older in others:
            if older != target:
                remove(older)


def _epochs(saved: Path) -> int:
    number = saved.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


@standard()
def fit(
    network: keras.Model,
    versions: Sequence[np.ndarray],
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    epochs: int,
    batch_size: int,
    seed: int,
    stage: str = "head",
    progress: Progress | None = None,
) -> tuple[keras.Model, list[dict]]:
    """Train a compiled network; return it and one dict per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy.

    ``versions`` are inputs of one shape, (n, …), the first those of the photos themselves and the others of their
    augmented copies; ``labels`` is int (n,). Each epoch's order comes from the seed and the epoch's number alone, so an
    interrupted training that goes on from ``progress`` ends with the same numbers as one that never stopped.
    """
    history, resumed = progress.load(stage) if progress else ([], None)
    network = resumed or network
    n_classes = network.output_shape[-1]
    kept_at = time.monotonic()
    with tqdm(total=epochs, initial=len(history), desc=stage, unit="epoch", disable=None) as bar:
        for epoch in range(len(history), epochs):
            order = np.random.default_rng([seed, epoch]).permutation(len(labels))
            inputs = versions[epoch % len(versions)]
            learned = _mean_over_batches(network.train_on_batch, inputs, labels, order, batch_size, n_classes)
            row = {"stage": stage, "epoch": epoch + 1, **learned}
            if len(validation[1]):
                held_out = np.arange(len(validation[1]))
                judged = _mean_over_batches(network.test_on_batch, *validation, held_out, 8 * batch_size, n_classes)
                row |= {f"val_{name}": value for name, value in judged.items()}
            history.append(row)
            if progress and time.monotonic() - kept_at >= KEEP_EVERY:
                progress.save(stage, history, network)
                kept_at = time.monotonic()
            bar.set_postfix(loss=f"{row['loss']:.3f}")
            bar.update()
    return network, history


def _mean_over_batches(step, inputs, labels, order, batch_size, n_classes) -> dict[str, float]:
    """Call ``step`` on one batch after another; return the mean loss and accuracy over all photos."""
    one_hot = np.eye(n_classes, dtype=np.float32)
    total = np.zeros(2)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        total += len(batch) * np.array(step(inputs[batch], one_hot[labels[batch]]))
    return dict(zip(("loss", "accuracy"), (total / len(order)).tolist(), strict=True))


@standard()
def compile_recipe(network: keras.Model, learning_rate: float = LEARNING_RATE) -> keras.Model:
    """Compile a network as the recipe has it: Adam and categorical cross-entropy."""
    # Without XLA: compiling for it takes longer than such short trainings would save.
    adam, loss = keras.optimizers.Adam(learning_rate), "categorical_crossentropy"
    network.compile(adam, loss, metrics=["accuracy"], jit_compile=False)
    return network
