"""Lines to the server and back, against one that says what it was told."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import finitewidth as fw
from finitewidth import progress
from finitewidth import server as same  # the module is behind the name of its server
from finitewidth.server import Server

MODULE = sys.modules["finitewidth.server"]

#: Answers with what it was told; "talk": events and lines for others first; "die", "deaf" (no answer to anything any more), "list".
STAND_IN = """
import { createInterface } from "node:readline";
const say = (message) => console.log(JSON.stringify(message));
const heard = [];
let deaf = false;
say({ protocol: PROTOCOL });
createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  heard.push(request);
  const { id } = request;
  if (request.do === "cancel") {
    if (!deaf) say({ id: request.of, error: { code: "cancelled", message: "cancelled" } });
  } else if (request.do === "deaf" || request.do === "wait") {
    deaf = request.do === "deaf";
    say({ id, event: "progress" });
  } else if (request.do === "die") {
    console.error("boom");
    process.exitCode = 3;
    process.stdin.destroy();
  } else if (request.do === "talk") {
    say({ id: id + 1000, event: "progress", of: "another" });
    say({ id, event: "progress", fraction: 0.5 });
    say({ id: id + 1000, result: "of another" });
    say({ id, event: "outcome" });
    say({ id, result: { a: 1 } });
  } else if (request.do === "wrong") say({ id, error: { code: "input", message: "a.b: expected", path: "a.b" } });
  else if (request.do !== "release") say({ id, result: request.do === "list" ? heard : null });
});
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(protocol: int = 1) -> Server:
        bundle = tmp_path / "stand-in.mjs"
        bundle.write_text(STAND_IN.replace("PROTOCOL", str(protocol)))
        monkeypatch.setattr(MODULE, "BUNDLE", bundle)
        servers.append(Server())
        return servers[-1]

    servers: list[Server] = []
    yield use
    for one in servers:
        one.close()


def test_requests_and_answers_belong_together(stand_in: Any) -> None:
    server = stand_in()
    assert server.pid is None
    events: list[dict[str, Any]] = []
    assert server.call("talk", events.append, a=[1, 2]) == {"a": 1, "$request": 1}
    assert [(one["event"], one.get("fraction")) for one in events] == [("progress", 0.5), ("outcome", None)]
    assert server.call("nothing") is None and server.run_id({"$request": 7}) == (server.pid, 7)
    with pytest.raises(fw.InputError, match="^a.b: expected$") as caught:
        server.call("wrong")
    assert caught.value.path == "a.b"
    server.release((server.pid, 1))
    server.release((server.pid - 1, 2))  # of a process that is gone
    told = server.call("list")
    assert [(one["id"], one["do"]) for one in told] == [(1, "talk"), (2, "nothing"), (3, "wrong"), (4, "release"), (5, "list")]
    assert told[0]["a"] == [1, 2] and told[3]["of"] == 1
    with pytest.raises(ValueError):
        server.call("list", a=float("nan"))


def test_the_end_of_a_process_is_told_and_the_next_call_starts_another(stand_in: Any) -> None:
    server = stand_in()
    server.call("nothing")
    first = server.pid
    with pytest.raises(fw.ServerDied, match=r"ended in mid-call \(exit status 3: boom\); the next call starts another") as caught:
        server.call("die")
    assert caught.value.code == "server" and server.pid is None
    assert server.call("nothing") is None and server.pid not in (None, first)
    server.close()
    assert server.pid is None
    server.close()
    assert [one["do"] for one in server.call("list")] == ["list"]
    with pytest.raises(fw.FinitewidthError, match="speaks protocol 2, expected 1") as refused:
        stand_in(2).call("list")
    assert refused.value.code == "protocol"


def test_ctrl_c_is_passed_on_and_who_does_not_listen_is_ended(stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    server = stand_in()
    monkeypatch.setattr(MODULE, "PATIENCE", 60)

    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(fw.Cancelled, match="^cancelled$"):
        server.call("wait", interrupt)
    pid = server.pid
    assert pid is not None
    assert [(one["do"], one.get("of")) for one in server.call("list")] == [("wait", None), ("cancel", 1), ("list", None)]
    assert server.pid == pid
    monkeypatch.setattr(MODULE, "PATIENCE", 0.1)
    with pytest.raises(fw.Cancelled):
        server.call("deaf", interrupt)
    assert server.pid is None
    assert server.call("nothing") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_a_process_of_its_own(stand_in: Any) -> None:
    server = stand_in()
    server.call("nothing")
    server.release((server.pid, 1))
    child = os.fork()
    if child == 0:
        alone = server.pid is None and not server._released and server._lock.acquire(blocking=False)
        os._exit(0 if alone else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert [one["do"] for one in server.call("list")] == ["nothing", "release", "list"]


def test_notebooks_have_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    handle = SimpleNamespace(update=lambda page: pages.append(page._repr_html_()))

    def display(page: Any, display_id: bool = False) -> Any:
        assert display_id and repr(page) == ""
        pages.append(page._repr_html_())
        return handle

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: type("ZMQInteractiveShell", (), {})()))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.ProgressLine(None) as line:
        for seconds, fraction in ((0.4, 0.1), (0.6, 0.25), (7, 0.5), (8, None)):
            clock[0] = seconds
            line({"event": "progress", "stage": "a<b", "fraction": fraction})
    assert pages == [
        '<progress max="1" value="0.250"></progress> 25% a&lt;b, 1 s',
        '<progress max="1" value="0.500"></progress> 50% a&lt;b, 7 s',
        "a&lt;b, 8 s",
        "",
    ]
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: type("TerminalInteractiveShell", (), {})()))
    assert not progress._in_notebook()


def test_the_package_gives_its_estimators_when_asked() -> None:
    assert same is fw.server
    assert {"FiniteWidthClassifier", "FiniteWidthRegressor", "run", "sweep"} <= set(fw.__all__)
    assert all(hasattr(fw, name) for name in fw.__all__)
    with pytest.raises(AttributeError, match="'finitewidth' has no attribute 'nonsense'"):
        fw.nonsense
