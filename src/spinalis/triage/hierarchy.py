"""The tree of questions by which a slice is triaged, read from one file: `hierarchy.toml`, or one of your own.

Source: the tree of Cahyadi D et al., A hierarchical multi-label classification approach for the automated
interpretation of spinal MRI series.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinalis.errors import RecipeError

SHIPPED = Path(__file__).with_name("hierarchy.toml")
FACTS = ("part", "region", "plane", "sequence", "contrast", "cord")
"""What a condition may ask of a slice."""

BY = ("series", "slice")
KEYS = {"question", "by", "target", "passes", "classes"}

Facts = Mapping[str, str]
"""Fact -> word; a fact that is not there is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One question.

    Attributes:
        name: its name, such as `view`.
        question: in words.
        by: `series`, where a vote of the slices answers, or `slice`.
        classes: class -> its conditions, fact -> words; in the order of a network's outputs.
        target: the class that the node's figures are about.
        passes: class -> the node that asks on; all other classes end here.
    """

    name: str
    question: str
    by: str
    classes: Mapping[str, Mapping[str, tuple[str, ...]]]
    target: str
    passes: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in their order."""
        return tuple(self.classes)

    def class_of(self, facts: Facts) -> int | None:
        """Index of the first class of which every condition holds; None where there is none."""
        for index, conditions in enumerate(self.classes.values()):
            if all(facts.get(fact) in words for fact, words in conditions.items()):
                return index
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """A checked tree; `nodes` in the order of the file, the first is the root."""

    nodes: Mapping[str, Node]

    @property
    def root(self) -> Node:
        """The first question."""
        return next(iter(self.nodes.values()))

    def node(self, name: str) -> Node:
        """A node by its name.

        Raises:
            RecipeError: there is none.
        """
        if name not in self.nodes:
            raise RecipeError(f"Hierarchy: expected a node among {', '.join(self.nodes)}, got {name}. Correct it.")
        return self.nodes[name]

    def path(self, facts: Facts) -> dict[str, int]:
        """The nodes that a slice comes to when every answer is right, each with the index of its class.

        A node whose class is not known ends the path and is not in it.
        """
        found: dict[str, int] = {}
        node: Node | None = self.root
        while node is not None:
            index = node.class_of(facts)
            if index is None:
                break
            found[node.name] = index
            following = node.passes.get(node.names[index])
            node = self.nodes[following] if following else None
        return found

    def chain(self) -> tuple[Node, ...]:
        """The nodes from the root along each target class: what the end-to-end figures are about."""
        found = [self.root]
        while following := found[-1].passes.get(found[-1].target):
            found.append(self.nodes[following])
        return tuple(found)


def load(path: Path | None = None) -> Hierarchy:
    """Read and check a hierarchy; None takes the one that ships.

    Raises:
        RecipeError: the file is no TOML or breaks a rule.
    """
    file = path or SHIPPED
    try:
        found = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(
            f"Hierarchy {file.name}: expected a TOML file, got {type(error).__name__} ({error}). Correct it."
        ) from error
    listed = found.get("nodes")
    if not isinstance(listed, dict) or not listed:
        raise _broken(file, "tables named [nodes.NAME]", "none")
    nodes = {name: _node(file, name, values) for name, values in listed.items()}
    _check_tree(file, nodes)
    return Hierarchy(nodes=nodes)


def _node(file: Path, name: str, values: Any) -> Node:
    if not isinstance(values, dict) or set(values) != KEYS:
        got = ", ".join(sorted(values)) if isinstance(values, dict) else type(values).__name__
        raise _broken(file, f"{', '.join(sorted(KEYS))} in node {name}", got)
    if values["by"] not in BY:
        raise _broken(file, f"by of node {name} among {', '.join(BY)}", str(values["by"]))
    classes = {word: _conditions(file, f"{name}, class {word}", given) for word, given in values["classes"].items()}
    if len(classes) < 2:
        raise _broken(file, f"two classes or more in node {name}", str(len(classes)))
    for word in (values["target"], *values["passes"]):
        if word not in classes:
            raise _broken(file, f"target and passes of node {name} among its classes", str(word))
    return Node(
        name=name,
        question=str(values["question"]),
        by=values["by"],
        classes=classes,
        target=values["target"],
        passes=dict(values["passes"]),
    )


def _conditions(file: Path, where: str, given: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not given or not set(given) <= set(FACTS):
        got = ", ".join(given) if isinstance(given, dict) and given else "none"
        raise _broken(file, f"facts among {', '.join(FACTS)} in node {where}", got)
    for fact, words in given.items():
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            raise _broken(file, f"a list of words for {fact} in node {where}", str(words))
    return {fact: tuple(words) for fact, words in given.items()}


def _check_tree(file: Path, nodes: Mapping[str, Node]) -> None:
    """Every node but the first is passed to exactly once, and none passes back."""
    aims = [aim for node in nodes.values() for aim in node.passes.values()]
    for aim in aims:
        if aim not in nodes:
            raise _broken(file, f"passes to a node among {', '.join(nodes)}", str(aim))
    reached, root = set[str](), next(iter(nodes))
    open_nodes = [root]
    while open_nodes:
        name = open_nodes.pop()
        if name in reached:
            raise _broken(file, "a tree, each node passed to once", f"{name} twice")
        reached.add(name)
        open_nodes += nodes[name].passes.values()
    if lost := set(nodes) - reached:
        raise _broken(file, f"every node to be passed to from {root}", f"{', '.join(sorted(lost))} apart")


def _broken(file: Path, rule: str, got: str) -> RecipeError:
    return RecipeError(f"Hierarchy {file.name}: expected {rule}, got {got}. Correct the file.")
