"""A bar for what takes long: on stderr, and on a terminal only."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def progress() -> Progress:
    """A bar whose tasks carry a field `note`."""
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(
        *columns,
        TextColumn("{task.fields[note]}"),
        console=screen,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not screen.is_terminal,
    )


def counted(items: Iterable[T], total: int, title: str) -> Iterator[T]:
    """The items, a bar counting them."""
    with progress() as shown:
        task = shown.add_task(title, total=total, note="")
        for item in items:
            yield item
            shown.advance(task)
