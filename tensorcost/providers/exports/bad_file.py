"""A file that is not what its format says, as a whole."""

from tensorcost.domain.errors import ValidationFailed


class BadFile(ValidationFailed):
    """Nothing of the file can be read. ``reason`` and ``detail`` are those of its reject, where
    it is one of several files: ``detail`` holds no content of it, for rejects are kept."""

    def __init__(self, message: str, reason: str, detail: str = "", *, field: str = "path") -> None:
        super().__init__(message, field=field)
        self.reason = reason
        self.detail = detail or message
