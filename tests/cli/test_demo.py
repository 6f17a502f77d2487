import pytest
from PIL import Image

from explainkit.scenes import draw_scenes, load_network


@pytest.fixture
def network():
    try:
        return load_network()
    except FileNotFoundError:
        pytest.skip("the scenes' network has no weights here")


@pytest.mark.usefixtures("network")
def test_demo(run, tmp_path):
    out = tmp_path / "demo.png"
    result = run("demo", "-o", out, "--seed", 3)
    assert result.exit_code == 0, result.stderr
    assert Image.open(out).width > 3 * 288
    kinds = [thing.kind for scene in draw_scenes(3, seed=3) for thing in scene.objects]
    told = [line.split() for line in result.stdout.splitlines()]
    assert [words[1] for words in told if len(words) > 4 and words[0] in "345"] == kinds
    assert "in the object's box" in result.stdout
    assert "Wrote" in result.stdout
    assert "Next: explainkit explain" in result.stdout
    assert all(len(line) <= 80 for line in result.stdout.splitlines()[: 3 + len(kinds)])


@pytest.mark.usefixtures("network")
def test_most_hottest_spots_lie_in_the_object_box(tmp_path):
    from explainkit.cli.demo import run_demo

    findings = [
        finding for seed in (0, 10, 20) for finding in run_demo(tmp_path / "demo.png", seed)
    ]
    assert sum(finding.in_box for finding in findings) > 0.8 * len(findings)


def test_demo_that_cannot_be_written(fails, tmp_path):
    assert "no such file or directory" in fails(1, "demo", "-o", tmp_path / "none" / "demo.png")
    assert "'.gif' is no format to write" in fails(2, "demo", "-o", tmp_path / "demo.gif")
    (tmp_path / "demo.png").mkdir()
    assert "it is a folder" in fails(1, "demo", "-o", tmp_path / "demo.png")
    assert "'--seed'" in fails(2, "demo", "--seed", -1)
