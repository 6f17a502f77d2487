import pytest

from explainkit.methods import METHODS, find_method
from explainkit.methods.cam import GradCAM


def test_a_method_is_found_by_its_name():
    assert find_method("gradcam", {}) == GradCAM()


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


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        ("gradcamm", {}, ValueError, "no method 'gradcamm'.*did you mean 'gradcam'?"),
        (7, {}, TypeError, "method is a int; give a name: gradcam"),
        ("gradcam", {"steps": 5}, TypeError, "'steps'.*no option of 'gradcam'"),
        ("gradcam", {"counterfactal": 1}, TypeError, "did you mean 'counterfactual'?"),
        ("gradcam", {"counterfactual": "yes"}, TypeError, "'counterfactual' must be.*bool"),
        (GradCAM(), {"counterfactual": True}, TypeError, "has its options already"),
    ],
)
def test_what_is_none_is_refused(method, options, error, message):
    with pytest.raises(error, match=message):
        find_method(method, options)
