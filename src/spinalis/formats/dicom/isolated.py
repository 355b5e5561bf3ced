"""Decodes in a process of its own what only GDCM decodes: on damaged data GDCM ends the process it runs in.

One helper process serves all loaders; it starts with the first such frame, and anew after it was lost. It is
started by name rather than through `multiprocessing`, which would run a user's script a second time.
"""

import atexit
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO, cast

# -P: a module in the folder of the study must not stand in for one of ours.
COMMAND = (sys.executable, "-P", "-c", "from spinalis.formats.dicom.isolated import serve; serve()")


class Helper:
    """Calls a function that can be pickled by its name in the helper process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.stop)

    def __call__(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Return what the function returns.

        Raises:
            RuntimeError: the function raised; the message is the name of the error.
            ChildProcessError: the helper was lost while it worked.
        """
        with self._lock:
            process = self._running()
            try:
                pickle.dump((function, arguments), cast(BinaryIO, process.stdin))
                cast(BinaryIO, process.stdin).flush()
                answer, failure = pickle.load(cast(BinaryIO, process.stdout))
            except (EOFError, OSError, pickle.UnpicklingError) as lost:
                self.stop()
                raise ChildProcessError("the decoder ended its process") from lost
            except BaseException:
                self.stop()  # interrupted: its answer would else be taken for that of the next call
                raise
        if failure is not None:
            raise failure
        return answer

    def stop(self) -> None:
        """End the helper process, where this process has started one."""
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid():  # a fork must not share the pipes of its parent
            self._process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._owner = os.getpid()
        return self._process


def serve() -> None:
    """Answer calls on standard input until it closes; what codecs print goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            function, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: object = None
        failure: Exception | None = None
        try:
            answer = function(*arguments)
        except Exception as error:  # raised again on the other side, without a message that might quote the header
            failure = RuntimeError(type(error).__name__)
        pickle.dump((answer, failure), answers)
        answers.flush()


call_isolated = Helper()
