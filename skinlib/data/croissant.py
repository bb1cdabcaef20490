"""Describe a data set to machines: Croissant, JSON-LD that data catalogues and loaders read (Akhtar and others, 2024).

The description lists every file with its size and SHA-256, says what each record holds, and answers the questions of
the *RAI* vocabulary (responsible AI): how the data came about, whom it shows, where it is known to be wrong. What we
don't know, it says we don't know. Introduced on the page of the data card.
"""

import glob
import hashlib
import json
from pathlib import Path
from urllib.parse import quote

import pandas as pd

import skinlib
from skinlib.base.files import written_whole
from skinlib.data.clinical import COMMIT, FILES_URL, KAGGLE_PAGE, MANIFEST, REPOSITORY
from skinlib.data.conditions import UNPACKED
from skinlib.data.dataset import DataSet
from skinlib.data.splits import check_audited
from skinlib.data.unseen import in_words

RELEASED = "2026-11-24"
"""Day on which this version of the book, and of what it draws, was released."""

CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {
    term: f"cr:{term}"
    for term in (
        "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
        "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references",
        "regex", "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
    )
}  # fmt: skip
"""What the short names mean, as Croissant 1.0 fixes it."""

DESCRIBED_COLUMNS = {
    "path": ("sc:Text", "place in the folder, with /"),
    "condition": (["sc:Text", "cr:Label"], "the class whose folder it lies in: a label, which nobody here has checked"),
    "group": ("sc:Text", "what the class belongs to, such as the cause of a disease; empty where nobody said"),
    "split": ("sc:Text", "train, validation or test, as the data set itself divides them; train where it does not"),
    "photo_id": ("sc:Text", "shared by the files that are known to show one photo"),
    "sha256": ("sc:Text", "of the file's bytes"),
    "width": ("sc:Integer", "pixels, upright"),
    "height": ("sc:Integer", "pixels, upright"),
}  # fmt: skip
"""Type and meaning of each column of the record set "catalogue"."""

TRUTH_TYPES = {"tone": "sc:Integer", "watermark": "sc:Boolean", "mislabelled": "sc:Boolean"}
"""Types of the columns of truth.csv that are no text."""

CLINICAL_REPOSITORY_PAGE = f"https://github.com/{REPOSITORY}/tree/{COMMIT}/{UNPACKED[0]}"

SAMPLE = {
    "name": "Simulated photos of eight skin conditions",
    "description": "Drawings by a program in the shape of a public collection of clinical photos, with its faults "
    "planted and written down: copies on both sides of the split, wrong labels, a watermark, damaged files. "
    "No person was photographed.",
    "license": "https://creativecommons.org/licenses/by/4.0/",
    "creator": {"@type": "sc:Organization", "name": 'The authors of "What is a score worth?"'},
    "datePublished": RELEASED,
    "citeAs": "@misc{what_is_a_score_worth, title={What is a score worth? Classifying medical photos, and checking "
    'the claim}, author={{The authors of "What is a score worth?"}}, year={2026}}',
    "rai:dataCollection": "Drawn by a program with OpenCV and NumPy: the code and the seed decide every byte.",
    "rai:dataAnnotationProtocol": "The program writes down what it drew: the condition, the skin tone on the Monk "
    "scale, a mask of the lesion, and every planted fault. Some files lie in a wrong folder on purpose.",
    "rai:dataBiases": [
        "Drawn by people who are not dermatologists: their idea of how each condition looks on each skin tone."
    ],
    "rai:dataLimitations": ["It shows how a data set can be faulty, not what a disease looks like."],
    "rai:dataUseCases": "To learn how to look at a data set, and to check whether a method finds what was planted. "
    "Not to learn diagnosis, nor to train anything that people will use.",
    "rai:personalSensitiveInformation": "None: nobody is shown.",
    "rai:dataSocialImpact": "A model that does well on drawings has shown nothing about people.",
}

