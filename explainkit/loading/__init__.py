"""Models from files, or of keras.applications by name.

This room knows nothing of explaining: what it loads is a model like any other.
"""

from explainkit.loading.frameworks import import_keras
from explainkit.loading.models import family_of, load_model

__all__ = ["family_of", "import_keras", "load_model"]
