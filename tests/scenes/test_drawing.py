import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from explainkit.scenes import KINDS, draw_scene, draw_scenes
from explainkit.scenes.arranging import MIN_VISIBLE


def fingerprint(scene):
    masks = b"".join(thing.mask.tobytes() for thing in scene.objects)
    kinds = " ".join(thing.kind for thing in scene.objects).encode()
    return hashlib.sha256(scene.image.tobytes() + masks + kinds).hexdigest()


def test_equal_seeds_give_equal_scenes_in_any_order():
    forwards = [fingerprint(draw_scene(seed)) for seed in range(5)]
    backwards = [fingerprint(draw_scene(seed)) for seed in reversed(range(5))]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 5


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_equal_seeds_give_equal_scenes_in_other_processes(hash_seed):
    script = (
        "from explainkit.scenes import draw_scene\n"
        "scene = draw_scene(5)\n"
        "print(scene.image.tobytes().hex())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        text=True,
    )
    assert answer.stdout.strip() == draw_scene(5).image.tobytes().hex()


def test_scenes_in_a_row_are_the_scenes_of_their_seeds():
    scenes = list(draw_scenes(3, seed=40))
    assert [scene.seed for scene in scenes] == [40, 41, 42]
    assert fingerprint(scenes[2]) == fingerprint(draw_scene(42))
    assert list(draw_scenes(0)) == []


def test_a_numpy_integer_is_a_seed():
    assert fingerprint(draw_scene(np.int64(3))) == fingerprint(draw_scene(3))


def test_every_scene_holds_two_or_three_kinds(scenes):
    assert {len(scene.objects) for scene in scenes} == {2, 3}
    assert all(len({x.kind for x in scene.objects}) == len(scene.objects) for scene in scenes)


def test_targets_are_places_in_kinds(things):
    assert all(KINDS[thing.target] == thing.kind for thing in things)
    assert {thing.kind for thing in things} == set(KINDS)


def test_a_pixel_shows_one_object_at_most(scenes):
    for scene in scenes:
        assert sum(thing.mask.astype(int) for thing in scene.objects).max() == 1


def test_some_objects_are_partly_hidden_and_all_show_most_of_themselves(things):
    visible = np.array([thing.visible for thing in things])
    assert visible.min() >= MIN_VISIBLE
    assert (visible < 0.95).mean() > 0.1


@pytest.mark.parametrize("size", [32, 75, 224])
def test_a_scene_can_have_another_size(size):
    scene = draw_scene(8, size)
    assert scene.image.size == (size, size)
    assert scene.image.mode == "RGB"
    assert all(thing.mask.shape == (size, size) and thing.mask.any() for thing in scene.objects)


def test_masks_are_where_the_picture_changes(scenes):
    """Crossing the rim of a mask, colours change far more than elsewhere."""
    rims, elsewhere = [], []
    for scene in scenes[:100]:
        pixels = scene.doc[0]
        owner = sum((i + 1) * thing.mask for i, thing in enumerate(scene.objects))
        change = np.abs(pixels[:, 2:] - pixels[:, :-2]).sum(2)
        rim = owner[:, 2:] != owner[:, :-2]
        rims.append(change[rim].mean())
        elsewhere.append(change[~rim].mean())
    assert np.mean(rims) > 2.5 * np.mean(elsewhere)


def test_colour_does_not_tell_the_kind(scenes):
    """Guessing the kind from the nearest mean colour is hardly better than chance."""
    colours = np.array([scene.doc[0, x.mask].mean(0) for scene in scenes for x in scene.objects])
    targets = np.array([x.target for scene in scenes for x in scene.objects])
    learnt, asked = np.arange(len(targets)) % 2 == 0, np.arange(len(targets)) % 2 == 1
    means = np.array([colours[learnt & (targets == kind)].mean(0) for kind in range(len(KINDS))])
    distance = np.linalg.norm(colours[asked, None] - means, axis=2)
    assert (distance.argmin(1) == targets[asked]).mean() < 0.16


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed must be at least 0, not -1"),
        ({"seed": 1.5}, TypeError, "seed must be an integer, not 1.5"),
        ({"seed": "1"}, TypeError, "seed must be an integer, not '1'"),
        ({"seed": None}, TypeError, "seed must be an integer, not None"),
        ({"seed": 0, "size": 96.0}, TypeError, "size must be an integer, not 96.0"),
        ({"seed": 0, "size": 31}, ValueError, "size must be at least 32, not 31"),
        ({"seed": 0, "size": -96}, ValueError, "size must be at least 32, not -96"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        draw_scene(**arguments)
    with pytest.raises(error, match=message):
        draw_scenes(1, **arguments)


def test_a_negative_number_of_scenes_is_an_error():
    with pytest.raises(ValueError, match="n must be at least 0, not -2"):
        draw_scenes(-2)
