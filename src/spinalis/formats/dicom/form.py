"""In which form a series is written: what its files hold beside what a reader looks at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Private:
    """One private element: the group, who reserves a block of it, the element in that block, and its value."""

    group: int
    creator: str
    offset: int
    vr: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """How the files of a series look.

    Attributes:
        group: series of one group are one series in the files, under the number of the first; None: the series alone.
        attributes: keyword and value of further standard attributes; they replace those of the writer.
        private: private elements.
        enhanced: one enhanced multi-frame file in place of a file per slice.
        transfer_syntax: UID; None takes that of the whole study.
    """

    group: str | None = None
    attributes: tuple[tuple[str, object], ...] = ()
    private: tuple[Private, ...] = ()
    enhanced: bool = False
    transfer_syntax: str | None = None


PLAIN = FileForm()
