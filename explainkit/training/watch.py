"""A model watched in a loop of your own."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from explainkit.explanation import Explanation
from explainkit.training.recording import OnError, Recorder


class Watch:
    """Explain the same documents whenever you say, with the weights that the model has then.

    They are explained once when the watch is made, so that mistakes show before training
    begins. The model, its gradients and its mode, and the streams of random numbers are left
    as they are found: training takes the same way as without.

    Parameters
    ----------
    model
        What is trained: a `torch.nn.Module`, a `keras.Model` or any other estimator.
    docs : array, shape (N, ...), or list of arrays
        What is explained, as for `explainkit.explain_predictions`.
    to : path, TensorBoardLog, SummaryWriter, Destination, or a list of these
        Where pictures and scores go: a path is that of a `Folder`.
    names : iterable of str, optional
        What the documents are called; "doc-0" and so on by default.
    on_error : {"warn", "raise"}, default "warn"
        What becomes of a failure once training has begun: a warning, once for each thing that
        fails, or the error.
    **arguments
        Any of the arguments of `explainkit.explain_predictions` and of
        `explainkit.format_as_image`. Several targets are drawn side by side, unless `target`
        says which of them. Give `targets` to follow the same ones: by default it is the top
        class of each moment. Maps of signals and volumes are no pictures: their scores are
        written alone.

    Raises
    ------
    TypeError, ValueError, LookupError
        As `explain_predictions` and `format_as_image` do.
    FileExistsError
        If the folder belongs to another training.

    Examples
    --------
    >>> import tempfile
    >>> import explainkit
    >>> scene, network = explainkit.scenes.draw_scene(seed=8), explainkit.scenes.load_network()
    >>> watch = explainkit.training.Watch(network, scene.doc, tempfile.mkdtemp(), targets=[2])
    >>> [expl] = watch.record(0)
    >>> expl.targets[0].target
    2
    """

    def __init__(
        self,
        model: Any,
        docs: Any,
        to: Any,
        *,
        names: Iterable[str] | None = None,
        on_error: OnError = "warn",
        **arguments: Any,
    ) -> None:
        self._model = model
        self._recorder = Recorder(
            docs, to, unit="step", names=names, on_error=on_error, **arguments
        )
        self._recorder.begin(model)

    def record(self, step: int) -> list[Explanation]:
        """Explain the documents as the model is now, and write that down.

        Parameters
        ----------
        step : int
            The number of the step or epoch, from 0.

        Returns
        -------
        list of Explanation
            One for each document; where it failed, `error` says why.

        Raises
        ------
        TypeError, ValueError
            If `step` is no such number.
        """
        if isinstance(step, bool) or not isinstance(step, int | np.integer):
            raise TypeError(f"step is {step!r}, of type {type(step).__name__}; give a whole number")
        if step < 0:
            raise ValueError(f"step is {step}; give a number from 0")
        return self._recorder.record(self._model, int(step))
