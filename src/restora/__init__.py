"""Restore images from any known degradation with one generative prior."""

import lazy_loader

__version__ = "0.1.0"

# The public names are those of the stub, __init__.pyi. Each is imported when it is first used, so that the
# command line can prepare the environment before torch is loaded.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
