"""How far a call is: a line in terminals, a bar in notebooks."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias

#: None: where someone looks (a terminal, a notebook); True and False: always, never; a function: it is told (what, fraction).
Progress: TypeAlias = "bool | Callable[[str, float | None], object] | None"

#: Seconds before anything is shown: short calls stay silent.
_PATIENCE = 0.5


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


class ProgressLine:
    """Shows the events of one call; a context manager that clears up behind itself."""

    def __init__(self, wanted: Progress) -> None:
        self._tell = wanted if callable(wanted) else None
        self._notebook = _in_notebook()
        self._shown = wanted is True or (wanted is None and (self._notebook or sys.stderr.isatty()))
        self._started = time.monotonic()
        self._handle: Any = None
        self._width = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._handle is not None:
            self._handle.update(_Html(""))
        elif self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] != "progress":
            return
        stage, fraction = str(event.get("stage", "")), event.get("fraction")
        if self._tell is not None:
            self._tell(stage, fraction)
        elif self._shown and time.monotonic() - self._started > _PATIENCE:
            self._show(stage, fraction)

    def _show(self, stage: str, fraction: float | None) -> None:
        elapsed = f"{time.monotonic() - self._started:.0f} s"
        if self._notebook:
            bar = "" if fraction is None else f'<progress max="1" value="{fraction:.3f}"></progress> {fraction:.0%} '
            page = _Html(f"{bar}{html.escape(stage)}, {elapsed}")
            if self._handle is None:
                from IPython.display import display

                self._handle = display(page, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(page)
            return
        filled = round(24 * (fraction or 0))
        bar = "" if fraction is None else f"{'█' * filled}{'░' * (24 - filled)} {fraction:.0%}, "
        line = f"{stage} {bar}{elapsed}" if fraction is not None else stage
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(line)


class _Html:
    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return ""
