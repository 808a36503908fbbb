#!/usr/bin/env python3
"""Takes each decay law away, in turn and in part, and counts the tests that notice.

    python tools/mutants.py                     # every mutant of every law
    python tools/mutants.py Huber removed       # those with one of these words in their name

The laws are read from the list `laws!` in src/decay/laws/mod.rs, so a new one needs no line here. A copy of the crate is patched in
target/mutants, so that the variable WANE_MUTANT chooses a mutant at run time, and is built once. A mutant is

    removed     no decay at all
    halved      half the amounts of every step
    unseen      what the law has seen of the whole parameter is lost (laws with LOOKS)
    uncoupled   it does not act in the gradient (laws that also act beside the update)
    unsettled   it does not act beside the update (laws that also act in the gradient)
    undrifted   it hides its share of the displacement from who asks for that (trust ratios)

Prints a table in Markdown. Ends with 1 if a mutant has fewer than two tests that notice, and with 2 if it cannot tell: a patch no longer
applies, the copy does not build, or its tests fail without a mutant.
"""

import collections
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "mutants"
COPY, BUILD = TARGET / "copy", TARGET / "build"
LAWS = "src/decay/laws"

# The tests that judge laws, in one element type, and without those that compare a run with itself.
TESTS = ["decay_table", "oracle", "properties", "golden", "contract", "plan", "strengths"]
SKIPPED = ["in_f64", "threads::", "resume::", "long_runs::", "invariance::", "twice_the_weights"]
NEEDED = 2
SECONDS = 600


def fail(reason):
    print(reason, file=sys.stderr)
    sys.exit(2)


@dataclasses.dataclass(frozen=True)
class Law:
    """A line of `laws!`: its name there, the type that it is, and that type's file."""

    name: str
    type: str
    file: str


@dataclasses.dataclass(frozen=True)
class Mutant:
    number: int
    law: Law
    kind: str

    def __str__(self):
        return f"{self.law.name} {self.kind}"


def laws():
    """All laws but the one that does nothing."""
    text = (COPY / LAWS / "mod.rs").read_text()
    listed = re.search(r"^laws! \{\n(.*?)^\}", text, re.M | re.S)
    # Before the arrows stand amounts, behind them laws.
    found = re.findall(r"(\w+)\((\w+)::(\w+)(?:<[^()]*>)?\)(?=[,;])", re.sub(r"\w+\([^()]*\) =>", "", listed[1])) if listed else []
    if len(found) < 2:
        fail(f"no list of laws in {LAWS}/mod.rs")
    return [Law(name, type, f"{LAWS}/{file}.rs") for name, file, type in found if name != "Free"]


def body(law):
    """Where the law's loop body begins and ends in its file, and its text."""
    text = (COPY / law.file).read_text()
    start = re.search(rf"^impl<T: Real[^{{]*> Law<T> for {law.type}\b[^{{]*\{{\n", text, re.M)
    if not start:
        fail(f"no `impl Law for {law.type}` in {law.file}")
    end = text.index("\n}\n", start.end())
    return start.end(), end, text[start.end() : end]


def kinds(law):
    """What can be taken from a law."""
    text = body(law)[2]
    has = lambda part: re.search(rf"\bfn {part}\(", text)
    kinds = ["removed", "halved"]
    kinds += ["unseen"] if "LOOKS: bool = true" in text else []
    kinds += ["uncoupled", "unsettled"] if has("couple") and has("settle") else []
    kinds += ["undrifted"] if has("drift") else []
    return kinds


def copy():
    """Brings the copy up to date; files that are the same keep their time, so that little is built again."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    files = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    shutil.rmtree(COPY / "src", ignore_errors=True)
    for name in files:
        source, target = ROOT / name, COPY / name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def patch(file, pattern, change):
    """Replaces what matches `pattern`, once, by `change`: a string, or a function of the match."""
    path = COPY / file
    text, count = re.subn(pattern, change if callable(change) else lambda _: change, path.read_text(), flags=re.M | re.S)
    if count != 1:
        fail(f"the patch of {file} applies {count} times, not once: {pattern}")
    path.write_text(text)


def number(mutants, law, kind):
    return next((mutant.number for mutant in mutants if (mutant.law, mutant.kind) == (law, kind)), None)


def arms(mutants, kind, arm):
    """An arm of a match for each law with this mutant."""
    return "".join(arm.format(law=mutant.law.name, number=mutant.number) for mutant in mutants if mutant.kind == kind)


CHOICE = """//! Which mutant this process is.

static CHOSEN: std::sync::LazyLock<u32> =
    std::sync::LazyLock::new(|| std::env::var("WANE_MUTANT").map_or(0, |number| number.parse().expect("a number")));

