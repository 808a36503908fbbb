#!/usr/bin/env python3
"""Makes the reference trajectories in tests/golden/ with PyTorch, optax, Keras and others.

    pip install -r tools/requirements.txt
    pip install --no-deps -r tools/requirements-decays.txt
    python tools/golden.py             # write the files
    python tools/golden.py --check     # make them again in memory and compare

The same versions give the same files, byte for byte, from run to run and on AVX2 and AVX-512 alike
(ATEN_CPU_CAPABILITY=avx2 or avx512): torch's fused kernels take vectors of AVX2's size in both. On a CPU without fused
multiply-add (or with ATEN_CPU_CAPABILITY=default) they round differently: do not make the files there.

Inputs are pure integer arithmetic, so that a test in any language can make them again. Tensor k, element i
(row-major), step s (the weights are step 0):

    counter(stream, s, i) = stream * 2^40 + s * 2^20 + i          stream 2k: weights, 2k + 1: gradients
    z = (counter + 1) * 0x9E3779B97F4A7C15                         (all of this mod 2^64: splitmix64's output)
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;  z = (z ^ z >> 27) * 0x94D049BB133111EB;  u = z ^ z >> 31
    value = ((u >> 40) - 2^23) / 2^23 * 2^e                        24 signed bits: exact in f32

`tensors` in every file lists {shape, gradient_exponent}; e is 0 for the weights. Gradients do not depend on the
weights, so an error in one step does not feed the next through a loss.

Numbers that must be exact are bit patterns in big-endian hex, concatenated without a separator: 8 characters an f32,
16 an f64. Every NaN is written as the quiet NaN 7fc00000 (7ff8000000000000). Settings are JSON numbers of at most 2^53
over a power of ten of at most 10^22, which every reader gets right without a slow path (`assert_short`).

torch.json, optax.json, keras.json: {"made_with", "tensors", "cases": [case ...]}; a case is

    name         unique in its file
    optimizer    the library's name: SGD, Adam, AdamW | lion, lamb, adamw | Adam, SGD
    options      every setting that matters, in the library's names and units; defaults are spelled out
    groups       [{"tensors": [indices], "options": {overrides}}]: every tensor is in exactly one
    lr_changes   [{"step": s, "lr": [one a group]}]: the rates from step s on (steps count from 1)
    missing      [{"tensor": k, "steps": [...]}]: no gradient there: the tensor, its state and step count stay
    clip         null, {"max_norm": c} or {"clip_value": c}: applied to the gradients before the optimizer sees them
    l2           Keras only: the gradient of keras.regularizers.L2(l2) is added to every gradient (null: none)
    runs         {"f32" | "f64": {implementation: {"weights", "state", "norms"}}}

        weights  {"1" | "2" | "10" | "100": [one hex string a tensor]}: after that many steps
        state    one object a tensor, after step 100: hex columns in the library's names; `step` is its own count
                 (PyTorch's SGD keeps none). PyTorch's `default` of a case without clip has weights at 100 and no state
        norms    only with clip.max_norm in PyTorch: the gradient norm before clipping, one for each of the 100 steps

Implementations and what may be asked of them:
    fused        PyTorch's fused CPU kernel, one thread: equal bits on whole vectors, which all `tensors` are
    default      PyTorch's for-loop: not equal bits (its square root is not IEEE's), within 3 epsilon (absolute) at 100
    optax        eager, with jax_enable_x64 in f32 too, so bias corrections are f64: f64 to 1e-15, f32 to 1e-6 absolute (against x - s*x; x*(1 - s), as PyTorch rounds it, is within 6e-15 and 2.3e-6)
    keras        on JAX, eager: f64 to 1e-15; f32, which computes beta^t in f32, to 1e-6 (momentum: 1e-5) because the
                 settings are dyadic

torch.json also has "special": fused kernels on infinities, NaN, signed zeros, subnormals and huge values:

    inputs       {"f32" | "f64": {"weights": hex, "gradients": [of step 1, of step 2]}}: one tensor of 64 elements
    cases        [{name, optimizer, options, runs: {"f32" | "f64": {"1" | "2": {"weights": hex, state columns}}}}]

torch.json's "tail" has its own {"tensors", "cases"}, with cases as above and `fused` alone. Its one tensor is not whole
vectors: 19 elements are 16 and a tail of 3, with vectors of 4 (f64), 8 (f32) and even 16 elements alike. What fills no
vector goes through a scalar path, n mod 8 elements of an f32 tensor, n mod 4 of an f64 one. It fuses another product:

                 on vectors                              in the tail
    SGD          b = fma(1 - dampening, g, mu*b)         b = fma(mu, b, (1 - dampening)*g)
    Adam, AdamW  v = fma((1 - beta2)*g, g, beta2*v)      v = fma(beta2, v, ((1 - beta2)*g)*g)

The rest is the same, so SGD without momentum has equal bits in the tail too; the others stay within 4 epsilon of the
largest number of the tensor here, over 100 steps.

adagrad.json, nadam.json, adafactor.json, muon.json: PyTorch's other optimizers, in the same form, each with tensors of its
own. `default` and `bfloat16` have weights at 100 and no state, as above; all other runs are whole.

    adagrad      fused: equal bits at every length (one tensor has 19 elements): the scalar path rounds as the vectors do.
                 It has "special" cases too, in the form above
    nadam        default: PyTorch as it is, whose mu_product is an f32 tensor in f64 runs too: off by 1e-8 of a step.
                 double: the same code with `torch.set_default_dtype(torch.float64)`, which makes mu_product f64. In the
                 state, mu_product is one number, rounded to the run's element type
    adafactor    for-loop: PyTorch as it is. State is row_var and col_var (axes of length 1 are kept) or variance
    muon         bfloat16: PyTorch as it is: its Newton-Schulz iteration is in bfloat16 whatever the weights are (without
                 oneDNN, whose products depend on the CPU). exact: the iteration in f64, products summed in order, its
                 result rounded to the weights' type; everything else is PyTorch's

decays.json: decay laws of still other libraries; see `decays.py`.

schedules.json: {"made_with", "cases": [{name, scheduler, closed, recursive}]}: base rate 1, so rates are factors.
`scheduler` is {"type", parameters} in PyTorch's names, nested for SequentialLR. `closed` and `recursive` are f64 hex,
one value for each t from 0: PyTorch's closed form (segment by segment for SequentialLR), and what stepping the
scheduler gives, which is off by its accumulated rounding (3e-15 relative here).
"""

