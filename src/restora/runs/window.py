"""Pictures that can be restored together, gathered from a window over those of a run."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from restora.runs.loading import Loaded, kind_of

MAX_PIXELS = 2**20  # of all images of a batch
WINDOW = 4  # batches whose pictures are held, at most
ALONE = 128**2  # pixels of a picture whose noise may differ from place to place
Kind = tuple[Hashable, ...]


def room(size: Sequence[int], most: int) -> int:
    """How many images of (height, width) `size` are restored together, if `most` may be: at least one."""
    return max(1, min(most, MAX_PIXELS // (size[0] * size[1])))


def batch_kind(x: Loaded) -> Kind:
    """What pictures that may be restored together have in common."""
    return (id(x.job.task), *kind_of(x.picture, x.fields))


class Window:
    """Pictures may differ in size, and in what their files say of them; those of a batch cannot. So a picture
    waits until there is a batch of its kind, or too many wait.

    most: how many of a kind are restored together, if each has so many pixels.
    """

    def __init__(self, most: Callable[[Kind, int], int]):
        self.most = most
        self.groups: dict[Kind, list[Loaded]] = {}

    def add(self, x: Loaded) -> Iterator[list[Loaded]]:
        """The batches that are to be restored now that there is one picture more."""
        kind = batch_kind(x)
        group = self.groups.setdefault(kind, [])
        group.append(x)
        if len(group) >= self.most(kind, x.pixels) or self._is_alone(x):
            yield self.groups.pop(kind)
        elif self._is_full():
            yield self.groups.pop(max(self.groups, key=lambda kind: len(self.groups[kind])))

    def rest(self) -> Iterator[list[Loaded]]:
        while self.groups:
            yield self.groups.pop(next(iter(self.groups)))

    @staticmethod
    def _is_alone(x: Loaded) -> bool:
        """The noise is found in each picture, of those of some size with all that it has of its own."""
        return x.job.task.auto and x.picture.pixels[0].numel() > ALONE

    def _is_full(self) -> bool:
        parts = (len(group) / self.most(kind, group[0].pixels) for kind, group in self.groups.items())
        return sum(parts) >= WINDOW
