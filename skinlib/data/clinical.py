"""The clinical photos: where they were published, and by what they are known wherever they lie.

``clinical_manifest.csv`` beside this file lists their paths, sizes and SHA-256; the photos are other people's, and no
part of this package. Introduced on the page of the data card.
"""

import functools
from pathlib import Path

import pandas as pd

from skinlib.base.settings import Settings
from skinlib.data.conditions import UNPACKED

KAGGLE_PAGE = "https://www.kaggle.com/datasets/subirbiswas19/skin-disease-dataset"
"""Where the photos were published. They are fetched from a copy that can't change, and whose files have addresses."""
REPOSITORY = "SumeetSinghBhati/Skin-Disease-Classification-SpectraDerm"
COMMIT = "b7c97f0aab7fbea850fa4be02c720f299f33b3c3"
ARCHIVE_URL = f"https://github.com/{REPOSITORY}/archive/{COMMIT}.zip"
FILES_URL = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/{UNPACKED[0]}"
MANIFEST = Path(__file__).with_name("clinical_manifest.csv")
"""Path, bytes and SHA-256 of every clinical photo."""


def clinical_folder(settings: Settings) -> Path:
    """Return the folder in which the clinical photos are looked for, and into which they are fetched by default."""
    return settings.cache / UNPACKED[0]


@functools.cache
def clinical_hashes() -> frozenset[str]:
    """Return the SHA-256 of every clinical photo: by them they are known, whatever their folder is called."""
    return frozenset(pd.read_csv(MANIFEST).sha256)
