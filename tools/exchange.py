#!/usr/bin/env python3
"""Makes the state that tests/exchange.rs goes on from, with PyTorch and `pytorch_state.py`.

    pip install -r tools/requirements.txt
    python tools/exchange.py                  # write the files in tests/exchange/
    python tools/exchange.py --check          # make them again in memory and compare
    python tools/exchange.py --live FOLDER    # write such files in FOLDER, and go on from wane's state there

Inputs, cases and their format are those of `golden.py`; tensors have names here. exchange.json is

    {part: {"made_with", "tensors", "cases"}}     part: "tensors", or "matrices" for Muon

A run has weights after 5 and after 10 steps, and state after 10. The state after 5 steps is a state file of wane,
`{case}.{f32 | f64}.safetensors`, with `-` for each space in the case's name. Implementations:

    fused        PyTorch's fused CPU kernel, one thread: equal bits
    for-loop     PyTorch's NAdam and Adafactor as they are; NAdam goes on from its own checkpoint
    bfloat16     PyTorch's Muon as it is (without oneDNN, whose products depend on the CPU)
    continued    only with --live: PyTorch went on from the file `{case}.{f32 | f64}.wane.safetensors`, which wane made
                 after 5 steps, and from the weights in `{case}.{f32 | f64}.wane.json`, a list of hex
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors
import torch

from fixture import DTYPES, TENSORS, Case, bits, described, group, initial_weights, layout
from pytorch_state import decode, from_wane, to_wane
from torch_case import torch_optimizer, torch_record, torch_state, torch_step, without_onednn

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "exchange"
BEFORE, AFTER = 5, 10
NAMES = {"tensors": ["embed.weight", "norm.weight", "conv.weight"], "matrices": ["wide", "tall", "square"]}
INPUTS = {"tensors": TENSORS, "matrices": [((4, 10), -3), ((10, 4), 4), ((6, 6), -10)]}
LATE = [{"tensor": 2, "steps": [1, 2, 3, 4, 5]}]
CASES = {
    "tensors": [
        Case("SGD plain", "SGD", {"lr": 0.01, "weight_decay": 0.1}),
        Case("SGD nesterov", "SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        Case("SGD dampening", "SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
        Case("Adam amsgrad", "Adam", {"lr": 0.001, "amsgrad": True, "weight_decay": 0.1}),
        Case(
            "Adam groups",
            "Adam",
            {"lr": 0.001, "weight_decay": 0.1},
            groups=[group(0), group(1, weight_decay=0.0), group(2, lr=0.00025)],
        ),
        Case("AdamW", "AdamW", {"lr": 0.001, "betas": (0.9, 0.95), "weight_decay": 0.1}),
        Case("AdamW late tensor", "AdamW", {"lr": 0.001}, missing=LATE),
        Case(
            "AdamW lr changes",
            "AdamW",
            {"lr": 0.001, "eps": 1e-7},
            lr_changes=[{"step": 3, "lr": [0.0001]}, {"step": 8, "lr": [0.00001]}],
        ),
        Case(
            "Adagrad",
            "Adagrad",
            {
                "lr": 0.1,
                "lr_decay": 0.003,
                "initial_accumulator_value": 0.3,
                "eps": 1e-7,
                "weight_decay": 0.3,
                "maximize": True,
            },
        ),
        Case("Adagrad late tensor", "Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.1}, missing=LATE),
        Case("NAdam", "NAdam", {"lr": 0.002, "momentum_decay": 0.1, "weight_decay": 0.1}),
        Case("NAdam decoupled", "NAdam", {"lr": 0.002, "weight_decay": 0.1, "decoupled_weight_decay": True}),
        Case("Adafactor", "Adafactor", {"lr": 0.1}),
        Case("Adafactor eps", "Adafactor", {"lr": 0.1, "eps": (1e-2, 2.0), "d": 1.5, "weight_decay": 0.1}),
    ],
    "matrices": [
        Case("Muon", "Muon", {"lr": 0.02, "weight_decay": 0.2}),
        Case("Muon match-rms-adamw", "Muon", {"lr": 0.02, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"}),
    ],
}
FOR_LOOP = ("for-loop", {"foreach": False}, contextlib.nullcontext)
FUSED = ("fused", {"fused": True}, contextlib.nullcontext)
OTHER = {"NAdam": FOR_LOOP, "Adafactor": FOR_LOOP, "Muon": ("bfloat16", {}, without_onednn)}


def runs_of_all_cases():
    for part, cases in CASES.items():
        for case in cases:
            for dtype in DTYPES:
                yield part, case, dtype


def file_name(case, dtype):
    return f"{case.name.replace(' ', '-')}.{dtype}"


class Run:
    """A case in PyTorch, in one element type."""

    def __init__(self, part, case, dtype):
        self.case, self.dtype, self.tensors = case, DTYPES[dtype], INPUTS[part]
        self.implementation, self.flags, self.context = OTHER.get(case.optimizer, FUSED)
        weights = [torch.tensor(w, requires_grad=True) for w in initial_weights(self.dtype, self.tensors)]
        self.named = dict(zip(NAMES[part], weights, strict=True))
        self.optimizer = torch_optimizer(case, list(self.named.items()), self.flags)
        if case.lr_changes:
            for settings in self.optimizer.param_groups:
                settings["initial_lr"] = settings["lr"]

    def steps(self, first, last):
        with self.context():
            for step in range(first, last + 1):
                torch_step(self.case, self.optimizer, self.named.values(), step, self.dtype, self.tensors)
        return self

    def weights(self):
        return [bits(w.detach()) for w in self.named.values()]

    def set_weights(self, weights):
        with torch.no_grad():
            for own, digits in zip(self.named.values(), weights, strict=True):
                numbers = np.frombuffer(bytes.fromhex(digits), np.dtype(self.dtype).newbyteorder(">")).astype(
                    self.dtype
                )
                own.copy_(torch.tensor(numbers).reshape(own.shape))

    def state(self):
        return [torch_state(self.optimizer.state.get(w, {}), self.dtype) for w in self.named.values()]

    def to_wane(self):
        shapes = {name: w.shape for name, w in self.named.items()}
        groups = [f"group {i}" for i in range(1, len(self.case.groups))]
        return to_wane(self.optimizer.state_dict(), shapes, groups=groups, steps=BEFORE)

    def from_wane(self, path):
        names = [name for group in self.optimizer.param_groups for name in group["param_names"]]
        self.optimizer.load_state_dict(from_wane(path, names=names, fused=self.flags.get("fused")))
        return self


def torch_alone(part, case, dtype):
    """Returns what PyTorch makes of a case, and the state file after some steps."""
    run = Run(part, case, dtype).steps(1, BEFORE)
    state, weights = run.to_wane(), {str(BEFORE): run.weights()}
    if case.optimizer == "NAdam":
        # A checkpoint of PyTorch itself makes mu_product f64 for f64 weights, and that is what wane goes on with.
        run.optimizer.load_state_dict(run.optimizer.state_dict())
    run.steps(BEFORE + 1, AFTER)
    return {run.implementation: {"weights": weights | {str(AFTER): run.weights()}, "state": run.state()}}, state


def after_wane(folder, part, case, dtype):
    """Returns what PyTorch makes of wane's state."""
    start = folder / f"{file_name(case, dtype)}.wane"
    run = Run(part, case, dtype).from_wane(f"{start}.safetensors")
    run.set_weights(json.loads(Path(f"{start}.json").read_text()))
    run.steps(BEFORE + 1, AFTER)
    return {"continued": {"weights": {str(AFTER): run.weights()}, "state": run.state()}}


