"""Which sections of a card people must have written, by template and by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvc_modelver.commands.project import Project
from dvc_modelver.core.config import Config
from dvc_modelver.core.registry import Model
from dvc_modelver.core.versions import Version
from dvc_modelver.errors import BadInput, Refused

if TYPE_CHECKING:
    from dvc_modelver.cards.document import Card


def advised_sections(card: Card) -> tuple[str, ...]:
    """What the card itself asks for, whatever the stage."""
    from dvc_modelver.cards.sections import required_sections

    return required_sections(card)


def stage_sections(config: Config, card: Card, stage: str) -> tuple[str, ...]:
    """What a version needs before `stage` may hold it: the configuration's, and those that the card names for it."""
    from dvc_modelver.cards.sections import required_sections

    return tuple(dict.fromkeys((*config.cards.required.get(stage, ()), *required_sections(card, stage))))


def refuse_unwritten(project: Project, model: Model, version: Version, stage: str) -> None:
    """Before a promote.  Raises `Refused` while a section that the stage needs is missing in the version's card."""
    card, path = _card_of(project, model, version, stage)
    if card is not None:
        refuse_missing(project.config, card, path, f"{model.name}@{version}", stage)
    elif project.config.cards.required.get(stage):
        raise Refused(
            f"{stage} needs a card, and {model.name}@{version} has none",
            hint=f"modelver card update {model.name}, write what is asked for, and release",
        )


def refuse_missing(config: Config, card: Card, path: str, version: str, stage: str) -> None:
    """Raises `Refused` while a section that `stage` needs is missing in `card`, which is that of `version`."""
    from dvc_modelver.cards.sections import missing_sections

    missing = missing_sections(card, stage_sections(config, card, stage))
    if missing:
        titles = ", ".join(f"'{m.title}'" for m in missing)
        raise Refused(
            f"{stage} needs sections that nobody has written in the card of {version}: {titles}",
            hint=f"write them in {path} and commit it",
        )


def _card_of(project: Project, model: Model, version: Version, stage: str) -> tuple[Card | None, str]:
    """The card at HEAD while it is this version's, else the one that was released; and its path.

    So what is missing can be written after the release, without a new version.
    """
    ref = model.release_ref(version)
    tag = project.objects.tags([ref.oid]).get(ref.oid)
    line = tag.record.card if tag is not None and tag.record is not None else None
    path = project.config.cards.path_of(model.name)
    own, head = ref.target or "", project.head
    places = [(head, path)] if head is not None and head != own else []
    for commit, place in (*places, (own, line.path if line is not None else path)):
        data = project.tree(commit).read(place)
        # Most cards ask for nothing: they need not be parsed.
        if data is None or (stage not in project.config.cards.required and b"modelver:required stage=" not in data):
            continue
        card = _parsed(data, f"{model.name}@{version}")
        from dvc_modelver.cards.generate import named_in

        if commit == own or named_in(card).version == str(version):
            return card, place
    return None, path


def _parsed(data: bytes, what: str) -> Card:
    from dvc_modelver.cards.document import parse_card

    try:
        return parse_card(data)
    except BadInput as error:
        raise Refused(f"the card of {what} cannot be read: {error.message}", hint="mend it and commit it") from error