#[inline(always)]
pub(crate) fn is(number: u32) -> bool {
    *CHOSEN == number
}
"""

# `times` scales what acts beside the update; what does not change by it is in the gradient.
HALVED = """
impl StepDecay {
    fn halved(self) -> Self {
        let half = self.times(0.5);
        if half == self { self.map(&|amount| Ok(amount / 2.0)).unwrap_or(self) } else { half }
    }
}
"""

UNSEEN = """{
                            let Notes { kept, beside, sums } = notes;
                            let before = kept.to_vec();
                            let seen = law.prepare(whole, Notes { kept: &mut *kept, beside: &mut *beside, sums });
                            if unseen(stringify!($Law)) {
                                kept.copy_from_slice(&before);
                                beside.fill(T::zero());
                                law
                            } else {
                                seen
                            }
                        }"""


def plant(mutants):
    """Patches the copy, so that every mutant is in it."""
    patch("src/lib.rs", r"^mod kernel;\n", "mod kernel;\nmod mutant;\n")
    (COPY / "src/mutant.rs").write_text(CHOICE)
    everything = f"{LAWS}/mod.rs"
    of = "            pub(crate) fn of(effect: StepDecay, anchor: Anchor) -> Self {\n"
    change = arms(mutants, "removed", "Self::{law}(_) if is({number}) => Self::Free(free::Free),\n")
    change += arms(mutants, "halved", "Self::{law}(_) if is({number}) => Self::faithful(effect.halved(), anchor),\n")
    call = f"{of}match Self::faithful(effect, anchor) {{\n{change}law => law,\n}}\n}}\n\n"
    patch(everything, re.escape(of), call + of.replace("pub(crate) fn of", "fn faithful"))
    patch(everything, re.escape("law.prepare(whole, notes)"), UNSEEN)
    unseen = arms(mutants, "unseen", '"{law}" => is({number}),\n')
    unseen = f"\nfn unseen(law: &str) -> bool {{\nmatch law {{\n{unseen}_ => false,\n}}\n}}\n"
    path = COPY / everything
    path.write_text(path.read_text().replace("\nuse crate::error", "\nuse crate::mutant::is;\nuse crate::error", 1) + HALVED + unseen)
    for law in {mutant.law for mutant in mutants}:
        for kind, part, nothing in [
            ("uncoupled", "couple", lambda g, d: g),
            ("unsettled", "settle", lambda d, g, step, rate, columns: f"(descend({d}, {step}, {rate}), {columns})"),
            ("undrifted", "drift", lambda *_: "T::zero()"),
        ]:
            silence(law, part, number(mutants, law, kind), nothing)


def silence(law, part, mutant, nothing):
    """Makes a method of a law return at once what it would without the law, where this mutant is chosen."""
    if mutant is None:
        return
    start, end, text = body(law)
    head = re.search(rf"fn {part}\(&self, ([^()]*)\) -> [^{{]*\{{\n", text)
    if not head:
        fail(f"no head of `{part}` in {law.file}")
    # Laws of one type have one body, and silence it together.
    names = re.findall(r"(\w+|\[[^\]:]*\]): (?:\[T; \d+\]|[\w:]+(?:<T>)?)", head[1])
    line = f"if crate::mutant::is({mutant}) {{ return {nothing(*names)}; }}\n"
    path = COPY / law.file
    whole = path.read_text()
    path.write_text(whole[:start] + text[: head.end()] + line + text[head.end() :] + whole[end:])


def build():
    """Builds the copy's tests, and returns them by name."""
    command = ["cargo", "test", "--quiet", "--release", "--no-run", "-p", "wane", "--all-features", "--message-format=json"]
    command += [word for test in TESTS for word in ("--test", test)]
    done = subprocess.run(command, cwd=COPY, env=os.environ | {"CARGO_TARGET_DIR": str(BUILD)}, stdout=subprocess.PIPE, text=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode:
        fail("".join(m["message"]["rendered"] for m in messages if m["reason"] == "compiler-message" and m["message"]["level"] == "error"))
    built = {m["target"]["name"]: m["executable"] for m in messages if m["reason"] == "compiler-artifact" and m.get("executable")}
    return {test: built[test] for test in TESTS}


def noticed(test, executable, chosen):
    """The tests of an executable that fail where this mutant is chosen."""
    command = [executable, *(word for skipped in SKIPPED for word in ("--skip", skipped))]
    env = os.environ | {"WANE_MUTANT": str(chosen), "RUST_BACKTRACE": "0"}
    try:
        done = subprocess.run(command, cwd=COPY, env=env, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return [f"{test}, which does not end"]
    failed = re.findall(r"^test (\S+) \.\.\. FAILED", done.stdout, re.M)
    if bool(failed) != bool(done.returncode):
        return [f"{test}, which crashes"]
    return [f"{test}: {name.removeprefix(f'{test}::').replace('in_f32::', '')}" for name in failed]


def judged(built, chosen):
    return [name for test, executable in built.items() for name in noticed(test, executable, chosen)]


def table(results):
    """Every mutant with two of its tests: those that notice the fewest others, as they say the most of it."""
    seen = collections.Counter(name for _, names in results for name in names)
    print("| law | mutant | tests that notice | two of them |\n|---|---|--:|---|")
    for mutant, names in results:
        two = ", ".join(f"`{name}`" for name in sorted(names, key=seen.get)[:2])
        print(f"| `{mutant.law.name}` | {mutant.kind} | {len(names)} | {two} |")


def main(words):
    start = time.monotonic()
    copy()
    listed = [(law, kind) for law in laws() for kind in kinds(law)]
    mutants = [Mutant(number, law, kind) for number, (law, kind) in enumerate(listed, 1)]
    chosen = [mutant for mutant in mutants if not words or any(word in str(mutant).split() for word in words)]
    if not chosen:
        fail(f"no mutant is named {' or '.join(words)}")
    plant(mutants)
    built = build()
    healthy = judged(built, 0)
    if healthy:
        fail(f"without a mutant these fail: {healthy}")
    results = []
    for mutant in chosen:
        results.append((mutant, judged(built, mutant.number)))
        print(f"{mutant}: {len(results[-1][1])}", file=sys.stderr)
    table(results)
    print(f"\n{len(chosen)} mutants of {len({mutant.law for mutant in chosen})} laws in {(time.monotonic() - start) / 60:.0f} minutes.")
    survivors = [str(mutant) for mutant, names in results if len(names) < NEEDED]
    if survivors:
        print(f"fewer than {NEEDED} tests notice: {', '.join(survivors)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
