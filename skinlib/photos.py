"""Find, check, read and fetch photos. Its table, the *catalogue*, has one row per photo file.

Introduced in chapter 1, Data exploration; what reading does to the pixels is chapter 2's first section.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import sys
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
import PIL
from PIL import Image, ImageOps
from tqdm import tqdm

from skinlib import settings as settings_module
from skinlib import work
from skinlib.conditions import CONDITIONS, KEYS, SPLITS, by_folder
from skinlib.files import written_whole
from skinlib.settings import InputError, Settings, SkinlibError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")
"""What a photo may be stored as. Pillow knows dozens more that no camera writes, and each is code open to attack."""

PIXEL_LIMIT = 100_000_000
"""Pixels above which a photo isn't decoded. A few kilobytes can claim a picture that fills the memory."""

SCAN_LIMIT = 100
"""Scans above which a JPEG isn't decoded. Cameras write one, web sites about ten; thousands keep a decoder busy for a
minute."""

READER = 2
"""Version of :func:`decode`. Raise it when the pixels or the checks change: kept results are then made anew."""

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*", b"BM")
"""First bytes of the formats above, to tell a photo cut short in its header from something else."""

SCANS = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""How each scan of a JPEG begins: its length and the number of its components."""

SYSTEM_FILES = ("thumbs.db", "desktop.ini")
"""Files that an operating system leaves in folders of photos, in lower case. Others of that kind begin with a dot."""

UNPACKED = ("skin-disease-dataset", "skin-disease-datasaet")
"""Folders that the public archives unpack to (the second spelling is Kaggle's)."""

TIMEOUT = 30
"""Seconds to wait for a connection, and between two parts of an answer, when fetching."""

KAGGLE = "subirbiswas19/skin-disease-dataset"
KAGGLE_PAGE = f"https://www.kaggle.com/datasets/{KAGGLE}"
REPOSITORY = "SumeetSinghBhati/Skin-Disease-Classification-SpectraDerm"
COMMIT = "b7c97f0aab7fbea850fa4be02c720f299f33b3c3"
ARCHIVE_URL = f"https://github.com/{REPOSITORY}/archive/{COMMIT}.zip"
FILES_URL = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/{UNPACKED[0]}"
MANIFEST = Path(__file__).with_name("clinical_manifest.csv")
"""Path, bytes and SHA-256 of every clinical photo."""

PHOTO_COLUMNS = (
    "path", "condition", "group", "split", "sha256", "bytes", "format", "width", "height", "photo_id",
)  # fmt: skip


# ---------------------------------------------------------------- reading one photo


class PhotoError(InputError):
    """A photo that can't be used. ``path`` says which, ``reason`` why, in a few words."""

    def __init__(self, path, reason: str, remedy: str = "leave it out, or save it anew as JPEG or PNG"):
        self.path = str(path)
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{printable(self.path)}: {reason}: {remedy}")

    def __reduce__(self):
        """Be made anew from the three parts in another process: an error's own way hands over the line alone."""
        return type(self), (self.path, self.reason, self.remedy)


def printable(name: str) -> str:
    """Return a file's name for a line of text: line breaks, a terminal's commands and the like become "?".

    Strangers choose the names of their files, and one name may be meant to write over what was said of another.
    """
    return "".join(character if character.isprintable() else "?" for character in name)


def read(path, pixel_limit: int | None = None) -> np.ndarray:
    """Read the photo at ``path`` as uint8 (height, width, 3), RGB, 0 to 255. See :func:`decode`.

    Raises PhotoError when there is no such file or it can't be decoded.
    """
    return decode(_read_bytes(Path(path)), path, pixel_limit)


def decode(data: bytes, name="photo", pixel_limit: int | None = None) -> np.ndarray:
    """Decode an image file's bytes to uint8 (height, width, 3), RGB, 0 to 255.

    The content decides the format, never the name. EXIF orientation is applied; transparency is laid over white;
    16-bit channels keep their high byte; of an animation the first frame counts. Colour profiles are not applied,
    as in OpenCV and TensorFlow, so CMYK comes out as its plain complement.

    Raises PhotoError, with ``name`` as its path, when the bytes are no photo, are cut short or damaged, claim more than
    ``pixel_limit`` pixels (by default PIXEL_LIMIT), or are a JPEG of more than SCAN_LIMIT scans. A flipped bit inside
    the pixel data of a JPEG can't be noticed: the format has no checksum.
    """
    with _pillow_quiet():
        return _decode(data, name, pixel_limit)[0]


def _decode(data: bytes, name, pixel_limit: int | None = None) -> tuple[np.ndarray, str]:
    """Return (pixels as :func:`decode` gives them, name of the format)."""
    if not data:
        raise PhotoError(name, "empty file")
    pixel_limit = PIXEL_LIMIT if pixel_limit is None else pixel_limit
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > pixel_limit:
            raise Image.DecompressionBombError
        if image.format in ("JPEG", "MPO") and len(SCANS.findall(data)) > SCAN_LIMIT:
            raise PhotoError(name, f"a JPEG of more than {SCAN_LIMIT} scans", "leave it out, or save it anew")
        # Two phone photos in one file are a JPEG to everyone but Pillow.
        kind = "JPEG" if image.format == "MPO" else image.format
        return _to_rgb(image, name), kind
    except PhotoError:
        raise
    except Image.DecompressionBombError:
        limit = f"{pixel_limit // 10**6} million"
        raise PhotoError(name, f"too many pixels, more than {limit}", "leave it out, or make it smaller") from None
    except PIL.UnidentifiedImageError:
        known = data.startswith(SIGNATURES) or data[4:12] == b"ftypavif"
        raise PhotoError(name, "truncated or damaged" if known else "not an image in a format we read") from None
    except MemoryError:
        raise PhotoError(name, "does not fit into memory") from None
    except Exception:  # Pillow's decoders raise nearly every built-in exception on damaged bytes
        raise PhotoError(name, "truncated or damaged") from None


def _to_rgb(image: Image.Image, name) -> np.ndarray:
    """Decode an opened image to uint8 (height, width, 3), upright, RGB, over white."""
    image.load()
    # A damaged EXIF block says nothing about the pixels: such a photo stays as it is stored.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in ("I", "F"):
        raise PhotoError(name, "32-bit pixels, whose range is unknown")
    if image.mode.startswith("I;16"):
        # Pillow would clip these at 255. The high byte is what it takes of 16-bit colour, too.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    return np.array(image.convert("RGB"))


@contextlib.contextmanager
def _pillow_quiet():
    """Keep Pillow's warnings off the page: large photos we check ourselves, the others are about metadata."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        yield


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PhotoError(path, "no such file", "check the path") from None
    except OSError as error:
        raise PhotoError(path, f"cannot be opened ({error.strerror})", "check the path and its permissions") from None


# ---------------------------------------------------------------- the catalogue


def catalogue(root, cache: Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the photos below ``root/train_set`` and ``root/test_set``, each decoded once to see that it is whole.

    Returns two tables:

    - photos, one row per file: path (relative to ``root``, with "/"), condition (key), group, split ("train" or
      "test"), sha256 and bytes of the file, format, width and height (pixels, upright) and photo_id (the first 16
      digits of sha256: byte-identical files share it). Train first, then by condition and path.
    - left_out: path and reason of every other file there, and of condition folders without a photo.

    What decoding found is kept in ``cache`` (by default the cache of :func:`skinlib.settings.load`) under the sha256
    of the content, so a second call only reads and hashes. Raises InputError when ``root`` or one of its two splits
    is missing or holds no photo.
    """
    root = Path(root)
    for folder in SPLITS.values():
        if not (root / folder).is_dir():
            raise InputError(_wrong_folder(root, f"has no folder {folder}/" if root.is_dir() else "no such folder"))

    files, left_out = _list_files(root)
    kept = Path(cache or settings_module.load().cache) / "photos" / f"decoded-{READER}-pillow-{PIL.__version__}.json"
    before = _load_known(kept)
    known = dict(before)
    rows = []
    with _pillow_quiet():
        checked = work.threads(lambda: lambda file: _inspect(root, file, known), files)
        for path, result in zip(files, tqdm(checked, "photos", len(files), disable=None, leave=False), strict=True):
            if isinstance(result, str):
                left_out.append((path, result))
            else:
                rows.append(result)
    if known != before:
        _save_known(kept, known)

    photos = pd.DataFrame(rows, columns=PHOTO_COLUMNS)
    for split, folder in SPLITS.items():
        present = set(photos.loc[photos["split"] == split, "condition"])
        if not present:
            raise InputError(_wrong_folder(root, f"{folder}/ holds no photo that can be read"))
        left_out += [_absent_folder(root, folder, c) for c in CONDITIONS if c.key not in present]

    order = {key: i for i, key in enumerate((*SPLITS, *KEYS))}
    photos = photos.sort_values(
        ["split", "condition", "path"], key=lambda column: column.map(order) if column.name != "path" else column
    )
    left_out = sorted(left_out, key=lambda row: (not row[0].startswith(SPLITS["train"]), row[0]))
    return photos.reset_index(drop=True), pd.DataFrame(left_out, columns=["path", "reason"], dtype=str)


def _wrong_folder(root: Path, problem: str) -> str:
    return (
        f"{root}: {problem}: expected train_set/ and test_set/, each with the eight folders "
        f"{', '.join(repr(c.folder) for c in CONDITIONS)}; see README"
    )


def _absent_folder(root: Path, split_folder: str, condition) -> tuple[str, str]:
    there = any(by_folder(entry.name) == condition for entry in (root / split_folder).iterdir() if entry.is_dir())
    return f"{split_folder}/{condition.folder}", "no photo in this folder" if there else "no such folder"


def _list_files(root: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return (relative paths of the files that may be photos, [(path, reason)] of the others)."""
    files, left_out = [], []

    def unreadable(error):
        left_out.append((Path(error.filename).relative_to(root).as_posix(), f"cannot be opened ({error.strerror})"))

    for split_folder in SPLITS.values():
        for folder, subfolders, names in os.walk(root / split_folder, onerror=unreadable):
            for name in names + [sub for sub in subfolders if os.path.islink(os.path.join(folder, sub))]:
                path = Path(folder, name)
                relative = path.relative_to(root).as_posix()
                reason = _why_not(root, path)
                if reason:
                    # A name that isn't valid text would break every table and file written later.
                    left_out.append((relative.encode(errors="replace").decode(), reason))
                else:
                    files.append(relative)
    return files, left_out


def _why_not(root: Path, path: Path) -> str:
    """Say why the file at ``path`` can't be a photo of the data set, judged by its place and name; "" if it may be."""
    _, *folders, name = path.relative_to(root).parts
    if any(part.startswith(".") for part in (*folders, name)):
        return "hidden file"
    if name.lower() in SYSTEM_FILES:
        return "left by the operating system"
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return "its name is not valid text"
    if path.is_symlink():
        if not path.exists():
            return "a link that leads nowhere"
        if not path.resolve().is_relative_to(root.resolve()):
            return "a link that leads out of the folder"
        if path.is_dir():
            return "a link to a folder"
    if not path.is_file():
        return "not a file"
    if not folders:
        return "not in a condition's folder"
    if by_folder(folders[0]) is None:
        return f"unknown folder {folders[0]!r}"
    return "in a folder within a condition's folder" if len(folders) > 1 else ""


def _inspect(root: Path, path: str, known: dict) -> tuple | str:
    """Return the catalogue's row of one file, or the reason to leave it out. Adds what it learns to ``known``."""
    try:
        data = _read_bytes(root / path)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in known:
            photo, kind = _decode(data, path)
            known[sha256] = [kind, photo.shape[1], photo.shape[0]]
    except PhotoError as error:
        return error.reason
    kind, width, height = known[sha256]
    split_folder, folder, _ = path.split("/")
    condition = by_folder(folder)
    split = next(split for split, name in SPLITS.items() if name == split_folder)
    # As PHOTO_COLUMNS has them.
    return path, condition.key, condition.group, split, sha256, len(data), kind, width, height, sha256[:16]


def _load_known(file: Path) -> dict:
    """Return {sha256: [format, width, height]} of contents decoded before. A file we can't use counts as empty."""
    try:
        known = json.loads(file.read_text())
        return {sha256: [str(kind), int(width), int(height)] for sha256, (kind, width, height) in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _save_known(file: Path, known: dict) -> None:
    # Another process may have written meanwhile: keep what it found. A cache that can't be written only costs time.
    with contextlib.suppress(OSError), written_whole(file) as draft:
        draft.write_text(json.dumps(_load_known(file) | known))


# ---------------------------------------------------------------- the data of a run


@dataclass(frozen=True, eq=False)
class DataSet:
    """A folder of photos with its catalogue. Use :func:`open_data` to make one."""

    name: str
    """"sample", "clinical", or the name of the folder."""
    root: Path
    photos: pd.DataFrame
    """One row per photo; see :func:`catalogue`."""
    left_out: pd.DataFrame
    """The files that are no usable photos: path and reason."""
    fingerprint: str
    """64 hex digits over path and content of every photo: two runs with the same one saw the same data."""
    truth: pd.DataFrame | None
    """What the simulation planted (see :mod:`skinlib.simulate`), or None where nobody knows."""
    cache: Path
    """Folder for what is computed from these photos."""

    @property
    def damaged(self) -> pd.DataFrame:
        """The rows of ``left_out`` that should be photos by place and name, and whose content can't be read."""
        files = [
            (self.root / path).is_file() and not _why_not(self.root, self.root / path) for path in self.left_out.path
        ]
        return self.left_out[np.array(files, dtype=bool)].reset_index(drop=True)

    def path(self, row_path: str) -> Path:
        """Return the file of a row of ``photos``, given its path there."""
        return self.root / row_path

    def read(self, row_path: str) -> np.ndarray:
        """Return the photo as uint8 (height, width, 3), RGB. Raises PhotoError."""
        return read(self.path(row_path))

    def mask(self, row_path: str) -> np.ndarray | None:
        """Return the lesion mask, bool (height, width), True on the lesion; None where there is none."""
        if self.truth is None:
            return None
        mask = self.truth.loc[self.truth["path"] == row_path, "mask"]
        if mask.empty or not mask.iloc[0]:
            return None
        return read(self.path(mask.iloc[0]))[..., 0] > 127

    def counts(self) -> pd.DataFrame:
        """Return the number of photos: one row per condition key, one column per split, in their usual order."""
        table = pd.crosstab(self.photos["condition"], self.photos["split"])
        return table.reindex(index=list(KEYS), columns=list(SPLITS), fill_value=0)


def open_data(settings: Settings | None = None) -> DataSet:
    """Open the data that ``settings`` choose (by default those of :func:`skinlib.settings.load`).

    ``settings.data`` is "sample" (drawn on first use), "clinical" (fetched before), or a folder: the one that holds
    ``train_set`` and ``test_set``, or its parent as the public archives unpack. Raises InputError otherwise.
    """
    settings = settings or settings_module.load()
    if settings.data == "sample":
        from skinlib import simulate

        root = simulate.sample_folder(settings)
    elif settings.data == "clinical":
        root = settings.cache / UNPACKED[0]
        if not root.is_dir():
            raise InputError(
                f"{root}: the clinical photos are not here yet: run `python -m skinlib fetch`, "
                "or set SKINLIB_DATA to a folder that holds them"
            )
    else:
        root = _find_root(Path(settings.data).expanduser())

    photos, left_out = catalogue(root, settings.cache)
    truth = root / "truth.csv"
    return DataSet(
        name=settings.data if settings.data in ("sample", "clinical") else root.resolve().name,
        root=root,
        photos=photos,
        left_out=left_out,
        fingerprint=_fingerprint(photos),
        truth=pd.read_csv(truth, keep_default_na=False) if truth.is_file() else None,
        cache=settings.cache,
    )


def _find_root(folder: Path) -> Path:
    """Return ``folder``, or the one below it that the public archives unpack to."""
    candidates = [folder, *(folder / name for name in UNPACKED)]
    whole = [c for c in candidates if all((c / split_folder).is_dir() for split_folder in SPLITS.values())]
    return whole[0] if whole else folder


def _fingerprint(photos: pd.DataFrame) -> str:
    """Return sha256, 64 hex digits, over the rows' sha256 and path."""
    rows = "".join(f"{row.sha256}  {row.path}\n" for row in photos.itertuples())
    return hashlib.sha256(rows.encode()).hexdigest()


# ---------------------------------------------------------------- fetching the clinical photos


def fetch(out: Path | None = None) -> Path:
    """Fetch the clinical photos into the folder ``out`` and return it. Each is checked against the shipped manifest.

    By default they go where ``SKINLIB_DATA=clinical`` looks for them; another ``out`` is then named by SKINLIB_DATA.
    Kaggle is asked first, then GitHub for its archive at a pinned commit, then GitHub for single files. Checked files
    gather in ``out`` + ".part", which becomes ``out`` when it has all of them. After an interruption the next call
    goes on from there. Photos that are complete already cost no request.

    Raises InputError when ``out`` holds something else, SkinlibError when no source has the rest.
    """
    out = Path(out).expanduser() if out else settings_module.load().cache / UNPACKED[0]
    manifest = {row.path: (row.bytes, row.sha256) for row in pd.read_csv(MANIFEST).itertuples()}
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        if missing := _missing(out, manifest):
            raise InputError(
                f"{out}: is in use and lacks {len(missing)} of {len(manifest)} clinical photos, "
                f"such as {missing[0]!r}: choose another folder, or remove this one"
            )
        return out

    part = out.with_name(f"{out.name}.part")
    try:
        part.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{part}: cannot be made ({error.strerror}): choose another folder") from None
    sources = {"Kaggle": _kaggle, "GitHub's archive": _github_archive, "GitHub's single files": _github_files}
    if len(_missing(part, manifest)) < len(manifest):
        # Both others bring everything or nothing: single files are the short way to a small rest.
        sources = dict(sorted(sources.items(), key=lambda item: item[1] is not _github_files))
    problems = []
    for name, source in sources.items():
        missing = _missing(part, manifest)
        if missing:
            try:
                with tempfile.TemporaryDirectory(dir=part) as scratch:
                    _take(source(Path(scratch), manifest), part, manifest, missing)
            except Exception as error:  # each library has its own; whatever it was, the next source may do
                problems.append(f"{name}: {_in_words(error)}")
    missing = _missing(part, manifest)
    if missing:
        _sweep(part, {path: manifest[path] for path in manifest if path not in missing})
        if len(missing) == len(manifest):
            part.rmdir()
        raise SkinlibError(
            f"could not fetch {len(missing)} of {len(manifest)} clinical photos ({'; '.join(problems)}): "
            f"try again, which goes on from here, or unpack {KAGGLE_PAGE} by hand and set SKINLIB_DATA to the folder"
        )
    _sweep(part, manifest)
    if out.is_dir():
        out.rmdir()
    os.replace(part, out)
    return out


def _missing(folder: Path, manifest: dict) -> list[str]:
    """Return the manifest's paths whose file in ``folder`` is absent or not the one that the manifest means."""
    return [path for path in manifest if not _is_right(_bytes_or_none(folder / path), manifest[path])]


def _is_right(data: bytes | None, expected: tuple[int, str]) -> bool:
    return data is not None and (len(data), hashlib.sha256(data).hexdigest()) == expected


def _bytes_or_none(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _take(get, part: Path, manifest: dict, missing: list[str]) -> None:
    """Put the ``missing`` files into ``part``: those that ``get(path)`` gives as the manifest means them.

    Only paths of the manifest are ever written, so no archive can choose where its files go. Raises SkinlibError in
    the end if some could not be had, and at once what ``requests`` raises: where one request fails, so will the rest.
    """
    import requests

    wrong = []
    for path in tqdm(missing, "clinical photos", disable=None, leave=False):
        try:
            data = get(path)
        except requests.RequestException:
            raise
        except Exception:  # a file that is absent or damaged in the archive
            data = None
        if _is_right(data, manifest[path]):
            with written_whole(part / path) as draft:
                draft.write_bytes(data)
        else:
            wrong.append(path)
    if wrong:
        raise SkinlibError(f"{len(wrong)} files are absent or not as they should be, such as {wrong[0]!r}")


def _kaggle(scratch: Path, manifest: dict):
    """Return the function that gives a file's bytes from Kaggle's copy, which kagglehub downloads and keeps."""
    import kagglehub
    import requests

    requests.head(KAGGLE_PAGE, timeout=TIMEOUT)  # kagglehub's first request has no time limit of its own
    logging.getLogger("kagglehub").setLevel(logging.ERROR)
    chatter = sys.stderr if sys.stderr.isatty() else io.StringIO()  # standard output is for results
    with contextlib.redirect_stdout(chatter), contextlib.redirect_stderr(chatter):
        root = _find_root(Path(kagglehub.dataset_download(KAGGLE)))
    return lambda path: (root / path).read_bytes()


def _github_archive(scratch: Path, manifest: dict):
    """Return the function that gives a file's bytes from the archive of the pinned commit."""
    archive = zipfile.ZipFile(io.BytesIO(_retrieve(ARCHIVE_URL, None, scratch).read_bytes()))
    # GitHub puts everything into one folder, named after the repository and the commit.
    members = {member.filename.partition("/")[2]: member for member in archive.infolist()}

    def get(path: str) -> bytes:
        member = members[f"{UNPACKED[0]}/{path}"]
        if member.file_size != manifest[path][0]:
            raise SkinlibError("another size")  # don't unpack what may be made to fill the memory
        return archive.read(member)

    return get


def _github_files(scratch: Path, manifest: dict):
    """Return the function that downloads one file and gives its bytes."""
    return lambda path: _retrieve(f"{FILES_URL}/{quote(path)}", manifest[path][1], scratch).read_bytes()


def _retrieve(url: str, sha256: str | None, folder: Path) -> Path:
    """Download ``url`` into ``folder``. Raises requests.RequestException, or ValueError for another sha256."""
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)
    bar = sha256 is None and sys.stderr.isatty()
    downloader = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**16, timeout=TIMEOUT)
    return Path(pooch.retrieve(url, sha256 and f"sha256:{sha256}", path=folder, downloader=downloader))


def _in_words(error: Exception) -> str:
    """Return a short line for an error of the network or of an archive."""
    import requests

    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer within {TIMEOUT} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the download broke off"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, zipfile.BadZipFile):
        return "not a whole zip archive"
    return " ".join(str(error).split())[:200] or type(error).__name__


def _sweep(part: Path, manifest: dict) -> None:
    """Remove what an earlier run that was killed may have left among the photos."""
    wanted = {part / path for path in manifest}
    wanted |= {parent for path in wanted for parent in path.parents}
    for path in sorted(part.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path not in wanted:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
