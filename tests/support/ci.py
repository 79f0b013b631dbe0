"""GitHub's and GitLab's runners without their containers: they read the job files and run each script with real bash.

Played, not run: `actions/checkout` and `actions/setup-python` (a fresh clone, and this interpreter first on PATH),
`pip install`, approvals, and the platforms' own servers: a bare repository, and HTTP on localhost for comments.
What the platforms are known to forbid is forbidden here: pushes and comments without the job's permission, secrets
and writing for a fork, and workflows started by a job's own token.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.git import Git

Context = dict[str, Any]


@dataclass(frozen=True)
class StepRun:
    """One script after it ran; `status` is None when it was left out."""

    name: str
    status: int | None
    output: str


@dataclass(frozen=True)
class JobRun:
    """One job after it ran."""

    name: str
    ok: bool
    steps: tuple[StepRun, ...]
    workspace: Path | None = None

    def step(self, name: str) -> StepRun:
        return next(step for step in self.steps if step.name == name)

    @property
    def failed(self) -> list[str]:
        return [step.name for step in self.steps if step.status]

    def __str__(self) -> str:
        return "\n".join([f"job {self.name}: {'ok' if self.ok else 'failed'}", *(f"  {step}" for step in self.steps)])


# The platforms' HTTP servers ---------------------------------------------------------------------------------------


@dataclass
class Forge:
    """The part of GitHub's and GitLab's HTTP interfaces that comments and dispatches need."""

    comments: list[Context] = field(default_factory=list)
    dispatched: list[Context] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    rights: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    """Token -> (who it is, what it may write)."""
    url: str = ""

    def add(self, author: str, body: str) -> Context:
        made = {"id": len(self.comments) + 1, "body": body, "user": {"login": author}, "author": {"id": author}}
        self.comments.append(made)
        return made

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.calls.append(f"{method} {path}")
        if token not in self.rights:
            return 401, {"message": "Bad credentials"}
        who, may = self.rights[token]
        if path == "/user":
            return 200, {"id": who}
        need = "actions" if path.endswith("/dispatches") else "comments"
        if method != "GET" and need not in may:
            return 403, {"message": "Resource not accessible by integration"}
        if path.endswith("/dispatches"):
            self.dispatched.append(body)
            return 204, None
        if method == "GET":
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, self.comments[size * (page - 1) : size * page]
        if method == "POST":
            return 201, self.add(who, body["body"])
        found = next(c for c in self.comments if c["id"] == int(path.rpartition("/")[2]))
        if found["user"]["login"] != who:
            return 403, {"message": "not yours"}
        found["body"] = body["body"]
        return 200, found


def serve(forge: Forge) -> Iterator[Forge]:
    """Answer on a free port of localhost meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("PRIVATE-TOKEN") or (self.headers.get("Authorization") or "").partition(" ")[2]
            status, answer = forge.answer(self.command, self.path, token, json.loads(data) if data else None)
            text = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_PUT = _do

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        forge.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield forge
        server.shutdown()


# What both runners share -------------------------------------------------------------------------------------------


