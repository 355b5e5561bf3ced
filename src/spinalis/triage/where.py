"""The language of `spinalis select --where`: which series or slices are wanted.

    region == cervical and plane == sagittal and sequence in (T2w, STIR) and cord and rows >= 256

A rule is true, false or *unknown* for a unit. What is not known of it is no answer to any question, so a test of it is
unknown, and unknown is never true: neither `region == cervical` nor `region != cervical` holds where the region is
unknown. `and`, `or` and `not` follow Kleene's strong logic: `false and unknown` is false, `true or unknown` is true,
everything else with an unknown that could turn the answer is unknown.

    rule  = all {"or" all}
    all   = one {"and" one}
    one   = "not" one | "(" rule ")" | word [test]
    test  = ("==" | "!=" | "<" | "<=" | ">" | ">=") value | ["not"] "in" "(" value {"," value} ")"

Values are numbers, names, or anything in quotes; case does not count, and `_` stands for a space in a name. Nothing is
executed: the text is cut into tokens and read by the grammar above.

Source:
    S. C. Kleene, Introduction to Metamathematics (1952), section 64, for the three values; cited from memory.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from spinalis.errors import SelectionError
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

Value = str | float | bool
Fact = Value | tuple[str, ...]
Truth = bool | None
"""True, False, or None for unknown."""

Facts = Mapping[str, Fact | None]
"""What is known of a unit, by the words of `WORDS`; None where it is unknown. Of several values one is enough for
`==` and `in`, and `!=` and `not in` are their opposites."""


class Kind(StrEnum):
    """What a word stands for, and so what may be asked of it."""

    NAME = "a name"
    NUMBER = "a number"
    TEXT = "a text"
    YES_NO = "yes or no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of the language: its kind, what it says of a unit, and the allowed values where they are few."""

    kind: Kind
    says: str
    values: tuple[str, ...] = ()


def _names(words: type[StrEnum]) -> tuple[str, ...]:
    """All but `unknown`, which is no value here."""
    return tuple(str(word) for word in words if word.name != "UNKNOWN")


WORDS: dict[str, Word] = {
    "anatomy": Word(kind=Kind.NAME, says="is it a magnetic resonance image of the spine", values=_names(Anatomy)),
    "region": Word(kind=Kind.NAME, says="the part of the spine in view", values=_names(Region)),
    "covers": Word(kind=Kind.NAME, says="a part of the spine that is covered, one of several", values=_names(Region)),
    "plane": Word(kind=Kind.NAME, says="the patient plane", values=_names(Plane)),
    "sequence": Word(kind=Kind.NAME, says="the contrast", values=_names(Sequence)),
    "cord": Word(kind=Kind.YES_NO, says="the spinal cord is in view; of a series: in at least one slice"),
    "contradicted": Word(kind=Kind.YES_NO, says="header and pixels are sure of different answers"),
    "novelty": Word(kind=Kind.NUMBER, says="how unlike the pictures of the training; beyond 1 the anatomy is unknown"),
    "geometry": Word(kind=Kind.YES_NO, says="positions in the patient are known"),
    "localizer": Word(kind=Kind.YES_NO, says="ImageType says that it is a localizer"),
    "derived": Word(kind=Kind.YES_NO, says="ImageType says that it was computed from other images"),
    "slices": Word(kind=Kind.NUMBER, says="slices in the series"),
    "rows": Word(kind=Kind.NUMBER, says="pixels from top to bottom, as stored"),
    "columns": Word(kind=Kind.NUMBER, says="pixels from left to right, as stored"),
    "spacing_mm": Word(kind=Kind.NUMBER, says="distance of neighbouring pixels, the larger of the two"),
    "slice_spacing_mm": Word(kind=Kind.NUMBER, says="distance of neighbouring slices, the median"),
    "thickness_mm": Word(kind=Kind.NUMBER, says="slice thickness"),
    "echo_time_ms": Word(kind=Kind.NUMBER, says="EchoTime of the header"),
    "repetition_time_ms": Word(kind=Kind.NUMBER, says="RepetitionTime of the header"),
    "inversion_time_ms": Word(kind=Kind.NUMBER, says="InversionTime of the header"),
    "flip_angle_deg": Word(kind=Kind.NUMBER, says="FlipAngle of the header"),
    "field_strength_t": Word(kind=Kind.NUMBER, says="MagneticFieldStrength of the header"),
    "modality": Word(kind=Kind.TEXT, says="Modality of the header"),
    "manufacturer": Word(kind=Kind.TEXT, says="Manufacturer of the header"),
}

