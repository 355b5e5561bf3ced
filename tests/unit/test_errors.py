import inspect

import pytest

from spinalis import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_drawn_tree_and_under_its_root(kind):
    assert issubclass(kind, errors.SpinalisError)
    assert f" {kind.__name__} " in errors.__doc__.replace("\n", " ")


def test_the_drawn_tree_is_the_real_one():
    depth = {}
    for line in errors.__doc__.splitlines():
        name = line.strip("│├└─ ").split(" ")[0]
        if name.endswith("Error"):
            depth[name] = len(line) - len(line.lstrip("│├└─ "))
    assert set(depth) == {kind.__name__ for kind in KINDS}
    for kind in KINDS:
        steps = len(kind.__mro__) - len(errors.SpinalisError.__mro__)
        assert depth[kind.__name__] == 4 * steps


def test_what_the_user_gave_can_be_caught_as_one():
    for kind in (errors.EmptyInputError, errors.UnreadableFileError, errors.ArchiveError):
        assert issubclass(kind, errors.InputError)
    assert not issubclass(errors.OutputError, errors.InputError)
