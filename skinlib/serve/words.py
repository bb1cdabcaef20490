"""What an exported model says of itself, in sentences: written once, said by the app, the page and the cards alike.

They depend on what the photos are. Drawn and clinical photos show skin; anybody's own may show anything, so nothing is
said of them but how many classes they have and what they are called. A score is never told without the photos that it
was measured on, and what the model did not notice is never taken for a good sign. Introduced in chapter 6, Deployment.
"""

import re

from skinlib.judge.abstention import LEAST_ANSWERED
from skinlib.serve.exported import percent

NOTICE = "A teaching tool, not a medical device. Nothing here is a diagnosis."
SKIN_NOTICE = f"{NOTICE[:-1]}: show your skin to a doctor."
"""What everybody is told before the answer: the second where the photos show skin."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def words_for(labels: dict) -> dict[str, str]:
    """Return the words for a model, ready for ``labels.json``, from what else stands there.

    Keys:

    - class: what one of the classes is called, as in "no condition is likely enough".
    - subject: what it tells apart, as in "it knows eight skin conditions".
    - runs: the end of a text that begins "This app runs" or "This page runs".
    - record: what it learned from, how often it was right, and on which photos; and whether photos from elsewhere did
      worse, or that it was not tried.
    - promise: what it promises of its answers and what that rests on, or why it promises nothing.
    - elsewhere: photos of which its score says nothing.
    - unsure, strange: the answer for each kind of doubt.
    - caution: what has to stand beside each answer.
    - unnoticed: what to say where it noticed nothing strange about a photo; never that the photo is a known one.
    """
    model = labels["model"]
    skin = model["kind"] != "own"
    one = "condition" if skin else "class"
    learned = [condition for condition in labels["conditions"] if condition["learned"]]
    knows = subject(model["kind"], len(learned))
    others = "healthy skin, a face or a chair" if skin else "anything else"
    return {
        "class": one,
        "subject": knows,
        "runs": f"{'the model' if skin else 'a model made by the recipe'} of a book on doubting scores. "
        f"It knows {knows}{_untaught(labels)}, it {'is often' if skin else 'may be'} wrong, and it may say that it "
        "doesn't know.",
        "record": _record(labels, skin),
        "promise": _promise(labels),
        "elsewhere": _elsewhere(skin),
        "unsure": f"I don't know: no {one} is likely enough."
        if labels["threshold"] is not None
        else "I don't know: I can promise nothing about an answer.",
        "strange": "I don't know: this photo seems unlike those I learned from.",
        "caution": f"Not a diagnosis. It may not notice that a photo shows none of {_these(len(learned))}: then "
        f"{others} gets {'one of their names' if len(learned) > 1 else 'its name'}, with a percentage.",
        "unnoticed": "It noticed nothing strange about this photo. That is no sign that the photo shows one of "
        f"{knows}, nor that the answer is right.",
    }


def subject(kind: str, n_classes: int) -> str:
    """Return what a model tells apart; ``kind`` is that of its photos (:class:`skinlib.data.dataset.DataSet`).

    >>> subject("drawn", 8), subject("own", 40)
    ('eight skin conditions', '40 classes of photos')
    """
    number = NUMBERS[n_classes] if n_classes < len(NUMBERS) else str(n_classes)
    one = n_classes == 1
    return f"{number} {'class' if one else 'classes'} of photos" if kind == "own" else (
        f"{number} skin condition{'' if one else 's'}"
    )  # fmt: skip


def listed(titles: list[str]) -> str:
    """Return names as a list in a sentence.

    >>> listed(["A"]), listed(["A", "B", "C"])
    ('A', 'A, B and C')
    """
    return " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)


def plain(text: str) -> str:
    """Return a text, in which names of folders and files may stand, so that Markdown shows it as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))


def _these(number: int) -> str:
    return f"these {NUMBERS[number] if number < len(NUMBERS) else number}"


def _untaught(labels: dict) -> str:
    """Return which of its answers a model never learned, in brackets; nothing where there is none."""
    titles = [condition["title"] for condition in labels["conditions"] if not condition["learned"]]
    return f" (it never learned {listed(titles)}: there was no photo to learn from)" if titles else ""


def _elsewhere(skin: bool) -> str:
    return "other cameras, other clinics or other people" if skin else "other cameras or other places"


def _record(labels: dict, skin: bool) -> str:
    model = labels["model"]
    source = "drawings made by a program" if model["kind"] == "drawn" else f"photos of the data called {model['data']}"
    return (
        f"The model learned from {model['training_photos']} {source}. It was asked about {model['test_photos']} others "
        "of the same collection, among which the audit found no copy of one that it learned from, and had to answer "
        f"each: it was right for {_share(model['test_accuracy'], model['test_accuracy_interval'])}. Models do worse on "
        "photos from elsewhere. "
        f"{_stranger(labels, skin)} {model['weights_note']}"
    )


def _stranger(labels: dict, skin: bool) -> str:
    """Return how the model did on photos from elsewhere, or that it was not tried."""
    judged = labels["model"]["elsewhere"]
    if judged is None:
        return f"This one was not tried on any, so take that score for the most that it does on {_elsewhere(skin)}."
    titles = {condition["key"]: condition["title"] for condition in labels["conditions"]}
    lacking = [titles[key] for key in judged["absent"]]
    return (
        f"On {judged['photos']} photos of the data called {judged['data']}, which share no file with the first "
        "collection (altered copies were not looked for), it was right for "
        f"{_share(judged['accuracy'], judged['accuracy_interval'])}"
        f"{f' ({listed(lacking)} not among them)' if lacking else ''}. Yours are from elsewhere, too."
    )


def _promise(labels: dict) -> str:
    promise = labels["promise"]
    target, photos = f"{percent(promise['target'])}\u00a0%", promise["photos"]
    if labels["threshold"] is not None:
        return (
            f"It answers where its calibrated probability is {percent(labels['threshold'])}\u00a0% or more, chosen so "
            f"that {target} of its answers are right: of its {promise['answered']} answers to {photos} validation "
            f"photos {promise['correct']} were. The share may be as low as {percent(promise['low'])}\u00a0% all the "
            "same (95\u00a0% interval), the more so because it was chosen on these very photos."
        )
    because = (
        f"there were only {photos}"
        if photos < LEAST_ANSWERED
        else f"no threshold that answers {LEAST_ANSWERED} or more of the {photos} validation photos made {target} of "
        "the answers right"
    )
    return (
        f'It promises nothing about its answers, so it says "I don\'t know" to every photo and shows its best guess: a '
        f"promise has to rest on {LEAST_ANSWERED} answered validation photos at least, and {because}."
    )


def _share(accuracy: float, interval: list[float]) -> str:
    right, low, high = (f"{percent(p)}\u00a0%" for p in (accuracy, *interval))
    return f"{right} (95\u00a0% interval {low} to {high})"