MAX_LENGTH = 2000
MAX_DEPTH = 50
"""Longer or deeper than any rule that a person writes; so no text can exhaust the stack."""

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?(?![\w.]))|(?P<name>[^\W\d][\w*/-]*)|(?P<quoted>"[^"]*"|'[^']*')"""
    r"""|(?P<mark>==|!=|<=|>=|<|>|\(|\)|,)|(?P<end>$)|(?P<wrong>\S+))"""
)
_GRAMMAR = ("and", "or", "not", "in")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; `column` counts from 1."""

    kind: str
    text: str
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question: `word` alone, or compared with `values`. `text` is how it was written."""

    word: str
    mark: str
    values: tuple[Value, ...]
    text: str

    def holds(self, facts: Facts) -> Truth:
        """The answer for a unit."""
        found = facts[self.word]
        if found is None:
            return None
        if self.mark == "":
            return bool(found)
        if isinstance(found, tuple):
            same = any(plain(one) in self.values for one in found)
        elif self.mark in COMPARE:
            return COMPARE[self.mark](float(found), float(self.values[0]))
        else:
            same = (plain(found) if isinstance(found, str) else found) in self.values
        return same if self.mark in ("==", "in") else not same


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The opposite; unknown stays unknown."""

    part: "Node"

    def holds(self, facts: Facts) -> Truth:
        """The answer for a unit."""
        found = self.part.holds(facts)
        return None if found is None else not found


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Parts of which one decides where it is `decisive`: False for `and`, True for `or`."""

    parts: tuple["Node", ...]
    decisive: bool

    def holds(self, facts: Facts) -> Truth:
        """The answer for a unit."""
        found = {part.holds(facts) for part in self.parts}
        if self.decisive in found:
            return self.decisive
        return None if None in found else not self.decisive


