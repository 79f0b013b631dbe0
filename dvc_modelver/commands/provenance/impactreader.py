"""What one commit says of how a model was made, for `impact`."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dvc_modelver.commands.project import Project
from dvc_modelver.commands.provenance.impactmemory import Memory
from dvc_modelver.core.facts import Output, Scalar
from dvc_modelver.core.impact import (
    Action,
    Making,
    Thing,
    plain_url,
)
from dvc_modelver.core.registry import Model
from dvc_modelver.dvcio import paths
from dvc_modelver.errors import BadInput, DataError

if TYPE_CHECKING:
    from dvc_modelver.core.declarations import Declared
    from dvc_modelver.core.facts import ArtifactFacts
    from dvc_modelver.core.recipe import Input, Origin, Recipe, Step
    from dvc_modelver.dvcio.locate import Located


class Reader:
    """Reads how one commit says that one model was made."""

    def __init__(self, project: Project, model: Model, commit: str, memory: Memory) -> None:
        from dvc_modelver.dvcio.locate import Commit

        if project.objects.commit(commit) is None:
            hint = "git fetch --unshallow --tags" if project.repository.shallow else "git fetch --tags; git fsck"
            raise DataError(f"its commit {commit[:12] or '-'} is not in this clone", hint=hint)
        self.project, self.model, self.memory = project, model, memory
        self.oid = commit
        self.tree = project.tree(commit)
        self.commit = Commit(self.tree)
        self.doubts: dict[str, None] = {}

    def making(self) -> Making:
        """Raises `ModelverError` when the commit's files cannot be read."""
        from dvc_modelver.dvcio.facts import artifact_facts
        from dvc_modelver.dvcio.recipe import recipe_of

        self.declared = self._declared()
        recipe = recipe_of(self.commit, self.declared)
        artifact = self._artifact(artifact_facts(self.tree, self.declared), recipe)
        actions = tuple(self._action(step) for step in recipe.steps)
        return Making(
            artifact=artifact,
            actions=actions,
            measuring=tuple(self._action(step, on_the_way=False) for step in recipe.evaluation),
            doubts=tuple(self.doubts),
            recorded=bool(actions) or artifact.origin is not None,
        )

    def _declared(self) -> Declared:
        from dvc_modelver.core.declarations import Declared
        from dvc_modelver.dvcio.project import declared_one

        found = declared_one(self.tree, self.model.name)
        if found is not None:
            return found
        refs = [self.model.release_ref(v) for v in self.model.versions_on(self.oid)]
        records = (tag.record for ref in refs if (tag := self.model.tag(ref)) is not None and tag.record is not None)
        path = next((record.path for record in records if record.path is not None), None)
        if path is None:
            raise DataError("its commit declares no such artifact", hint="compare its files by hand")
        return Declared(name=self.model.name, file="dvc.yaml", path=path)

    def _artifact(self, facts: ArtifactFacts, recipe: Recipe) -> Thing:
        from dvc_modelver.core.facts import Source

        if facts.path is None or facts.source is Source.MISSING:
            raise DataError(f"its commit does not say what it is: {facts.problem}", hint="compare its files by hand")
        output = facts.output
        inside = output is not None and facts.inside is not None
        located = self.commit.find(facts.path, self.declared.file)
        if located is not None:
            self._check_old_stage(located)
        thing = thing_of(output, self.memory, located) if output is not None else Thing("data", facts.path, None)
        return thing._replace(
            kind="artifact",
            path=facts.path,
            digest=None if inside else facts.digest,
            in_git=facts.source is Source.GIT or facts.blob is not None,
            above=output.path if inside and output is not None else None,
            above_digest=output.digest if inside and output is not None else None,
            origin=_origin(recipe.origin),
            origin_rev=_origin_rev(recipe.origin),
        )

    def _action(self, step: Step, *, on_the_way: bool = True) -> Action:
        file, _, name = step.name.rpartition(":")
        file = file or self.declared.file
        pipeline = self.commit.pipeline(file)
        stage = pipeline.lock.stage(name) if pipeline is not None else None
        return Action(
            id=f"pipeline-stage:{file}:{name}@sha256:{stage.digest if stage is not None else '-'}",
            inputs=tuple(self._input(found, file, name, on_the_way) for found in step.inputs),
            outs=tuple(thing_of(out, self.memory) for out in step.outs),
            params=tuple((f, k, _plain(v)) for f, values in step.params.items() for k, v in values.items()),
        )

    def _input(self, found: Input, file: str, name: str, on_the_way: bool) -> Thing:
        from dvc_modelver.core.recipe import Kind

        output = found.output
        url = paths.is_url(output.path)
        located = None if found.by is None else self.commit.find(output.path, file)
        if on_the_way:
            self._check(found, located, name)
        whole = located is None or located.output.path == output.path
        in_git = found.kind is Kind.CODE or (located is not None and not located.output.cached)
        thing = thing_of(output, self.memory, located if whole else None)
        return thing._replace(
            kind="code" if found.kind is Kind.CODE else "data",
            in_git=in_git and not url and self.tree.entry(output.path) is not None,
            above=None if whole or located is None else located.output.path,
            above_digest=None if whole or located is None else located.output.digest,
            remote=located.output.remote if located is not None else None,
            origin=_origin(found.origin),
            origin_rev=_origin_rev(found.origin),
        )

    def _check(self, found: Input, located: Located | None, name: str) -> None:
        """Note what keeps the way back from being followed."""
        from dvc_modelver.core.recipe import Kind

        path = paths.shown(found.output.path)
        if located is not None:
            self._check_old_stage(located)
        if found.kind is Kind.STAGE and located is not None and located.output.path == found.output.path:
            if located.output.digest != found.output.digest:
                self._doubt(f"pipeline stage {name} read {path} with other bytes than {found.by} has written since")
        elif found.kind is Kind.DATA and located is None and not paths.is_url(found.output.path):
            for file in self._broken:
                self._doubt(f"{paths.shown(file)} cannot be read, and may say what made {path}")

    def _check_old_stage(self, located: Located) -> None:
        old = self.commit.dvc_file(located.file) if located.stage is None else None
        if old is not None and old.deps:
            self._doubt(f"{paths.shown(located.file)} is a stage of DVC before 1.0, whose inputs are not followed")

    def _doubt(self, text: str) -> None:
        self.doubts[text] = None

    @cached_property
    def _broken(self) -> tuple[str, ...]:
        """The DVC files of the commit that cannot be parsed."""
        return tuple(file for file in self.tree.files("dvc.yaml", "*.dvc") if not self._readable(file))

    def _readable(self, file: str) -> bool:
        try:
            pipeline = self.commit.pipeline(file) if file.endswith("dvc.yaml") else None
            list(self.commit.stage_outputs(pipeline) if pipeline is not None else self.commit.dvc_outputs(file))
        except BadInput:
            return False
        return True


def thing_of(output: Output, memory: Memory, located: Located | None = None) -> Thing:
    listing = located.item.listing if located is not None else None
    if listing is not None and output.digest is not None and output.digest.endswith(".dir"):
        memory.keep_listing(output.digest, listing)
    return Thing(
        kind="data",
        path=output.path,
        digest=output.digest,
        root=output.root,
        remote=output.remote,
        hash_name=output.hash_name,
    )


def _origin(origin: Origin | None) -> str | None:
    if origin is None:
        return None
    return plain_url(origin.path) if origin.url is None else f"{plain_url(origin.url)}:{origin.path}"


def _origin_rev(origin: Origin | None) -> str | None:
    return None if origin is None else origin.rev_lock or origin.rev


def _plain(value: Scalar) -> Scalar:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
