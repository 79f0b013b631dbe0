"""What a card is made from: the facts of one model in one tree, and what the card's markers name.  Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from dvc_modelver.core.recipe import Recipe

if TYPE_CHECKING:
    from dvc_modelver.core.declarations import Declared
    from dvc_modelver.core.descriptions import ModelDescription
    from dvc_modelver.core.environment import Environment
    from dvc_modelver.core.facts import ArtifactFacts, Values
    from dvc_modelver.core.recipe import Shape
    from dvc_modelver.core.tables import TableProfile


class Need(str, Enum):
    """What has to be looked at beyond the tree's own files."""

    MEASURES = "measures"
    """Metrics and the environment document, where DVC keeps them."""
    MODEL = "model"
    SHAPES = "shapes"
    BASE = "base"
    PLOTS = "plots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a card's markers name; only a release sets it."""

    version: str | None = None
    """With its `v`; None in a card that was never released."""
    base: str | None = None
    """The version before it; None for the first."""
    base_commit: str | None = None
    """Full id of the commit of `base`, so that no tag is needed to find it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEnvironment:
    """What the tree says of the environment that the model was trained in."""

    file: str
    """The environment document of `modelver run`, or the file that pins the packages."""
    digest: str
    """sha256 of the file, in hex."""
    recorded: Environment | None = None
    """Of the document; None when the tree has only a file that pins packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotFile:
    """A picture beside the card."""

    name: str
    """File name, made from its content."""
    title: str
    data: bytes
    """SVG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Everything that the blocks of a card may say.

    Texts are as the repository has them: each block escapes them for their place.
    """

    declared: Declared
    artifact: ArtifactFacts
    recipe: Recipe = field(default_factory=Recipe)
    params: Values = field(default_factory=dict)
    """FILE -> KEY -> value as the files of the tree say; what the training ran with stands in `recipe.params`."""
    metrics: Values = field(default_factory=dict)
    """FILE -> KEY -> value; numbers and texts."""
    directions: Mapping[str, str] = field(default_factory=dict)
    """The configuration's `metrics`: metric -> `up` or `down`."""
    environment: TrainingEnvironment | None = None
    named: Named = field(default_factory=Named)
    model: ModelDescription | None = None
    """None until its bytes were looked at, where they are not at hand, and where nobody keeps them."""
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    """Path of data -> its shape, where it could be told and no profile tells it."""
    profiles: Mapping[str, TableProfile] = field(default_factory=dict)
    """Path of data -> the profile that is tied to its bytes, once it was read."""
    plots: tuple[PlotFile, ...] = ()
    metric_digests: Mapping[str, str] = field(default_factory=dict)
    """Metrics file -> digest, of those that DVC keeps instead of Git; in `metrics` only when they are at hand."""
    environment_digest: str | None = None
    """Path and digest of the environment document, when DVC keeps it instead of Git."""
    signature_digest: str | None = None
    """Of the signature file beside the model."""
    profile_digests: Mapping[str, str] = field(default_factory=dict)
    """Path of data -> digest of the profile that is tied to its bytes, read or not."""
    plot_digests: Mapping[str, str] = field(default_factory=dict)
    """What `cards.plots` names -> digest of its data and options."""
    absent: tuple[str, ...] = ()
    """Metrics and environment documents that DVC keeps and that are not at hand."""
    unmet: frozenset[str] = frozenset()
    """What a block asks for and this clone does not have: `model`, `shapes`, `base` (see `cards.generate.Need`)."""
    base: CardFacts | None = None
    """The same of `named.base`; None for a first version."""

    @property
    def name(self) -> str:
        return self.declared.name

    def is_model(self, path: str) -> bool:
        """Whether a dependency or output is the model, the tracked directory that holds it, or a file in it."""
        artifact = self.artifact
        held = artifact.output.path if artifact.output is not None else artifact.path
        own = artifact.path
        return path in (own, held) or (own is not None and path.startswith(f"{own}/"))
