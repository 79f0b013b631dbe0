"""`card update`: bring the cards of the work tree up to date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from dvc_modelver.cards.document import Card
from dvc_modelver.cards.generate import named_in
from dvc_modelver.commands.bytes_at_hand import Bytes
from dvc_modelver.commands.cards import text as cardtext
from dvc_modelver.commands.cards.facts import CardSource, TreeReader
from dvc_modelver.commands.cards.text import (
    CardFile,
    card_path,
    has_card,
    read_card,
    read_template,
    refuse_in_the_way,
    write_card,
    write_card_files,
)
from dvc_modelver.commands.project import Project
from dvc_modelver.commands.publishing import Outcome, Step, exclusive
from dvc_modelver.commands.publishing import Written as WrittenModel
from dvc_modelver.commands.worktrees import work_tree
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.names import check_name, near
from dvc_modelver.core.trees import Tree
from dvc_modelver.errors import BadInput, NotFound
from dvc_modelver.gitio.commits import write_file


def update_cards(
    project: Project, names: Sequence[str], *, discard_edits: bool = False, dry_run: bool = False
) -> Outcome:
    """Bring cards of the work tree up to date; without names those of all models.  All of them, or none.

    Raises:
        NotFound: no such model is declared in the work tree.
        BadInput: a card's markers are broken, or a file that it is made from.
        Refused: a block was edited by hand, or something else is in the card's place.
        DataError: bytes that a block has to look at are nowhere.
    """
    with exclusive(project, dry_run, inside_dvc=True), Bytes(project) as at_hand:
        tree = work_tree(project)
        new: list[CardFile] = []
        found: list[WrittenModel] = []
        for source, card, path in _opened(project, tree, names, at_hand):
            begun = card if card is not None else read_template(project, tree)
            written = write_card(source, begun, named_in(begun), path, discard_edits=discard_edits)
            new += [file for file in written.files if file.data != tree.read(file.path)]
            for file in new:
                refuse_in_the_way(project, tree, file)
            if not dry_run:
                _keep_aside(project, written)
            found.append(_model(source.declared.name))
        if not dry_run:
            write_card_files(project, new)
        return Outcome(
            action="card update",
            dry_run=dry_run,
            changed=bool(new),
            models=tuple(found),
            steps=tuple(Step("write" if file.data is not None else "remove", file.path) for file in new),
        )


def _model(name: str) -> WrittenModel:
    return WrittenModel(name=name, version=None, stage=None, tag=None, commit=None, published=None)


def _opened(
    project: Project, tree: Tree, names: Sequence[str], at_hand: Bytes
) -> Iterator[tuple[CardSource, Card | None, str]]:
    chosen = read_declared(project, tree, names)
    refuse_shared(project, chosen)
    reader = TreeReader(project, tree, at_hand)
    for declared in chosen:
        path = card_path(project, declared.name)
        yield reader.source(declared), read_card(tree, path), path


def read_declared(project: Project, tree: Tree, names: Sequence[str]) -> list[Declared]:
    """The named artifacts as the tree declares them; without names all models that can have versions, by name.

    Raises `NotFound`, and `BadInput` for a name that is none or an entry that cannot be read.
    """
    from dvc_modelver.core.references import canonical_name
    from dvc_modelver.dvcio.project import declared

    found = declared(tree)
    if not names:
        for problem in found.problems:
            raise BadInput(problem.problem, hint=f"correct {problem.file}")
        return [_sound(one) for one in found.artifacts if has_card(one) and not one.misplaced]
    known = {one.name: one for one in found.artifacts}
    chosen: dict[str, Declared] = {}
    for text in names:
        try:
            name = canonical_name(check_name(text), project.repository.prefix, set(known))
        except NotFound:
            for problem in found.problems:
                raise BadInput(problem.problem, hint=f"correct {problem.file}") from None
            raise NotFound(
                f"no dvc.yaml here declares {text}", hint=near(text, known) or "modelver init declares models"
            ) from None
        one = known.get(name)
        if one is None:
            raise NotFound(f"no dvc.yaml here declares {text}", hint=near(text, known) or "modelver init")
        chosen[name] = _sound(one)
    return list(chosen.values())


def _sound(declared: Declared) -> Declared:
    problem = declared.problem or ("it has no 'path'" if declared.path is None else None)
    if problem is not None:
        raise BadInput(f"{declared.file}: {declared.name}: {problem}", hint=declared.remedy)
    return declared


def refuse_shared(project: Project, chosen: Sequence[Declared]) -> None:
    paths: dict[str, str] = {}
    for one in chosen:
        path = card_path(project, one.name).lower()
        if path in paths:
            raise BadInput(
                f"{one.name} and {paths[path]} would share the card {path}",
                hint="write {name} into cards.path, as in model_cards/{name}.md",
            )
        paths[path] = one.name


def _keep_aside(project: Project, written: cardtext.Written) -> None:
    """What was edited by hand goes into the Git directory, and where is said."""
    for edit in written.edits:
        digest = hashlib.sha256(edit.text.encode()).hexdigest()[:12]
        folder = project.state_dir / "edits" / written.file.model.replace(":", "/")
        place = folder / f"{edit.id}-{digest}.md"
        write_file(place, f"{edit.text}\n".encode())
        project.around.say(f"note: what was written into block {edit.id} (line {edit.line}) is kept in {place}")
