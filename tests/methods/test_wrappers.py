import numpy as np
import pytest

from explainkit.methods.base import Canvas
from explainkit.methods.cam import CAM, GradCAM
from explainkit.methods.eigencam import EigenCAM
from explainkit.methods.full_gradients import FullGrad
from explainkit.methods.gradients import Gradients
from explainkit.methods.perturbation import Occlusion
from explainkit.methods.relu_rewrites import GuidedBackprop
from explainkit.methods.wrappers import Smooth, TestTimeAugmentation

WRAPPERS = [Smooth, TestTimeAugmentation]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(
    "inner",
    [
        CAM(),
        GradCAM(),
        Gradients(),
        GuidedBackprop(),
        FullGrad(biases=("conv",)),
        EigenCAM(),
        Occlusion(),
    ],
)
def test_a_wrapper_asks_for_what_the_method_in_it_asks_for(inner, wrapper):
    made = wrapper(inner)
    for name in ("at_layers", "at_biases", "bias_layers", "rewrites", "reason"):
        assert getattr(made, name) == getattr(inner, name)
    # The picture is changed, whatever the method looks at, and there are many of it.
    assert made.at_picture
    assert made.varies


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_is_spelled_with_the_method_in_it(wrapper):
    inner = GradCAM()
    made = wrapper(wrapper(inner))
    assert made.spelled == f"{wrapper.name}({wrapper.name}(gradcam))"
    assert made.heading == f"Grad-CAM, {wrapper.title}, {wrapper.title}"
    assert made.definition == f"{wrapper.formula} of {wrapper.formula} of {inner.formula}"


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("inner", ["gradcam", GradCAM, None])
def test_what_is_wrapped_must_be_a_method(inner, wrapper):
    with pytest.raises(TypeError, match="is no method to be wrapped"):
        wrapper(inner)


def test_equal_wrappers_are_one_question():
    one = TestTimeAugmentation(GradCAM(), flips=["vertical"], scales=[1.0, 2.0], weights=[0.25] * 4)
    other = TestTimeAugmentation(
        GradCAM(), flips=("vertical",), scales=(1.0, 2.0), weights=(0.25,) * 4
    )
    assert one == other
    assert hash(one) == hash(other)
    assert one != TestTimeAugmentation(GradCAM(counterfactual=True), flips=["vertical"])
    assert Smooth(GradCAM()) != Smooth(GradCAM(), seed=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"samples": 0}, ValueError, "samples is 0; give 1 or more"),
        ({"samples": 2.5}, TypeError, "samples is 2.5; give a whole number"),
        ({"noise": -0.1}, ValueError, "noise is -0.1; give a finite number, 0 or more"),
        ({"noise": float("nan")}, ValueError, "noise is nan; give a finite number, 0 or more"),
        ({"noise": float("inf")}, ValueError, "noise is inf; give a finite number, 0 or more"),
        ({"noise": "much"}, TypeError, "noise is 'much'; give a number"),
        ({"seed": -1}, ValueError, "seed is -1; give 0 or more"),
        ({"seed": None}, TypeError, "seed is None; give a whole number"),
    ],
)
def test_noise_that_cannot_be_drawn_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        Smooth(GradCAM(), **options)


def test_no_noise_and_one_sample_may_be_asked_for():
    made = Smooth(GradCAM(), samples=1, noise=0)
    assert (made.samples, made.noise) == (1, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flips": ("diagonal",)}, "flips has 'diagonal'; there are 'horizontal' and 'vertical'"),
        ({"flips": ("horizontal", "horizontal")}, "flips names one twice"),
        ({"scales": ()}, "scales is empty"),
        ({"scales": (1.0, 0.0)}, "scales has 0.0; give positive numbers"),
        ({"scales": (-1.0,)}, "scales has -1.0; give positive numbers"),
        ({"scales": (float("inf"),)}, "scales has inf; give positive numbers"),
        ({"scales": (float("nan"),)}, "scales has nan; give positive numbers"),
        ({"weights": (1.0,)}, "weights has 1 numbers; there are 2 variants: 1 scales"),
        ({"weights": (0.25,) * 4}, "weights has 4 numbers; there are 2 variants"),
        ({"weights": ()}, "weights has 0 numbers; there are 2 variants"),
        ({"weights": (0.5, 0.4)}, "weights add up to 0.9; they must add up to 1"),
        ({"weights": (1.0, 1.0)}, "weights add up to 2.0; they must add up to 1"),
        (
            {"flips": (), "scales": (1.0, 2.0), "weights": (0.2, 0.3, 0.5)},
            "weights has 3 numbers; there are 2 variants: 2 scales, each as it is and 0 times",
        ),
    ],
)
def test_variants_that_there_are_not_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TestTimeAugmentation(GradCAM(), **options)


@pytest.mark.parametrize(
    ("flips", "scales", "count"),
    [
        ((), (1.0,), 1),
        (("vertical",), (1.0,), 2),
        (("horizontal", "vertical"), (0.5, 1.0, 2.0), 9),
    ],
)
def test_there_is_a_weight_for_each_scale_as_it_is_and_flipped(flips, scales, count):
    # Thirds and ninths add up to 1 but for rounding.
    weights = [1 / count] * count
    made = TestTimeAugmentation(GradCAM(), flips=flips, scales=scales, weights=weights)
    assert made.weights == tuple(weights)


@pytest.mark.parametrize("shape", [(16, 3), (8, 16, 16, 3), ()])
def test_only_pictures_of_two_axes_are_flipped(shape):
    with pytest.raises(ValueError, match="tta flips pictures, of shape"):
        TestTimeAugmentation(GradCAM()).drawn(Canvas(shape), 4)


def test_a_model_that_takes_one_size_only_takes_no_scaled_pictures():
    fixed = Canvas((16, 12, 3), open_sizes=False)
    with pytest.raises(ValueError, match=r"takes pictures of 16x12 only.*give scales=\(1.0,\)"):
        TestTimeAugmentation(GradCAM(), scales=(1.0, 1.5)).drawn(fixed, 4)
    assert TestTimeAugmentation(GradCAM()).drawn(fixed, 4) == ((),)
    # Nor does it matter where the model takes any size.
    TestTimeAugmentation(GradCAM(), scales=(1.0, 1.5)).drawn(Canvas((16, 12, 3)), 4)


def test_the_noise_of_scaled_pictures_has_their_size():
    made = TestTimeAugmentation(Smooth(GradCAM(), samples=3), scales=(1.0, 0.5, 1.3, 0.01))
    drawn = made.drawn(Canvas((16, 10, 3)), 8)
    shapes = [noise.shape for (noise, *_), _ in drawn]
    sizes = [(16, 10), (8, 5), (21, 13), (1, 1)]
    assert shapes == [(1, 3, *size, 3) for size in sizes]


def test_noise_is_drawn_for_the_wrapper_and_for_what_is_in_it():
    made = Smooth(Smooth(GradCAM(), samples=2, seed=5), samples=2, seed=5)
    (noise, _, _), ((inner_noise, _, _), nothing) = made.drawn(Canvas((4, 4, 1)), 8)
    np.testing.assert_array_equal(noise, inner_noise)
    assert nothing == ()
