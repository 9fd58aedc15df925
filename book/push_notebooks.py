"""Push the notebooks that publish.py has stamped to a branch of their own.

    python book/push_notebooks.py [REMOTE]     # what `make publish-notebooks` calls

The branch holds these files and nothing else; what it held before stays in its history. Neither the
branch that is checked out here nor its index is touched.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "_build" / "notebooks-branch"
BRANCH = "notebooks"
AUTHOR = ("The publishing workflow", "workflow@localhost")


def git(*arguments, root=ROOT, folder=FOLDER, check=True):
    """What git prints, with `folder` as the working tree and an index of its own."""
    environment = {**os.environ, "GIT_INDEX_FILE": str(folder) + ".index"}
    for role in ("AUTHOR", "COMMITTER"):
        environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = AUTHOR
    command = ["git", f"--git-dir={root / '.git'}", f"--work-tree={folder}", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    if check and done.returncode:
        sys.exit(f"`git {' '.join(arguments)}` failed; the lines above say why.")
    return done.stdout.strip()


def push(remote, root=ROOT, folder=FOLDER):
    """Commit the folder on top of the remote's branch and push it; return the commit.

    Where the branch holds the same files already, nothing is pushed.
    """

    def run(*arguments, **options):
        return git(*arguments, root=root, folder=folder, **options)

    if not list(folder.glob("*.ipynb")):
        sys.exit(f"There are no notebooks in {folder}: run `make publish-dry-run` first.")
    run("read-tree", "--empty")
    run("add", "--all", "--force", ".")
    tree = run("write-tree")
    parents = []
    if run("ls-remote", remote, f"refs/heads/{BRANCH}"):
        run("fetch", "--quiet", "--depth=1", remote, BRANCH)
        parents = ["-p", run("rev-parse", "FETCH_HEAD")]
        if run("rev-parse", "FETCH_HEAD^{tree}") == tree:
            return parents[1]
    source = run("rev-parse", "HEAD")
    commit = run("commit-tree", tree, *parents, "-m", f"Publish the notebooks of {source[:12]}")
    run("push", "--quiet", remote, f"{commit}:refs/heads/{BRANCH}")
    return commit


if __name__ == "__main__":
    print(push(*sys.argv[1:] or ["origin"]))
