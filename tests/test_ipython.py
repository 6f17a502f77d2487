"""What a notebook shows, in a real kernel; and which arguments go where."""

import base64
import copy
import io
import pickle

import numpy as np
import pytest
from PIL import Image

import explainkit
from explainkit import Explanation, TargetExplanation, explain_prediction, show_prediction

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")


class Striped:
    """An estimator that needs no framework."""


@explain_prediction.register
def explain_striped(estimator: Striped, doc, *, stripes=2, targets=None):
    heatmap = np.zeros((4, 4), np.float32)
    heatmap[::stripes] = 1
    return Explanation(
        estimator="striped",
        method="stripes",
        targets=[TargetExplanation(t, None, 1.0, None, heatmap, heatmap) for t in (targets or [0])],
        image=Image.new("RGB", (32, 32), "white"),
    )


def test_arguments_go_to_the_function_that_owns_them():
    shown = show_prediction(Striped(), None, stripes=4, alpha_limit=1.0, colormap="gray")
    expl = explain_prediction(Striped(), None, stripes=4)
    expected = explainkit.format_as_image(expl, alpha_limit=1.0, colormap="gray")
    assert shown == expected


def test_several_targets_are_shown_side_by_side_unless_one_is_chosen():
    assert show_prediction(Striped(), None, targets=[0, 1]).width > 64
    assert show_prediction(Striped(), None, targets=[0, 1], target=1).size == (32, 32)


def test_what_is_shown_is_the_picture_that_it_was():
    expl = explain_prediction(Striped(), None)
    shown, drawn = show_prediction(Striped(), None), explainkit.format_as_image(expl)
    assert isinstance(shown, Image.Image)
    assert shown == drawn
    assert drawn == shown
    assert shown == show_prediction(Striped(), None)
    assert shown != drawn.rotate(90)
    assert shown != "a picture"
    assert type(shown.rotate(90)) is Image.Image
    file = io.BytesIO()
    shown.save(file, "PNG")
    assert (np.asarray(Image.open(file)) == np.asarray(drawn)).all()
    assert shown.explanation == expl
    with pytest.raises(TypeError, match="unhashable"):
        hash(shown)  # as Pillow's own


def test_what_is_shown_is_html_png_and_text():
    shown = show_prediction(Striped(), None, targets=[0, 1], colormap="magma", boxes=True)
    expl = shown.explanation
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert bundle["text/html"] == explainkit.format_as_html(expl, colormap="magma", boxes=True)
    assert Image.open(io.BytesIO(bundle["image/png"])).size == shown.size
    size = f"{shown.width}x{shown.height}"
    assert bundle["text/plain"] == f"<ShownPrediction image mode=RGB size={size}>"
    assert shown._repr_jpeg_() is None
    assert set(shown._repr_mimebundle_(include={"image/png"})) == {"image/png"}
    assert set(shown._repr_mimebundle_(exclude={"text/html"})) == {"image/png", "text/plain"}


@pytest.mark.parametrize(
    "change",
    [
        lambda shown: shown.thumbnail((16, 16)),
        lambda shown: shown.paste("red", (0, 0, 4, 4)),
        lambda shown: shown.putpixel((0, 0), (1, 2, 3)),
    ],
)
def test_what_was_drawn_on_is_shown_as_it_is(change):
    shown = show_prediction(Striped(), None)
    change(shown)
    for one in (shown, copy.copy(shown), pickle.loads(pickle.dumps(shown))):
        bundle = one._repr_mimebundle_()
        assert set(bundle) == {"image/png", "text/plain"}
        shot = Image.open(io.BytesIO(bundle["image/png"]))
        assert np.array_equal(shot, shown)


def test_html_is_made_only_where_somebody_looks(monkeypatch):
    made = []
    monkeypatch.setattr("explainkit.ipython.format_as_html", lambda *_, **__: made.append(1) or "")
    shown = show_prediction(Striped(), None)
    shown._repr_mimebundle_(include={"image/png"})
    assert made == []
    shown._repr_mimebundle_()
    assert made == [1]


