"""Pictures nobody can dispute, and a small network that knows them.

Scenes hold two or three objects out of ten kinds, told by their shape alone, on
cluttered backgrounds; every pixel's owner is known.
"""

from explainkit.scenes.drawing import draw_scene, draw_scenes
from explainkit.scenes.network import build_network, load_network
from explainkit.scenes.scene import Scene, SceneObject, as_docs
from explainkit.scenes.shapes import KINDS

__all__ = [
    "KINDS",
    "Scene",
    "SceneObject",
    "as_docs",
    "build_network",
    "draw_scene",
    "draw_scenes",
    "load_network",
]
