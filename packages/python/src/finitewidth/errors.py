"""What can go wrong, as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .results import Result


class FinitewidthError(Exception):
    """The base of all exceptions of this package.

    Attributes:
        code: "input", "shape", "refused", "memory", "file", "not-converged", … as the command line has them.
        path: The offending field, e.g. ``network.widths[1]``; None where there is none.
    """

    def __init__(self, message: str, *, code: str = "failed", path: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.path = path


class InputError(FinitewidthError, ValueError):
    """A field is not what was expected. ``errors`` lists all mistakes that were found, this one first."""

    def __init__(
        self, message: str, *, code: str = "input", path: str | None = None, errors: list[InputError] | None = None
    ) -> None:
        super().__init__(message, code=code, path=path)
        self.errors: list[InputError] = errors if errors else [self]


class MethodFailed(FinitewidthError):
    """No method that was asked for has an answer. ``result`` says of each why."""

    result: Result | None = None


class ServerDied(FinitewidthError):
    """The process that computes ended in mid-call. The next call starts another one."""


class NodeNotFound(FinitewidthError):
    """There is no Node ≥ 20.19 on this machine."""


class Cancelled(KeyboardInterrupt):
    """Ctrl-C reached a running call. ``result`` holds the methods that had finished, None where none had."""

    def __init__(self, message: str, result: Result | None = None) -> None:
        super().__init__(message)
        self.result = result


def error_from(details: dict[str, Any]) -> FinitewidthError:
    """The exception that an error of the server stands for."""
    message, code, path = str(details.get("message")), str(details.get("code", "failed")), details.get("path")
    if code not in ("input", "shape", "file", "memory"):
        return FinitewidthError(message, code=code, path=path)
    errors = [InputError(str(one["message"]), code=one["code"], path=one.get("path")) for one in details.get("errors", [])]
    return InputError(message, code=code, path=path, errors=errors)
