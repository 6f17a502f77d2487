from importlib.metadata import EntryPoint

import attrs
import numpy as np
import pytest

import explainkit.methods
from explainkit.explanation import ExplanationWarning
from explainkit.methods import (
    ENTRY_POINTS,
    METHODS,
    Method,
    counterfactual,
    find_method,
    known_methods,
    option_names,
    smooth,
    tta,
)
from explainkit.methods.base import Canvas
from explainkit.methods.cam import GradCAM
from explainkit.methods.gradients import Gradients
from explainkit.methods.wrappers import Smooth, TestTimeAugmentation

WITH_GRADIENTS = [name for name in METHODS if "counterfactual" in option_names(name)]
WITHOUT_GRADIENTS = ["eigencam", "scorecam", "ablationcam", "occlusion", "rise"]


@pytest.fixture
def plug_in(monkeypatch):
    """Let names be all the entry points there are, and list how often they are read."""
    asked = []

    def plug(*values):
        def entry_points(*, group):
            asked.append(group)
            return [EntryPoint(f"entry{i}", value, group) for i, value in enumerate(values)]

        monkeypatch.setattr(explainkit.methods, "entry_points", entry_points)
        monkeypatch.setattr(explainkit.methods, "_plugged_in", None)
        return asked

    return plug


def test_a_method_is_found_by_its_name():
    assert find_method("gradcam", {}) == GradCAM()


@pytest.mark.parametrize("name", METHODS)
def test_each_method_is_found_by_its_name_and_made_without_options(name):
    assert type(find_method(name, {})) is METHODS[name]


def test_a_method_made_by_hand_is_itself():
    method = GradCAM(counterfactual=True)
    assert find_method(method, {}) is method


def test_equal_options_are_one_question():
    assert hash(find_method("gradcam", {"counterfactual": True})) == hash(
        GradCAM(counterfactual=True)
    )


@pytest.mark.parametrize("name", METHODS)
def test_methods_say_what_they_are(name):
    method = METHODS[name]
    assert method.name == name
    assert method.title
    assert method.formula
    assert method.source
    assert method.cost.forward
    assert method.cost.backward


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        ("gradcamm", {}, ValueError, "no method 'gradcamm'.*did you mean 'gradcam'?"),
        (7, {}, TypeError, f"method is a int; give a name: {', '.join(METHODS)}$"),
        (None, {}, TypeError, "method is a NoneType; give a name: "),
        ("gradcam", {"steps": 5}, TypeError, "'steps'.*no option of 'gradcam'"),
        ("gradcam", {"counterfactal": 1}, TypeError, "did you mean 'counterfactual'?"),
        (
            "gradcam",
            {"counterfactual": "yes"},
            TypeError,
            "counterfactual is 'yes'; give True or False",
        ),
        (GradCAM(), {"counterfactual": True}, TypeError, "has its options already"),
    ],
)
def test_what_is_none_is_refused(method, options, error, message):
    # Of a name such as gradcam++, the signs are no pattern.
    with pytest.raises(error, match=message.replace("+", r"\+")):
        find_method(method, options)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Gradcam", "gradcam"),
        ("grad-cam", "gradcam"),
        ("gradcam+", "gradcam++"),
        ("hires_cam", "hirescam"),
        ("score_cam", "scorecam"),
        ("integrated-gradients", "integrated_gradients"),
        ("smooth_grad", "smoothgrad"),
        ("guided_backpropagation", "guided_backprop"),
        ("oclusion", "occlusion"),
    ],
)
def test_of_an_unknown_method_the_nearest_is_named(plug_in, name, nearest):
    plug_in()  # whatever is installed here
    with pytest.raises(ValueError, match="no method") as caught:
        find_method(name, {})
    assert str(caught.value) == (
        f"no method {name!r}; there are: {', '.join(METHODS)}; did you mean {nearest!r}?"
    )


def test_where_no_method_is_near_none_is_named():
    with pytest.raises(ValueError, match="no method 'zebra'") as caught:
        find_method("zebra", {})
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "option", "owners"),
    [
        ("gradcam", "patch", ["occlusion"]),
        ("gradcam", "steps", ["integrated_gradients"]),
        ("gradcam", "psi", ["fullgrad"]),
        ("gradients", "max_channels", ["scorecam", "ablationcam"]),
        ("eigencam", "counterfactual", WITH_GRADIENTS),
        ("occlusion", "seed", ["smoothgrad", "vargrad", "rise"]),
        ("gradcam", "baseline", ["scorecam", "integrated_gradients", "occlusion", "rise"]),
    ],
)
def test_an_option_of_other_methods_names_them(method, option, owners):
    with pytest.raises(TypeError) as caught:
        find_method(method, {option: 1})
    assert f"{option!r} is no argument of explain_prediction" in str(caught.value)
    assert f"; it is an option of {', '.join(owners)}" in str(caught.value)


