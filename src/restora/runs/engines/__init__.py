"""Where a run is done: in this process, or on a cluster. An engine is one file and one line here."""

from restora.registry import Registry
from restora.runs.engines.base import Engine, Following
from restora.runs.engines.local import Local
from restora.runs.engines.ray import Ray

engines: Registry[type[Engine]] = Registry("engine", "restora.engines")
engines.register("local", Local)
engines.register("ray", Ray)

__all__ = ["Engine", "Following", "Local", "Ray", "engines"]
