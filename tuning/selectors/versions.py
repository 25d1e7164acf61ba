"""Which version of hpweb runs: the commit that its folder has checked out, read from git's own files."""

import re
from functools import cache
from pathlib import Path

from django.conf import settings

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@cache
def own_commit() -> str:
    """The commit, "" where the folder is no git checkout. No process is started."""
    return commit_of(Path(settings.BASE_DIR))


def commit_of(folder: Path) -> str:
    """The commit that a work tree has checked out, "" where it cannot be read."""
    try:
        git = folder / ".git"
        if git.is_file():  # of a second work tree: it names its folder in the first one's
            git = folder / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head if _COMMIT.fullmatch(head) else ""
        common = git / "commondir"
        home = git / common.read_text().strip() if common.is_file() else git
        return _commit_at(home, head.removeprefix("ref:").strip())
    except (OSError, UnicodeDecodeError):
        return ""


def _commit_at(home: Path, ref: str) -> str:
    """What a branch points to: in a file of its own, or in the list of packed ones."""
    if (home / ref).is_file():
        commit = (home / ref).read_text().strip()
        return commit if _COMMIT.fullmatch(commit) else ""
    for line in (home / "packed-refs").read_text().splitlines():
        commit, _, name = line.partition(" ")
        if name.strip() == ref and _COMMIT.fullmatch(commit):
            return commit
    return ""