def test_an_option_of_nobody_names_no_owner_and_what_else_it_may_mean():
    with pytest.raises(TypeError, match="which takes: fusion, counterfactual; did you") as caught:
        find_method("gradcam", {"target": 3}, arguments=["targets", "layer"])
    assert str(caught.value).endswith("did you mean 'targets'?")
    assert "it is an option of" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        ("smoothgrad", {"noise": -0.1}, ValueError, "noise is -0.1; give a finite number, 0 or"),
        ("smoothgrad", {"samples": 0}, ValueError, "samples is 0; give 1 or more"),
        ("vargrad", {"samples": True}, TypeError, "samples is True; give a whole number"),
        ("vargrad", {"seed": -1}, ValueError, "seed is -1; give 0 or more"),
        ("integrated_gradients", {"steps": 0}, ValueError, "steps is 0; give 1 or more"),
        ("integrated_gradients", {"steps": 2.5}, TypeError, "steps is 2.5; give a whole number"),
        ("integrated_gradients", {"baseline": "median"}, ValueError, "baseline is 'median'; give"),
        ("scorecam", {"baseline": np.nan}, ValueError, "baseline holds what is no finite number"),
        ("scorecam", {"max_channels": 0}, ValueError, "max_channels is 0; give 1 or more"),
        ("occlusion", {"baseline": np.array([1, np.nan])}, ValueError, "no finite number"),
        ("occlusion", {"patch": 0}, ValueError, "patch is 0; give 1 or more"),
        ("occlusion", {"stride": 0}, ValueError, "stride is 0; give 1 or more"),
        ("rise", {"visible": 0.0}, ValueError, "visible is 0.0; give a number between 0 and 1"),
        ("rise", {"visible": 1.0}, ValueError, "visible is 1.0; give a number between 0 and 1"),
        ("rise", {"visible": -0.5}, ValueError, "visible is -0.5; give a number between 0 and 1"),
        ("rise", {"visible": "half"}, TypeError, "visible is 'half'; give a number"),
        ("rise", {"masks": 1}, ValueError, "masks is 1; give 2 or more"),
        ("rise", {"cells": 0}, ValueError, "cells is 0; give 1 or more"),
        ("gradcam", {"fusion": "sum"}, ValueError, "'sum'; give one of 'mean', 'max'"),
        ("gradients", {"channels": "mean"}, ValueError, "'mean'; give one of 'sum', 'max'"),
        ("fullgrad", {"psi": "relu"}, ValueError, "'relu'; give one of 'absolute', 'none'"),
    ],
)
def test_values_that_an_option_does_not_take_are_refused(method, options, error, message):
    with pytest.raises(error, match=message):
        find_method(method, options)


@pytest.mark.parametrize("name", ["scorecam", "integrated_gradients", "occlusion", "rise"])
def test_a_baseline_that_does_not_fit_the_picture_is_refused(name):
    method = find_method(name, {"baseline": np.zeros((5, 5, 3))})
    with pytest.raises(ValueError, match=r"baseline has the shape \(5, 5, 3\).*\(8, 8, 3\)"):
        method.drawn(Canvas((8, 8, 3)), 4)


def test_the_wrappers_take_a_name_or_a_method_and_their_options():
    assert smooth("gradcam", samples=3) == Smooth(GradCAM(), samples=3)
    assert smooth(Gradients(channels="max")) == Smooth(Gradients(channels="max"))
    assert tta("gradcam", flips=[]) == TestTimeAugmentation(GradCAM(), flips=())
    assert tta(smooth("gradcam")) == TestTimeAugmentation(Smooth(GradCAM()))


@pytest.mark.parametrize("wrapper", [smooth, tta, counterfactual])
def test_the_wrappers_refuse_what_is_no_method(wrapper):
    with pytest.raises(ValueError, match="no method 'gradcamm'.*did you mean 'gradcam'?"):
        wrapper("gradcamm")
    with pytest.raises(TypeError, match="method is a int; give a name"):
        wrapper(7)


