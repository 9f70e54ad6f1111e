"""`BuildReport`: what became of a folder of pictures."""

from __future__ import annotations

from dataclasses import dataclass, field

from index.building.pictures import printable
from pose.reason import Reason

__all__ = ["BuildReport", "ClassReport"]


@dataclass(slots=True)
class ClassReport:
    """What became of one class folder: pictures found, people added, and the pictures skipped, by reason."""

    label: str
    pictures: int = 0
    people: int = 0
    skipped: dict[Reason, list[str]] = field(default_factory=dict)

    def skip(self, reason: Reason, picture: str) -> None:
        """Count and name a picture that gave nothing."""
        self.skipped.setdefault(reason, []).append(picture)


@dataclass(slots=True)
class BuildReport:
    """What became of a folder.

    Attributes:
        classes: one per class folder.
        outside: pictures that lie in no class folder.
        rows: rows of the database afterwards.
        seconds: how long it took.
        left_out: links that lead out of their class folder or nowhere.
        warnings: sentences about the folder that were said before the work.
    """

    classes: list[ClassReport]
    outside: list[str]
    rows: int = 0
    seconds: float = 0.0
    left_out: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """Pictures found in class folders."""
        return sum(entry.pictures for entry in self.classes)

    @property
    def people(self) -> int:
        """People added."""
        return sum(entry.people for entry in self.classes)

    def skipped(self, reason: Reason | None = None) -> int:
        """Pictures skipped, for this reason or for any."""
        return sum(
            len(names) for entry in self.classes for why, names in entry.skipped.items() if reason in (None, why)
        )

    def reasons(self) -> str:
        """The reasons for skipping with their counts, the most frequent first, with one picture each."""
        parts = []
        for reason in sorted(Reason, key=self.skipped, reverse=True):
            names = [name for entry in self.classes for name in entry.skipped.get(reason, ())]
            if names:
                parts.append(f"{reason} {len(names)} (such as {printable(names[0])})")
        return ", ".join(parts)
