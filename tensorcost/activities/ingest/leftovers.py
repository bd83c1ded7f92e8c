"""What a folder holds beside its data: marks of tools, checksums, notes. Skipped, and named."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

_SUFFIXES: Final = frozenset(
    {".md", ".md5", ".sha1", ".sha256", ".sha512", ".crc", ".crc32c", ".sig", ".asc"}
)
_NAMES: Final = ("readme", "license", "checksum", "md5sum", "sha1sum", "sha256sum", "sha512sum")
_OF_SYSTEMS: Final = frozenset({"thumbs.db", "desktop.ini"})
_MARKS: Final = (".", "_")


def is_never_data(inside: Path) -> bool:
    """Whether a path inside a folder is of no format by its name: what is hidden, what tools
    leave (``_SUCCESS``), checksums and notes."""
    name = inside.name.lower()
    return (
        any(part.startswith(_MARKS) for part in inside.parts)
        or inside.suffix.lower() in _SUFFIXES
        or name.startswith(_NAMES)
        or name in _OF_SYSTEMS
    )


def left_out(top: Path, used: Collection[Path], *, whole: str = "") -> list[str]:
    """Names inside the folder ``top`` of the files that are not ``used``; of a hidden folder, or
    one that is called ``whole``, only its own."""
    known = set(used)
    others = (path for path in top.rglob("*") if path not in known and path.is_file())
    return sorted({_told(path.relative_to(top), whole) for path in others})


def _told(inside: Path, whole: str) -> str:
    for folder in reversed(inside.parents):
        if folder.name.startswith(_MARKS) or (whole and folder.name == whole):
            return f"{folder.as_posix()}/"
    return inside.as_posix()
