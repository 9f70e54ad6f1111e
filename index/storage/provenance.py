"""`Provenance`: where a database comes from, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

__all__ = ["Network", "Provenance"]


class Network(NamedTuple):
    """A network whose keypoints stand behind rows: its name, and the SHA-256 of its weights in hex."""

    name: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a database remembers of its own history.

    Attributes:
        networks: every network that contributed rows, oldest first.
        built_from: the folders it was built from, as given.
        created: when it was begun: ISO 8601, UTC; "" where a bare pair does not say.
        updated: when it was last saved, likewise.
    """

    networks: tuple[Network, ...] = ()
    built_from: tuple[str, ...] = ()
    created: str = ""
    updated: str = ""

    @classmethod
    def begun_now(cls) -> Provenance:
        """Of a new database."""
        now = _now()
        return cls(created=now, updated=now)

    def saved_now(self) -> Provenance:
        """The same, after a save at this moment."""
        now = _now()
        return replace(self, created=self.created or now, updated=now)

    def including(self, networks: tuple[Network, ...] = (), built_from: tuple[str, ...] = ()) -> Provenance:
        """The same, with what is not noted yet of these networks and folders after what is."""
        return replace(
            self,
            networks=tuple(dict.fromkeys((*self.networks, *networks))),
            built_from=tuple(dict.fromkeys((*self.built_from, *built_from))),
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
