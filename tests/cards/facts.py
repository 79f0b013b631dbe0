"""Card facts made up in memory: an ordinary model, and one whose every text is the same."""

from __future__ import annotations

from dvc_modelver.cards.facts import CardFacts, Named, TrainingEnvironment
from dvc_modelver.core.declarations import Declared
from dvc_modelver.core.descriptions import Feature, ModelDescription, Signature, Status
from dvc_modelver.core.environment import Environment, LockFile, Package
from dvc_modelver.core.facts import ArtifactFacts, Output, Source
from dvc_modelver.core.recipe import Input, Kind, Recipe, Step


def output(path: str, digit: str = "a", size: int | None = 1000) -> Output:
    """An output whose digest is one hex digit, many times."""
    return Output(path=path, digest=f"md5:{digit * 32}", size=size)


def data(path: str, digit: str = "a", size: int | None = 1000) -> Input:
    """Tracked data that a stage read."""
    return Input(output=output(path, digit, size), kind=Kind.DATA, by=f"{path}.dvc")


def script(path: str, digit: str = "a") -> Input:
    """A file of code that a stage read."""
    return Input(output=output(path, digit), kind=Kind.CODE)


def step(name: str, *inputs: Input, cmd: str | None = None) -> Step:
    """A pipeline stage that wrote nothing worth naming."""
    return Step(name=name, cmd=cmd or f"python {name}.py", inputs=inputs, outs=())


def card_facts(name: str = "churn", **given: object) -> CardFacts:
    """Facts of a model with a file of 1.4 MB; `given` replaces any of them."""
    facts: dict[str, object] = {
        "declared": Declared(name=name, file="dvc.yaml", path="models/churn.pkl", type="model"),
        "artifact": ArtifactFacts(
            path="models/churn.pkl",
            kind="file",
            digest=f"md5:{'0123456789abcdef' * 2}",
            size=1_400_000,
            source=Source.STAGE,
        ),
    }
    return CardFacts(**{**facts, **given})  # type: ignore[arg-type]


def text_facts(text: str, *, digit: str = "a", number: float = 1.5, base: CardFacts | None = None) -> CardFacts:
    """Facts in which every text of a repository is `text`, and all else follows from `digit` and `number`."""
    key = text.replace(".", "\\.")
    feature = Feature(name=text, type=f"{text}{digit}", shape=(text, digit))
    stage = Step(
        name=text,
        cmd=f"{digit} {text}",
        inputs=(data(text, digit), script(f"{text} code", digit)),
        outs=(output(text, digit),),
        params={text: {key: number}, f"{text} 2": {key: text}},
    )
    return CardFacts(
        declared=Declared(name=text, file=text, path=text, type=text, desc=text, labels=(text, f"{text} 2")),
        artifact=ArtifactFacts(
            path=f"{text} {digit}", type=text, kind="file", digest=f"{text}:{digit}", size=10, source=Source.STAGE
        ),
        recipe=Recipe(steps=(stage,)),
        params={text: {key: text, f"{key} n": number}, f"{text} 2": {key: number}},
        metrics={
            text: {key: number, f"{key} text": text, f"s.{key} one.{key} is": number, f"s.{key} two.{key} is": number},
            f"{text} 2": {key: f"{text} {digit}"},
        },
        environment=TrainingEnvironment(
            file=text,
            digest=digit * 64,
            recorded=Environment(
                python={"version": f"{text} {digit}", "implementation": text},
                packages=(Package(name=text, version=f"{text} {digit}", origin=text, revision=text),),
                os={"system": f"{text} {digit}"},
                lock=LockFile(path=text, sha256=digit * 64),
                variables={text: f"{text} {digit}"},
            ),
        ),
        named=Named(version=text, base=text),
        model=ModelDescription(
            format=f"{text} {digit}",
            status=Status.UNKNOWN,
            library=text,
            library_version=f"{text} {digit}",
            signature=Signature(inputs=(feature,), outputs=(feature,), classes=(text, f"{text} {digit}")),
        ),
        base=base,
    )
