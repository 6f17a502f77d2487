"""The contract goes red for each leak, at the tests that are about it, and at no other."""

import sys
from collections import OrderedDict

import numpy as np
import pytest

from . import leaky

MODEL = {"test_an_explanation_leaves_the_model_as_it_was", "test_threads_get_what_one_thread_gets"}
PROCESS = {"test_the_process_is_left_as_it_was"}
BATCHES = {f"test_docs_in_a_batch_are_explained_as_each_alone[{size}]" for size in (2, 5)}
FORM = "test_targets_mean_the_same_in_every_form"

LEAKS = {
    None: set(),
    # of the model
    "hook": MODEL,
    "mode": MODEL,
    "weights": MODEL,
    "patched class": MODEL,
    "mode left by errors": {"test_an_error_in_the_middle_leaves_all_as_it_was[forward]"},
    "kept": {"test_a_deleted_model_is_freed"},
    "traces again": {"test_asking_again_traces_nothing"},
    # of the process and what was given
    "random numbers": PROCESS,
    "numpy errors": PROCESS,
    "warnings": PROCESS,
    "doc": {"test_the_doc_is_left_as_it_was"},
    "takes NaN": {"test_a_bad_doc_is_refused_and_leaves_the_model_as_it_was"},
    # from one doc, thread or target to another
    "batch-dependent": {*BATCHES, f"{FORM}[rows]"},
    "mixes up docs": {*BATCHES, f"{FORM}[rows]", "test_the_order_of_docs_does_not_matter"},
    "threads": {"test_threads_get_what_one_thread_gets"},
    "lowest first": {f"{FORM}[None]", f"{FORM}[top]"},
    "first row for all": {f"{FORM}[rows]"},
    # into the record
    "wrong": {"test_answers_equal_the_reference"},
    "double": {"test_the_record_is_well_formed"},
    "too bright": {"test_the_record_is_well_formed"},
}


class Failures(set):
    """Notes the tests that fail in a run of pytest."""

    def pytest_runtest_logreport(self, report):
        assert not report.skipped
        if report.failed:
            self.add(report.nodeid.rpartition("::")[2])


def failures(contract):
    """Run a contract of this folder, and name the tests that fail."""
    failed = Failures()
    module = sys.modules[contract.__module__].__file__
    chosen = ["-o", f"python_classes={contract.__name__}", "-p", "no:cacheprovider"]
    # At the end of each run it collects garbage five times, which takes longer than the run.
    chosen += ["-p", "no:unraisableexception"]
    code = pytest.main([module, *chosen], plugins=[failed])
    assert code == (pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)
    return failed


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found_by_the_tests_that_are_about_it(leak, monkeypatch):
    # What leaks change for good is put back.
    monkeypatch.setattr(leaky.Model, "shares", leaky.Model.shares)
    monkeypatch.setattr(leaky, "kept", [])
    monkeypatch.setattr(leaky, "leak", leak)
    with np.errstate():
        assert failures(leaky.LeakyContract) == LEAKS[leak]


def test_chance_is_found(monkeypatch):
    monkeypatch.setattr(leaky, "leak", "chance")
    assert failures(leaky.LeakyContract) > {"test_asking_again_gives_the_same", *BATCHES}


TORCH_LEAKS = {
    None: set(),
    **dict.fromkeys(
        (
            *("forward hook", "backward hook", "tensor's hook", "mode", "mode of a part"),
            *("frozen", "gradients", "weights", "cast"),
        ),
        MODEL,
    ),
    **dict.fromkeys(("grad mode", "random numbers", "hook on all"), PROCESS),
    "patched class": {*MODEL, *PROCESS},
}


@pytest.mark.parametrize("leak", TORCH_LEAKS)
def test_so_is_one_of_a_pytorch_module(leak, monkeypatch):
    torch = pytest.importorskip("torch")
    from . import torch_network

    monkeypatch.setattr(torch_network, "leak", leak)
    monkeypatch.setattr(torch.nn.Module, "__call__", torch.nn.Module.__call__)
    hooks = torch.nn.modules.module._global_forward_hooks
    monkeypatch.setattr(torch.nn.modules.module, "_global_forward_hooks", OrderedDict(hooks))
    with torch.enable_grad():
        assert failures(torch_network.LeakyContract) == TORCH_LEAKS[leak]
