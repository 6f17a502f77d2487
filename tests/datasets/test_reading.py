"""What a run kept is read back as what was explained."""

import shutil
import uuid

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from explainkit import Explanation, datasets, evaluate, report, scenes
from explainkit.pictures import read_image

from .conftest import Squares, as_doc, draw_doc, draw_picture, explain, explain_squares

COUNT = 12
#: In the order of their keys: the broken one is the first.
NAMES = ["broken.png", *(f"{'cats/' if seed % 2 else ''}{seed:02d}.png" for seed in range(COUNT))]
NAMES.sort()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("pictures")
    (place / "cats").mkdir()
    for name in NAMES:
        if name != "broken.png":
            draw_picture(int(name[-6:-4])).save(place / name)
    (place / "broken.png").write_bytes(b"no picture")
    return place


@pytest.fixture(scope="module")
def output(folder, tmp_path_factory):
    place = tmp_path_factory.mktemp("output")
    explain(folder, place, top_targets=2)
    return place


@pytest.fixture
def found(output):
    return datasets.load(output)


def explained(folder, name):
    """What the model says of a picture, asked without a run."""
    return explain_squares(Squares(), as_doc(read_image(folder / name)), top_targets=2)


def assert_same(read, made):
    """All is equal, but for heatmaps, which were rounded, and raw maps, which are not kept."""
    for field in ("estimator", "method", "layer", "description", "is_regression", "error"):
        assert getattr(read, field) == getattr(made, field)
    assert len(read.targets) == len(made.targets)
    for one, other in zip(read.targets, made.targets, strict=True):
        assert attrs.evolve(one, heatmap=0, map=0) == attrs.evolve(other, heatmap=0, map=0)
        assert one.heatmap.dtype == np.float32
        np.testing.assert_array_equal(one.heatmap, np.float16(other.heatmap))
        np.testing.assert_array_equal(one.map, one.heatmap)


class TestExplanations:
    def test_they_are_those_that_the_model_gives(self, found, folder):
        assert len(found) == len(NAMES)
        for name, expl in zip(NAMES, found, strict=True):
            if name == "broken.png":
                assert expl.error.startswith("ValueError: ")
                assert expl.error.endswith("broken.png is no picture that Pillow can read")
                assert (expl.targets, expl.image) == ((), None)
            else:
                assert_same(expl, explained(folder, name))

    def test_they_are_found_by_place_key_and_slice(self, found):
        every = list(found)
        assert found.keys() == NAMES
        assert [found[name] for name in NAMES] == every
        assert [found[place] for place in range(len(NAMES))] == every
        assert [found[np.int64(-1)], found[-len(NAMES)]] == [every[-1], every[0]]
        assert found[7:2:-2] == every[7:2:-2]
        assert [key for key, _ in found.items()] == NAMES
        assert list(found.values()) == [expl for _, expl in found.items()] == every

    def test_keys_are_what_is_in_it(self, found):
        assert NAMES[4] in found
        assert "no.png" not in found
        assert 4 not in found

    @pytest.mark.parametrize(
        ("which", "error", "message"),
        [
            (len(NAMES), IndexError, "there are 13 documents, and none at 13"),
            (-14, IndexError, "none at -14"),
            ("no.png", KeyError, "there is no document with the key 'no.png'"),
            (1.0, TypeError, "found by place, key or slice, not by a float"),
            (True, TypeError, "not by a bool"),
        ],
    )
    def test_what_is_not_there_is_told(self, found, which, error, message):
        with pytest.raises(error, match=message):
            found[which]

    def test_functions_that_chose_scores_and_outputs_are_named(self, tmp_path):
        run = datasets.runs.Run({"kind": "pairs"}, {"name": "m", "digest": ""}, {}, 9, (1, 1))
        heat = np.ones((1, 1), np.float32)
        for target in ("lead", ("kinds", 3), 3):
            one = attrs.evolve(explained_anyhow(), targets=[target_of(target, heat)])
            rows = datasets.rows.as_rows([datasets.rows.Explained("k", one)], 0, run.constants)
            [back] = datasets.rows.as_explained(rows, lambda _: None)
            assert back.expl == one


