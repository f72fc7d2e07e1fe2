"""Where a follower keeps its position, so that its process can be restarted."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Protocol


class CursorStore(Protocol):
    """A place for one cursor: a file, or whatever the application writes its results to.

    Called by one thread at a time. May block. What it raises ends the following, and is raised there: a store that is
    worth another try makes that by itself.
    """

    def load(self) -> bytes:
        """The cursor that was saved last; empty when none ever was."""
        ...

    def save(self, cursor: bytes) -> None:
        """Keeps `cursor` (opaque, under 1 KiB) in place of the last one, all of it or nothing."""
        ...


class MemoryCursorStore:
    """A cursor that is gone with the process: for tests, and for a follower that is made anew within one."""

    def __init__(self, cursor: bytes = b"") -> None:
        """Starts with `cursor`."""
        self.cursor = cursor

    def load(self) -> bytes:
        """See CursorStore."""
        return self.cursor

    def save(self, cursor: bytes) -> None:
        """See CursorStore."""
        self.cursor = cursor


class FileCursorStore:
    """A cursor in a file of its own, as one line of base64url.

    Saving writes a file beside it (`.new`), syncs that and renames it over: a crash leaves the old cursor or the new
    one. One process a file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """The file need not exist; its directory must."""
        self._path = Path(path)
        self._new_path = self._path.with_name(self._path.name + ".new")

    def load(self) -> bytes:
        """Empty when there is no such file; ValueError when it holds no cursor."""
        try:
            text = self._path.read_bytes().strip()
        except FileNotFoundError:
            return b""
        try:
            cursor = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            cursor = b""
        if not cursor:
            raise ValueError(
                f"the cursor file {self._path} holds no cursor: "
                "move it away to start anew, or put the last good one back"
            )
        return cursor

    def save(self, cursor: bytes) -> None:
        """OSError when it cannot be written."""
        with open(self._new_path, "wb") as file:
            file.write(base64.urlsafe_b64encode(cursor) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._new_path, self._path)
