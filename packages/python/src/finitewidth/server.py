"""The warm process that computes: started at the first call, restarted when it dies, ended with the interpreter."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .errors import Cancelled, FinitewidthError, ServerDied, error_from
from .node import find_node

#: The command line as one file (made by ``npm run python``).
BUNDLE = Path(__file__).parent / "_node" / "dist" / "finitewidth-start.cjs"

#: Version of the protocol that is spoken.
PROTOCOL = 1

#: Seconds that a cancelled call has to answer before its process is ended.
PATIENCE = 1.0

Event = Callable[[dict[str, Any]], None]


class Server:
    """One process of ``finitewidth serve --stdio``; calls come one after the other."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stderr: IO[bytes] | None = None
        self._released: list[tuple[int, int]] = []
        self._forget_in_children()

    @property
    def pid(self) -> int | None:
        """Process that is running, None where none is."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def call(self, do: str, on_event: Event | None = None, **fields: Any) -> Any:
        """Asks the server and waits. Raises what the server answers, ServerDied, or Cancelled on Ctrl-C."""
        with self._lock:
            self._start()
            while self._released:
                pid, of = self._released.pop()
                if pid == self.pid:
                    self._send({"id": next(self._ids), "do": "release", "of": of})
            request = next(self._ids)
            try:
                self._send({"id": request, "do": do, **fields})
                return self._answer(request, on_event)
            except KeyboardInterrupt:
                self._cancel(request, on_event)
                raise Cancelled("cancelled") from None

    def run_id(self, answer: dict[str, Any]) -> tuple[int, int]:
        """Process and request of an answer that was just given."""
        return (self.pid or 0, int(answer["$request"]))

    def release(self, of: tuple[int, int]) -> None:
        """Lets a kept run go, with the next call. Safe from finalisers: takes no lock."""
        self._released.append(of)

    def close(self) -> None:
        """Ends the process; the next call starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if process.stdin is not None:
                process.stdin.close()
            process.wait(timeout=PATIENCE)
        except (OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()

    def _start(self) -> None:
        if self.pid is not None:
            return
        self._stderr = tempfile.TemporaryFile()
        # A session of its own: Ctrl-C in the terminal is for this interpreter, which passes it on.
        own: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)} if os.name == "nt" else {"start_new_session": True}
        )
        self._process = subprocess.Popen(
            [find_node(), "--max-old-space-size=8192", str(BUNDLE), "serve", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
            **own,
        )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()
        greeting = self._next()
        if greeting.get("protocol") != PROTOCOL:
            self.close()
            raise FinitewidthError(f"the server speaks protocol {greeting.get('protocol')}, expected {PROTOCOL}", code="protocol")

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message, allow_nan=False) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def _next(self, timeout: float | None = None) -> dict[str, Any]:
        """The next line. Raises queue.Empty after the timeout, ServerDied at the end."""
        line = self._lines.get(timeout=timeout)
        if line is None:
            raise self._death()
        message: dict[str, Any] = json.loads(line)
        return message

    def _answer(self, request: int, on_event: Event | None, timeout: float | None = None) -> Any:
        while True:
            message = self._next(timeout)
            if message.get("id") != request:
                continue
            if "event" in message:
                if on_event is not None:
                    on_event(message)
            elif "error" in message:
                raise error_from(message["error"])
            else:
                result = message["result"]
                return {**result, "$request": request} if isinstance(result, dict) else result

    def _cancel(self, request: int, on_event: Event | None) -> None:
        try:
            self._send({"id": next(self._ids), "do": "cancel", "of": request})
            self._answer(request, on_event, timeout=PATIENCE)
        except (queue.Empty, KeyboardInterrupt, ServerDied):
            if self._process is not None:
                self._process.kill()
            self.close()
        except FinitewidthError:
            pass

    def _death(self) -> ServerDied:
        process, self._process = self._process, None
        status = None if process is None else process.wait()
        said = ""
        if self._stderr is not None:
            self._stderr.seek(0)
            said = self._stderr.read()[-2000:].decode(errors="replace").strip()
        end = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        return ServerDied(
            f"the process that computes ended in mid-call ({end}{': ' + said if said else ''}); the next call starts another",
            code="server",
        )

    def _forget_in_children(self) -> None:
        """A forked child must not talk through its parent's pipes."""

        def forget() -> None:
            self._process = None
            self._released.clear()
            self._lock = threading.RLock()

        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=forget)


def _pump(stream: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    """Passes lines on from a thread, so that waiting for one can be interrupted on every system."""
    if stream is not None:
        with stream:
            for line in stream:
                lines.put(line)
    lines.put(None)


#: The server of this interpreter.
server = Server()
atexit.register(server.close)