def explained_anyhow():
    return Explanation("m", "gradcam", layer="a + b", description="d", is_regression=True)


def target_of(target, heat):
    from explainkit import TargetExplanation

    return TargetExplanation(target, None, -1.25, None, heat, heat)


class TestTables:
    def test_a_dataframe_has_a_row_for_each_target(self, found, folder):
        pytest.importorskip("pandas")
        frame = found.dataframe()
        assert len(frame) == 2 * COUNT + 1
        assert "heatmap" not in frame
        expected = [1 if name == "broken.png" else 2 for name in NAMES]
        assert frame.groupby("key").size().tolist() == expected
        row = frame[frame.key == NAMES[3]].iloc[1]
        second = explained(folder, NAMES[3]).targets[1]
        assert (row["rank"], row.target, row.label) == (1, second.target, second.label)
        assert (row.score, row.proba) == (second.score, second.proba)
        assert list(found.dataframe(["label", "key"])) == ["label", "key"]
        assert list(found.dataframe("label")) == ["label"]

    def test_a_column_that_is_not_there_is_told(self, found):
        with pytest.raises(LookupError, match="no column 'lable'; there are: key, .*'label'"):
            found.dataframe(["lable"])

    def test_arrow_filters_and_projects(self, found):
        import pyarrow.dataset as pads

        rows = found.arrow.to_table(columns=["key"], filter=pads.field("error").is_valid())
        assert rows["key"].to_pylist() == ["broken.png"]
        assert found.arrow.count_rows() == 2 * COUNT + 1

    def test_heatmaps_are_one_array_in_the_order_of_the_rows(self, found, folder):
        stacked = found.heatmaps()
        assert stacked.dtype == np.float16
        assert stacked.shape == (2 * COUNT + 1, 4, 4)
        missing = np.isnan(stacked).all((1, 2))
        keys = np.array(found.arrow.to_table(columns=["key"])["key"].to_pylist())
        assert keys[missing].tolist() == ["broken.png"]
        assert not np.isnan(stacked[~missing]).any()
        for row in np.flatnonzero(keys == NAMES[5]), np.flatnonzero(keys == NAMES[-1]):
            heat = [one.heatmap for one in explained(folder, keys[row[0]]).targets]
            np.testing.assert_array_equal(stacked[row], np.float16(heat))

    def test_errors_say_which_failed_and_why(self, found):
        assert list(found.errors) == ["broken.png"]
        assert found.errors["broken.png"] == found["broken.png"].error

    def test_where_everything_failed_there_are_rows_and_no_heatmaps(self, tmp_path):
        pairs = [(seed, np.full((1, 16, 16, 3), np.nan)) for seed in range(3)]
        explain(pairs, tmp_path / "out", preprocess=None)
        found = datasets.load(tmp_path / "out")
        assert found.keys() == ["0", "1", "2"]
        assert len(found.errors) == 3
        assert found.heatmaps().shape == (3, 0)
        assert [expl.error for expl in found] == [*found.errors.values()]


