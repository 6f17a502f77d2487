"""A callback of Keras 3, on any of its backends."""

import keras

from explainkit.training.callback import Explaining


class ExplanationCallback(Explaining, keras.callbacks.Callback):
    """Explain the same documents after each epoch of Keras's `fit`.

    Before the first epoch, too: so mistakes show at once, and the first picture, at step 0, is
    that of the model untrained. Step n is the model after n epochs. Training takes the same way
    as without: weights, optimizer, history and the streams of random numbers are left as they
    are found.

    A second `fit` of the same model counts on; another model needs a callback of its own. With
    ``EarlyStopping(restore_best_weights=True)`` the model ends with the weights of step
    ``best_epoch + 1`` of that callback, not with those of the last picture.

    Parameters
    ----------
    docs : array, shape (N, ...), or list of arrays
        What is explained, as for `explainkit.explain_predictions`.
    to : path, TensorBoardLog, SummaryWriter, Destination, or a list of these
        Where pictures and scores go: a path is that of a `Folder`.
    every : int, or collection or array of int, default 1
        After how many epochs, each time; or the numbers of those that are to be explained.
    unit : {"epoch", "batch"}, default "epoch"
        What `every` counts. Batches are counted on from epoch to epoch.
    names : iterable of str, optional
        What the documents are called; "doc-0" and so on by default.
    on_error : {"warn", "raise"}, default "warn"
        What becomes of a failure once training has begun: a warning, once for each thing that
        fails, or the error, which ends the training.
    **arguments
        Any of the arguments of `explainkit.explain_predictions` and of
        `explainkit.format_as_image`. Several targets are drawn side by side, unless `target`
        says which of them. Give `targets` to follow the same ones: by default it is the top
        class of each moment. Maps of signals and volumes are no pictures: their scores are
        written alone.

    Raises
    ------
    TypeError, ValueError
        If an option of drawing, `every`, `unit`, `names` or `to` is none; as the first epoch
        begins also what `explain_predictions` and `format_as_image` raise, and if the callback
        was used for another model.
    FileExistsError
        As the first epoch begins: if the folder belongs to another training.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import explainkit
    >>> network = explainkit.scenes.load_network()
    >>> network.compile(loss="mse")
    >>> doc = explainkit.scenes.draw_scene(seed=8).doc
    >>> folder = explainkit.training.Folder(tempfile.mkdtemp())
    >>> why = explainkit.training.ExplanationCallback(doc, folder, names=["scene"], targets=[2])
    >>> history = network.fit(doc, network(doc), verbose=0, callbacks=[why])
    >>> sorted(path.name for path in (folder.path / "scene").iterdir())
    ['epoch-000000.png', 'epoch-000001.png']
    """
