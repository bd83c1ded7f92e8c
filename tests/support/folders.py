"""Folders for servers that do not run as the user who tests."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder that any account may enter, removed at the end.

    pytest's own temporary folders are closed to others, and PostgreSQL does not run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="tensorcost-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
