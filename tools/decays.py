"""Makes decays.json: decay laws of other libraries. `golden.py` describes the inputs, this file what is its own.

decays.json: {"made_with", "tensors", "cases"}, cases as in the other files, with one key more:

    schedule     null, or a scheduler as in schedules.json: the rate of step t + 1 is `lr` (`learning_rate`) times its factor

Runs have weights and no state: moments are judged elsewhere. Only what is right was taken, after reading it:

    timm         AdamWLegacy and SGDW with `corrected_weight_decay` (AdamC): s = lr^2 / max_lr * weight_decay, max_lr being
                 the rate of the constructor. Right, for-loop; where it acts is up to the groups. (In pytorch-optimizer
                 AdamC has the same s, but adds 1e-15 to v under the root and divides eps by the bias correction.)
    heavyball    `transforms` on `BaseOpt`, eager, with states in the weights' type. The rate passes through f32: dyadic here.
                 eps is a lower bound of the root and not added to it: 0 here. Right are
                   cautious_weight_decay   it compares sign bits, so it differs from u*w >= 0 at +-0 alone
                   weight_decay_to_init    its strength is the option `weight_decay_to_ema`; before the update, on the same
                                           difference as beside it
                   update_by_hyperball     without weight_decay, which it would add to the direction. (HyperBallAdamW has
                                           no first moment; here it comes after scale_by_adam.)
                 Not taken: weight_decay_to_ema, whose average is debiased (1 - beta)/(1 - beta^t); its L1 form,
                 which moves away from the average.
    pytorch-optimizer
                 AdamS (stable weight decay): it adds eps to the root of the mean, the one of the constructor, and that of
                 the group to the roots of Adam: so 0 and `eps`. Lion with `fixed_decay`: s = weight_decay.
    jaxopt       after a step of optax the proximal operator of the rate times the penalty. Group lasso weighs a group of
                 n weights by sqrt(n), as its authors do: `groups_of` says whether groups are rows or whole tensors. (The
                 docstring of prox_ridge has twice its penalty: it is that of l2reg/2 times the square.) With `metric` the
                 strength of each weight is divided by what Adam divides by (ProxGen)
    optax        after a step the projection of each tensor (`projection`, `scale`); `independent` is optax's blocks in
                 the order of Algorithm 2 of Loshchilov & Hutter: -m_t*(lr*u + weight_decay*w)

Not here: CPR, as pytorch-cpr 0.3.1 measures the weights after the step, and sums their squares; laws that no package was
found for, as spectral decay, AdaDecay, Huber decay, selective projection.
"""

import importlib.metadata
import importlib.util
import math
import sys
import types
from dataclasses import dataclass

import heavyball
import jax
import jaxopt.prox
import optax
import pytorch_optimizer
import torch
from heavyball import chainable

from fixture import DTYPES, Case, bits, gradients, group, initial_weights


def bare_package(name):
    """A package without what it imports: all of timm wants torchvision, its optimizers do not."""
    package = types.ModuleType(name)
    package.__path__ = importlib.util.find_spec(name).submodule_search_locations
    sys.modules[name] = package


bare_package("timm")
bare_package("timm.optim")
from timm.optim.adamw import AdamWLegacy  # noqa: E402
from timm.optim.sgdw import SGDW  # noqa: E402

heavyball.utils.compile_mode = None

