"""What a visitor may ask for, checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from restora.errors import RestoraError


class LimitError(RestoraError):
    """More than the server takes; `status` is that of HTTP."""

    def __init__(self, problem: str, status: int = 413):
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """megabytes, megapixels: of one picture. pictures: of one visit, and of one restoration. visit_megabytes:
    all files of a visit, results too. visits, waiting: at once, of the whole server. results: restorations
    of a visit that are kept. abandoned: seconds without a sign of the visitor until its work stops; kept:
    until all that is its is removed.
    """

    megabytes: float = 100
    megapixels: float = 32
    pictures: int = 200
    visit_megabytes: float = 2000
    visits: int = 500
    waiting: int = 100
    results: int = 30
    abandoned: float = 10
    kept: float = 600

    @property
    def bytes(self) -> int:
        return round(self.megabytes * 1e6)

    @property
    def pixels(self) -> int:
        return round(self.megapixels * 1e6)

    def check_bytes(self, count: int, name: str) -> None:
        """LimitError for a file that is larger."""
        if count > self.bytes:
            raise LimitError(f"{name} is larger than {self.megabytes:g} MB, the most that is accepted here")
