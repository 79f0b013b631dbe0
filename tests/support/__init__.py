"""What tests share: real Git and DVC repositories, the command, and oracles.  No tests live here.

`environment` isolates from the machine; `git` drives a repository; `repos` builds the ready-made ones;
`runner` starts `modelver`; `snapshot` shows that nothing changed; `gto` asks GTO for its opinion.
"""

from tests.support.environment import isolated_env
from tests.support.git import Clock, Git
from tests.support.gto import GtoOracle
from tests.support.repos import Clones, DvcRepo, Templates
from tests.support.runner import Modelver, Result
from tests.support.snapshot import snapshot

__all__ = [
    "Clock",
    "Clones",
    "DvcRepo",
    "Git",
    "GtoOracle",
    "Modelver",
    "Result",
    "Templates",
    "isolated_env",
    "snapshot",
]
