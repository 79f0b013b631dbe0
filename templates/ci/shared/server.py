"""Tell GitHub or GitLab something: `server.py comment FILE`, or `server.py deploy TAG` (GitHub).

`comment` writes FILE as the pull or merge request's one comment, which later runs find by its first line and update.
`deploy` starts the deployment of a tag that a job pushed: GitHub starts no workflow for what its own token pushes.
Standard library only; texts go as JSON, never through a shell.
"""

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

MARKER = "<!-- modelver: compared with production -->"
MOST = 60_000  # bytes; GitHub takes 65,536 characters
PAGE, PAGES = 100, 50


class StayHere(urllib.request.HTTPRedirectHandler):
    """The token goes to the server that it is for, and to no other."""

    def redirect_request(self, *args):
        return None


def call(method, url, headers, data=None):
    """The answer's JSON; None for an empty one."""
    request = urllib.request.Request(
        url,
        method=method,
        data=None if data is None else json.dumps(data).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "modelver", **headers},
    )
    try:
        with urllib.request.build_opener(StayHere).open(request, timeout=60) as answer:
            text = answer.read()
    except urllib.error.HTTPError as problem:
        sys.exit(f"error: {method} {url} was answered with {problem.code}\nhint: look at what the job's token may do")
    except OSError as problem:
        sys.exit(f"error: {method} {url}: {getattr(problem, 'reason', problem)}")
    return json.loads(text) if text else None


def body_of(file):
    """The comment: the marker, and as much of the file as a comment takes."""
    with open(file, encoding="utf-8", errors="replace") as lines:
        text = lines.read()
    data = text.encode()
    if len(data) > MOST:
        text = data[:MOST].decode(errors="ignore").rpartition("\n")[0]
        text += "\n\nCut here: the whole comparison is in the job's log.\n"
    return f"{MARKER}\n{text}"


def say(url, headers, update, is_ours, body):
    """Update our comment below `url`, or make it."""
    for page in range(1, PAGES + 1):
        found = call("GET", f"{url}?per_page={PAGE}&page={page}", headers)
        for comment in found:
            # Anyone can write the marker: only what this token wrote is ours.
            if is_ours(comment) and (comment["body"] or "").startswith(MARKER):
                call(update, f"{url_of(url, comment)}", headers, {"body": body})
                return "updated"
        if len(found) < PAGE:
            break
    call("POST", url, headers, {"body": body})
    return "made"


def url_of(url, comment):
    """Where one comment is changed: GitHub's are numbered through the repository."""
    if url.endswith("/comments"):
        return f"{url.rpartition('/issues/')[0]}/issues/comments/{comment['id']}"
    return f"{url}/{comment['id']}"


def on_github(env):
    """The repository's URL and the headers."""
    headers = {
        "Authorization": f"Bearer {env['GITHUB_TOKEN']}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return f"{env['GITHUB_API_URL']}/repos/{env['GITHUB_REPOSITORY']}", headers


def comment(env, file):
    body = body_of(file)
    if env.get("GITLAB_CI"):
        if not env.get("MODEL_COMMENT_TOKEN"):
            return "not made: there is no MODEL_COMMENT_TOKEN"
        api, headers = env["CI_API_V4_URL"], {"PRIVATE-TOKEN": env["MODEL_COMMENT_TOKEN"]}
        me = call("GET", f"{api}/user", headers)["id"]
        url = f"{api}/projects/{env['CI_PROJECT_ID']}/merge_requests/{env['CI_MERGE_REQUEST_IID']}/notes"
        return say(url, headers, "PUT", lambda note: note["author"]["id"] == me, body)
    url, headers = on_github(env)
    me = env.get("COMMENT_AUTHOR") or "github-actions[bot]"
    url = f"{url}/issues/{int(env['PULL_REQUEST'])}/comments"
    return say(url, headers, "PATCH", lambda found: (found["user"] or {}).get("login") == me, body)


def deploy(env, tag):
    url, headers = on_github(env)
    data = {"ref": env["DEPLOY_REF"], "inputs": {"tag": tag}}
    call("POST", f"{url}/actions/workflows/modelver-deploy.yml/dispatches", headers, data)
    return "started"


if __name__ == "__main__":
    commands = {"comment": comment, "deploy": deploy}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    print(f"{sys.argv[1]}: {commands[sys.argv[1]](os.environ, sys.argv[2])}")
