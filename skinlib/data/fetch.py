"""Fetch the clinical photos, which are other people's, and check every file.

Introduced on the page of the data card.
"""

import sys
import tempfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pooch
from tqdm import tqdm

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.files import failures_of, put_folder
from skinlib.base.fingerprint import key_of
from skinlib.base.settings import home_expanded, load_settings
from skinlib.base.targets import end_of_links, is_free
from skinlib.data.clinical import ARCHIVE_URL, FILES_URL, KAGGLE_PAGE, MANIFEST, clinical_folder
from skinlib.data.conditions import UNPACKED

TIMEOUT = 30
"""Seconds to wait for a connection, and between two parts of an answer."""
TEMPORARY = ("tmp", ".tmp")
"""How the names begin of what a download that was killed has left."""
RETRIES = 3
"""How often a single file is asked for again, after 1, 2 and 3 seconds."""


def fetch(out: Path | None = None) -> Path:
    """Fetch the clinical photos into the folder ``out`` and return it. Each is checked against the shipped manifest.

    By default they go where ``SKINLIB_DATA=clinical`` looks for them; another ``out`` is then named by SKINLIB_DATA.
    They come from GitHub, at a pinned commit: most at once in its archive, a small rest file by file. Checked files
    gather in ``out`` + ".part" (where ``out`` is there and empty, in a folder of that name in it), which becomes
    ``out`` when it has all of them. After an interruption the next call goes on from there. Photos that are complete
    already cost no request. Of two calls at once the second waits.

    Raises InputError when ``out`` holds something else or can't be made, SkinlibError when GitHub does not have the
    rest or the disk no room for it.
    """
    settings = load_settings()
    out = home_expanded(out) if out else clinical_folder(settings)
    manifest = pd.read_csv(MANIFEST).set_index("path")
    with settings.store.claimed(out, key_of("fetch", list(manifest.sha256))):
        if not _is_complete(out, manifest):
            _fetch_into(out, manifest)
    return out


def _is_complete(out: Path, manifest: pd.DataFrame) -> bool:
    """Tell whether ``out`` has all photos. Raises InputError where it has something, and not all of them."""
    place = end_of_links(out)
    if isinstance(place, Path) and is_free(place, _part(place)):
        return False
    missing = _missing(out, manifest)
    if missing:
        raise InputError(
            f"{out}: is in use and lacks {len(missing)} of {len(manifest)} clinical photos, "
            f"such as {missing[0]!r}: choose another folder, or remove this one"
        )
    return True


def _part(place: Path) -> Path:
    """Return the folder where the photos gather, on the disk that they are for: a folder that is there stays."""
    return (place if place.is_dir() else place.parent) / f"{place.name}.part"


def _fetch_into(out: Path, manifest: pd.DataFrame) -> None:
    place = end_of_links(out)
    assert isinstance(place, Path), "what is no path is in use"
    part = _part(place)
    try:
        part.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{part}: cannot be made ({error.strerror}): choose another folder") from None
    _refuse_others(part, manifest)
    missing, problems = _missing(part, manifest), []
    ways = {"GitHub's archive": _from_archive, "GitHub's single files": _from_files}
    if len(missing) <= len(manifest) / 2:
        ways = dict(reversed(ways.items()))
    for name, way in ways.items():
        if missing:
            try:
                way(part, manifest.loc[missing])
            except Exception as error:  # each library has its own; whatever it was, the other way may do
                problems.append(f"{name}: {_in_words(error)}")
            missing = _missing(part, manifest)
    _sweep(part, manifest.index.difference(missing))
    if missing:
        if len(missing) == len(manifest):
            part.rmdir()
        raise SkinlibError(
            f"{part}: could not fetch {len(missing)} of {len(manifest)} clinical photos, such as {missing[0]!r} "
            f"({'; '.join(problems)}): "
            f"try again, which goes on from here, or unpack {KAGGLE_PAGE} by hand and set SKINLIB_DATA to the folder"
        )
    with failures_of(out):
        put_folder(part, place)