@dataclass
class Machine:
    """Where jobs run: a fresh clone each, without the user's identity, with `python` and `modelver` on PATH."""

    hub: Git
    scratch: Path
    forge: Forge
    count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        tools = self.scratch / "tools"
        tools.mkdir(parents=True)
        (self.scratch / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
        pip = f'case "$*" in "-I -m pip install "*) echo "$*" >> {self.installed}; exit 0;; esac\n'
        (tools / "python").write_text(f'#!/bin/sh\n{pip}exec {sys.executable} "$@"\n')
        (tools / "modelver").write_text(f'#!/bin/sh\nexec {sys.executable} -m dvc_modelver "$@"\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)

    @property
    def installed(self) -> Path:
        """What `pip` was asked for, a line each."""
        return self.scratch / "installed.txt"

    def folder(self) -> Path:
        """A new one, deep enough that the DVC remote's relative path leads nowhere."""
        place = self.scratch / "runner" / f"job{next(self.count)}"
        place.mkdir(parents=True)
        return place

    def run(self, script: str, where: Path, env: Mapping[str, str], flags: str = "-e") -> tuple[int, str]:
        """Run a script in a file, as runners do."""
        file = where.parent / "script.sh"
        file.write_text(script)
        base = self.hub.env
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", *flags.split(), file],
            cwd=where,
            env=base
            | {"GIT_CONFIG_GLOBAL": str(self.scratch / "gitconfig"), "CI": "true"}
            | {"PATH": f"{self.scratch / 'tools'}:{base['PATH']}"}
            | dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")


def load(text: str) -> Any:
    """YAML in which `on:` is a word."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regexp) for tag, regexp in found if tag != "tag:yaml.org,2002:bool"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
    return yaml.load(text, Loader)


def matrices(matrix: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """Every combination."""
    return [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())]


# GitHub ------------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(&&|\|\||==|!=|!|\(|\))|([A-Za-z_][\w.-]*))")


class Expression:
    """What stands between `${{` and `}}`: the operators and functions that the templates use, and no other."""

    def __init__(self, text: str, context: Context) -> None:
        self._context = context
        self._tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            assert match, f"not understood: {text}"
            self._tokens.append(next(group for group in match.groups() if group is not None))
            at = match.end()

    def value(self) -> Any:
        found = self._or()
        assert not self._tokens, f"left over: {self._tokens}"
        return found

    def _or(self) -> Any:
        found = self._and()
        while self._take("||"):
            right = self._and()
            found = found or right
        return found

    def _and(self) -> Any:
        found = self._equal()
        while self._take("&&"):
            right = self._equal()
            found = found and right
        return found

    def _equal(self) -> Any:
        found = self._unary()
        for operator in ("==", "!="):
            if self._take(operator):
                same = (found or "") == (self._unary() or "")
                return same if operator == "==" else not same
        return found

    def _unary(self) -> Any:
        if self._take("!"):
            return not self._unary()
        if self._take("("):
            found = self._or()
            assert self._take(")")
            return found
        word = self._tokens.pop(0)
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if self._take("("):
            argument = None if self._tokens[0] == ")" else self._or()
            assert self._take(")")
            functions = {"toJSON": lambda: json.dumps(argument, indent=2), "cancelled": lambda: False}
            return functions[word]()
        found = self._context
        for part in word.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _take(self, token: str) -> bool:
        if self._tokens[:1] == [token]:
            self._tokens.pop(0)
            return True
        return False


def fill(text: Any, context: Context) -> str:
    """A value with its expressions replaced."""

    def put(match: re.Match[str]) -> str:
        found = Expression(match[1], context).value()
        return "" if found is None else str(found).lower() if isinstance(found, bool) else str(found)

    return re.sub(r"\$\{\{(.*?)\}\}", put, str(text))


def holds(condition: Any, context: Context) -> bool:
    """What an `if:` says."""
    match = re.fullmatch(r"\$\{\{(.*)\}\}", str(condition))
    return bool(Expression(match[1] if match else str(condition), context).value())


def matches(name: str, patterns: list[str]) -> bool:
    """GitHub's filters for branches and tags: the last pattern that matches decides."""
    found = False
    for pattern in patterns:
        negative, glob = pattern.startswith("!"), pattern.removeprefix("!")
        words = {"**": ".*", "*": "[^/]*", "?": "[^/]?"}
        regex = "".join(words.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", glob))
        if re.fullmatch(regex, name):
            found = not negative
    return found


@dataclass
class GithubEvent:
    """Something that happened."""

    name: str
    ref: str = "refs/heads/main"
    payload: Context = field(default_factory=dict)

    def starts(self, on: Any) -> bool:
        """Whether a workflow's `on:` asks for it."""
        wanted = on if isinstance(on, dict) else {}
        if self.name not in wanted:
            return False
        filters = wanted[self.name] or {}
        if self.name == "push":
            kind = "tags" if self.ref.startswith("refs/tags/") else "branches"
            return kind in filters and matches(self.ref.split("/", 2)[2], filters[kind])
        if self.name == "repository_dispatch":
            return self.payload["action"] in filters["types"]
        return True


@dataclass
class Github:
    """A repository on GitHub: `play` runs what an event starts, and gives the jobs."""

    machine: Machine
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def pull_request(self, number: int, branch: str, *, fork: bool = False) -> GithubEvent:
        """A pull request of a branch in the hub, merged with the default branch as GitHub does."""
        work = self.machine.hub.clone(self.machine.folder() / "merge")
        work("merge", "-q", "--no-ff", "-m", f"Merge {branch}", f"origin/{branch}")
        work("push", "-q", "-f", "origin", f"HEAD:refs/pull/{number}/merge")
        head = {"ref": branch, "repo": {"full_name": "someone/models" if fork else "acme/models"}}
        payload = {"pull_request": {"number": number, "head": head}}
        return GithubEvent("pull_request", f"refs/pull/{number}/merge", payload)

    def play(self, event: GithubEvent) -> dict[str, JobRun]:
        """Run every workflow that the event starts, as it stands in the event's commit."""
        hub, found = self.machine.hub, {}
        rev = "refs/heads/main" if event.name in ("schedule", "repository_dispatch") else event.ref
        for path in hub("ls-tree", "-r", "--name-only", rev, "--", ".github/workflows").splitlines():
            workflow = load(hub("show", f"{rev}:{path}"))
            if event.starts(workflow["on"]):
                found |= self._workflow(workflow, event)
        return found

    def _workflow(self, workflow: Context, event: GithubEvent) -> dict[str, JobRun]:
        runs: dict[str, JobRun] = {}
        needs: Context = {}
        for key, job in workflow["jobs"].items():
            context = self._context(event) | {"needs": needs}
            if job.get("needs") and job["needs"] not in needs:
                continue
            if "if" in job and not holds(job["if"], context):
                continue
            for values in matrices(job.get("strategy", {}).get("matrix", {})):
                name = fill(job.get("name", key), context | {"matrix": values})
                runs[name], outputs = self._job(name, workflow, job, context | {"matrix": values}, event)
                if runs[name].ok:
                    needs[key] = {"outputs": outputs}
        return runs

    def _context(self, event: GithubEvent) -> Context:
        # What a schedule starts is told nothing about the repository.
        repository = {} if event.name == "schedule" else {"repository": {"default_branch": "main"}}
        payload = event.payload | repository
        github = {
            "event": payload,
            "event_name": event.name,
            "ref": event.ref,
            "ref_name": event.ref.split("/", 2)[2],
            "repository": "acme/models",
        }
        fork = _from_fork(event)
        return {"github": github, "secrets": {} if fork else self.secrets, "vars": self.variables}

    def _job(
        self, name: str, workflow: Context, job: Context, context: Context, event: GithubEvent
    ) -> tuple[JobRun, Context]:
        top = self.machine.folder()
        permissions = job.get("permissions", workflow.get("permissions"))
        assert isinstance(permissions, dict), f"{name}: a job says which rights its token has"
        granted = {key for key, value in permissions.items() if value == "write" and not _from_fork(event)}
        token = f"token-{top.name}"
        can = {"pull-requests": "comments", "actions": "actions"}
        self.machine.forge.rights[token] = ("github-actions[bot]", {can[key] for key in granted & set(can)})
        context = context | {"steps": {}, "inputs": event.payload.get("inputs", {})}
        context["github"] = context["github"] | {"token": token}
        place, files = top / "work", {key: top / key for key in ("GITHUB_OUTPUT", "GITHUB_ENV")}
        place.mkdir()
        (top / "temp").mkdir()
        env = {
            **{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/models", "GITHUB_API_URL": self.machine.forge.url},
            **{"RUNNER_TEMP": str(top / "temp"), "GITHUB_WORKSPACE": str(place)},
        }
        ran: list[StepRun] = []
        ok = True
        for step in job["steps"]:
            label = fill(step.get("name") or step["uses"].partition("@")[0], context)
            if not (holds(step["if"], context) if "if" in step else ok):
                ran.append(StepRun(label, None, ""))
                continue
            for file in files.values():
                file.write_text("")
            if "uses" in step:
                status, output = self._action(step, context, event, place, "contents" in granted)
            else:
                assert "${{" not in step["run"], "texts reach a script by variables alone"
                given = {key: fill(value, context) for key, value in (job.get("env", {}) | step.get("env", {})).items()}
                variables = env | given | {key: str(file) for key, file in files.items()}
                status, output = self.machine.run(step["run"], place, variables)
            env |= _pairs(files["GITHUB_ENV"])
            if "id" in step:
                outcome = "failure" if status else "success"
                context["steps"][step["id"]] = {"outputs": _pairs(files["GITHUB_OUTPUT"]), "outcome": outcome}
            ran.append(StepRun(label, status, output))
            ok = ok and not status
        outputs = {key: fill(value, context) for key, value in job.get("outputs", {}).items()}
        return JobRun(name, ok, tuple(ran), place), outputs

    def _action(
        self, step: Context, context: Context, event: GithubEvent, place: Path, may_push: bool
    ) -> tuple[int, str]:
        action, _, commit = step["uses"].partition("@")
        assert re.fullmatch("[0-9a-f]{40}", commit), f"{action} is not pinned"
        if action == "actions/setup-python":
            return 0, ""
        assert action == "actions/checkout"
        options = step.get("with", {})
        assert str(options.get("fetch-depth")) == "0"
        ref = fill(options.get("ref", event.ref), context).removeprefix("refs/heads/")
        hub = self.machine.hub
        clone = hub.clone(place, "--no-checkout")
        if ref.startswith("refs/"):
            clone("fetch", "-q", "origin", ref)
            clone("checkout", "-q", "--detach", "FETCH_HEAD")
        else:
            clone("checkout", "-q", "-B", ref, f"origin/{ref}")
        if not may_push or options.get("persist-credentials") is False:
            clone("config", "remote.origin.pushurl", str(place / "no-right-to-push"))
        return 0, ""


def _from_fork(event: GithubEvent) -> bool:
    head = event.payload.get("pull_request", {}).get("head")
    return head is not None and head["repo"]["full_name"] != "acme/models"


def _pairs(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


# GitLab ------------------------------------------------------------------------------------------------------------


@dataclass
class Gitlab:
    """A project on GitLab: `play` runs the pipeline of a commit."""

    machine: Machine
    variables: dict[str, str] = field(default_factory=dict)
    """The project's."""

    def play(
        self, rev: str, predefined: Mapping[str, str], *, approved: bool = False, fork: bool = False
    ) -> dict[str, JobRun]:
        """Run the jobs whose rules hold; manual ones once they are `approved`."""
        hub = self.machine.hub
        sha = hub("rev-parse", f"{rev}^{{commit}}")
        files = load(hub("show", f"{sha}:.gitlab-ci.yml"))
        jobs: Context = {}
        for included in files.pop("include"):
            jobs |= load(hub("show", f"{sha}:{included['local']}"))
        base = {
            **{"GITLAB_CI": "true", "CI_DEFAULT_BRANCH": "main", "CI_COMMIT_SHA": sha, "CI_PROJECT_ID": "7"},
            **{"CI_API_V4_URL": self.machine.forge.url, "CI_SERVER_URL": "https://gitlab.example"},
            "CI_PROJECT_URL": f"file://{str(hub.path).removesuffix('.git')}",
            **({} if fork else self.variables),
            **predefined,
        }
        found: dict[str, JobRun] = {}
        for name, job in jobs.items():
            if name.startswith("."):
                continue
            job = _extended(job, jobs)
            rule = next((rule for rule in job["rules"] if _rule_holds(rule["if"], base)), None)
            if rule is None or (rule.get("when") == "manual" and not approved):
                continue
            for entry in job.get("parallel", {}).get("matrix", [{}]):
                for values in matrices(entry):
                    label = " ".join([name, *values.values()])
                    found[label] = self._job(label, job, {**job["variables"], **base, **values}, sha)
        return found

    def _job(self, name: str, job: Context, variables: Mapping[str, str], sha: str) -> JobRun:
        top = self.machine.folder()
        assert str(variables["GIT_DEPTH"]) == "0"
        # The URL that the runner clones from holds the job's own token, which may only read.
        mirror = top / "read-only.git"
        self.machine.hub("clone", "-q", "--mirror", "--", self.machine.hub.path, mirror)
        (mirror / "hooks").mkdir(exist_ok=True)
        (mirror / "hooks" / "pre-receive").write_text("#!/bin/sh\necho You are not allowed to push >&2\nexit 1\n")
        (mirror / "hooks" / "pre-receive").chmod(0o755)
        clone = self.machine.hub.at(mirror).clone(top / "work", "--no-checkout")
        clone("checkout", "-q", "--detach", sha)
        script = "\n".join([*job["before_script"], *job["script"]])
        env = {key: str(value) for key, value in variables.items()}
        status, output = self.machine.run(script, clone.path, env, "-eo pipefail")
        return JobRun(name, status == 0, (StepRun("script", status, output),), clone.path)


def _extended(job: Context, jobs: Context) -> Context:
    """A job over what it extends; mappings are merged."""
    if "extends" not in job:
        return job
    merged = copy.deepcopy(_extended(jobs[job["extends"]], jobs))
    for key, value in job.items():
        merged[key] = merged.get(key, {}) | value if isinstance(value, dict) else value
    return merged


def _rule_holds(text: str, variables: Mapping[str, str]) -> bool:
    return all(_term_holds(term.strip(), variables) for term in text.split("&&"))


def _term_holds(term: str, variables: Mapping[str, str]) -> bool:
    match = re.fullmatch(r'\$(\w+)(?: (==|=~) (?:"([^"]*)"|\$(\w+)|/(.*)/))?', term)
    assert match, f"not understood: {term}"
    value = variables.get(match[1], "")
    if match[2] is None:
        return bool(value)
    if match[2] == "=~":
        return re.search(match[5], value) is not None
    return value == (match[3] if match[3] is not None else variables.get(match[4], ""))


def local_config(store: Path) -> str:
    """A `.dvc/config.local` that says where the DVC remote is, as the secret holds it."""
    return base64.b64encode(f"['remote \"store\"']\n    url = {store}\n".encode()).decode()
