"""Manifests of Cost and Usage Reports on disk: which files make up an export's billing month."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.bill_places import Place, place_of
from tensorcost.domain.errors import ValidationFailed
from tensorcost.providers.bedrock.cur_manifest import (
    DataFile,
    Manifest,
    ManifestError,
    parse_manifest,
)

_ENDING: Final = "-manifest.json"
_LEVELS: Final = 5
"""A manifest lies at most this deep in the folder that its keys begin in."""


@dataclass(frozen=True, slots=True)
class LocalManifest:
    """A manifest as it lies on disk, and the files that it names."""

    path: Path
    read: Manifest
    paths: tuple[Path, ...]
    missing: tuple[str, ...]
    """Keys of files that are not there."""


def find_manifests(top: Path) -> dict[Place, LocalManifest]:
    """The manifest of each month that ``top``, an absolute folder, holds files or manifests of.

    Where each refresh has a folder of its own, the month's own manifest stands above them and
    names the newest. Raises ValidationFailed for one that is no manifest.
    """
    chosen: dict[Place, Path] = {}
    for path in _candidates(top):
        known = chosen.setdefault(place_of(path), path)
        if len(path.parts) < len(known.parts):
            chosen[place_of(path)] = path
    return {place: _read(path) for place, path in chosen.items()}


def _candidates(top: Path) -> Iterator[Path]:
    yield from _manifests(top)
    inside = [folder for folder in (top, *top.parents) if folder.name == "data"]
    if inside:
        beside = inside[0].parent / "metadata" / top.relative_to(inside[0])
        yield from _manifests(beside)


def _manifests(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(_ENDING) and path.is_file():
            yield path


def _read(path: Path) -> LocalManifest:
    try:
        read = parse_manifest(path.read_bytes(), path.as_posix())
    except ManifestError as error:
        raise ValidationFailed(f"{path.name}: {error}", field="path") from error
    found = [(file, _local(path, file)) for file in read.files]
    return LocalManifest(
        path,
        read,
        tuple(local for _, local in found if local is not None),
        tuple(file.key for file, local in found if local is None),
    )


def _local(manifest: Path, file: DataFile) -> Path | None:
    """Where the file lies. A copy of the bucket may begin at any folder of its keys: as much of
    the key as is there counts."""
    parts = Path(file.key).parts
    if ".." in parts:
        return None
    for start in range(len(parts)):
        for folder in list(manifest.parents)[:_LEVELS]:
            if (path := folder.joinpath(*parts[start:])).is_file():
                return path
    return None