import argparse
import bisect
import contextlib
import math
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402
import torch  # noqa: E402
from torch.optim import lr_scheduler  # noqa: E402

import decays  # noqa: E402
from fixture import (  # noqa: E402
    DTYPES,
    TENSORS,
    Case,
    assert_short,
    bits,
    described,
    gradients,
    group,
    initial_weights,
    layout,
)
from torch_case import torch_optimizer, torch_options, torch_record, torch_state, torch_step, without_onednn  # noqa: E402

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden"
# TENSORS are whole vectors. TAIL is 3 elements longer, with vectors of 4, 8 and 16 alike.
TAIL = [((19,), 0)]
STEPS = 100
SNAPSHOTS = (1, 2, 10, 100)


def header():
    return {"made_with": made_with(), "tensors": described(TENSORS)}


def made_with():
    return {m.__name__: m.__version__.split("+")[0] for m in (torch, optax, jax, keras, np)}


# PyTorch

IMPLEMENTATIONS = {"fused": {"fused": True}, "default": {"foreach": False, "fused": False}}
LR = {"SGD": 0.01, "Adam": 0.001, "AdamW": 0.001, "Adagrad": 0.01, "NAdam": 0.002, "Adafactor": 0.01, "Muon": 0.02}
VARIANTS = {
    "SGD": {
        "plain": {},
        "weight-decay": {"weight_decay": 0.1},
        "momentum": {"momentum": 0.9},
        "dampening": {"momentum": 0.9, "dampening": 0.3},
        "nesterov": {"momentum": 0.9, "nesterov": True},
        "nesterov weight-decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        "maximize": {"maximize": True},
        "all": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1, "maximize": True},
    },
    "Adam": {
        "defaults": {},
        "weight-decay": {"weight_decay": 0.1},
        "amsgrad": {"amsgrad": True},
        "amsgrad weight-decay": {"amsgrad": True, "weight_decay": 0.1},
        "betas 0.4 0.9": {"betas": (0.4, 0.9)},
        "betas 0.5 0.99": {"betas": (0.5, 0.99)},
        "betas 0 0.9": {"betas": (0.0, 0.9)},
        "eps 1e-3": {"eps": 1e-3},
        "maximize weight-decay": {"maximize": True, "weight_decay": 0.1},
        "lr 0.1": {"lr": 0.1},
    },
    "AdamW": {
        "defaults": {},
        "weight-decay 0.1": {"weight_decay": 0.1},
        "weight-decay 0": {"weight_decay": 0.0},
        "amsgrad": {"amsgrad": True},
        "betas 0.9 0.95": {"betas": (0.9, 0.95)},
        "maximize": {"maximize": True},
        "large lr and weight-decay": {"lr": 0.1, "weight_decay": 6.0},
    },
}