STEPS = 100
SNAPSHOTS = (1, 2, 10, 100)
PACKAGES = ("timm", "heavyball", "pytorch-optimizer", "jaxopt")
# Multiples of 2^-9 all the way, so that every library has the same factors.
DOWN = {"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.125, "total_iters": 64}


@dataclass
class DecayCase(Case):
    schedule: dict | None = None

    def factor(self, step):
        """The factor of the rate in this step, from 1 on."""
        if self.schedule is None:
            return 1.0
        start, end, steps = (self.schedule[key] for key in ("start_factor", "end_factor", "total_iters"))
        return start + (end - start) * min(step - 1, steps) / steps


def made_with():
    return {name: importlib.metadata.version(name) for name in PACKAGES}


# PyTorch's form of an optimizer


def torch_run(case, dtype, make):
    weights = [torch.tensor(w, requires_grad=True) for w in initial_weights(dtype)]
    optimizer = make(case, weights)
    snapshots = {}
    for step in range(1, STEPS + 1):
        for settings in optimizer.param_groups:
            settings["lr"] = case.options["lr"] * case.factor(step)
        for w, g in zip(weights, gradients(step, dtype)):
            w.grad = torch.tensor(g)
        optimizer.step()
        if step in SNAPSHOTS:
            snapshots[str(step)] = [bits(w.detach()) for w in weights]
    return {"weights": snapshots}


def grouped(case, weights):
    return [{"params": [weights[k] for k in g["tensors"]], **g["options"]} for g in case.groups]


# timm

ADAM = {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}
SGD = {"lr": 0.01, "momentum": 0.0, "dampening": 0.0, "nesterov": False}
CORRECTED = {"corrected_weight_decay": True}
TIMM = {"AdamWLegacy": AdamWLegacy, "SGDW": SGDW}


def timm_cases():
    adam, sgd = ADAM | CORRECTED | {"weight_decay": 1.0}, SGD | CORRECTED | {"weight_decay": 1.0}
    apart = [group(0, 2), group(1, corrected_weight_decay=False)]
    yield DecayCase("AdamW corrected", "AdamWLegacy", adam, schedule=DOWN)
    yield DecayCase("AdamW corrected, not all", "AdamWLegacy", adam, groups=apart, schedule=DOWN)
    yield DecayCase("SGDW corrected", "SGDW", sgd, schedule=DOWN)
    yield DecayCase("SGDW nesterov corrected", "SGDW", sgd | {"momentum": 0.9, "nesterov": True}, schedule=DOWN)


def timm_optimizer(case, weights):
    return TIMM[case.optimizer](grouped(case, weights), foreach=False, **case.options)


# heavyball

HEAVYBALL = {"lr": 2**-7, "betas": (0.9, 0.999), "eps": 0.0, "weight_decay": 0.0}


def heavyball_cases():
    cautious = HEAVYBALL | {"weight_decay": 1.0, "cautious_weight_decay": True, "transforms": ["update_by_adam"]}
    to_init = HEAVYBALL | {"weight_decay_to_ema": 2.0, "transforms": ["weight_decay_to_init", "update_by_adam"]}
    hyperball = HEAVYBALL | {"transforms": ["scale_by_adam", "update_by_hyperball"]}
    for name, options in {"cautious": cautious, "to init": to_init, "hyperball": hyperball}.items():
        yield DecayCase(f"Adam {name}", "BaseOpt", options)
        yield DecayCase(f"Adam {name}, schedule", "BaseOpt", options, schedule=DOWN)


def heavyball_optimizer(case, weights):
    storage = str(weights[0].dtype).removeprefix("torch.")
    options = dict(case.options, caution=False, multi_tensor=True, storage_dtype=storage)
    transforms = [getattr(chainable, name) for name in options.pop("transforms")]
    return chainable.BaseOpt(weights, options, fns=transforms)


# pytorch-optimizer


def pytorch_optimizer_cases():
    lion = {"lr": 0.001, "betas": (0.9, 0.99), "weight_decay": 0.01, "fixed_decay": True}
    yield DecayCase("AdamS", "AdamS", ADAM | {"weight_decay": 20.0})
    yield DecayCase("AdamS, schedule", "AdamS", ADAM | {"betas": (0.8, 0.9), "weight_decay": 50.0}, schedule=DOWN)
    yield DecayCase("Lion fixed", "Lion", lion)
    yield DecayCase("Lion fixed, schedule", "Lion", lion, schedule=DOWN)


def pytorch_optimizer_optimizer(case, weights):
    options = dict(case.options, foreach=False)
    if case.optimizer == "Lion":
        return pytorch_optimizer.Lion(weights, **options)
    return pytorch_optimizer.AdamS([{"params": weights, "eps": options.pop("eps")}], eps=0.0, **options)


# optax, and what comes after its step

# A dyadic rate: 1 + s of a proximal step is exact in f32, too.
OPTAX_ADAM = {"learning_rate": 2**-7, "b1": 0.9, "b2": 0.999, "eps": 1e-8}
OPTAX_SGD = {"learning_rate": 2**-7}


def jaxopt_cases():
    penalties = {
        "lasso": {"prox": "prox_lasso", "hyperparams": 0.5},
        "elastic net": {"prox": "prox_elastic_net", "hyperparams": (0.25, 3.0)},
        "ridge": {"prox": "prox_ridge", "hyperparams": 1.0},
        "group lasso of rows": {"prox": "prox_group_lasso", "hyperparams": 0.5, "groups_of": "rows"},
        "group lasso of tensors": {"prox": "prox_group_lasso", "hyperparams": 0.5, "groups_of": "tensors"},
    }
    for name, penalty in penalties.items():
        yield DecayCase(f"sgd {name}", "sgd", OPTAX_SGD | penalty)
        yield DecayCase(f"adam {name}, schedule", "adam", OPTAX_ADAM | penalty, schedule=DOWN)
    lasso = {"prox": "prox_lasso", "hyperparams": 0.001, "metric": "sqrt(nu_hat) + eps"}
    yield DecayCase("adam lasso in its metric", "adam", OPTAX_ADAM | lasso, schedule=DOWN)


def optax_cases():
    box = {"projection": "projection_linf_ball", "scale": 0.375}
    sphere = {"projection": "projection_l2_sphere", "scale": 1.5}
    for name, projection in {"box": box, "sphere": sphere}.items():
        yield DecayCase(f"sgd {name}", "sgd", OPTAX_SGD | projection)
        yield DecayCase(f"adam {name}, schedule", "adam", OPTAX_ADAM | projection, schedule=DOWN)
    yield DecayCase("sgd independent", "sgd", OPTAX_SGD | {"independent": 0.01}, schedule=DOWN)
    yield DecayCase("adam independent", "adam", OPTAX_ADAM | {"independent": 0.01}, schedule=DOWN)


def optax_run(case, dtype):
    weights = [jax.numpy.asarray(w) for w in initial_weights(dtype)]
    optimizer = optax_direction(case)
    state = optimizer.init(weights)
    snapshots = {}
    for step in range(1, STEPS + 1):
        grads = [jax.numpy.asarray(g) for g in gradients(step, dtype)]
        updates, state = optimizer.update(grads, state, weights)
        factor = case.factor(step)
        weights = optax.apply_updates(weights, [-factor * u for u in updates])
        weights = after(case.options, weights, case.options["learning_rate"] * factor, state)
        if step in SNAPSHOTS:
            snapshots[str(step)] = [bits(w) for w in weights]
    return {"weights": snapshots}


def optax_direction(case):
    """lr*u, and independent decay beside it."""
    options = case.options
    blocks = [optax.scale(options["learning_rate"])]
    if case.optimizer == "adam":
        blocks.insert(0, optax.scale_by_adam(options["b1"], options["b2"], options["eps"]))
    if "independent" in options:
        blocks.append(optax.add_decayed_weights(options["independent"]))
    return optax.chain(*blocks)


def after(options, weights, rate, state):
    """What is done to the weights after optax's step."""
    if "projection" in options:
        project = getattr(optax.projections, options["projection"])
        return [project(w, options["scale"]) for w in weights]
    if "prox" not in options:
        return weights
    operator, strength = getattr(jaxopt.prox, options["prox"]), options["hyperparams"]
    if "metric" in options:
        return operator(weights, [strength / m for m in adam_metric(options, state)], rate)
    return [proximal(operator, w, strength, rate, options.get("groups_of")) for w in weights]


def adam_metric(options, state):
    """What optax's Adam divides by."""
    nu, count = (optax.tree.get(state, name) for name in ("nu", "count"))
    return [jax.numpy.sqrt(v) + options["eps"] for v in optax.tree.bias_correction(nu, options["b2"], count)]


def proximal(operator, weights, strength, rate, groups_of):
    match groups_of:
        case None:
            return operator(weights, strength, rate)
        case "rows":
            strength *= math.sqrt(math.prod(weights.shape[1:]))
            return jax.vmap(lambda row: operator(row, strength, rate))(weights)
        case "tensors":
            return operator(weights, strength * math.sqrt(weights.size), rate)


# All


def recorded(cases, implementation, run):
    for case in cases:
        runs = {name: {implementation: run(case, dtype)} for name, dtype in DTYPES.items()}
        yield case.record(case.options, runs)


def torch_recorded(cases, implementation, make):
    return recorded(cases, implementation, lambda case, dtype: torch_run(case, dtype, make))


def cases():
    yield from torch_recorded(timm_cases(), "timm", timm_optimizer)
    yield from torch_recorded(heavyball_cases(), "heavyball", heavyball_optimizer)
    yield from torch_recorded(pytorch_optimizer_cases(), "pytorch-optimizer", pytorch_optimizer_optimizer)
    yield from recorded(jaxopt_cases(), "jaxopt", optax_run)
    yield from recorded(optax_cases(), "optax", optax_run)