CLINICAL = {
    "name": "Skin-Disease-Dataset",
    "description": "Clinical photos of eight skin conditions: a public collection, described here by the name, size "
    "and SHA-256 of each file. Fetched from its sources; not passed on.",
    "url": KAGGLE_PAGE,
    "sameAs": CLINICAL_REPOSITORY_PAGE,
    "license": "Unknown: we know of no licence that lets anybody pass the photos on.",
    "creator": {"@type": "sc:Person", "name": "Unknown"},
    "publisher": {"@type": "sc:Person", "name": "subirbiswas19, on Kaggle", "url": KAGGLE_PAGE},
    "citeAs": f"@misc{{skin_disease_dataset, title={{Skin-Disease-Dataset}}, author={{subirbiswas19}}, "
    f"howpublished={{Kaggle}}, url={{{KAGGLE_PAGE}}}}}",
    "rai:dataCollection": "Unknown: who took the photos, where, when, and with which cameras. They seem to have been "
    "gathered from web sites, since many carry the watermark or logo of one.",
    "rai:dataAnnotationProtocol": "Unknown: who made each diagnosis, and how. The label is the folder.",
    "rai:dataBiases": [
        "Skin tone, age, sex and place are not recorded: nobody can say who is missing.",
        "Watermarks and logos may go with a condition.",
    ],
    "rai:dataLimitations": ["Most files are copies of others: flipped, turned, cropped or saved again."],
    "rai:dataUseCases": "To learn from on one's own machine. Not to train anything that people will use.",
    "rai:personalSensitiveInformation": "Photos of people's skin, with a diagnosis: information about their health. "
    "Whether they agreed is unknown. Try to identify nobody.",
    "rai:dataSocialImpact": "Scores on its test files were taken for skill in diagnosis, though most of them copy a "
    "training file.",
}  # fmt: skip


def describe(data: DataSet) -> dict:
    """Return the Croissant description of a data set, ready for JSON.

    It has three record sets: "catalogue", a row per file, whose rows the description itself holds; "images", the same
    rows with their pixels, for those who have the files; and, where something was planted, "truth". Addresses of files
    are relative to the folder of the photos, except for clinical photos in their usual places, whose files lie at a
    public address. Raises InputError where nobody has looked for copies: pass what
    :func:`skinlib.audit.copies.identified` returns.
    """
    check_audited(data.photos)
    described = {"drawn": SAMPLE, "clinical": CLINICAL}.get(data.kind, _own(data))
    described = described | {
        "rai:dataBiases": [*described.get("rai:dataBiases", []), *_one_size(data)],
        "rai:dataLimitations": [*described.get("rai:dataLimitations", []), *_left_out(data), _leak(data.photos)],
    }
    manifest = pd.read_csv(MANIFEST)
    published = set(zip(manifest.path, manifest.sha256, strict=True))
    files = [
        _file(number, row, (row.path, row.sha256) in published) for number, row in enumerate(data.photos.itertuples())
    ]
    record_sets = [_catalogue(data.photos), _images()]
    if data.truth is not None:
        files.append(_truth_file(data.root / "truth.csv"))
        record_sets.append(_truth(data.truth))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        **described,
        # Nobody numbers these data: the fingerprint after the plus is what tells one version from another.
        "version": f"{'1.0.0' if data.truth is None else skinlib.__version__}+{data.fingerprint[:12]}",
        "isLiveDataset": False,
        "keywords": [*(["dermatology", "skin"] if data.kind != "own" else []), "image classification", "data leakage"],
        "distribution": [*files, _file_set(data.photos)],
        "recordSet": record_sets,
    }