def torch_cases():
    for optimizer, variants in VARIANTS.items():
        for name, options in variants.items():
            yield Case(f"{optimizer} {name}", optimizer, {"lr": LR[optimizer]} | options)
        yield from torch_scenarios(optimizer)
    yield from torch_clipped()


def torch_scenarios(optimizer):
    lr = LR[optimizer]
    options = {"lr": lr, "weight_decay": 0.1} | ({"momentum": 0.9} if optimizer == "SGD" else {})
    lower = [{"step": 6, "lr": [lr / 10]}, {"step": 51, "lr": [lr / 100]}]
    apart = [group(0), group(1, weight_decay=0.0), group(2, lr=lr / 4)]
    absent = [{"tensor": 0, "steps": [2, 3, 7]}]
    late = [{"tensor": 2, "steps": [1, 2, 3, 4]}]
    yield Case(f"{optimizer} lr changes", optimizer, options, lr_changes=lower)
    yield Case(f"{optimizer} groups", optimizer, options, groups=apart)
    yield Case(f"{optimizer} missing gradients", optimizer, options, missing=absent)
    # Fused SGD cannot take a tensor without a momentum buffer beside one that has it: a group of its own.
    yield Case(f"{optimizer} late tensor", optimizer, options, groups=[group(0, 1), group(2)], missing=late)


def torch_clipped():
    """The norm is 37 or so: a limit of 36 acts in some steps and not in others."""
    clips = [("max_norm", 36.0), ("max_norm", 1.0), ("clip_value", 8.0)]
    for optimizer, (kind, limit) in [("AdamW", clip) for clip in clips] + [("SGD", clips[0])]:
        options = {"lr": LR[optimizer], "weight_decay": 0.1}
        yield Case(f"{optimizer} {kind.replace('_', '-')} {limit:g}", optimizer, options, clip={kind: limit})


def torch_run(case, dtype, flags, snapshots, tensors=TENSORS):
    weights = [torch.tensor(w, requires_grad=True) for w in initial_weights(dtype, tensors)]
    optimizer = torch_optimizer(case, weights, flags)
    run = {"weights": {}}
    norms = []
    for step in range(1, STEPS + 1):
        norms += torch_step(case, optimizer, weights, step, dtype, tensors)
        if step in snapshots:
            run["weights"][str(step)] = [bits(w.detach()) for w in weights]
    if len(snapshots) > 1:
        run["state"] = [torch_state(optimizer.state[w], dtype) for w in weights]
    return run | ({"norms": bits(torch.stack(norms))} if norms else {})