class TestRuns:
    def test_it_says_what_it_is(self, found, output):
        assert repr(found).splitlines() == [
            f"<ExplanationDataset {output}",
            "  13 documents, 25 rows",
            "  GradCAM(fusion='mean', counterfactual=False) of squares, heatmaps of 4 × 4",
            "  1 failed: 1 ValueError>",
        ]
        assert found.complete
        assert found.run.inputs["count"] == 13

    def test_shards_are_read_when_they_are_looked_at(self, output, tmp_path):
        place = shutil.copytree(output, tmp_path / "out")
        found = datasets.load(place)
        shutil.rmtree(place / "shards")
        assert len(found) == 13
        with pytest.raises(FileNotFoundError):
            found[0]

    def test_an_unfinished_run_has_what_is_there(self, output, tmp_path):
        place = shutil.copytree(output, tmp_path / "out")
        (place / "manifest.json").unlink()
        (place / "shards" / "00000001.parquet").unlink()
        found = datasets.load(place)
        assert not found.complete
        assert found.keys() == NAMES[:5] + NAMES[10:]
        assert [found[5], found[NAMES[10]]] == [list(found)[5]] * 2
        assert "8 of 13 documents, 16 rows, unfinished" in repr(found)

    def test_what_came_since_is_seen_by_loading_again(self, output, tmp_path):
        place = shutil.copytree(output, tmp_path / "out")
        last = place / "shards" / "00000002.parquet"
        (place / "manifest.json").unlink()
        data = last.read_bytes()
        last.unlink()
        before = datasets.load(place)
        assert len(before) == 10
        last.write_bytes(data)
        assert (len(before), before.keys()) == (10, NAMES[:10])
        assert len(datasets.load(place)) == 13

    def test_documents_are_in_order_whatever_the_order_they_were_made_in(self, output, tmp_path):
        place = shutil.copytree(output, tmp_path / "out")
        (place / "shards" / "00000000.parquet").unlink()
        explain(datasets.load(place).run.inputs["root"], place, top_targets=2)
        assert datasets.load(place).keys() == NAMES

    def test_a_run_that_has_nothing_yet_is_empty(self, output, tmp_path):
        shutil.copy(output / "run.json", tmp_path)
        found = datasets.load(tmp_path)
        assert (len(found), list(found), found.keys(), found.errors) == (0, [], [], {})
        assert found.heatmaps().shape == (0, 4, 4)
        assert found.arrow.count_rows() == 0

    def test_a_bucket_is_read_like_a_folder(self, folder, found):
        place = f"memory://{uuid.uuid4()}/explained"
        explain(folder, place, top_targets=2)
        there = datasets.load(place)
        assert list(there) == list(found)
        assert (there.keys(), there.errors) == (found.keys(), found.errors)
        assert there[NAMES[7]] == found[NAMES[7]]
        np.testing.assert_array_equal(there.heatmaps(), found.heatmaps())

    def test_no_run_is_told(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no run of explain_dataset"):
            datasets.load(tmp_path / "nowhere")
        (tmp_path / "photo.png").touch()
        with pytest.raises(ValueError, match="holds other files, such as 'photo.png'"):
            datasets.load(tmp_path)


def same_picture(one, other):
    return np.array_equal(np.asarray(one), np.asarray(other))


class TestPictures:
    def test_they_are_where_the_run_found_them(self, found, folder):
        for name in ("00.png", "cats/03.png"):
            assert same_picture(found[name].image, Image.open(folder / name))

    def test_they_are_none_where_they_are_there_no_more(self, folder, tmp_path):
        moved = shutil.copytree(folder, tmp_path / "pictures")
        explain(moved, tmp_path / "out")
        moved.rename(tmp_path / "elsewhere")
        assert datasets.load(tmp_path / "out")["00.png"].image is None
        there = datasets.load(tmp_path / "out", images=tmp_path / "elsewhere")
        assert same_picture(there["00.png"].image, draw_picture(0))

    def test_a_mapping_or_a_function_says_where_they_are(self, output, folder):
        asked = {
            "00.png": folder / "cats" / "01.png",
            "02.png": draw_picture(3),
            "04.png": np.asarray(draw_picture(5)),
            "06.png": (folder / "cats" / "07.png").read_bytes(),
        }
        by_key = datasets.load(output, images=asked)
        for key, seed in zip(asked, (1, 3, 5, 7), strict=True):
            assert same_picture(by_key[key].image, draw_picture(seed))
        assert by_key["08.png"].image is None
        by_function = datasets.load(output, images=lambda key: draw_picture(9))
        assert same_picture(by_function["08.png"].image, draw_picture(9))
        assert by_function["broken.png"].image is None

    @pytest.mark.parametrize(
        ("images", "error", "message"),
        [
            (3, TypeError, "images is a int; give a folder, a mapping from keys to pictures"),
            ("no/such/folder", FileNotFoundError, "there are no images"),
        ],
    )
    def test_what_is_no_place_for_pictures_is_told_at_once(self, output, images, error, message):
        with pytest.raises(error, match=message):
            datasets.load(output, images=images)

    def test_those_of_pairs_are_not_known(self, tmp_path):
        explain([(1, draw_doc(1))], tmp_path / "out", preprocess=None)
        assert datasets.load(tmp_path / "out")["1"].image is None


def write_table(path, seeds, keys=True):
    pictures = []
    for seed in seeds:
        file = pa.BufferOutputStream()
        draw_picture(seed).save(file, "PNG")
        pictures.append(file.getvalue().to_pybytes())
    columns = {"image": pictures}
    if keys:
        columns["key"] = [f"key {seed}" for seed in seeds]
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=3)


