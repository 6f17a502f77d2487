"""The worked examples hold what they state."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

import explainkit
from explainkit import scenes

FOLDER = Path(__file__).parents[1] / "examples" / "analysis"


def load(name):
    spec = importlib.util.spec_from_file_location(
        f"examples_analysis_{name}", FOLDER / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bias, adversarial, counterfactual = map(load, ("bias", "adversarial", "counterfactual"))


@pytest.fixture(scope="module")
def network():
    return scenes.load_network()


def check_picture(path, columns, rows):
    with Image.open(path) as picture:
        width, height = picture.size
    assert width > 184 * columns
    assert height > 184 * rows
    assert path.stat().st_size < 300_000


class TestBias:
    def test_both_sets_show_the_same_things(self):
        for seed in range(20):
            biased, unbiased = (bias.draw(seed, shares) for shares in (bias.BIASED, bias.UNBIASED))
            assert biased.kind == unbiased.kind
            np.testing.assert_array_equal(biased.mask, unbiased.mask)

    def test_each_thing_is_wholly_in_its_picture(self):
        shares = [bias.draw(seed, bias.ASHORE).mask.mean() for seed in range(40)]
        assert min(shares) > 0.03
        assert max(shares) < 0.5

    def test_the_sea_is_behind_what_it_says(self):
        def seems_sea(picture):
            red, green, blue = np.asarray(picture.image, float)[~picture.mask].mean(axis=0)
            return blue > 1.1 * green and blue > 1.3 * red

        def share_at_sea(shares, kind=None):
            return np.mean([seems_sea(bias.draw(seed, shares, kind)) for seed in range(40)])

        assert share_at_sea(bias.AT_SEA) == 1
        assert share_at_sea(bias.ASHORE) < 0.2  # some clutter is blue, too
        for kind in range(len(bias.KINDS)):
            expected = 1 if kind == bias.STAR else 0
            assert share_at_sea(bias.BIASED, kind) == pytest.approx(expected, abs=0.2)
            assert share_at_sea(bias.UNBIASED, kind) == pytest.approx(0.5, abs=0.25)

    @pytest.mark.slow
    def test_the_heat_gives_the_bias_away(self, tmp_path, capsys):
        unbiased, biased = bias.main(tmp_path)
        assert bias.MARGIN >= 0.2
        assert biased.outside.mean() - unbiased.outside.mean() >= bias.MARGIN
        # Of single stars, too: those in the picture need not be chosen.
        assert np.mean(biased.outside > unbiased.outside) >= 0.95
        # What was collected in the same way does not tell them apart ...
        assert unbiased.accuracies["stars, at sea"] >= 0.9
        assert biased.accuracies["stars, at sea"] >= 0.9
        # ... and what was not shows why it matters.
        assert unbiased.accuracies["stars, ashore"] >= 0.75
        assert biased.accuracies["stars, ashore"] <= 0.2
        assert biased.accuracies["others, at sea"] <= 0.3
        assert "a bias" in capsys.readouterr().out
        check_picture(tmp_path / "bias.png", bias.SHOWN, 3)


@pytest.fixture(scope="module")
def attacked(network):
    """Scenes of which the thing attacked is seen, and what becomes of them."""
    found = list(scenes.draw_scenes(40))
    docs, things = scenes.as_docs(found), adversarial.things_of(found)
    targets = np.array([thing.target for thing in things])
    epsilon = adversarial.SHOWN_STEP / 255
    changed = adversarial.attack(network, docs, targets, epsilon)
    before, after = (adversarial.look(network, x, things) for x in (docs, changed))
    return docs, changed, targets, before, after


class TestAdversarial:
    def test_it_changes_no_number_by_more_than_it_says(self, attacked):
        docs, changed, *_ = attacked
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert 0 < abs(changed - docs).max() <= adversarial.SHOWN_STEP / 255 + 1e-6
        assert np.mean(changed != docs) > 0.9

    def test_the_channels_have_gradients_of_their_own(self, network, attacked):
        docs, _, targets, *_ = attacked
        apart = adversarial.gradients(network, docs[:4], targets[:4])
        _, added = explainkit.gradients(network, docs[:4], targets[:4, None], postprocess=None)
        np.testing.assert_allclose(apart.sum(-1), added[:, 0], atol=1e-5 * abs(added).max())

    def test_every_probability_falls(self, attacked):
        *_, before, after = attacked
        seen = before.probas > 0.5
        assert seen.mean() > 0.9
        assert np.all(after.probas[seen] <= before.probas[seen])
        assert np.mean(after.probas[seen] < 0.5) > 0.25

    def test_most_things_that_are_missed_are_still_found(self, attacked):
        *_, before, after = attacked
        seen = before.probas > 0.5
        assert np.all(before.in_box[seen])
        missed = seen & (after.probas < 0.5)
        assert after.in_box[missed].mean() >= 0.75

    def test_the_scenes_shown_are_what_the_example_says(self, network):
        found = [scenes.draw_scene(seed) for seed in adversarial.SHOWN_SEEDS]
        docs, things = scenes.as_docs(found), adversarial.things_of(found)
        targets = np.array([thing.target for thing in things])
        epsilon = adversarial.SHOWN_STEP / 255
        changed = adversarial.attack(network, docs, targets, epsilon)
        before, after = (adversarial.look(network, x, things) for x in (docs, changed))
        assert np.all(before.probas > 0.9)
        assert np.all(after.probas < adversarial.SURE)
        assert before.in_box.tolist() == [True, True, True]
        assert after.in_box.tolist() == [True, True, False]

    def test_it_runs(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(adversarial, "SCENES", 8)
        adversarial.main(tmp_path / "new")
        assert "8/255" in capsys.readouterr().out
        check_picture(tmp_path / "new" / "adversarial.png", 5, 3)


@pytest.fixture(scope="module")
def asked():
    return counterfactual.questions_about(list(scenes.draw_scenes(160)))[::2]


class TestCounterfactual:
    def test_each_question_is_about_one_of_two_things(self, asked):
        assert len(asked) >= 50
        for scene, about, other in asked:
            assert scene.objects == (about, other)

    def test_in_competition_the_map_names_the_other_thing(self, network, asked):
        near, named = counterfactual.count(network, asked, counterfactual.competition)
        assert near >= 0.9
        assert named >= 0.9

    def test_by_itself_a_kind_has_nothing_against_the_others(self, network, asked):
        near, _ = counterfactual.count(network, asked, counterfactual.alone)
        assert near <= 0.4

    def test_the_lead_over_the_other_is_lost_where_the_other_is(self, network, asked):
        near, _ = counterfactual.count(network, asked[:6], counterfactual.contrast)
        assert near >= 0.8

    def test_a_place_far_from_everything_names_nothing(self):
        scene = scenes.draw_scene(1)
        far = max(
            np.ndindex(12, 12),
            key=lambda cell: min(
                counterfactual.distance((8 * cell[0] + 4, 8 * cell[1] + 4), thing)
                for thing in scene.objects
            ),
        )
        nowhere = np.zeros((12, 12), np.float32)
        nowhere[far] = 1
        assert counterfactual.named_by(nowhere, scene) is None

    def test_it_runs(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(counterfactual, "SCENES", 12)
        counterfactual.main(tmp_path / "new")
        out = capsys.readouterr().out
        assert all(name in out for name in ("alone", "contrast", "competition"))
        check_picture(tmp_path / "new" / "counterfactual.png", 4, 4)