def torch_case(case):
    runs = {}
    for name, dtype in DTYPES.items():
        if case.clip:
            runs[name] = {"default": torch_run(case, dtype, IMPLEMENTATIONS["default"], SNAPSHOTS)}
        else:
            runs[name] = {
                "fused": torch_run(case, dtype, IMPLEMENTATIONS["fused"], SNAPSHOTS),
                "default": torch_run(case, dtype, IMPLEMENTATIONS["default"], (STEPS,)),
            }
    return torch_record(case, runs)


# PyTorch on a tensor that is not whole vectors

TAIL_CASES = (
    "SGD plain",
    "SGD weight-decay",
    "SGD momentum",
    "SGD dampening",
    "SGD nesterov weight-decay",
    "SGD all",
    "Adam defaults",
    "Adam betas 0.4 0.9",
    "Adam amsgrad weight-decay",
    "AdamW defaults",
    "AdamW large lr and weight-decay",
)


def tail_case(case):
    fused = IMPLEMENTATIONS["fused"]
    runs = {name: {"fused": torch_run(case, dtype, fused, SNAPSHOTS, TAIL)} for name, dtype in DTYPES.items()}
    return torch_record(case, runs)


def tail():
    cases = [replace(case, groups=[group(0)]) for case in torch_cases() if case.name in TAIL_CASES]
    assert len(cases) == len(TAIL_CASES)
    return {"tensors": described(TAIL), "cases": [tail_case(c) for c in cases]}


# PyTorch on special values