Node = Question | Not | Joined


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A parsed rule: its text, and its questions from left to right."""

    text: str
    node: Node
    questions: tuple[Question, ...]

    def holds(self, facts: Facts) -> Truth:
        """Is the unit wanted? None where too little is known of it."""
        return self.node.holds(facts)

    def why(self, facts: Facts) -> tuple[tuple[str, Truth], ...]:
        """Every question as it was written, with its answer."""
        return tuple((one.text, one.holds(facts)) for one in self.questions)


def parse(text: str) -> Rule:
    """Read a rule.

    Raises:
        SelectionError: it breaks the grammar, or uses a word or value that does not exist. The message names the
            column, counted from 1, and what is allowed there.
    """
    if len(text) > MAX_LENGTH:
        raise SelectionError(f"Selection: expected at most {MAX_LENGTH} characters, got {len(text)}. Shorten it.")
    parser = _Parser(text)
    node = parser.rule(0)
    if parser.token.kind != "end":
        parser.refuse("'and', 'or' or the end", "Join two tests with 'and' or 'or'")
    return Rule(text=text, node=node, questions=tuple(_questions(node)))


def plain(text: str) -> str:
    """How names are compared: without regard to case, `_` as a space."""
    return text.casefold().replace("_", " ")


class _Parser:
    """Recursive descent over the tokens of one text; `token` is the next one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._place = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._place]

    def take(self) -> Token:
        token = self.token
        self._place += token.kind != "end"
        return token

    def takes(self, *texts: str) -> bool:
        """Step over the next token where it is one of these marks or words of the grammar."""
        found = self.token.kind in ("mark", "name") and self.token.text.lower() in texts
        self._place += found
        return found

    def refuse(self, expected: str, advice: str, token: Token | None = None) -> NoReturn:
        token = token or self.token
        got = "the end" if token.kind == "end" else f"'{token.text}'"
        raise SelectionError(f"Selection, column {token.column}: expected {expected}, got {got}. {advice}.")

    def rule(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.refuse(f"at most {MAX_DEPTH} levels of 'not' and parentheses", "Write it flatter")
        parts = [self._all(depth)]
        while self.takes("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Joined(parts=tuple(parts), decisive=True)

    def _all(self, depth: int) -> Node:
        parts = [self._one(depth)]
        while self.takes("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Joined(parts=tuple(parts), decisive=False)

    def _one(self, depth: int) -> Node:
        if self.takes("not"):
            if depth >= MAX_DEPTH:
                self.refuse(f"at most {MAX_DEPTH} levels of 'not' and parentheses", "Write it flatter")
            return Not(part=self._one(depth + 1))
        if self.takes("("):
            inner = self.rule(depth + 1)
            if not self.takes(")"):
                self.refuse("')'", "Close the parenthesis")
            return inner
        return self._question()

    def _question(self) -> Question:
        first = self.token
        name = first.text.lower()
        if first.kind != "name" or name not in WORDS:
            self.refuse("one of the words " + ", ".join(WORDS), _meant(name, WORDS), first)
        self.take()
        word, mark = WORDS[name], self._mark(name)
        values: tuple[Value, ...] = ()
        if mark in ("in", "not in"):
            if not self.takes("("):
                self.refuse("'('", f"Write {name} {mark} (one, other)")
            values = (self._value(name),)
            while self.takes(","):
                values = (*values, self._value(name))
            if not self.takes(")"):
                self.refuse("',' or ')'", "Close the list")
        elif mark:
            values = (self._value(name),)
        elif word.kind is not Kind.YES_NO:
            self.refuse(f"a comparison after '{name}'", f"Write {name} {_example(word)}")
        last = self._tokens[self._place - 1]
        written = self._text[first.column - 1 : last.column - 1 + len(last.text)]
        return Question(word=name, mark=mark, values=values, text=" ".join(written.split()))

    def _mark(self, name: str) -> str:
        """The comparison that follows a word, empty where none does."""
        token, kind = self.token, WORDS[name].kind
        if self.takes("not"):
            if not self.takes("in"):
                self.refuse("'in' after 'not'", f"Write {name} not in (one, other), or not before {name}")
            mark = "not in"
        elif self.takes("in", "==", "!=", *COMPARE):
            mark = token.text.lower()
        else:
            return ""
        if kind is Kind.YES_NO:
            self.refuse(f"'{name}' alone, which is yes or no", f"Write {name}, or not {name}", token)
        if mark in COMPARE and kind is not Kind.NUMBER:
            self.refuse(f"'==', '!=' or 'in' after '{name}', which is {kind}", "Leave the order out", token)
        return mark

    def _value(self, name: str) -> Value:
        word, token = WORDS[name], self.token
        if token.kind not in ("number", "name", "quoted") or token.text.lower() in _GRAMMAR:
            self.refuse(f"a value for '{name}'", f"Write {name} {_example(word)}")
        self.take()
        if word.kind is Kind.NUMBER:
            if token.kind != "number":
                self.refuse(f"a number for '{name}'", f"Write {name} {_example(word)}", token)
            return float(token.text)
        value = plain(token.text[1:-1] if token.kind == "quoted" else token.text)
        if word.values and value not in map(plain, word.values):
            advice = _meant(value, word.values)
            if value == "unknown":
                advice = "What is unknown is never chosen; the manifest of all units shows it"
            self.refuse(f"one of {', '.join(map(_spelt, word.values))} for '{name}'", advice, token)
        return value


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while True:
        found = _TOKEN.match(text, place)
        if found is None or found.lastgroup is None:  # cannot be: the pattern takes anything
            raise AssertionError(text)
        kind, piece = found.lastgroup, found.group(found.lastgroup)
        column = found.start(kind) + 1
        if kind == "wrong":
            advice = "Write == to compare" if piece.startswith("=") else "Put values with odd characters in quotes"
            raise SelectionError(
                f"Selection, column {column}: expected a word, number, quoted value, comparison or parenthesis, "
                f"got '{piece}'. {advice}."
            )
        yield Token(kind, piece, column)
        if kind == "end":
            return
        place = found.end()


def _questions(node: Node) -> Iterator[Question]:
    if isinstance(node, Question):
        yield node
        return
    for part in (node.part,) if isinstance(node, Not) else node.parts:
        yield from _questions(part)


def _meant(value: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    by_plain = {plain(item): item for item in known}
    near = difflib.get_close_matches(plain(value), by_plain, n=1)
    return f"Did you mean {_spelt(by_plain[near[0]])}?"[:-1] if near else "Choose one of them"


def _spelt(value: str) -> str:
    """A value as it may be written."""
    return value.replace(" ", "_")


def _example(word: Word) -> str:
    if word.kind is Kind.NUMBER:
        return ">= 1"
    return f"== {_spelt(word.values[0]) if word.values else '...'}"
