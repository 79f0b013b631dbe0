"""The environment's document: canonical, without what belongs to one machine or person."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvc_modelver.core.environment import (
    Environment,
    Gpu,
    LockFile,
    Package,
    gpus,
    packages,
    parse,
    public_url,
    render,
    variables,
)
from dvc_modelver.errors import BadInput

_text = st.text(max_size=20)
_environments = st.builds(
    Environment,
    python=st.none() | st.dictionaries(_text, _text, max_size=2),
    packages=st.lists(
        st.builds(
            Package,
            name=_text,
            version=_text,
            origin=st.none() | _text,
            revision=st.none() | _text,
            editable=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    os=st.dictionaries(_text, _text, max_size=2),
    cpu=st.dictionaries(_text, _text | st.integers(0, 999), max_size=2),
    gpus=st.lists(st.builds(Gpu, name=_text, memory=_text, driver=_text), max_size=2).map(tuple),
    lock=st.none() | st.builds(LockFile, path=_text, sha256=_text),
    variables=st.dictionaries(_text, _text, max_size=2),
)


@given(environment=_environments)
def test_a_document_says_what_it_was_made_from(environment: Environment) -> None:
    """`parse(render(e)) == e`."""
    assert parse(render(environment).encode()) == environment


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "python": 3, "packages": []}'])
def test_other_documents_are_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(BadInput):
        parse(text.encode())


def test_packages_are_sorted_normalised_and_named_once() -> None:
    """The first of a name counts, as on the path."""
    rows = [["Zope.Interface", "6", None], ["a_b", "1", None], ["A-B", "2", None], [None, "1", None], "x"]
    assert packages(rows) == (Package(name="a-b", version="1"), Package(name="zope-interface", version="6"))


def test_direct_urls_lose_users_queries_and_local_paths() -> None:
    """What a URL says of a person or a machine does not reach the document."""
    commit = "a" * 40
    rows = [
        ["vcs", "1", json.dumps({"url": "https://me:pw@host/x.git?t=1#f", "vcs_info": {"commit_id": commit}})],
        ["local", "1", json.dumps({"url": "file:///home/ada/x", "dir_info": {"editable": True}})],
        ["wheel", "1", json.dumps({"url": "https://h/x.whl?sig=s", "archive_info": {"hashes": {"sha256": "b" * 64}}})],
        ["broken", "1", "{"],
    ]
    found = {package.name: package for package in packages(rows)}
    assert found["vcs"] == Package(name="vcs", version="1", origin="https://host/x.git", revision=commit)
    assert found["local"] == Package(name="local", version="1", origin="local", editable=True)
    assert found["wheel"].origin == "https://h/x.whl"
    assert found["wheel"].revision == f"sha256={'b' * 64}"
    assert found["broken"].origin is None


@pytest.mark.parametrize(
    "url", ["file:///home/ada", "/home/ada/x", "C:\\x", "https://", "ada@host:x.git", "file://h/x"]
)
def test_what_is_no_public_url_is_local(url: str) -> None:
    """Paths and odd spellings are not shown."""
    assert public_url(url) == "local"


@pytest.mark.parametrize("url", ["https://u:p@h/x", "https://u:p@q@h/x", "git+ssh://git@h/x", "https://tok@h/x"])
def test_no_user_is_left_in_a_url(url: str) -> None:
    """User-info goes, however many signs it holds."""
    assert public_url(url).endswith("://h/x")


def test_variables_are_an_allow_list_of_plain_words() -> None:
    """Neither other variables nor values that may be paths, secrets or serial numbers are taken."""
    env = {
        "OMP_NUM_THREADS": "4",
        "PYTHONHASHSEED": "0",
        "AWS_SECRET_ACCESS_KEY": "x",
        "MKL_NUM_THREADS": "/home/ada",
        "CUDA_VISIBLE_DEVICES": "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6",
    }
    assert variables(env) == {"OMP_NUM_THREADS": "4", "PYTHONHASHSEED": "0"}


def test_gpus_are_read_from_lines() -> None:
    """Name, memory, driver; other lines are passed."""
    text = "NVIDIA A100, 40960 MiB, 535.104\nNVIDIA A100, 40960 MiB, 535.104\nfailed\n"
    assert gpus(text) == (Gpu(name="NVIDIA A100", memory="40960 MiB", driver="535.104"),) * 2