INF, NAN = float("inf"), float("nan")
COMMON = [0.0, -0.0, INF, -INF, NAN, 1.0, -0.75]
SPECIAL = {
    "f32": COMMON + [1e-45, -1e-45, 1e-38, -1e-38, 3e38, -3e38, 1e20, -1e20, 1e-20],
    "f64": COMMON + [5e-324, -5e-324, 2e-308, -2e-308, 1e308, -1e308, 1e155, -1e155, 1e-155],
}
SPECIAL_CASES = [
    ("SGD momentum", "SGD", {"lr": 0.01, "momentum": 0.9}),
    ("SGD nesterov", "SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("Adam", "Adam", {"lr": 0.01}),
    ("Adam amsgrad weight-decay", "Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam betas 0.4 0.9", "Adam", {"lr": 0.01, "betas": (0.4, 0.9)}),
    ("AdamW", "AdamW", {"lr": 0.01}),
]


def special_inputs(name):
    """Weights run through the list four times; the gradients are the list, turned by another amount each time."""
    row = np.array(SPECIAL[name], DTYPES[name])
    turned = [[np.roll(row, shift) for shift in shifts] for shifts in ((0, 1, 6, 11), (13, 1, 8, 4))]
    return np.tile(row, 4), [np.concatenate(rows) for rows in turned]


def special_run(name, optimizer, options):
    start, grads = special_inputs(name)
    weights = torch.tensor(start, requires_grad=True)
    stepper = getattr(torch.optim, optimizer)([weights], fused=True, **options)
    run = {}
    for step, g in enumerate(grads, 1):
        weights.grad = torch.tensor(g)
        stepper.step()
        run[str(step)] = {"weights": bits(weights.detach())} | torch_state(stepper.state[weights], DTYPES[name])
    return run


def special_case(name, optimizer, options):
    assert_short(options)
    runs = {dtype: special_run(dtype, optimizer, options) for dtype in DTYPES}
    full = torch_options(getattr(torch.optim, optimizer)([torch.zeros(1)], **options))
    return {"name": name, "optimizer": optimizer, "options": full, "runs": runs}


def special(cases):
    inputs = {}
    for name in DTYPES:
        weights, grads = special_inputs(name)
        inputs[name] = {"weights": bits(weights), "gradients": [bits(g) for g in grads]}
    return {"inputs": inputs, "cases": [special_case(*case) for case in cases]}


# PyTorch's other optimizers, a file each

OTHER_TENSORS = {
    "Adagrad": [((4, 8), -3), ((16,), 4), ((19,), -10)],
    "NAdam": TENSORS,
    "Adafactor": [((16,), 4), ((12, 8), -3), ((2, 4, 8), -10)],
    "Muon": [((4, 10), -3), ((10, 4), 4), ((6, 6), -10)],
}
OTHER_VARIANTS = {
    "Adagrad": {
        "defaults": {},
        "lr-decay": {"lr": 0.1, "lr_decay": 0.01},
        "initial 0.1": {"initial_accumulator_value": 0.1},
        "eps 1e-3": {"eps": 1e-3},
        "weight-decay": {"weight_decay": 0.1},
        "maximize weight-decay": {"maximize": True, "weight_decay": 0.1},
        "all": {
            "lr": 0.1,
            "lr_decay": 0.003,
            "initial_accumulator_value": 0.3,
            "eps": 1e-7,
            "weight_decay": 0.3,
            "maximize": True,
        },
    },
    "NAdam": {
        "defaults": {},
        "momentum-decay 0.1": {"momentum_decay": 0.1},
        "momentum-decay 0": {"momentum_decay": 0.0},
        "betas 0.4 0.9": {"betas": (0.4, 0.9)},
        "betas 0 0.9": {"betas": (0.0, 0.9)},
        "eps 1e-3": {"eps": 1e-3},
        "weight-decay": {"weight_decay": 0.1},
        "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
        "maximize decoupled": {"lr": 0.1, "weight_decay": 1.0, "decoupled_weight_decay": True, "maximize": True},
    },
    "Adafactor": {
        "defaults": {},
        "lr 1": {"lr": 1.0},
        "beta2-decay -0.5": {"beta2_decay": -0.5},
        "eps 1e-2 2": {"eps": (1e-2, 2.0)},
        "d 1.5": {"d": 1.5, "beta2_decay": -0.3},
        "weight-decay": {"weight_decay": 0.1},
        "maximize weight-decay": {"lr": 0.1, "maximize": True, "weight_decay": 1.0},
    },
    "Muon": {
        "defaults": {"lr": 0.001},
        "lr 0.02": {},
        "weight-decay 0": {"weight_decay": 0.0},
        "momentum 0.4": {"momentum": 0.4},
        "no nesterov": {"nesterov": False},
        "match-rms-adamw": {"adjust_lr_fn": "match_rms_adamw"},
        "ns-steps 3": {"ns_steps": 3},
        "ns-coefficients": {"ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 8},
        "eps 1e-3": {"eps": 1e-3},
    },
}
ADAGRAD_SPECIAL = [
    ("Adagrad", "Adagrad", {"lr": 0.1}),
    (
        "Adagrad weight-decay",
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.1, "maximize": True},
    ),
]


@contextlib.contextmanager
def double_scalars():
    """PyTorch makes an optimizer's own scalars in the default type."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def exact_iteration():
    """Muon's Newton-Schulz iteration without bfloat16."""
    module = sys.modules["torch.optim._muon"]
    theirs, module._zeropower_via_newtonschulz = module._zeropower_via_newtonschulz, newton_schulz
    try:
        yield
    finally:
        module._zeropower_via_newtonschulz = theirs


def newton_schulz(update, coefficients, steps, eps):
    a, b, c = coefficients
    wide = update.shape[0] <= update.shape[1]
    x = update.numpy().astype(np.float64)
    x = x if wide else x.T
    x = x / max(math.sqrt(math.fsum((x * x).flat)), eps)
    for _ in range(steps):
        gram = product(x, x.T)
        x = a * x + product(b * gram + c * product(gram, gram), x)
    return torch.tensor(x if wide else x.T).to(update.dtype)


def product(left, right):
    """Summed in order, so that every CPU gives the same bits."""
    total = np.zeros((left.shape[0], right.shape[1]))
    for k in range(left.shape[1]):
        total += np.outer(left[:, k], right[k])
    return total


FOR_LOOP = {"foreach": False}
# For each implementation: flags, context, snapshots.
OTHER_RUNS = {
    "Adagrad": {
        "fused": ({"fused": True}, contextlib.nullcontext, SNAPSHOTS),
        "default": (FOR_LOOP, contextlib.nullcontext, (STEPS,)),
    },
    "NAdam": {
        "double": (FOR_LOOP, double_scalars, SNAPSHOTS),
        "default": (FOR_LOOP, contextlib.nullcontext, (STEPS,)),
    },
    "Adafactor": {"for-loop": (FOR_LOOP, contextlib.nullcontext, SNAPSHOTS)},
    "Muon": {"exact": ({}, exact_iteration, SNAPSHOTS), "bfloat16": ({}, without_onednn, (STEPS,))},
}


def other_cases(optimizer):
    for name, options in OTHER_VARIANTS[optimizer].items():
        yield Case(f"{optimizer} {name}", optimizer, {"lr": LR[optimizer]} | options)
    yield from torch_scenarios(optimizer)


def other_run(case, dtype, flags, context, snapshots):
    with context():
        return torch_run(case, dtype, flags, snapshots, OTHER_TENSORS[case.optimizer])


def other_case(case):
    implementations = OTHER_RUNS[case.optimizer]
    runs = {
        name: {implementation: other_run(case, dtype, *how) for implementation, how in implementations.items()}
        for name, dtype in DTYPES.items()
    }
    return torch_record(case, runs)


def other_file(optimizer):
    tensors = described(OTHER_TENSORS[optimizer])
    return {"made_with": made_with(), "tensors": tensors, "cases": [other_case(c) for c in other_cases(optimizer)]}


# optax

LION = {"learning_rate": 0.001, "b1": 0.9, "b2": 0.99, "weight_decay": 0.0}
LAMB = {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-6, "weight_decay": 0.0}
ADAMW = {"learning_rate": 0.001, "b1": 0.9, "b2": 0.999, "eps": 1e-8, "weight_decay": 0.01}


def optax_cases():
    yield Case("lion", "lion", LION)
    yield Case("lion weight-decay", "lion", LION | {"weight_decay": 0.1})
    yield Case("lion betas 0.95 0.98", "lion", LION | {"b1": 0.95, "b2": 0.98, "weight_decay": 1.0})
    yield Case("lion betas 0.5 0.9", "lion", LION | {"b1": 0.5, "b2": 0.9, "learning_rate": 0.01})
    yield Case("lamb", "lamb", LAMB)
    yield Case("lamb weight-decay", "lamb", LAMB | {"weight_decay": 0.01})
    yield Case("lamb lr 0.001", "lamb", LAMB | {"learning_rate": 0.001, "weight_decay": 0.01})
    yield Case("lamb eps 1e-3", "lamb", LAMB | {"eps": 1e-3, "weight_decay": 0.1, "b2": 0.99})
    yield Case("adamw", "adamw", ADAMW)
    yield Case("adamw max-norm 36", "adamw", ADAMW | {"weight_decay": 0.1}, clip={"max_norm": 36.0})
    yield Case("adamw max-norm 1", "adamw", ADAMW, clip={"max_norm": 1.0})


def optax_run(case, dtype):
    optimizer = getattr(optax, case.optimizer)(**case.options)
    if case.clip:
        optimizer = optax.chain(optax.clip_by_global_norm(case.clip["max_norm"]), optimizer)
    weights = [jax.numpy.asarray(w) for w in initial_weights(dtype)]
    state = optimizer.init(weights)
    run = {"weights": {}}
    for step in range(1, STEPS + 1):
        grads = [jax.numpy.asarray(g) for g in gradients(step, dtype)]
        updates, state = optimizer.update(grads, state, weights)
        weights = optax.apply_updates(weights, updates)
        if step in SNAPSHOTS:
            run["weights"][str(step)] = [bits(w) for w in weights]
    return run | {"state": optax_state(state)}


def optax_state(state):
    columns = {name: optax.tree_utils.tree_get(state, name) for name in ("mu", "nu")}
    present = {name: tensors for name, tensors in columns.items() if tensors is not None}
    return [{"step": STEPS} | {name: bits(t[k]) for name, t in present.items()} for k in range(len(TENSORS))]


def optax_case(case):
    floats = ("f64",) if case.optimizer == "adamw" else DTYPES
    return case.record(case.options, {name: {"optax": optax_run(case, DTYPES[name])} for name in floats})


# Keras

# Dyadic: f32 holds these exactly, and 1 - beta^t keeps its digits.
KERAS_ADAM = {"learning_rate": 2**-10, "beta_1": 0.875, "beta_2": 1 - 2**-8, "epsilon": 1e-7}
KERAS_USUAL = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
KERAS_SGD = {"learning_rate": 2**-6, "momentum": 0.0}
KERAS_STATE = {
    "Adam": {"momentum": "_momentums", "velocity": "_velocities"},
    "SGD": {"momentum": "momentums"},
}


def keras_cases():
    yield Case("Adam", "Adam", KERAS_ADAM)
    yield Case("Adam weight-decay", "Adam", KERAS_ADAM | {"weight_decay": 2**-4})
    yield Case("Adam epsilon 1e-3", "Adam", KERAS_ADAM | {"epsilon": 1e-3})
    yield Case("Adam usual", "Adam", KERAS_USUAL | {"weight_decay": 0.004})
    yield Case("SGD", "SGD", KERAS_SGD)
    yield Case("SGD weight-decay", "SGD", KERAS_SGD | {"weight_decay": 2**-4})
    yield Case("SGD momentum", "SGD", KERAS_SGD | {"momentum": 0.875})
    yield Case("SGD l2", "SGD", KERAS_SGD, l2=0.01)


def keras_run(case, dtype):
    keras.config.set_floatx(np.dtype(dtype).name)
    optimizer = getattr(keras.optimizers, case.optimizer)(**case.options)
    weights = [keras.Variable(w, dtype=np.dtype(dtype).name) for w in initial_weights(dtype)]
    optimizer.build(weights)
    run = {"weights": {}}
    for step in range(1, STEPS + 1):
        optimizer.apply(keras_gradients(case, weights, step, dtype))
        if step in SNAPSHOTS:
            run["weights"][str(step)] = [bits(w.value) for w in weights]
    return run | {"state": keras_state(case, optimizer)}


def keras_gradients(case, weights, step, dtype):
    grads = [jax.numpy.asarray(g) for g in gradients(step, dtype)]
    if case.l2 is None:
        return grads
    penalty = jax.grad(keras.regularizers.L2(case.l2))
    return [g + penalty(w.value) for g, w in zip(grads, weights)]


def keras_state(case, optimizer):
    columns = {name: getattr(optimizer, attribute) for name, attribute in KERAS_STATE[case.optimizer].items()}
    columns = {name: variables for name, variables in columns.items() if variables}
    return [{"step": STEPS} | {name: bits(v[k].value) for name, v in columns.items()} for k in range(len(TENSORS))]


def keras_case(case):
    floats = ("f64",) if case.name == "Adam usual" else DTYPES
    return case.record(case.options, {name: {"keras": keras_run(case, DTYPES[name])} for name in floats})


# Schedules


def scheduler(kind, **parameters):
    return {"type": kind, **parameters}


def sequential(milestones, *schedulers):
    return scheduler("SequentialLR", milestones=milestones, schedulers=list(schedulers))


WARM_UP = scheduler("LinearLR", start_factor=0.1, end_factor=1.0, total_iters=20)
COSINE = scheduler("CosineAnnealingLR", T_max=100, eta_min=0.0)
# Lengths by which k is divided exactly, so that the cosine has the same argument in any order of operations.
RESTARTS = scheduler("CosineAnnealingWarmRestarts", T_0=16, T_mult=2, eta_min=0.0)
STEP = scheduler("StepLR", step_size=30, gamma=0.1)
EXPONENTIAL = scheduler("ExponentialLR", gamma=0.97)
LEVEL = scheduler("ConstantLR", factor=1.0, total_iters=5)
COOL_DOWN = scheduler("LinearLR", start_factor=1.0, end_factor=0.0, total_iters=40)
SCHEDULES = {
    "constant": LEVEL,
    "linear up": scheduler("LinearLR", start_factor=1 / 3, end_factor=1.0, total_iters=50),
    "linear down": scheduler("LinearLR", start_factor=1.0, end_factor=0.1, total_iters=100),
    "cosine": COSINE,
    "cosine to 0.1": COSINE | {"eta_min": 0.1},
    "warm-up, cosine": sequential([20], WARM_UP, COSINE),
    "step": STEP,
    "polynomial 1": scheduler("PolynomialLR", total_iters=100, power=1.0),
    "polynomial 2": scheduler("PolynomialLR", total_iters=100, power=2.0),
    "exponential": EXPONENTIAL,
    "warm-up, stable, decay": sequential([20, 80], WARM_UP, LEVEL, COOL_DOWN),
    "cosine, restarts": RESTARTS,
    "cosine to 0.1, equal restarts": RESTARTS | {"T_0": 32, "T_mult": 1, "eta_min": 0.1},
    "step, exponential": sequential([70], STEP, EXPONENTIAL),
}


def build_scheduler(optimizer, spec):
    parameters = {k: v for k, v in spec.items() if k != "type"}
    if spec["type"] == "SequentialLR":
        parameters["schedulers"] = [build_scheduler(optimizer, s) for s in spec["schedulers"]]
    return getattr(lr_scheduler, spec["type"])(optimizer, **parameters)


def closed_factor(spec, t):
    if spec["type"] == "SequentialLR":
        segment = bisect.bisect_right(spec["milestones"], t)
        return closed_factor(spec["schedulers"][segment], t - ([0] + spec["milestones"])[segment])
    stepper = build_scheduler(torch.optim.SGD([torch.zeros(1)], lr=1.0), spec)
    if spec["type"] == "CosineAnnealingWarmRestarts":
        stepper.step(t)  # its closed form, for any t
        return stepper.get_last_lr()[0]
    stepper.last_epoch = t
    return stepper._get_closed_form_lr()[0]


def recursive_factors(spec, count):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    stepper = build_scheduler(optimizer, spec)
    factors = []
    for _ in range(count):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        stepper.step()
    return factors


def schedule_case(name, spec):
    assert_short(spec)
    # Past T_max PyTorch's cosine rises again; nobody should reproduce that.
    count = spec["T_max"] + 1 if spec["type"] == "CosineAnnealingLR" else 121
    closed = np.array([closed_factor(spec, t) for t in range(count)])
    return {"name": name, "scheduler": spec, "closed": bits(closed), "recursive": bits(recursive_factors(spec, count))}


# Files


def files():
    cases = [torch_case(c) for c in torch_cases()]
    yield "torch.json", header() | {"cases": cases, "special": special(SPECIAL_CASES), "tail": tail()}
    yield "adagrad.json", other_file("Adagrad") | {"special": special(ADAGRAD_SPECIAL)}
    yield "nadam.json", other_file("NAdam")
    yield "adafactor.json", other_file("Adafactor")
    yield "muon.json", other_file("Muon")
    yield "optax.json", header() | {"cases": [optax_case(c) for c in optax_cases()]}
    yield "keras.json", header() | {"cases": [keras_case(c) for c in keras_cases()]}
    content = {"made_with": made_with() | decays.made_with(), "tensors": described(TENSORS)}
    yield "decays.json", content | {"cases": list(decays.cases())}
    cases = [schedule_case(name, spec) for name, spec in SCHEDULES.items()]
    yield "schedules.json", {"made_with": made_with(), "cases": cases}


def main():
    parser = argparse.ArgumentParser(description="Make or check tests/golden/*.json.")
    parser.add_argument("--check", action="store_true", help="compare with the files instead of writing them")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    jax.config.update("jax_enable_x64", True)
    warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
    warnings.filterwarnings("ignore", message="Learning rate changed between steps")
    changed = []
    for name, content in files():
        path, text = FOLDER / name, layout(content) + "\n"
        if not check:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            changed.append(name)
        print(f"{name}: {len(text)} bytes{', DIFFERS' if name in changed else ''}")
    sys.exit(f"differ: {', '.join(changed)}" if changed else 0)


if __name__ == "__main__":
    main()