def test_what_can_be_read_once_is_in_the_html_too():
    truth = [(0, 0, 8, 8)]
    shown = show_prediction(Striped(), None, targets=[0, 1], target=iter([1]), boxes=iter(truth))
    expected = explainkit.format_as_html(shown.explanation, target=[1], boxes=truth)
    assert shown.html() == expected


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda shown: pickle.loads(pickle.dumps(shown))]
)
def test_what_is_shown_can_be_copied_and_pickled(again):
    def reds(heat):  # which no pickle takes
        return np.stack([heat, 0 * heat, 0 * heat], -1)

    shown = show_prediction(Striped(), None, colormap=reds)
    other = again(shown)
    assert type(other) is type(shown)
    assert other == shown
    assert other.explanation == shown.explanation
    assert other._repr_mimebundle_() == shown._repr_mimebundle_()
    other.putpixel((0, 0), (1, 2, 3))
    assert other != shown
    assert shown.copy() == shown


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alpha_limt", "no argument 'alpha_limt'; did you mean 'alpha_limit'?"),
        ("stripe", "no argument 'stripe'; did you mean 'stripes'?"),
        ("zebra", "no argument 'zebra'$"),
    ],
)
def test_an_argument_that_is_nobodys_is_refused_with_the_nearest_name(name, message):
    with pytest.raises(TypeError, match=message):
        show_prediction(Striped(), None, **{name: 1})


def test_so_is_one_of_a_function_that_takes_options_of_methods():
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(3, 3, activation="softplus"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    doc = np.ones((1, 8, 8, 3), np.float32)
    with pytest.raises(TypeError, match="'colourmap'; did you mean 'colormap'?"):
        show_prediction(model, doc, colourmap="jet")
    with pytest.raises(TypeError, match="'target_nmes'; did you mean 'target_names'?"):
        show_prediction(model, doc, target_nmes=["a"])
    with pytest.raises(TypeError, match="'zebra' is no argument.*option of 'gradcam'"):
        show_prediction(model, doc, zebra=1)
    assert show_prediction(model, doc, targets=0, counterfactual=False).size == (8, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha_limit": 2}, "alpha_limit is 2"),
        ({"colormap": "viridi"}, "did you mean 'viridis'?"),
        ({"resampling_filter": "lancos"}, "did you mean 'lanczos'?"),
    ],
)
def test_drawings_that_cannot_be_made_are_refused_before_anything_is_explained(options, message):
    class Never:
        pass

    @explain_prediction.register
    def explain_never(estimator: Never, doc):
        raise AssertionError("it was explained")

    with pytest.raises(ValueError, match=message):
        show_prediction(Never(), None, **options)


def test_a_record_shows_itself_with_what_it_has():
    expl = explain_striped(Striped(), None)
    shown = expl._repr_mimebundle_()
    assert set(shown) == {"text/plain", "image/png", "text/html"}
    assert shown["text/html"] == explainkit.format_as_html(expl)
    assert shown["text/plain"] == repr(expl)
    assert Image.open(io.BytesIO(shown["image/png"])).format == "PNG"
    assert set(expl._repr_mimebundle_(exclude={"image/png"})) == {"text/plain", "text/html"}
    assert set(expl._repr_mimebundle_(include={"image/png"})) == {"image/png"}
    failed = Explanation(estimator="striped", method="stripes", error="ValueError: no")
    assert set(failed._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert "This explanation failed: ValueError: no" in failed._repr_mimebundle_()["text/html"]


CELL = """
import numpy as np, explainkit
from PIL import Image
from explainkit import Explanation, TargetExplanation, explain_prediction, show_prediction

class Plain: pass

@explain_prediction.register
def explain_plain(estimator: Plain, doc):
    heat = np.eye(4, dtype=np.float32)
    return Explanation("plain", "eye", image=Image.new("RGB", (40, 30)),
                       targets=[TargetExplanation(1, "one", 1.0, None, heat, heat)])
"""


LOOP = """
from IPython.display import display
for limit in (0.2, 0.8):
    display(show_prediction(Plain(), None, alpha_limit=limit))
"""


def test_a_real_kernel_shows_pictures_and_text():
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(source)
            for source in (
                CELL,
                "show_prediction(Plain(), None)",
                "explain_prediction(Plain(), None)",
                LOOP,
            )
        ]
    )
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    _, shown, record, two = (cell["outputs"] for cell in notebook.cells)
    picture = Image.open(io.BytesIO(base64.b64decode(shown[0]["data"]["image/png"])))
    assert picture.size == (40, 30)
    for out in (shown, record):
        assert set(out[0]["data"]) == {"text/plain", "image/png", "text/html"}
        assert "<explainkit-view-" in out[0]["data"]["text/html"]
    assert shown[0]["data"]["text/plain"] == "<ShownPrediction image mode=RGB size=40x30>"
    assert "Explanation(estimator='plain'" in record[0]["data"]["text/plain"]
    assert [out["output_type"] for out in two] == ["display_data"] * 2
