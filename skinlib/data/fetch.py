"""Fetch the clinical photos, which are other people's, and check every file.

Introduced on the page of the data card.
"""

from pathlib import Path
import os
import tempfile
import pandas as pd
import hashlib
from tqdm import tqdm
import contextlib
import functools
import io
import logging
import sys
import zipfile
from urllib.parse import quote

from skinlib.base.files import written_whole
from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.settings import Settings, load_settings
from skinlib.data.conditions import UNPACKED
from skinlib.data.folders import find_root


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


def clinical_folder(settings: Settings) -> Path:
    """Return the folder in which the clinical photos are looked for, and into which they are fetched by default."""
    return settings.cache / UNPACKED[0]


@functools.cache
def clinical_hashes() -> frozenset[str]:
    """Return the SHA-256 of every clinical photo: by them they are known, whatever their folder is called."""
    return frozenset(pd.read_csv(MANIFEST).sha256)


def fetch(out: Path | None = None) -> Path:
    """Fetch the clinical photos into the folder ``out`` and return it. Each is checked against the shipped manifest.

    By default they go where ``SKINLIB_DATA=clinical`` looks for them; another ``out`` is then named by SKINLIB_DATA.
    Kaggle is asked first, then GitHub for its archive at a pinned commit, then GitHub for single files. Checked files
    gather in ``out`` + ".part", which becomes ``out`` when it has all of them. After an interruption the next call
    goes on from there. Photos that are complete already cost no request.

    Raises InputError when ``out`` holds something else, SkinlibError when no source has the rest.
    """
    out = Path(out).expanduser() if out else clinical_folder(load_settings())
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
        root = find_root(Path(kagglehub.dataset_download(KAGGLE)))
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
