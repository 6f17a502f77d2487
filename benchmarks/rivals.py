"""Other ways to Grad-CAM: the recipes that people copy, and the packages that are installed.

Each is a function of a model, docs, targets of shape (docs, targets) and a layer, and
gives what is to be timed.
"""

import importlib.util
from collections.abc import Iterable
from typing import Any

import numpy as np
from backends import Contender
from numpy.typing import NDArray

import explainkit

Docs = NDArray[np.float32]
Targets = NDArray[np.int64]


def keras_recipe(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """Do what keras.io shows, for a batch of docs, one target after the other."""
    import keras
    import tensorflow as tf

    name = layer or explainkit.inspection.find_layer(model).name
    cut = keras.Model(model.input, [model.get_layer(name).output, model.output])

    def run() -> list[NDArray[Any]]:
        maps = []
        for column in targets.T:
            with tf.GradientTape() as tape:
                features, predictions = cut(docs)
                scores = tf.gather(predictions, column[:, None], axis=1, batch_dims=1)
            weights = tf.reduce_mean(tape.gradient(scores, features), axis=(1, 2))
            map_ = tf.einsum("nhwc,nc->nhw", features, weights)
            maps.append((tf.nn.relu(map_) / tf.reduce_max(map_)).numpy())
        return maps

    return run


def eli5_prediction(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """ELI5's door: one doc and one target a call."""
    import eli5

    calls = [
        (doc[None], [int(target)]) for doc, row in zip(docs, targets, strict=True) for target in row
    ]
    return lambda: [
        eli5.explain_prediction(model, doc, targets=target, layer=layer) for doc, target in calls
    ]


def tf_keras_vis_gradcam(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """tf-keras-vis: a batch of docs, one target of each a call."""
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    gradcam = Gradcam(model, clone=False)
    return lambda: [
        gradcam(CategoricalScore(column.tolist()), docs, penultimate_layer=layer or -1)
        for column in targets.T
    ]


def xplique_gradcam(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """Xplique: a batch of docs, one target of each a call."""
    from xplique.attributions import GradCAM

    explainer = GradCAM(model, conv_layer=layer, batch_size=len(docs))
    classes = model.output_shape[-1]
    return lambda: [explainer(docs, np.eye(classes)[column]) for column in targets.T]


def hooks_recipe(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """Do what tutorials of PyTorch show, for a batch of docs, one target after the other."""
    import torch

    module, device = _torch_layer(model, docs, layer), _torch_device(model)
    kept = {}

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        output.retain_grad()
        kept["features"] = output

    def run() -> list[NDArray[Any]]:
        maps = []
        hook = module.register_forward_hook(keep)
        for column in targets.T:
            model.zero_grad()
            scores = model(torch.from_numpy(docs).to(device))
            chosen = torch.from_numpy(column[:, None]).to(device)
            scores.gather(1, chosen).sum().backward()
            features = kept["features"]
            weights = features.grad.mean((2, 3), keepdim=True)
            map_ = (weights * features.detach()).sum(1)
            maps.append((map_.relu() / map_.max()).numpy(force=True))
        hook.remove()
        return maps

    return run


def pytorch_grad_cam(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """Package pytorch-grad-cam: a batch of docs, one target of each a call."""
    import torch
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    gradcam, device = GradCAM(model, [_torch_layer(model, docs, layer)]), _torch_device(model)
    return lambda: [
        gradcam(torch.from_numpy(docs).to(device), list(map(ClassifierOutputTarget, column)))
        for column in targets.T
    ]


def captum_gradcam(model: Any, docs: Docs, targets: Targets, layer: Any) -> Contender:
    """Captum: a batch of docs, one target of each a call."""
    import torch
    from captum.attr import LayerGradCam

    gradcam, device = LayerGradCam(model, _torch_layer(model, docs, layer)), _torch_device(model)

    def run() -> list[NDArray[Any]]:
        tensor = torch.from_numpy(docs).to(device)
        columns = [
            torch.from_numpy(column).to(device) for column in np.ascontiguousarray(targets.T)
        ]
        maps = [gradcam.attribute(tensor, one, relu_attributions=True) for one in columns]
        return [map_.numpy(force=True) for map_ in maps]

    return run


def _torch_layer(model: Any, docs: Docs, layer: Any) -> Any:
    return explainkit.inspection.find_layer(model, layer, doc=docs[:1])


def _torch_device(model: Any) -> Any:
    return next(model.parameters()).device


#: For each backend: what to call it, the package that it needs, and what makes it.
RIVALS = {
    "tensorflow": (
        ("keras.io recipe", "tensorflow", keras_recipe),
        ("eli5", "eli5", eli5_prediction),
        ("tf-keras-vis", "tf_keras_vis", tf_keras_vis_gradcam),
        ("xplique", "xplique", xplique_gradcam),
    ),
    "native-torch": (
        ("plain hooks recipe", "torch", hooks_recipe),
        ("pytorch-grad-cam", "pytorch_grad_cam", pytorch_grad_cam),
        ("captum", "captum", captum_gradcam),
    ),
}


def find_rivals(backend: str, *question: Any) -> Iterable[tuple[str, Contender]]:
    """Make the rivals that are installed and take such a model; say why others do not."""
    for name, package, make in RIVALS.get(backend, ()):
        if importlib.util.find_spec(package) is None:
            continue
        try:
            run = make(*question)
            run()
        except (AttributeError, ImportError, NotImplementedError, TypeError, ValueError) as error:
            print(f"{name} cannot: {type(error).__name__}: {str(error).splitlines()[0][:90]}")
        else:
            yield name, run
