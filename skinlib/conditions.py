"""The eight conditions. The one place that knows their folders, names, groups and colours.

Introduced in chapter 1, Data exploration.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Condition:
    """One of the eight classes."""

    key: str
    """Short name used in tables, files and on the command line."""
    folder: str
    """Folder under ``train_set/`` and ``test_set/``, spelled as the public data set spells it."""
    title: str
    """Name shown to people."""
    group: str
    """What causes it: bacterial, fungal, parasitic or viral."""
    colour: str
    """Hex colour, used for this condition in every figure."""
    marks: str
    """What a clinician looks for, in a few words."""


# The order is the order of the folders, which is the order of the model's outputs.
# Colours: Okabe and Ito's colour-blind-safe palette, its yellow deepened so that it shows on white.
CONDITIONS = (
    Condition(
        "cellulitis", "BA- cellulitis", "Cellulitis", "bacterial", "#D55E00",
        "diffuse warm redness and swelling with an ill-defined edge",
    ),
    Condition(
        "impetigo", "BA-impetigo", "Impetigo", "bacterial", "#E69F00",
        "honey-coloured crusts on a red base",
    ),
    Condition(
        "athlete-foot", "FU-athlete-foot", "Athlete's foot", "fungal", "#009E73",
        "scaling and white, softened skin between the toes",
    ),
    Condition(
        "nail-fungus", "FU-nail-fungus", "Nail fungus", "fungal", "#B8A000",
        "a thickened, crumbling nail plate, yellow to brown",
    ),
    Condition(
        "ringworm", "FU-ringworm", "Ringworm", "fungal", "#56B4E9",
        "a ring with a raised scaly border and a clearer centre",
    ),
    Condition(
        "cutaneous-larva-migrans", "PA-cutaneous-larva-migrans", "Cutaneous larva migrans",
        "parasitic", "#CC79A7", "one raised, winding, thread-like track",
    ),
    Condition(
        "chickenpox", "VI-chickenpox", "Chickenpox", "viral", "#0072B2",
        "scattered spots, blisters and crusts of different ages",
    ),
    Condition(
        "shingles", "VI-shingles", "Shingles", "viral", "#5E3C99",
        "grouped blisters on a red base, in a band on one side",
    ),
)  # fmt: skip

KEYS = tuple(condition.key for condition in CONDITIONS)
GROUPS = tuple(dict.fromkeys(condition.group for condition in CONDITIONS))
SPLITS = {"train": "train_set", "test": "test_set"}

_BY_KEY = {condition.key: condition for condition in CONDITIONS}
_BY_FOLDER = {condition.folder.replace(" ", "").lower(): condition for condition in CONDITIONS}


def by_key(key: str) -> Condition:
    """Return the condition called ``key``. Raises KeyError when there is none."""
    return _BY_KEY[key]


def by_folder(folder: str) -> Condition | None:
    """Return the condition whose photos stand in ``folder``, or None.

    Spaces and capitals don't count: the public data set itself writes ``BA- cellulitis``.
    """
    return _BY_FOLDER.get(folder.replace(" ", "").lower())
