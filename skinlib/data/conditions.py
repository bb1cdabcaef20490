"""The eight conditions of the drawn and of the clinical photos: their folders, names, groups and colours.

Introduced in chapter 1, Data exploration.
"""

from skinlib.data.classes import Class, Classes

# The order is the order of the folders, which is the order of the model's outputs.
# Colours: Okabe and Ito's colour-blind-safe palette, its yellow deepened so that it shows on white.
CONDITIONS = Classes((
    Class(
        "cellulitis", "BA- cellulitis", "Cellulitis", "bacterial", "#D55E00",
        "diffuse warm redness and swelling with an ill-defined edge",
    ),
    Class(
        "impetigo", "BA-impetigo", "Impetigo", "bacterial", "#E69F00",
        "honey-coloured crusts on a red base",
    ),
    Class(
        "athlete-foot", "FU-athlete-foot", "Athlete's foot", "fungal", "#009E73",
        "scaling and white, softened skin between the toes",
    ),
    Class(
        "nail-fungus", "FU-nail-fungus", "Nail fungus", "fungal", "#B8A000",
        "a thickened, crumbling nail plate, yellow to brown",
    ),
    Class(
        "ringworm", "FU-ringworm", "Ringworm", "fungal", "#56B4E9",
        "a ring with a raised scaly border and a clearer centre",
    ),
    Class(
        "cutaneous-larva-migrans", "PA-cutaneous-larva-migrans", "Cutaneous larva migrans",
        "parasitic", "#CC79A7", "one raised, winding, thread-like track",
    ),
    Class(
        "chickenpox", "VI-chickenpox", "Chickenpox", "viral", "#0072B2",
        "scattered spots, blisters and crusts of different ages",
    ),
    Class(
        "shingles", "VI-shingles", "Shingles", "viral", "#5E3C99",
        "grouped blisters on a red base, in a band on one side",
    ),
))  # fmt: skip

KEYS = CONDITIONS.keys
CAUSES = tuple(dict.fromkeys(condition.group for condition in CONDITIONS))
SPLIT_FOLDERS = {"train": "train_set", "test": "test_set"}
"""What the public data set calls the folders of its splits."""
UNPACKED = ("skin-disease-dataset", "skin-disease-datasaet")
"""Folders that its archives unpack to (the second spelling is Kaggle's)."""