def files(more_runs):
    """Yields the names and bytes of all files."""
    runs = {}
    for part, case, dtype in runs_of_all_cases():
        run, state = torch_alone(part, case, dtype)
        runs.setdefault((part, case.name), {})[dtype] = run | more_runs(part, case, dtype)
        yield f"{file_name(case, dtype)}.safetensors", state
    made_with = {m.__name__: m.__version__.split("+")[0] for m in (torch, np, safetensors)}
    parts = []
    for part, cases in CASES.items():
        tensors = [{"name": name} | tensor for name, tensor in zip(NAMES[part], described(INPUTS[part]), strict=True)]
        records = [torch_record(case, runs[part, case.name]) for case in cases]
        parts.append(f'"{part}": {layout({"made_with": made_with, "tensors": tensors, "cases": records})}')
    yield "exchange.json", ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def content(name, data):
    """A state file's metadata is in no fixed order."""
    if not name.endswith(".safetensors"):
        return data
    with tempfile.NamedTemporaryFile(suffix=name) as file:
        Path(file.name).write_bytes(data)
        state, columns = decode(file.name)
        return state, [(key, array.dtype, array.shape, array.tobytes()) for key, array in columns.items()]


def check():
    made = dict(files(no_more))
    present = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in (".json", ".safetensors")}
    differ = sorted(made.keys() ^ present.keys())
    differ += [
        name for name in made.keys() & present.keys() if content(name, made[name]) != content(name, present[name])
    ]
    sys.exit(f"differ: {', '.join(differ)}" if differ else 0)


def write(folder, more_runs):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files(more_runs):
        (folder / name).write_bytes(data)


def no_more(*_run):
    return {}


def main():
    parser = argparse.ArgumentParser(description="Make or check tests/exchange/.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    mode.add_argument(
        "--live", type=Path, metavar="FOLDER", help="write into FOLDER, and go on from wane's state there"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.check:
        check()
    elif arguments.live:
        write(arguments.live, lambda *run: after_wane(arguments.live, *run))
    else:
        write(FOLDER, no_more)


if __name__ == "__main__":
    main()
