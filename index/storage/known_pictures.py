"""`KnownPictures`: which people of which pictures a database holds already."""

from __future__ import annotations

__all__ = ["KnownPictures"]


class KnownPictures:
    """Rows by picture, a picture being the SHA-256 of its file's content, and by person within it."""

    def __init__(self) -> None:
        self._people: dict[str, dict[int, int]] = {}

    def remember(self, digest: str, person: int, row: int) -> None:
        """Note that `row` is that person; a row without a digest is not noted."""
        if digest:
            self._people.setdefault(digest, {}).setdefault(person, row)

    def row(self, digest: str, person: int) -> int | None:
        """The row of that person; None if it is not here."""
        return self._people.get(digest, {}).get(person)

    def people(self, digest: str) -> dict[int, int]:
        """Row by number of person, for all people of that picture."""
        return dict(self._people.get(digest, {}))
