"""Faces in photos: detect them, restore them with a prior of faces, and blend them into the photo."""

from restora.faces.detection import find
from restora.faces.face import Face
from restora.faces.placing import Placed
from restora.faces.restoration import Faces, decide

__all__ = ["Face", "Faces", "Placed", "decide", "find"]
