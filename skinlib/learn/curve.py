"""How much would more photos help? The learning curve by photos. Introduced in chapter 4, Evaluation."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from skinlib.audit.copies import identified
from skinlib.base.errors import InputError
from skinlib.base.settings import Settings
from skinlib.data import splits
from skinlib.data.dataset import DataSet
from skinlib.judge import evaluate
from skinlib.learn import networks
from skinlib.learn.extraction import features
from skinlib.learn.fitting import compile_recipe, fit
from skinlib.learn.prepared import Recipe
from skinlib.learn.pretrained import get_weights
from skinlib.learn.train import predicted


def learning_curve(
    data: DataSet, settings: Settings, sizes: Sequence[int], n_repeats: int = 3, recipe: Recipe | None = None
) -> pd.DataFrame:
    """Train heads on more and more photos; judge each on the test photos of the clean split.

    Photos are counted, not files: all files of a drawn photo come along. Each repeat has initial weights and an order
    of its own, the conditions in turn, so that a larger draw holds the smaller ones. Features are computed once and
    nothing is kept of the heads. Returns one row per size and repeat: photos, files, repeat, accuracy (one vote per
    test photo). Sizes above the number of training photos mean all of them. Raises InputError for a size below 1.
    """
    if min(sizes, default=0) < 1:
        raise InputError("a learning curve needs sizes of 1 photo or more")
    recipe = recipe or Recipe()
    data = identified(data)
    weights = get_weights(settings, data)
    side = splits.grouped(data.photos, settings.seed)
    rows = features(data, weights, swapped_channels=recipe.swapped_channels, bits=recipe.bits)
    labels = data.labels()
    in_training = data.photos[side == "train"].drop_duplicates("photo_id")
    is_test, table = side == "test", []
    for repeat in range(n_repeats):
        network = networks.build(weights, len(data.classes), settings.seed + repeat)
        shuffled = in_training.sample(frac=1, random_state=np.random.default_rng([settings.seed, repeat]))
        place = shuffled.groupby("condition").cumcount() + 0.5
        order = shuffled.photo_id.iloc[
            (place / shuffled.groupby("condition").photo_id.transform("size")).argsort(kind="stable")
        ]
        for size in sizes:
            drawn = (data.photos.photo_id.isin(order.iloc[:size]) & (side == "train")).to_numpy()
            head = compile_recipe(networks.part_after(network, "pool"))
            nothing = rows[:0], labels[:0]
            head, _ = fit(
                head, [rows[drawn]], labels[drawn], nothing, recipe.epochs, recipe.batch_size, settings.seed + repeat
            )
            answers = predicted(head, rows[is_test])
            votes = evaluate.one_vote_per_photo(
                evaluate.predictions_table(data.photos[is_test], side[is_test], answers, data.classes.keys)
            )
            table.append([min(size, len(order)), int(drawn.sum()), repeat, evaluate.accuracy(votes)])
    return pd.DataFrame(table, columns=["photos", "files", "repeat", "accuracy"])
