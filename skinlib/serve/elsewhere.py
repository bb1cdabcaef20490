"""How does the model do on photos from elsewhere? Judge an exported network on a folder that it has nothing to do with.

The score on the photos of one's own collection is the best that a model will ever do; this one is nearer to what the
photos of strangers get (Zech et al., 2018). Introduced in chapter 6, Deployment.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.audit.copies import identified
from skinlib.base.errors import InputError
from skinlib.data.classes import Classes, same_name
from skinlib.data.dataset import DataSet
from skinlib.judge import evaluate
from skinlib.serve import parity


@dataclass(frozen=True)
class Elsewhere:
    """Photos that have no part in a run, with the run's classes. Use :func:`from_elsewhere` to make one."""

    data: DataSet
    """Where they lie."""
    photos: pd.DataFrame
    """Rows of ``data.photos``; ``condition`` holds the keys of the run."""
    known: int
    """Files that were left out because the run's data have them, or another file of the same photo."""
    others: int
    """Files that were left out because they show none of the run's classes."""
    absent: list[str]
    """Keys of the classes of which there is no photo."""

    def judge(self, network: Path, keys: tuple[str, ...]) -> dict:
        """Return how an exported network does on these photos, one vote each and every one answered, ready for JSON.

        ``keys`` are its classes, in its order. Keys: data, fingerprint, photos, correct, accuracy, accuracy_interval
        (Wilson, 95 %), known, others and absent. Raises InputError where no photo can be judged.
        """
        probabilities = parity.answers(network, (self.data.read(path) for path in self.photos.path))
        split = np.array(["test"] * len(self.photos))
        votes = evaluate.one_vote_per_photo(evaluate.predictions_table(self.photos, split, probabilities, keys))
        if votes.empty:
            raise InputError(f"{self.data.root}: every photo lies in the folders of two classes: nobody can judge that")
        correct = int(evaluate.is_right(votes).sum())
        return {
            "data": self.data.name,
            "fingerprint": self.data.fingerprint,
            "photos": len(votes),
            "correct": correct,
            "accuracy": correct / len(votes),
            "accuracy_interval": list(evaluate.wilson_interval(correct, len(votes))),
            "known": self.known,
            "others": self.others,
            "absent": self.absent,
        }


def from_elsewhere(data: DataSet, own: DataSet, classes: Classes) -> Elsewhere:
    """Return the photos of ``data`` that show one of the run's ``classes`` and are none of its ``own``.

    Classes are the same where their keys or the names of their folders are (:func:`skinlib.data.classes.same_name`);
    which split a photo stands in doesn't matter. A photo counts as the run's own where one of its files has the same
    content as one of ``own``. Raises InputError where nothing is left.
    """
    photos = identified(data).photos
    key_of = {one.key: _match(one.key, one.folder, classes) for one in data.classes}
    condition = photos.condition.map(key_of)
    seen = photos.photo_id.isin(photos.photo_id[photos.sha256.isin(own.photos.sha256)])
    chosen = photos.assign(condition=condition)[condition.notna() & ~seen].reset_index(drop=True)
    if chosen.empty:
        raise InputError(
            f"{data.root} has no photo from elsewhere: {int(seen.sum())} files are among the run's own, and "
            f"{int(condition.isna().sum())} show none of its classes ({', '.join(classes.keys)})"
        )
    absent = [key for key in classes.keys if key not in set(chosen.condition)]
    return Elsewhere(data, chosen, int(seen.sum()), int((condition.isna() & ~seen).sum()), absent)


def _match(key: str, folder: str, classes: Classes) -> str | None:
    """Return the key of the run's class that has this key or this folder's name, or None."""
    if key in classes.keys:
        return key
    same = classes.of_folder(folder) or next(
        (one for one in classes if same_name(one.title) == same_name(folder)), None
    )
    return same.key if same else None