def _refuse_others(part: Path, manifest: pd.DataFrame) -> None:
    """Raise InputError where a folder that goes by the name of ours holds somebody else's files: nothing is removed."""
    ours = set(manifest.index) | {parent.as_posix() for path in manifest.index for parent in Path(path).parents}
    for path in sorted(part.rglob("*")):
        below = path.relative_to(part)
        if below.as_posix() not in ours and not any(name.startswith(TEMPORARY) for name in below.parts):
            raise InputError(f"{part}: holds other files, such as {below}: move them, or choose another folder")


def _missing(folder: Path, manifest: pd.DataFrame) -> list[str]:
    """Return the manifest's paths whose file in ``folder`` is absent or not the one that the manifest means."""
    return [path for path, sha256 in manifest.sha256.items() if _sha256(folder / path) != sha256]


def _sha256(file: Path) -> str | None:
    try:
        return pooch.file_hash(file)
    except OSError:  # it is not there, or can't be read
        return None


def _from_archive(part: Path, wanted: pd.DataFrame) -> None:
    """Download the archive and put those of the ``wanted`` files into ``part`` that it has in the right size.

    Only paths of the manifest are ever written, and no file larger than the manifest says: no archive can choose where
    its files go, or fill the disk.
    """
    with tempfile.TemporaryDirectory(dir=part) as scratch:
        file = pooch.retrieve(ARCHIVE_URL, None, path=scratch, downloader=_downloader(sys.stderr.isatty()))
        with zipfile.ZipFile(file) as archive:
            # GitHub puts everything into one folder, named after the repository and the commit.
            members = {member.filename.partition("/")[2]: member for member in archive.infolist()}
            for path, size in wanted.bytes.items():
                member = members.get(f"{UNPACKED[0]}/{path}")
                if member and member.file_size == size:
                    with suppress(zipfile.BadZipFile, zlib.error):  # one that is damaged may be had by itself
                        content = archive.read(member)
                        (part / path).parent.mkdir(parents=True, exist_ok=True)
                        (part / path).write_bytes(content)


def _from_files(part: Path, wanted: pd.DataFrame) -> None:
    """Download the ``wanted`` files one by one into ``part``, each whole and right or not at all.

    Raises what ``requests`` raises at once: where one request fails, so will the rest. Raises ValueError in the end if
    some files are not as they should be.
    """
    source = pooch.create(
        path=part,
        base_url=FILES_URL,
        registry={path: f"sha256:{sha256}" for path, sha256 in wanted.sha256.items()},
        urls={path: f"{FILES_URL}/{quote(path)}" for path in wanted.index},  # in a plain address "#" would end the path
        retry_if_failed=RETRIES,
    )
    wrong = 0
    for path in tqdm(wanted.index, "clinical photos", disable=None, leave=False):
        try:
            source.fetch(path, downloader=_downloader())
            (part / path).chmod(part.stat().st_mode & 0o666)  # a temporary file is its owner's alone
        except ValueError:
            wrong += 1
    if wrong:
        raise ValueError(f"{wrong} not as they should be")


def _downloader(progressbar: bool = False) -> pooch.HTTPDownloader:
    """Return what downloads a file in silence, but for a bar where asked for."""
    pooch.get_logger().setLevel("ERROR")
    return pooch.HTTPDownloader(progressbar=progressbar, chunk_size=2**16, timeout=TIMEOUT)


def _in_words(error: Exception) -> str:
    """Return a short line for an error of the network, of an archive, or of the disk."""
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


def _sweep(part: Path, right: pd.Index) -> None:
    """Remove all but the ``right`` files: what is wrong, and what an earlier run that was killed has left."""
    wanted = {part / path for path in right}
    wanted |= {parent for path in wanted for parent in path.parents}
    for path in sorted(part.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path not in wanted:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
