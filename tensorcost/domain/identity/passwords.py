"""What a new password must be. Length counts; rules of composition do not."""

from typing import Final

from tensorcost.domain.errors import ValidationFailed

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256


def check_new_password(password: str, *, field: str = "password") -> None:
    """Raise ValidationFailed unless ``password`` may be chosen."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValidationFailed(
            f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters", field=field
        )
    if len(set(password)) < 4:
        raise ValidationFailed("this password repeats too few characters", field=field)
