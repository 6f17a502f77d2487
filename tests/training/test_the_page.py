"""The code on the page about training is code that runs."""

import pytest

from tests.test_documents_run import python_blocks

pytest.importorskip("torch")
pytest.importorskip("tensorboard")


@pytest.mark.filterwarnings("ignore::explainkit.ExplanationWarning")
def test_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = python_blocks("docs/while-training.md", "# While training")
    assert len(blocks) == 4
    for block in blocks:
        exec(compile(block, "docs/while-training.md", "exec"), names)
    assert capsys.readouterr().out == "4\n"
    assert len(list(tmp_path.glob("runs/torch/*/step-*.png"))) == 4
    assert [*tmp_path.glob("logs/why/*tfevents*")]
