"""An object store in a local folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from infra.errors import StorageError, unusable
from infra.private_files import make_private_folder
from infra.stores.aside import asides_below, delete_untouched, name_aside
from infra.stores.object_store import (
    MANIFEST,
    AlreadyExistsError,
    MissingError,
    Stamp,
    files_of,
    mark_of,
    require_plain,
)

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


class LocalStore:
    """A folder on a disk. Every write goes to a hidden temporary name and is renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.address = str(self.root)

    def path(self, key: str) -> Path:
        """Return the file of a key; raise `StorageError` for one that leaves the folder."""
        path = (self.root / require_plain(key)).resolve()
        if not path.is_relative_to(self.root):
            raise StorageError(f"The key '{key}' leads out of {self.root}.", "Use a plain key.")
        return path

    def read(self, key: str, most: int | None = None) -> bytes:
        """See `ObjectStore.read`."""
        try:
            with self.path(key).open("rb") as file:
                return file.read(most)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            told = unusable("read", self.path(key), error)
            raise MissingError(told.fact, told.cure) from error
        except OSError as error:
            raise unusable("read", self.path(key), error) from error

    def write(self, key: str, content: bytes) -> None:
        """See `ObjectStore.write`."""
        path = self.path(key)
        try:
            self._written_aside(path, content).replace(path)
            _sync(path.parent)
        except OSError as error:
            raise unusable("write", path, error) from error

    def create(self, key: str, content: bytes) -> None:
        """See `ObjectStore.create`: a hard link fails where the name is taken."""
        path = self.path(key)
        try:
            aside = self._written_aside(path, content)
            try:
                os.link(aside, path)
                _sync(path.parent)
            finally:
                aside.unlink()
        except FileExistsError as error:
            raise AlreadyExistsError(key) from error
        except OSError as error:
            raise unusable("write", path, error) from error

    def protect(self, key: str) -> None:
        """See `ObjectStore.protect`: 0700 for folders, 0600 for files, whatever the umask."""
        path = self.path(key)
        try:
            make_private_folder(path)
        except OSError as error:
            raise unusable("protect", path, error) from error

    def probe(self, key: str) -> None:
        """See `ObjectStore.probe`: a file system that links files keeps them."""

    def delete(self, key: str) -> None:
        """See `ObjectStore.delete`."""
        path = self.path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unusable("delete", path, error) from error

    def exists(self, key: str) -> bool:
        """See `ObjectStore.exists`."""
        return self.path(key).is_file()

    def list(self, prefix: str) -> list[str]:
        """See `ObjectStore.list`; hidden names are unfinished and left out."""
        top = self.path(prefix) if prefix else self.root
        keys: list[str] = []
        for folder, below, names in os.walk(top, onerror=_refuse_unless_gone):
            below[:] = [name for name in below if not name.startswith(".")]
            place = Path(folder).relative_to(self.root)
            keys += [(place / name).as_posix() for name in names if not name.startswith(".")]
        return sorted(keys)

    def stamps(self, prefix: str) -> dict[str, Stamp]:
        """See `ObjectStore.stamps`: nobody can set the time of a file's last change (ctime)."""
        stamps = {}
        for key in self.list(prefix):
            try:
                stamps[key] = _stamp((self.root / key).stat())
            except FileNotFoundError:
                continue  # deleted since it was listed
            except OSError as error:
                raise unusable("read", self.path(key), error) from error
        return stamps

    def sweep(self, prefix: str, before: datetime) -> Sequence[str]:
        """See `ObjectStore.sweep`: what was being written has a hidden name."""
        top = self.path(prefix) if prefix else self.root
        try:
            return delete_untouched(asides_below(top, _refuse_unless_gone), before)
        except OSError as error:
            raise unusable("delete", Path(error.filename), error) from error

    def put_folder(self, source: Path, key: str) -> None:
        """See `ObjectStore.put_folder`: copied aside, then renamed, so never seen half."""
        path = self.path(key)
        with _copied(source, path) as aside:
            self.delete_folder(key)
            aside.rename(path)
            _sync(path.parent)

    def fill_folder(self, source: Path, key: str) -> None:
        """See `ObjectStore.fill_folder`: every file is copied aside, then renamed."""
        path = self.path(key)
        with _copied(source, path) as aside:
            files = files_of(aside)
            _remove_others(path, {file.relative_to(aside) for file in files})
            for file in files:
                target = path / file.relative_to(aside)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
                _sync(target.parent)

    def arrow_files(self) -> tuple[FileSystem, str]:
        """See `ObjectStore.arrow_files`."""
        from pyarrow.fs import LocalFileSystem

        return LocalFileSystem(), str(self.root)

    def fetch_folder(self, key: str, scratch: Path) -> Path:
        """See `ObjectStore.fetch_folder`: the folder itself, nothing is copied."""
        path = self.path(key)
        if not path.is_dir():
            raise StorageError(f"The folder {path} does not exist.", "Run the step that makes it.")
        return path

    def settle(self, key: str) -> None:
        """See `ObjectStore.settle`."""
        path = self.path(key)
        try:
            for folder, _, names in os.walk(path):
                for name in names:
                    _sync(Path(folder, name))
                _sync(Path(folder))
            if path.exists():
                _sync(path.parent)
        except OSError as error:
            raise unusable("write", path, error) from error

    def delete_folder(self, key: str) -> None:
        """See `ObjectStore.delete_folder`."""
        path = self.path(key)
        try:
            (path / MANIFEST).unlink(missing_ok=True)
            while path.exists():
                with suppress(FileNotFoundError):  # somebody else deletes it too
                    shutil.rmtree(path)
        except OSError as error:
            raise unusable("delete", path, error) from error

    def _written_aside(self, path: Path, content: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = name_aside(path)
        try:
            with aside.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        return aside


def _stamp(facts: os.stat_result) -> Stamp:
    changed = datetime.fromtimestamp(facts.st_ctime, UTC)
    mark = mark_of(changed, facts.st_ctime_ns, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    return Stamp(datetime.fromtimestamp(facts.st_mtime, UTC), mark)


@contextmanager
def _copied(source: Path, path: Path) -> Iterator[Path]:
    """Give a copy of a folder beside its place; what is left of it is removed."""
    aside = name_aside(path)
    try:
        _copy(source, aside)
        yield aside
    except OSError as error:
        raise unusable("write", path, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy the files of a folder so that they outlive a power cut once they are renamed."""
    for file in files_of(source):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        _sync(copy)
        _sync(copy.parent)


def _remove_others(folder: Path, wanted: set[Path]) -> None:
    """Remove links and whatever has none of these names below a folder."""
    for path in list(folder.rglob("*")):
        if path.is_symlink() or (path.relative_to(folder) not in wanted and not path.is_dir()):
            path.unlink()


def _sync(path: Path) -> None:
    """Let the disk have the content of a file, or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _refuse_unless_gone(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise unusable("list", Path(error.filename), error) from error
