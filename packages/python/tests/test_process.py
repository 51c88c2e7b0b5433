"""One warm process: restarted when it dies, interrupted by Ctrl-C, ended with the interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import pytest

import finitewidth as fw

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def long(problem: dict[str, Any]) -> dict[str, Any]:
    """Some minutes of sampling after a method that takes no time."""
    return {**problem, "methods": ["nngp", {"method": "monte-carlo", "draws": 200_000}], "workers": 1}


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def gone(pid: int, seconds: float = 5) -> bool:
    for _ in range(int(20 * seconds)):
        if not running(pid):
            return True
        time.sleep(0.05)
    return False


def test_one_process_serves_many_calls(problem: dict[str, Any]) -> None:
    fw.run(**problem)
    pid = fw.server.pid
    fw.run(**problem)
    assert pid is not None and fw.server.pid == pid


@posix
def test_a_killed_process_is_one_clear_exception_and_the_next_call_works(problem: dict[str, Any]) -> None:
    before = fw.run(**problem)
    pid = fw.server.pid
    assert pid is not None
    threading.Timer(0.7, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(fw.ServerDied, match="signal 9.*the next call starts another"):
        fw.run(**long(problem))
    after = fw.run(**problem)
    assert fw.server.pid != pid
    assert after["nngp"].log_evidence == before["nngp"].log_evidence
    with pytest.raises(fw.ServerDied, match="run it again"):
        before["nngp"].predict(problem["test"][0])


@posix
def test_ctrl_c_cancels_and_keeps_what_was_finished(problem: dict[str, Any]) -> None:
    fw.run(**problem)

    def tell(stage: str, fraction: float | None) -> None:
        if fraction is not None and fraction >= 0.5:  # one of two has finished
            signal.raise_signal(signal.SIGINT)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught:
        fw.run(**long(problem), progress=tell)
    assert time.monotonic() - started < 10
    assert isinstance(caught.value, fw.Cancelled) and caught.value.result is not None
    assert list(caught.value.result) == ["nngp"] and "1 finished" in str(caught.value)
    assert caught.value.result["nngp"].predictive is not None
    assert fw.run(**problem)["nngp"].log_evidence == caught.value.result["nngp"].log_evidence


@posix
@pytest.mark.parametrize("end", ["pass", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_the_process_ends_with_the_interpreter(end: str) -> None:
    code = f"""
    import finitewidth as fw
    fw.phase_diagram("erf", weight_variance=[1], bias_variance=[0])
    print(fw.server.pid, flush=True)
    {end}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert gone(int(done.stdout))


def test_mistakes_name_their_field(problem: dict[str, Any]) -> None:
    X, y = problem["data"]
    hole = X.copy()
    hole[3, 2] = float("nan")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("network.widths[0]", {"network": {"type": "fully-connected", "widths": [0], "activation": "erf"}}),
        ("likelihood.temperature", {"temperature": -1}),
        ("methods[0]", {"methods": ["none"]}),
        ("data[0][3][2]", {"data": (hole, y)}),
        ("data[1]", {"data": (X, y[:-1])}),
        ("test", {"test": X[:, :2]}),
        ("seed", {"seed": "one"}),
        ("colour", {"colour": 1}),
        ("sweep", {"sweep": {"widths": [[1]]}}),
        ("network.widths[0]", {"network": {"type": "fully-connected", "widths": [object()], "activation": "erf"}}),
    ]
    for path, change in cases:
        with pytest.raises(fw.InputError) as caught:
            fw.run(**{**problem, **change})
        assert caught.value.path == path, caught.value
    with pytest.raises(fw.InputError) as caught:
        fw.run(**{**problem, "temperature": -1, "methods": ["none"]})
    assert [one.path for one in caught.value.errors] == ["likelihood.temperature", "methods[0]"]


def test_the_experiment_can_be_written_and_run_again() -> None:
    data = {"train": {"inputs": [[1, 0.5], [0.2, 1]], "targets": [[1], [-1]]}}
    network = {"type": "fully-connected", "widths": [5, 4], "activation": "identity"}
    first = fw.run(network=network, data=data, methods=["exact"], temperature=0.1, referee=False)
    again = fw.run(json.loads(json.dumps(first.experiment)))
    assert again["exact"].log_evidence == first["exact"].log_evidence


def test_a_method_that_fails(problem: dict[str, Any]) -> None:
    with pytest.raises(fw.MethodFailed, match="exact: .*linear") as caught:
        fw.run(**{**problem, "methods": ["exact"]})
    assert caught.value.result is not None
    with pytest.warns(UserWarning, match="exact failed"):
        result = fw.run(**{**problem, "methods": ["nngp", "exact"]})
    assert result["exact"].status == "failed" and "failed" in repr(result)
    with pytest.raises(fw.MethodFailed):
        result["exact"].log_evidence
