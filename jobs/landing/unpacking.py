"""Reads landing files through their packing, and unpacks those that Spark would read wrongly.

Spark unpacks by the ending of a name alone. A file whose first bytes say another packing than its
name, or a zip archive, is copied, unpacked, into a folder of the lake; its copy is read instead.
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

import pyarrow as pa

from infra.errors import InputError
from infra.settings import Settings
from infra.storage import Storage
from infra.stores.opening import open_store
from jobs.landing.first_bytes import packing_of
from jobs.landing.landing_folder import UNPACKED, Landed, LandedFile

START = 131_072  # bytes: far more than any header, far less than a file
MOST_TIMES, ALWAYS_FINE = 500, 64 * 1024**2  # unpacked: so many times its bytes, or so many bytes
_COPIES = "copies"
_BY_NAME = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2"}  # what Spark unpacks as it should
_OF_HADOOP = {".gzip", ".bzip2", ".zstd", ".lz4", ".snappy", ".deflate"}  # it may, or may not
_BROKEN = (
    *(OSError, EOFError, zlib.error, pa.ArrowException, BadZipFile, NotImplementedError),
    ValueError,  # a name within an archive that is no text
)
_HEADER = 65_536  # bytes of unpacked content that are looked at
_PIECE = 1024**2
# files to copy, by name: what becomes of their content, None if nothing does
Wanted = Mapping[str, Callable[[bytes], bytes] | None]


@dataclass(frozen=True)
class Content:
    """How a landing file begins.

    Attributes
    ----------
    packing : str
        As `packing_of` says it.
    starts : tuple of (str, bytes)
        The first unpacked bytes of each file within it; the name is that within an archive.
    """

    packing: str
    starts: tuple[tuple[str, bytes], ...]


def content_of(address: str, settings: Settings) -> Content:
    """Look into a file through its packing.

    Raises
    ------
    InputError
        It cannot be unpacked, is an archive of nothing, or unpacks to far more than it should.
    """
    try:
        with opened(address, settings) as stream:
            start = stream.read(START)
            packing = packing_of(start)
            if not packing:
                return Content("", (("", start),))
            if packing == "zip":
                stream.seek(0)
                return Content(packing, tuple(_starts(stream, address)))
            # of the whole file: bzip2 gives nothing before the end of a block of 900 kB
            _require_no_bomb(start, packing, address)
            stream.seek(0)
            return Content(packing, (("", _unpacking(stream, packing).read(_HEADER)),))
    except _BROKEN as error:
        raise _cannot_be_read(address, error) from None


def needs_copy(address: str, packing: str) -> bool:
    """Tell a file that Spark, which goes by the name, would unpack wrongly or not at all."""
    ending = Path(address).suffix.lower()
    return ending in _OF_HADOOP or packing != _BY_NAME.get(ending, "")


def with_copies(files: Landed, wanted: Wanted, storage: Storage, key: str) -> Landed:
    """Unpack those of the files that are wanted below a key of the lake, and rewrite some.

    Raises
    ------
    InputError
        A file cannot be unpacked, or unpacks to more than a batch may hold.
    """
    wanted = {name: rewrite for name, rewrite in wanted.items() if name in files}
    if not wanted:
        return files
    with storage.scratch() as folder:
        for name in sorted(wanted):
            target = folder / f"{name}{UNPACKED}"
            target.parent.mkdir(parents=True, exist_ok=True)
            _unpack(files[name], target, storage.settings)
            if rewrite := wanted[name]:
                target.write_bytes(rewrite(target.read_bytes()))
        storage.lake.store.put_folder(folder, f"{key}/{_COPIES}")
    root = storage.lake.address(key, _COPIES)
    copies = {
        name: replace(files[name], copy=f"{root}/{name}{UNPACKED}", joined=wanted[name] is not None)
        for name in wanted
    }
    return {**files, **copies}


def whole_content(address: str, settings: Settings, most: int) -> bytes | None:
    """Return all that a file holds, unpacked; None if that is more than some bytes."""
    content = b""
    try:
        with opened(address, settings) as stream:
            packing = packing_of(stream.read(START))
            stream.seek(0)
            for _, member in _members(stream, packing, address):
                if content and not content.endswith(b"\n"):
                    content += b"\n"  # as in the copy
                content += member.read(max(1, most + 1 - len(content)))
                if len(content) > most:
                    return None
    except _BROKEN as error:
        raise _cannot_be_read(address, error) from None
    return content


@contextmanager
def opened(address: str, settings: Settings) -> Iterator[IO[bytes]]:
    """Open a landing file, on a disk or in a bucket, as it lies there."""
    if "://" not in address:
        with Path(address).open("rb") as file:
            yield file
        return
    folder, _, name = address.rpartition("/")
    files, root = open_store(folder, settings).arrow_files()
    with files.open_input_file(f"{root}/{name}") as stream:
        yield stream


def _unpacking(stream: IO[bytes], packing: str) -> IO[bytes]:
    if packing == "gzip":
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if packing == "bzip2":
        return bz2.BZ2File(stream)
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(stream, "r"), packing))


def _members(stream: IO[bytes], packing: str, address: str) -> Iterator[tuple[str, IO[bytes]]]:
    """Give each file within a file, with its name if it has one.

    Raises
    ------
    InputError
        An archive holds nothing, or needs a password.
    """
    if packing != "zip":
        yield "", (_unpacking(stream, packing) if packing else stream)
        return
    with ZipFile(stream) as archive:
        members = [member for member in archive.infolist() if _is_content(member)]
        if not members:
            raise InputError(f"{address} is an empty archive.", "Deliver it again, or remove it.")
        for member in members:
            if member.flag_bits & 1:
                raise InputError(f"{address} needs a password.", "Pack it without one.")
            with archive.open(member) as content:
                yield member.filename, content


def _is_content(member: ZipInfo) -> bool:
    """Tell a file of an archive from its folders, and from what macOS puts beside them."""
    hidden = member.filename.startswith("__MACOSX/") or "/." in f"/{member.filename}"
    return not member.is_dir() and not hidden


def _starts(stream: IO[bytes], address: str) -> Iterator[tuple[str, bytes]]:
    for name, member in _members(stream, "zip", address):
        yield name, member.read(_HEADER)


def _require_no_bomb(start: bytes, packing: str, address: str) -> None:
    """Refuse a file whose first bytes alone unpack to more than memory should hold."""
    size, stream = 0, _unpacking(io.BytesIO(start), packing)
    try:
        while piece := stream.read(_PIECE):
            size += len(piece)
            if size > ALWAYS_FINE:
                raise _too_large(address, ALWAYS_FINE)
    except _BROKEN:
        return  # its end is not among the first bytes


def _unpack(file: LandedFile, target: Path, settings: Settings) -> None:
    """Write all that a file holds, one file within it after the other."""
    most = min(settings.ingest_batch_bytes, max(ALWAYS_FINE, MOST_TIMES * file.size))
    try:
        with opened(file.address, settings) as stream, target.open("wb") as copy:
            packing = packing_of(stream.read(START))
            stream.seek(0)
            for _, member in _members(stream, packing, file.address):
                last = b"\n"
                while piece := member.read(_PIECE):
                    copy.write(piece)
                    last = piece[-1:]
                    if copy.tell() > most:
                        raise _too_large(file.address, most)
                if last != b"\n":
                    copy.write(b"\n")  # else the next file would go on in its last line
    except _BROKEN as error:
        raise _cannot_be_read(file.address, error) from None


def _too_large(address: str, most: int) -> InputError:
    return InputError(
        f"{address} unpacks to more than {most:,} bytes, which is more than such a file may hold.",
        "If its content is right, deliver it unpacked or in several files.",
    )


def _cannot_be_read(address: str, error: Exception) -> InputError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(
        f"{address} cannot be read: {why.rstrip('.')}.",
        "Put a whole file of that name in its place, or an empty one.",
    )