def test_the_weights_of_tta_must_be_one_for_each_variant_and_add_up_to_one():
    with pytest.raises(ValueError, match="weights has 3 numbers; there are 2 variants"):
        tta("gradcam", weights=[0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match="weights add up to 1.5; they must add up to 1"):
        tta("gradcam", weights=[0.5, 1.0])
    assert tta("gradcam", weights=[0.3, 0.7]).weights == (0.3, 0.7)


@pytest.mark.parametrize("name", WITH_GRADIENTS)
def test_a_method_is_turned_round_and_twice_is_itself(name):
    method = find_method(name, {})
    turned = counterfactual(name)
    assert turned == attrs.evolve(method, counterfactual=True)
    assert turned == counterfactual(method)
    assert counterfactual(turned) == method


def test_turning_round_keeps_the_other_options():
    method = Gradients(channels="max")
    assert counterfactual(method) == Gradients(channels="max", counterfactual=True)
    assert method == Gradients(channels="max")  # what was given is as it was


def test_of_wrappers_the_innermost_method_is_turned_round():
    method = tta(smooth("gradcam", samples=3), flips=["vertical"])
    turned = tta(smooth(GradCAM(counterfactual=True), samples=3), flips=["vertical"])
    assert counterfactual(method) == turned
    assert counterfactual(turned) == method


def test_which_methods_have_gradients():
    assert set(METHODS) - set(WITH_GRADIENTS) == set(WITHOUT_GRADIENTS)


@pytest.mark.parametrize("name", WITHOUT_GRADIENTS)
def test_a_method_without_gradients_cannot_be_turned_round(name):
    # Nor can it within others; named is the one that stands in the way.
    for method in (name, find_method(name, {}), smooth(name), tta(smooth(name))):
        with pytest.raises(TypeError) as caught:
            counterfactual(method)
        assert str(caught.value) == (
            f"method {name!r} takes no gradients that could be negated; these do: "
            f"{', '.join(WITH_GRADIENTS)}"
        )


# Plug-ins: this module stands for a distribution that brings them.


@attrs.frozen
class Plugged(Method):
    name = "plugged"
    sharpness: int = attrs.field(default=1, kw_only=True)

    def maps(self, subject, drawn):
        raise NotImplementedError


@attrs.frozen
class Usurper(Plugged):
    name = "gradcam"


no_class = Plugged()


class Unrelated:
    name = "unrelated"


def here(name):
    return f"{__name__}:{name}"


def test_a_plug_in_is_found_by_its_methods_name(plug_in, recwarn):
    plug_in(here("Plugged"))
    assert find_method("plugged", {"sharpness": 3}) == Plugged(sharpness=3)
    assert known_methods() == {**METHODS, "plugged": Plugged}
    assert option_names("plugged") == ["sharpness"]
    assert smooth("plugged").spelled == "smooth(plugged)"
    assert not recwarn.list


def test_a_plug_in_is_among_what_there_is_and_what_may_have_been_meant(plug_in):
    plug_in(here("Plugged"))
    with pytest.raises(ValueError, match="there are: plugged, cam.*did you mean 'plugged'?"):
        find_method("pluged", {})
    with pytest.raises(TypeError, match="no option of 'plugged', which takes: sharpness; did you"):
        find_method("plugged", {"sharpnes": 3})


def test_plug_ins_are_read_once_and_only_when_a_name_is_not_known(plug_in):
    asked = plug_in(here("Plugged"))
    find_method("gradcam", {})
    assert asked == []
    find_method("plugged", {})
    find_method("plugged", {})
    assert asked == [ENTRY_POINTS]


def test_a_plug_in_cannot_change_what_a_name_means(plug_in):
    plug_in(here("Usurper"))
    assert find_method("gradcam", {}) == GradCAM()
    assert known_methods()["gradcam"] is GradCAM


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a_package_that_is_not_there:Method", "ModuleNotFoundError: No module named"),
        (here("there_is_no_such_name"), "AttributeError: "),
        (here("no_class"), "TypeError: it is a Plugged, not a class of explainkit's Method"),
        (here("Unrelated"), "TypeError: it is a type, not a class of explainkit's Method"),
        (here("here"), "TypeError: it is a function, not a class of explainkit's Method"),
    ],
)
def test_a_broken_plug_in_is_a_warning_and_keeps_no_other_away(plug_in, value, message):
    plug_in(value, here("Plugged"))
    with pytest.warns(ExplanationWarning) as caught:
        assert find_method("plugged", {}) == Plugged()
    assert len(caught) == 1
    said = str(caught[0].message)
    assert said.startswith(f"the plug-in 'entry0' ({value}) cannot be loaded: {message}")
    # It is where the caller asked, not in the package.
    assert caught[0].filename == __file__
