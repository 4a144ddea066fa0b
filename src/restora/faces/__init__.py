"""Faces in photos: found, aligned, restored by a prior of faces from the same observation, and put back."""

from restora.faces.detection import find
from restora.faces.face import Face
from restora.faces.placing import Placed
from restora.faces.restoration import Faces, decide

__all__ = ["Face", "Faces", "Placed", "decide", "find"]
