"""Arguments and options that several commands share, and their completion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from dvc_modelver.commands.project import SHALLOW, Project, Surroundings
from dvc_modelver.errors import BadInput


def _project() -> Project:
    import os
    from pathlib import Path

    return Project(Surroundings(directory=Path("."), env=dict(os.environ)))


def complete_models(incomplete: str) -> list[str]:
    """Names of models; nothing where there is no repository."""
    try:
        with _project() as project:
            names = {*project.registry.models, *(a.name for a in project.declared.artifacts)}
            return sorted(name for name in names if name.startswith(incomplete))
    except Exception:
        return []


def complete_references(incomplete: str) -> list[str]:
    """Names, versions after `@`, stages after `#`."""
    try:
        with _project() as project:
            name, at, _ = incomplete.partition("@")
            if at:
                model = project.registry.models.get(name)
                found = [f"{name}@{v}" for v in reversed(model.versions)] if model else []
                return [text for text in (*found, f"{name}@latest") if text.startswith(incomplete)]
            name, mark, _ = incomplete.partition("#")
            if mark:
                model = project.registry.models.get(name)
                return [t for s in (model.stage_names if model else ()) if (t := f"{name}#{s}").startswith(incomplete)]
    except Exception:
        return []
    return complete_models(incomplete)


def complete_stages(incomplete: str) -> list[str]:
    """Configured stages, else those in use."""
    try:
        with _project() as project:
            used = {stage for model in project.registry.models.values() for stage in model.stage_names}
            return sorted(stage for stage in project.config.stages or used if stage.startswith(incomplete))
    except Exception:
        return []


REFERENCE = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@V|#STAGE]",
        help="A model, one of its versions, or what a stage holds.",
        autocompletion=complete_references,
        show_default=False,
    ),
]
MODELS = Annotated[
    list[str],
    typer.Argument(metavar="NAME...", help="Models.", autocompletion=complete_models, show_default=False),
]
MODEL = Annotated[
    str, typer.Argument(metavar="NAME", help="A model.", autocompletion=complete_models, show_default=False)
]
OPTIONAL_MODEL = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="One model only.", autocompletion=complete_models, show_default=False),
]
STAGE = Annotated[
    str, typer.Argument(metavar="STAGE", help="A stage.", autocompletion=complete_stages, show_default=False)
]
REPO = Annotated[
    str | None,
    typer.Option(
        "--repo", metavar="PATH|URL", help="Another repository, read without changing it.", show_default=False
    ),
]
DRY_RUN = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]
MESSAGE = Annotated[
    str | None, typer.Option("-m", "--message", metavar="TEXT", help="Why; kept in the tag.", show_default=False)
]
PUSH = Annotated[
    bool | None,
    typer.Option("--push/--no-push", help="Publish to the Git and DVC remotes.", show_default="config push"),
]
OFFLINE = Annotated[bool, typer.Option("--offline", help="Do not ask the remote which numbers it has.")]
YES = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@contextmanager
def opened(around: Surroundings, repo: str | None = None, reference: str | None = None) -> Iterator[Project]:
    """The repository to work on: the one around us, or another one named with `--repo`.

    Of a URL, only the tags of the artifact in `reference` are fetched when there is one.
    """
    if repo is None:
        with Project(around) as project:
            yield project
    else:
        from dvc_modelver.commands.elsewhere import open_elsewhere
        from dvc_modelver.core.references import parse_reference

        name = parse_reference(reference).name if reference is not None else None
        with open_elsewhere(around, repo, name) as project:
            yield project


def shallow_notes(project: Project) -> tuple[str, ...]:
    """The warning of an answer that a shallow clone may cut short."""
    return (f"warning: {SHALLOW}",) if project.repository.shallow else ()


def wants_push(project: Project, push: bool | None, offline: bool) -> bool:
    """Whether to publish: what was said, else what is configured.  Raises `BadInput` with `--offline`."""
    if push and offline:
        raise BadInput("--push and --offline exclude each other", hint="choose one")
    return project.config.push and not offline if push is None else push
