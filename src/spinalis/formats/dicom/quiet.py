"""Keeps pydicom's warnings and log lines, which quote names and UIDs, from leaving the reader."""

import logging
import threading
import warnings
from contextlib import ExitStack


class Quiet:
    """Silences pydicom between the first thread that enters and the last one that leaves.

    The filters of `warnings` are global to the process: were each thread to restore what it found, the filters of
    one would outlive another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._restore.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                logger = logging.getLogger("pydicom")
                self._restore.callback(setattr, logger, "propagate", logger.propagate)
                logger.propagate = False

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._restore.close()


quiet = Quiet()
