"""The card's file: where it is, what it begins as, and one card brought up to date."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dvc_modelver.cards.document import Card, Edit, parse_card
from dvc_modelver.cards.facts import CardFacts, Named
from dvc_modelver.cards.generate import Plan, partial_blocks, plan, update
from dvc_modelver.cards.huggingface import front_matter
from dvc_modelver.commands.cards.facts import CardSource
from dvc_modelver.commands.project import Project
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.names import near
from dvc_modelver.core.secrets import scan
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import BadInput, Refused
from dvc_modelver.gitio.commits import write_file
from dvc_modelver.resources import template_path

TEMPLATES = ("default", "minimal", "huggingface", "annex-iv", "medical")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFile:
    """One file that a version needs in its commit."""

    model: str
    path: str
    """From the root."""
    data: bytes | None
    """None: a picture that goes."""
    picture: bool = False
    """A plot beside the card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A card brought up to date."""

    file: CardFile
    pictures: tuple[CardFile, ...] = ()
    """New plots beside it, and replaced ones, which go."""
    edits: tuple[Edit, ...] = ()

    @property
    def files(self) -> tuple[CardFile, ...]:
        return (self.file, *self.pictures)


def has_card(declared: Declared) -> bool:
    """Whether an artifact is a model: cards are for models, not for datasets."""
    return declared.type in (None, "model")


def card_path(project: Project, name: str) -> str:
    """Where the card of a model is, from the root."""
    return project.config.cards.path_of(name)


def read_card(tree: Tree, path: str) -> Card | None:
    """The card at `path`; None when there is none.

    Raises `BadInput` when it cannot be read, `Refused` when something else is there.
    """
    data = tree.read(path)
    if data is not None:
        return _parsed(data, path)
    if tree.entry(path) is not None:
        raise Refused(f"{path} is not a regular file", hint="replace it by the card itself")
    return None


def _parsed(data: bytes, path: str) -> Card:
    try:
        return parse_card(data)
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}", hint="mend it by hand, or restore it from Git history") from None


def read_template(project: Project, tree: Tree) -> Card:
    """What a new card begins as.  Raises `BadInput` when the configured template is none."""
    name = project.config.cards.template
    if name in TEMPLATES:
        return parse_card(template_path("cards", f"{name}.md").read_bytes())
    data = tree.read(name) if not name.startswith(("/", "~")) and ".." not in name.split("/") else None
    if data is None:
        raise BadInput(
            f"there is no card template {name}",
            hint=near(name, TEMPLATES) or f"one of {', '.join(TEMPLATES)}, or the path of a Markdown file in Git",
        )
    card = _parsed(data, name)
    for problem in card.problems:
        raise BadInput(f"{name}: line {problem.line}: {problem.message}", hint="mend the template")
    return card


def write_card(
    source: CardSource,
    card: Card,
    named: Named,
    path: str,
    texts: Tree | None = None,
    *,
    discard_edits: bool = False,
    verified: bool = False,
) -> Written:
    """`card` as the source's tree says, for the version that is named.

    Args:
        texts: where the card and its pictures are as people have them; the source's tree by default.

    Raises:
        BadInput: the card's markers are broken.
        Refused: a block was edited by hand, or the card would hold a secret.
        DataError: metrics are nowhere, or bytes are corrupt.
    """
    texts = texts if texts is not None else source.tree
    again = {id for id, needs in partial_blocks(card).items() if source.are_met(needs, named, verified=verified)}
    if missing_pictures(card, path, texts):
        again.add("plots")
    made: Plan = plan(card, source.facts(named), again=again)
    facts = source.complete(made.facts, made.needs, verified=verified)
    # Metrics that DVC keeps are no reason to fetch them as long as no block asks for them.
    front = None if facts.absent else front_matter(facts)
    try:
        updated = update(made, facts, front, discard_edits=discard_edits)
    except (BadInput, Refused) as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    refuse_secrets(updated.text, path)
    file = CardFile(model=source.declared.name, path=path, data=updated.text.encode("utf-8"))
    pictures = tuple(_pictures(card, facts if "plots" in made.render else None, path, texts))
    return Written(file=file, pictures=pictures, edits=updated.edits)


def _pictures(card: Card, facts: CardFacts | None, path: str, texts: Tree) -> Iterator[CardFile]:
    """New plots (None: the card keeps its own), and those of ours that the card shows no longer."""
    shown = _shown_pictures(card, path)
    if facts is None and not shown:
        return
    folder, _, name = path.rpartition("/")
    model, stem = (facts.name if facts is not None else ""), name.removesuffix(".md")
    drawn = {posixpath.join(folder, plot.name): plot.data for plot in facts.plots} if facts is not None else {}
    for place, data in drawn.items():
        yield CardFile(model=model, path=place, data=data, picture=True)
    if not shown and not drawn:
        return
    from dvc_modelver.cards.plots import is_plot_name

    for place in texts.files("*.svg"):
        own = posixpath.dirname(place) == folder and is_plot_name(posixpath.basename(place), stem)
        kept = place in drawn if facts is not None else place in shown
        data_there = texts.read(place) if own and not kept else None
        # Only what nobody has altered: its name is made from its bytes.
        if data_there is not None and hashlib.sha256(data_there).hexdigest()[:12] in place:
            yield CardFile(model=model, path=place, data=None, picture=True)


def missing_pictures(card: Card, path: str, texts: Tree) -> tuple[str, ...]:
    """The plots that the card shows and that are not there."""
    return tuple(place for place in _shown_pictures(card, path) if texts.entry(place) is None)


def _shown_pictures(card: Card, path: str) -> tuple[str, ...]:
    block = card.block("plots")
    if block is None or not block.text:
        return ()
    from dvc_modelver.cards.plots import is_plot_name

    folder, _, name = path.rpartition("/")
    names = re.findall(r"\]\(([A-Za-z0-9_.-]+\.svg)\)", block.text)
    return tuple(posixpath.join(folder, n) for n in names if is_plot_name(n, name.removesuffix(".md")))


def refuse_secrets(text: str, path: str) -> None:
    """The last look before a card is written.  Raises `Refused`."""
    for finding in scan(text):
        raise Refused(
            f"{path}: line {finding.line} would hold what looks like a secret: {finding.kind}",
            hint="take it out of the card or of the file that it comes from; then change the secret itself",
        )


def refuse_in_the_way(project: Project, tree: Tree, file: CardFile) -> None:
    """Nothing of somebody else's is overwritten, and nothing outside the work tree is written.  Raises `Refused`."""
    path = file.path
    parts = path.split("/")
    for n in range(1, len(parts)):
        if (project.root / "/".join(parts[:n])).is_symlink():
            raise Refused(f"{'/'.join(parts[:n])} is a symbolic link: {path} would be written elsewhere")
    place = project.root / path
    there = tree.read(path)
    if (place.exists() or place.is_symlink()) and there is None:
        raise Refused(f"{path} is there, and Git ignores it", hint=f"git add -f {path}, or move it away")
    # A picture's name is made from its bytes: what has other bytes is no picture of ours.
    if file.picture and file.data is not None and there not in (None, file.data):
        raise Refused(f"{path} is there with other content", hint=f"move {path} away")


def write_card_files(project: Project, files: Sequence[CardFile]) -> None:
    """New pictures first and old ones last: a kill leaves no card without its pictures."""
    for file in sorted(files, key=lambda file: (file.data is None, not file.picture)):
        if file.data is None:
            (project.root / file.path).unlink(missing_ok=True)
        else:
            write_file(project.root / file.path, file.data)
