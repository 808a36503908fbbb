"""Chooses the inputs of a fuzz target that are worth keeping: few that reach much.

    python fuzz/keep.py TARGET FOLDER

writes up to 100 inputs of FOLDER and of the target's corpus to FOLDER, in place of those that are there under the names of the fuzzer;
others stay, and come first.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

MOST = 100


def covered(target, folders):
    """Returns the edges that each input reaches, by path."""
    with tempfile.TemporaryDirectory() as empty:
        control = pathlib.Path(empty) / "control"
        merge = ["cargo", "+nightly", "fuzz", "run", target, empty, *folders, "--", "-merge=1", f"-merge_control_file={control}"]
        subprocess.run(merge, check=True)
        number, _, *lines = control.read_text().splitlines()
    paths, lines = lines[: int(number)], lines[int(number) :]
    edges = (line.split()[1:] for line in lines if line.startswith("COV "))
    return {pathlib.Path(paths[int(index)]): set(reached) for index, *reached in edges}


def by_hand(path):
    return not re.fullmatch("[0-9a-f]{40}", path.name)


def choose(edges, folder):
    """Returns the inputs that were named by hand, and those that add most to them, one after another."""
    chosen = [path for path in edges if path.parent == folder and by_hand(path)]
    reached = set().union(*(edges[path] for path in chosen))
    while len(chosen) < MOST:
        # Of equals, the shortest.
        path = max(edges, key=lambda path: (len(edges[path] - reached), -path.stat().st_size))
        if edges[path] <= reached:
            break
        chosen.append(path)
        reached |= edges[path]
    return chosen


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    corpus = pathlib.Path(__file__).resolve().parent / "corpus" / target
    contents = [(path.name, path.read_bytes()) for path in choose(covered(target, [folder, corpus]), folder)]
    for path in folder.iterdir():
        path.unlink()
    for name, content in contents:
        (folder / name).write_bytes(content)
    print(f"{len(contents)} inputs, {sum(len(content) for _, content in contents)} bytes")


if __name__ == "__main__":
    main()