class TestPicturesInTables:
    @pytest.mark.parametrize("keys", [True, False])
    def test_they_are_found_again_in_their_rows(self, tmp_path, keys):
        write_table(tmp_path / "in" / "a.parquet", range(7), keys)
        write_table(tmp_path / "in" / "b.parquet", range(7, 11), keys)
        explain(tmp_path / "in", tmp_path / "out")
        found = datasets.load(tmp_path / "out")
        key = "key 8" if keys else "b.parquet#1"
        assert same_picture(found[key].image, draw_picture(8))
        for seed, expl in enumerate(found):
            assert same_picture(expl.image, draw_picture(seed))

    def test_one_file_among_others_is_found_again(self, tmp_path):
        write_table(tmp_path / "in" / "a.parquet", range(3))
        write_table(tmp_path / "in" / "b.parquet", range(3, 6))
        explain(tmp_path / "in" / "b.parquet", tmp_path / "out")
        assert same_picture(datasets.load(tmp_path / "out")["key 4"].image, draw_picture(4))

    def test_files_that_were_moved_are_named(self, tmp_path):
        write_table(tmp_path / "in" / "a.parquet", range(3))
        explain(tmp_path / "in", tmp_path / "out")
        (tmp_path / "in").rename(tmp_path / "there")
        assert datasets.load(tmp_path / "out")["key 2"].image is None
        found = datasets.load(tmp_path / "out", images=tmp_path / "there")
        assert same_picture(found["key 2"].image, draw_picture(2))

    def test_other_files_are_refused(self, tmp_path):
        write_table(tmp_path / "in" / "a.parquet", range(3))
        explain(tmp_path / "in", tmp_path / "out")
        write_table(tmp_path / "other" / "a.parquet", range(4))
        found = datasets.load(tmp_path / "out", images=tmp_path / "other")
        with pytest.raises(ValueError, match="has other Parquet files than those that were"):
            _ = found[0].image
        write_table(tmp_path / "in" / "a.parquet", range(4))
        assert datasets.load(tmp_path / "out")[0].image is None


class TestUses:
    def test_a_report_has_keys_as_names_and_errors_with_their_reason(self, found, tmp_path):
        page = report(found, tmp_path / "report.html").read_text()
        assert all(f">{name}<" in page for name in NAMES)
        assert "broken.png is no picture that Pillow can read" in page
        assert "doc 0" not in page

    @pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
    def test_metrics_measure_them_as_those_that_are_made(self, tmp_path):
        pytest.importorskip("keras")
        drawn = list(scenes.draw_scenes(6))
        things = [scene.objects[-1] for scene in drawn]
        pairs = [(f"scene {scene.seed}", scene.doc) for scene in drawn]
        network = scenes.load_network()
        targets = {key: thing.target for (key, _), thing in zip(pairs, things, strict=True)}
        datasets.explain_dataset(
            network, pairs, tmp_path / "out", targets=targets, shard_size=4, progress=False
        )
        measured = evaluate(
            network,
            scenes.as_docs(drawn),
            {"kept": datasets.load(tmp_path / "out"), "now": "gradcam"},
            ["relevance_mass", "pointing_game", "iou", "average_drop"],
            targets=[thing.target for thing in things],
            masks=[thing.mask for thing in things],
        )
        for metric in measured.metrics:
            kept, now = measured.values("kept", metric), measured.values("now", metric)
            assert np.ptp(now) > 0 or metric == "pointing_game"
            np.testing.assert_allclose(kept, now, atol=5e-3)
