"""The command line run in the process of the test, with what it changes there put back."""

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from spinalis.apps import cli

Run = Callable[..., tuple[int, str, str]]


@contextmanager
def in_this_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Iterator[Run]:
    """Gives a function that runs `spinalis WORDS ARGUMENTS`: exit code, stdout, stderr."""
    logger = logging.getLogger("spinalis")
    state = (logger.handlers, logger.level, logger.propagate)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setattr("spinalis.apps.terminal.warnings.simplefilter", lambda *_, **__: None)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spinalis", *words, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    yield call
    logger.handlers, logger.level, logger.propagate = state
    for number, handler in handlers.items():
        signal.signal(number, handler)