def write(data: DataSet, out: Path) -> None:
    """Write the description to the file ``out``. Readers look for the photos beside it, so their folder suits best."""
    with written_whole(out) as draft:
        draft.write_text(json.dumps(describe(data), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _own(data: DataSet) -> dict:
    """Say what is known of somebody's own photos: next to nothing."""
    titles = ", ".join(one.title for one in data.classes)
    return {
        "name": data.name,
        "description": f"Photos of {len(data.classes)} classes: {titles}.",
        "license": "Unknown to the program that wrote this.",
    }


def _one_size(data: DataSet) -> list[str]:
    """Name the classes all of whose files have one size, and say how many other files have it."""
    sentences, photos = [], data.photos
    for key, files in photos.groupby("condition", sort=False):
        width, height = files.width.iloc[0], files.height.iloc[0]
        has_size = (photos.width == width) & (photos.height == height)
        if has_size[files.index].all():
            others = int(has_size.sum()) - len(files)
            sentences.append(
                f"All {len(files)} files of {data.classes[key].title.lower()} have {width} × {height} pixels, as have "
                f"{others} of the {len(photos) - len(files)} others: size may give the class away."
            )
    return sentences


def _leak(photos: pd.DataFrame) -> str:
    test = photos[photos.split == "test"]
    leaked = int(test.photo_id.isin(photos.photo_id[photos.split == "train"]).sum())
    leak = f", and {leaked} of {len(test)} test files show one that is also among the training files"
    return (
        f"By photo_id, {len(photos)} files show {photos.photo_id.nunique()} photos{leak if len(test) else ''}. "
        "Keep each photo_id on one side of a split."
    )


def _left_out(data: DataSet) -> list[str]:
    words = in_words(data.missed)
    return [f"Of what lies in the folder, {words}. It is not described here."] if words else []


def _file(number: int, row, published: bool) -> dict:
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{number}",  # the names hold spaces, which an @id must not
        "name": row.path.rpartition("/")[2],
        "contentUrl": f"{FILES_URL}/{quote(row.path)}" if published else row.path,
        "contentSize": f"{row.bytes} B",
        "encodingFormat": f"image/{row.format.lower()}",
        "sha256": row.sha256,
    }


def _file_set(photos: pd.DataFrame) -> dict:
    return {
        "@type": "cr:FileSet",
        "@id": "files",
        "name": "files",
        "description": "The files that can be read, as they lie in the folder.",
        "encodingFormat": [f"image/{format.lower()}" for format in photos.format.unique()],
        # One by one: a pattern for the whole folder would take in damaged files.
        "includes": [glob.escape(path) for path in photos.path],
    }


def _field(record_set: str, name: str, data_type, **more) -> dict:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "dataType": data_type, **more}


def _catalogue(photos: pd.DataFrame) -> dict:
    rows = photos[list(DESCRIBED_COLUMNS)].rename(columns=lambda name: f"catalogue/{name}")
    return {
        "@type": "cr:RecordSet",
        "@id": "catalogue",
        "name": "catalogue",
        "description": "One row per file.",
        "key": {"@id": "catalogue/path"},
        "field": [
            _field("catalogue", name, kind, description=text) for name, (kind, text) in DESCRIBED_COLUMNS.items()
        ],
        "data": json.loads(rows.to_json(orient="records")),  # plain numbers, as JSON has them
    }


def _images() -> dict:
    path = {"fileSet": {"@id": "files"}, "extract": {"fileProperty": "fullpath"}, "transform": {"regex": "(.*)"}}
    content = {"fileSet": {"@id": "files"}, "extract": {"fileProperty": "content"}}
    other = [name for name in DESCRIBED_COLUMNS if name != "path"]
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "The photos with their rows of the catalogue. Loading it needs the files.",
        "field": [
            _field("images", "path", "sc:Text", source=path, references={"field": {"@id": "catalogue/path"}}),
            _field("images", "image", "sc:ImageObject", source=content),
            *(
                _field("images", name, DESCRIBED_COLUMNS[name][0], source={"field": {"@id": f"catalogue/{name}"}})
                for name in other
            ),
        ],
    }


def _truth_file(path: Path) -> dict:
    content = path.read_bytes()
    return {
        "@type": "cr:FileObject",
        "@id": "truth.csv",
        "name": "truth.csv",
        "description": "What the simulation planted: for checking a method, never for training one.",
        "contentUrl": "truth.csv",
        "contentSize": f"{len(content)} B",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _truth(truth: pd.DataFrame) -> dict:
    return {
        "@type": "cr:RecordSet",
        "@id": "truth",
        "name": "truth",
        "description": "One row per file, damaged ones too: what it shows, and which faults were planted in it.",
        "key": {"@id": "truth/path"},
        "field": [
            _field(
                "truth",
                name,
                TRUTH_TYPES.get(name, "sc:Text"),
                source={"fileObject": {"@id": "truth.csv"}, "extract": {"column": name}},
            )
            for name in truth.columns
        ],
    }
