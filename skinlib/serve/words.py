"""What an exported model says of itself, in sentences: written once, said by the app, the page and the cards alike.

They depend on what the photos are. Drawn and clinical photos show skin; anybody's own may show anything, so nothing is
said of them but how many classes they have and what they are called. Introduced in chapter 6, Deployment.
"""

from skinlib.serve.exported import percent

NOTICE = "A teaching tool, not a medical device. Nothing here is a diagnosis."
SKIN_NOTICE = f"{NOTICE[:-1]}: show your skin to a doctor."
"""What everybody is told before the answer: the second where the photos show skin."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def words_for(model: dict, n_classes: int) -> dict[str, str]:
    """Return the words for a model, ready for ``labels.json``, from what it is: the entry ``model`` there.

    Keys:

    - class: what one of the classes is called, as in "no condition is likely enough".
    - subject: what it tells apart, as in "it knows eight skin conditions".
    - runs: the end of a text that begins "This app runs" or "This page runs".
    - record: what it learned from, and how often it was right.
    - elsewhere: photos of which that record says nothing.
    - unsure, strange: the answer for each kind of doubt.
    """
    skin = model["kind"] != "own"
    one = "condition" if skin else "class"
    knows = subject(model["kind"], n_classes)
    which = "the model" if skin else "a model made by the recipe"
    often = "is often" if skin else "may be"
    return {
        "class": one,
        "subject": knows,
        "runs": f"{which} of a book on doubting scores. "
        f"It knows {knows}, it {often} wrong, and it may say that it doesn't know.",
        "record": _record(model),
        "elsewhere": "other cameras, other clinics or other people" if skin else "other cameras or other places",
        "unsure": f"I don't know: no {one} is likely enough.",
        "strange": "I don't know: this photo is unlike those it learned from.",
    }


def subject(kind: str, n_classes: int) -> str:
    """Return what a model tells apart; ``kind`` is that of its photos (:class:`skinlib.data.dataset.DataSet`).

    >>> subject("drawn", 8), subject("own", 40)
    ('eight skin conditions', '40 classes of photos')
    """
    number = NUMBERS[n_classes] if n_classes < len(NUMBERS) else str(n_classes)
    return f"{number} {'classes of photos' if kind == 'own' else 'skin conditions'}"


def _record(model: dict) -> str:
    source = "drawings made by a program" if model["kind"] == "drawn" else f"photos of the data called {model['data']}"
    right, low, high = (f"{percent(p)}\u00a0%" for p in (model["test_accuracy"], *model["test_accuracy_interval"]))
    return (
        f"The model learned from {model['training_photos']} {source}. Asked about {model['test_photos']} others, and "
        f"made to answer each, it was right for {right} (95\u00a0% interval {low} to {high}). {model['weights_note']}"
    )
