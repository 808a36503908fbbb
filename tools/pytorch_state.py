#!/usr/bin/env python3
"""Moves the state of an optimizer from PyTorch to wane and back.

    pip install -r tools/requirements.txt             # torch, numpy and safetensors of it are enough
    python tools/pytorch_state.py to-wane checkpoint.pt state.safetensors
    python tools/pytorch_state.py to-torch state.safetensors checkpoint.pt --like checkpoint.pt

`checkpoint.pt` holds {"model": model.state_dict(), "optimizer": optimizer.state_dict()}; `--model` and `--optimizer`
name other keys. `to-torch` writes {"optimizer": ...} alone. In a program:

    from pytorch_state import from_wane, to_wane

    shapes = {name: p.shape for name, p in model.named_parameters()}
    Path("state.safetensors").write_bytes(to_wane(optimizer.state_dict(), shapes))
    optimizer.load_state_dict(from_wane("state.safetensors", names=list(shapes), fused=True))

Optimizers: SGD, Adam, AdamW, Adagrad, NAdam, Adafactor, Muon. Weights are not part of the state: move them as you
always do. The numbers of a column keep their type, f32 or f64.

    names      are those of the optimizer (`param_names`, which it has if it was made from `model.named_parameters()`),
               else the model's in order, without buffers. That order is only known to be right if the optimizer has
               one group; with more, `--names` lists all names in the order of the optimizer.
    groups     PyTorch's first group is `default`. The others have the names of `--groups a,b`, or of a key "name" in
               the group. A group's rate, relative to the first, is its `lr_factor`.
    rates      the peak is `initial_lr`, where a scheduler has left one, else `lr`. The present rate is set by hand in
               wane, where it is another. The schedule itself stays behind: it belongs to PyTorch's scheduler.
    steps      PyTorch's SGD and Muon keep no count. A parameter with a buffer has 1, which is enough for the next
               step to be right; `--steps` says how many there were. The completed steps are the most of a parameter.

Clipping and frozen groups are part of wane's settings and not of PyTorch's: `to-torch` warns of what it leaves out.
What PyTorch cannot do (other decays, trust ratios ...) is an error. PyTorch's NAdam keeps `mu_product` in f32 even for
f64 weights; it is widened.
"""

import argparse
import json
import math
import pickle
import re
import sys
import warnings
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import safetensors.numpy
import torch

FORMAT = 1
CRATE_VERSION = "0.1.0"
TYPES = {"float32": "f32", "float64": "f64"}
# PyTorch counts steps in f32.
MOST_STEPS = 2**24


class StateError(ValueError):
    """State that the other side cannot have."""


# What both sides call it


@dataclass(frozen=True)
class Setting:
    wane: str
    # In a group of PyTorch.
    key: str
    # A text is None where wane does not list the setting.
    to_text: Callable[[Any], str | None]
    from_text: Callable[[str | None], Any]
    # Where PyTorch has a tuple for several settings.
    index: int | None = None

    def text(self, group):
        value = group[self.key]
        return self.to_text(value if self.index is None else value[self.index])

    def put(self, group, text):
        value = self.from_text(text)
        if self.index is not None:
            values = list(group[self.key])
            values[self.index] = value
            value = tuple(values)
        group[self.key] = value


def shortest(value):
    return repr(float(value))


def number(wane, key=None, index=None):
    return Setting(wane, key or wane, shortest, float, index)


def numbers(wane):
    return Setting(wane, wane, lambda all: " ".join(map(shortest, all)), lambda text: tuple(map(float, text.split())))


def count(wane):
    return Setting(wane, wane, str, int)


def switch(wane):
    return Setting(wane, wane, lambda on: "on" if on else None, lambda text: text == "on")


def optional(setting):
    """The same setting, which is not listed where PyTorch has None."""
    return replace(
        setting,
        to_text=lambda value: None if value is None else setting.to_text(value),
        from_text=lambda text: None if text is None else setting.from_text(text),
    )


def word(wane, key, default):
    """A word, which is the default where PyTorch has None."""

    def from_text(text):
        return None if text == default else text.replace("-", "_")

    return Setting(wane, key, lambda word: (word or default).replace("_", "-"), from_text)


@dataclass(frozen=True)
class Optimizer:
    torch: str
    settings: tuple[Setting, ...]
    # What PyTorch keeps for a parameter.
    state: tuple[str, ...]
    # What `weight_decay` is; None where the group says it, by `decoupled_weight_decay`.
    decay: str | None


ADAM = (numbers("betas"), number("eps"), switch("amsgrad"))
ADAM_STATE = ("step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq")
OPTIMIZERS = {
    "sgd": Optimizer(
        "SGD", (number("momentum"), number("dampening"), switch("nesterov")), ("momentum_buffer",), "coupled-l2"
    ),
    "adam": Optimizer("Adam", ADAM, ADAM_STATE, None),
    "adamw": Optimizer("AdamW", ADAM, ADAM_STATE, "decoupled"),
    "adagrad": Optimizer(
        "Adagrad",
        (number("lr_decay"), number("initial_accumulator", "initial_accumulator_value"), number("eps")),
        ("step", "sum"),
        "coupled-l2",
    ),
    "nadam": Optimizer(
        "NAdam",
        (numbers("betas"), number("momentum_decay"), number("eps")),
        ("step", "exp_avg", "exp_avg_sq", "mu_product"),
        None,
    ),
    "adafactor": Optimizer(
        "Adafactor",
        (
            number("beta2_decay"),
            optional(number("eps1", "eps", 0)),
            number("eps2", "eps", 1),
            number("clip_threshold", "d"),
        ),
        ("step", "row_var", "col_var", "variance"),
        "decoupled",
    ),
    "muon": Optimizer(
        "Muon",
        (
            number("momentum"),
            switch("nesterov"),
            numbers("ns_coefficients"),
            count("ns_steps"),
            number("eps"),
            word("adjust_lr", "adjust_lr_fn", "original"),
        ),
        ("momentum_buffer",),
        "decoupled",
    ),
}
COMMON = ("weight_decay", "lr_factor", "frozen")


def torch_shape(column, shape):
    """PyTorch keeps an axis that was averaged over, with length 1."""
    match column:
        case "row_var":
            return (*shape[:-1], 1)
        case "col_var":
            return (*shape[:-2], 1, shape[-1])
        case "mu_product":
            return ()
    return tuple(shape)


def wane_shape(column, shape):
    match column:
        case "row_var":
            return tuple(shape[:-1])
        case "col_var":
            return (*shape[:-2], shape[-1])
        case "mu_product":
            return ()
    return tuple(shape)


# From PyTorch


def to_wane(optimizer, shapes, *, names=None, groups=(), steps=None, algorithm=None):
    """Returns the bytes of a state file of wane.

    optimizer   the `state_dict()` of an optimizer of PyTorch
    shapes      {name: shape} of the model's parameters, in the model's order
    names       the names of all parameters in the order of the optimizer, where it does not have them itself
    groups      names for the second group and all later ones
    steps       how many updates there were, for SGD and Muon
    algorithm   wane's name of the optimizer, where the groups of an old checkpoint leave it open
    """
    torch_groups = optimizer["param_groups"]
    algorithm = algorithm_of(torch_groups, algorithm)
    names = names_of(optimizer, shapes, names)
    group_names = names_of_groups(torch_groups, groups)
    parameters, columns = [], {}
    for torch_group, group in zip(torch_groups, group_names, strict=True):
        for key in torch_group["params"]:
            name, state = names[key], optimizer["state"].get(key, {})
            parameter, own = parameter_of(algorithm, torch_group, state, name, shapes[name], steps)
            parameters.append(parameter | {"group": group})
            columns |= own
    one_type(columns)
    peak = peak_of(torch_groups[0])
    rate = float(torch_groups[0]["lr"])
    state = {
        "format": FORMAT,
        "crate_version": CRATE_VERSION,
        "optimizer": algorithm,
        "completed_steps": max((p["steps"] for p in parameters), default=0),
        "learning_rate": None if rate == peak else rate,
        "settings": run_settings(torch_groups, peak),
        "groups": describe_groups(algorithm, torch_groups, group_names),
        "parameters": parameters,
    }
    return encode(state, columns)


def algorithm_of(groups, given):
    keys = set(groups[0])
    fits = [name for name, o in OPTIMIZERS.items() if {s.key for s in o.settings} <= keys]
    if fits == ["adam", "adamw"] and all("decoupled_weight_decay" in group for group in groups):
        fits = ["adamw" if all(group["decoupled_weight_decay"] for group in groups) else "adam"]
    if given is not None:
        fits = [name for name in fits if name == given]
    if not fits:
        raise StateError(f"no such optimizer of wane has the settings {', '.join(sorted(keys))}")
    if len(fits) > 1:
        raise StateError(f"the checkpoint leaves open which algorithm this is, {' or '.join(fits)}")
    return fits[0]


def names_of(optimizer, shapes, names):
    """Returns the name of each of PyTorch's keys."""
    groups = optimizer["param_groups"]
    keys = [key for group in groups for key in group["params"]]
    if names is None:
        names = recorded_names(groups)
    if names is None:
        if len(groups) > 1:
            raise StateError("the optimizer has several groups and no names: give all names in its order")
        names = list(shapes)
    if len(names) != len(keys):
        raise StateError(
            f"the optimizer has {len(keys)} parameters, and there are {len(names)} names: {', '.join(names)}"
        )
    if len(set(names)) != len(names):
        raise StateError(f"a name stands twice among {', '.join(names)}")
    if unknown := [name for name in names if name not in shapes]:
        raise StateError(f"the model has no {', '.join(unknown)}")
    return dict(zip(keys, names))


def recorded_names(groups):
    if any("param_names" not in group for group in groups):
        return None
    return [name for group in groups for name in group["param_names"]]


def names_of_groups(groups, given):
    if given and len(given) != len(groups) - 1:
        raise StateError(f"there are {len(groups) - 1} groups after the first, and {len(given)} names for them")
    names = ["default", *given] if given else [groups[0].get("name", "default")] + [g.get("name") for g in groups[1:]]
    if None in names:
        raise StateError(f"group {names.index(None)} has no name: name all groups after the first")
    if len(set(names)) != len(names):
        raise StateError(f"two groups have one name among {', '.join(names)}")
    return names


def parameter_of(algorithm, group, state, name, shape, steps):
    """Returns a parameter as the file describes it, and its columns by their names in the file."""
    known = OPTIMIZERS[algorithm].state
    state = {key: value for key, value in state.items() if value is not None}
    if unknown := state.keys() - set(known):
        raise StateError(f"`{name}` has a {', '.join(sorted(unknown))}, which wane's {algorithm} does not have")
    updates = updates_of(known, group, state, steps)
    # Adagrad of PyTorch makes its state before the first update.
    present = [column for column in known if column in state and column != "step"] if updates else []
    arrays = {column: array_of(name, column, state[column], shape) for column in present}
    if "mu_product" in arrays:
        arrays["mu_product"] = arrays["mu_product"].astype(arrays["exp_avg"].dtype)
    parameter = {
        "name": name,
        "shape": list(shape),
        "len": math.prod(shape),
        "steps": updates,
        "gradient_bound": gradient_bound(arrays),
        "columns": [{"name": c, "numbers": {TYPES[a.dtype.name]: []}} for c, a in arrays.items()],
    }
    return parameter, {f"{name}.{column}": array for column, array in arrays.items()}


def updates_of(known, group, state, steps):
    if "step" in known:
        return int(state.get("step", 0))
    if steps is not None and (state or group["momentum"] == 0):
        return steps
    return 1 if state else 0


def array_of(name, column, tensor, shape):
    if tensor.layout != torch.strided or str(tensor.dtype).removeprefix("torch.") not in TYPES:
        raise StateError(f"`{column}` of `{name}` is {tensor.dtype}, {tensor.layout}: wane has dense f32 and f64")
    if tuple(tensor.shape) != torch_shape(column, shape):
        raise StateError(f"`{column}` of `{name}` has shape {tuple(tensor.shape)}, but the model's is {tuple(shape)}")
    return tensor.detach().cpu().contiguous().numpy().reshape(wane_shape(column, shape))


def gradient_bound(arrays):
    """The least gradient that such state can come from, as |m| <= g and v <= g^2."""
    largest = {
        column: float(np.abs(array).max(initial=0)) for column, array in arrays.items() if column != "mu_product"
    }
    bound = max((x if c in ("exp_avg", "momentum_buffer") else math.sqrt(x) for c, x in largest.items()), default=0.0)
    return bound if all(map(math.isfinite, largest.values())) else None


def one_type(columns):
    types = sorted({TYPES[array.dtype.name] for array in columns.values()})
    if len(types) > 1:
        raise StateError(f"the state is of types {' and '.join(types)}, and an optimizer of wane has one")


def peak_of(group):
    return float(group.get("initial_lr", group["lr"]))


def run_settings(groups, peak):
    maximize = {bool(group.get("maximize", False)) for group in groups}
    if len(maximize) > 1:
        raise StateError("some groups maximize and some do not: wane has one direction")
    settings = {"learning_rate": shortest(peak), "lr_schedule": "constant", "clip": "off", "non_finite": "error"}
    return settings | ({"maximize": "on"} if maximize.pop() else {})


def describe_groups(algorithm, groups, names):
    first, *_ = own = [group_settings(algorithm, group, groups[0]) for group in groups]
    # These two are always there in wane.
    settings = {"default": first, "undecayed": first | {"weight_decay": "none"}} | dict(zip(names, own, strict=True))
    return [{"name": name, "settings": own, "average": 0.0} for name, own in settings.items()]


def group_settings(algorithm, group, first):
    texts = {setting.wane: setting.text(group) for setting in OPTIMIZERS[algorithm].settings}
    own = {name: text for name, text in texts.items() if text is not None}
    return {
        "weight_decay": decay_text(algorithm, group),
        "lr_factor": shortest(lr_factor(group, first)),
    } | own


def decay_text(algorithm, group):
    strength = float(group["weight_decay"])
    if strength == 0:
        return "none"
    coupled_or_not = "decoupled" if group.get("decoupled_weight_decay") else "coupled-l2"
    return f"{OPTIMIZERS[algorithm].decay or coupled_or_not}:{shortest(strength)}"


def lr_factor(group, first):
    peak, own = peak_of(first), peak_of(group)
    if peak == 0 and own != 0:
        raise StateError("the first group's learning rate is 0, so the others have no factor on it")
    factor = own / peak if own != peak else 1.0
    if not math.isclose(float(first["lr"]) * factor, float(group["lr"]), rel_tol=1e-9):
        raise StateError(
            f"the rates of the groups have not kept their proportion: {group['lr']} for {factor} x {first['lr']}"
        )
    return factor


# The file


def encode(state, columns):
    text = json.dumps(state, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    metadata = {"wane": text, "wane_crc32": crc32(text, columns.values())}
    return safetensors.numpy.save(columns, metadata)


def crc32(text, arrays):
    crc = zlib.crc32(text.encode())
    for array in arrays:
        crc = zlib.crc32(array.astype(array.dtype.newbyteorder("<")).tobytes(), crc)
    return f"{crc:08x}"


def decode(path):
    """Returns the state as the file describes it, and its columns by their names in the file."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {key: file.get_tensor(key) for key in file.keys()}
    except safetensors.SafetensorError as error:
        raise StateError(f"{path} is not a whole safetensors file: {error}") from error
    if "wane" not in metadata:
        raise StateError(f"{path} holds no state of wane")
    state = json.loads(metadata["wane"])
    if state["format"] != FORMAT:
        raise StateError(f"{path} has format {state['format']}, and this tool reads {FORMAT}")
    listed = [f"{p['name']}.{c['name']}" for p in state["parameters"] for c in p["columns"]]
    if sorted(listed) != sorted(arrays):
        raise StateError(f"{path} lists other columns than it has")
    columns = {key: arrays[key] for key in listed}
    if crc32(metadata["wane"], columns.values()) != metadata.get("wane_crc32"):
        raise StateError(f"{path} is damaged: its checksum is another")
    return state, columns


# To PyTorch


def from_wane(path, *, names=None, lr=None, fused=None):
    """Returns a state dict for the `load_state_dict` of an optimizer of PyTorch.

    path    a state file of wane
    names   the names of all parameters in the order of the optimizer; by default in the order of the file
    lr      the present rate of the first group, where a schedule of wane gave it
    fused   the group's `fused`: PyTorch takes it from here, and not from the optimizer that loads
    """
    state, columns = decode(path)
    algorithm = state["optimizer"]
    if algorithm not in OPTIMIZERS:
        raise StateError(f"PyTorch has no {algorithm}")
    warn_of_what_stays(state)
    rates = (rate_of(state, lr), float(state["settings"]["learning_rate"]))
    torch_state, groups, key = {}, [], 0
    for group in state["groups"]:
        parameters = members(state, group["name"], names)
        if not parameters:
            continue
        keys = list(range(key, key + len(parameters)))
        key += len(parameters)
        torch_group = torch_group_of(algorithm, group, state["settings"], rates, fused)
        groups.append(torch_group | {"params": keys, "param_names": [p["name"] for p in parameters]})
        own = {key: torch_state_of(algorithm, p, columns) for key, p in zip(keys, parameters)}
        torch_state |= {key: state for key, state in own.items() if state}
    return {"state": torch_state, "param_groups": groups}


def rate_of(state, lr):
    if lr is not None:
        return lr
    if state["learning_rate"] is not None:
        return state["learning_rate"]
    if state["settings"]["lr_schedule"] != "constant":
        raise StateError(f"the rate is on the schedule {state['settings']['lr_schedule']}: give the present rate")
    return float(state["settings"]["learning_rate"])


def members(state, group, names):
    parameters = [p for p in state["parameters"] if p["group"] == group]
    if names is None:
        return parameters
    known = {p["name"] for p in state["parameters"]}
    if known != set(names):
        raise StateError(f"these names are on one side only: {', '.join(sorted(known ^ set(names)))}")
    position = {name: i for i, name in enumerate(names)}
    return sorted(parameters, key=lambda p: position[p["name"]])


def warn_of_what_stays(state):
    for setting in ("clip", "flush_denormals"):
        if state["settings"].get(setting, "off") != "off":
            warnings.warn(f"{setting} {state['settings'][setting]} is not part of PyTorch's optimizers", stacklevel=3)
    for group in state["groups"]:
        if group["settings"].get("frozen", "off") != "off":
            warnings.warn(f"give the parameters of group {group['name']} no gradient: it is frozen", stacklevel=3)


def torch_group_of(algorithm, group, run, rates, fused):
    optimizer, texts = OPTIMIZERS[algorithm], group["settings"]
    if unknown := texts.keys() - {setting.wane for setting in optimizer.settings} - set(COMMON):
        raise StateError(f"PyTorch's {optimizer.torch} has no {', '.join(sorted(unknown))}")
    torch_group = defaults_of(optimizer)
    for setting in optimizer.settings:
        setting.put(torch_group, texts.get(setting.wane))
    torch_group |= torch_decay(algorithm, texts["weight_decay"], torch_group)
    rate, peak = (rate * float(texts["lr_factor"]) for rate in rates)
    torch_group |= {"lr": rate} | ({} if rate == peak else {"initial_lr": peak})
    if group["name"] != "default":
        torch_group["name"] = group["name"]
    given = {"maximize": run.get("maximize") == "on"} | ({} if fused is None else {"fused": fused})
    for key, value in given.items():
        if value and key not in torch_group:
            raise StateError(f"PyTorch's {optimizer.torch} has no {key}")
    return torch_group | {key: value for key, value in given.items() if key in torch_group}


def defaults_of(optimizer):
    group = getattr(torch.optim, optimizer.torch)([torch.zeros(1, 1)]).state_dict()["param_groups"][0]
    del group["params"]
    return group


def torch_decay(algorithm, text, torch_group):
    form = re.fullmatch(r"none|(coupled-l2|decoupled):([^*@,]+)", text)
    of_this_algorithm = OPTIMIZERS[algorithm].decay
    if not form or (form[1] and of_this_algorithm not in (None, form[1])):
        raise StateError(f"PyTorch's {OPTIMIZERS[algorithm].torch} has no decay {text}")
    decay = {"weight_decay": float(form[2] or 0)}
    if "decoupled_weight_decay" in torch_group and of_this_algorithm is None:
        decay["decoupled_weight_decay"] = form[1] == "decoupled"
    return decay


def torch_state_of(algorithm, parameter, columns):
    known = OPTIMIZERS[algorithm].state
    name, steps = parameter["name"], parameter["steps"]
    present = [column["name"] for column in parameter["columns"]]
    if unknown := set(present) - set(known):
        raise StateError(f"PyTorch has no column {', '.join(sorted(unknown))}, which `{name}` has")
    counts = "step" in known and (steps > 0 or present)
    if counts and steps > MOST_STEPS:
        raise StateError(f"`{name}` has {steps} steps, and PyTorch counts to {MOST_STEPS}")
    shape = [parameter["len"]] if parameter["shape"] is None else parameter["shape"]
    counted = {"step": torch.tensor(float(steps), dtype=torch.float32)} if counts else {}
    numbers = {c: torch.from_numpy(columns[f"{name}.{c}"]).reshape(torch_shape(c, shape)) for c in present}
    return counted | numbers


# Command line

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def load(path, arguments):
    """Returns the optimizer of a checkpoint, and the shapes of its model's parameters."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    for key in (arguments.model, arguments.optimizer):
        if key not in checkpoint:
            raise StateError(f"{path} has no key `{key}`, only {', '.join(map(str, checkpoint))}")
    if "param_groups" not in checkpoint[arguments.optimizer]:
        raise StateError(f"`{arguments.optimizer}` in {path} is not the state dict of an optimizer")
    model = checkpoint[arguments.model]
    shapes = {name: tuple(x.shape) for name, x in model.items() if name.rpartition(".")[2] not in BUFFERS}
    return checkpoint[arguments.optimizer], shapes


def run_to_wane(arguments):
    optimizer, shapes = load(arguments.checkpoint, arguments)
    options = {key: getattr(arguments, key) for key in ("names", "groups", "steps", "algorithm")}
    Path(arguments.state).write_bytes(to_wane(optimizer, shapes, **options))


def run_to_torch(arguments):
    names = arguments.names
    if arguments.like:
        optimizer, shapes = load(arguments.like, arguments)
        names = list(names_of(optimizer, shapes, names).values())
    state = from_wane(arguments.state, names=names, lr=arguments.lr, fused=arguments.fused)
    torch.save({arguments.optimizer: state}, arguments.checkpoint)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Move the state of an optimizer between PyTorch and wane.")
    commands = parser.add_subparsers(required=True)
    listed = {"type": lambda text: text.split(","), "metavar": "A,B,..."}

    to = commands.add_parser("to-wane", help="a checkpoint of PyTorch becomes a state file of wane")
    to.set_defaults(run=run_to_wane)
    to.add_argument("checkpoint")
    to.add_argument("state")
    to.add_argument("--groups", default=(), help="names for the second group and all later ones", **listed)
    to.add_argument("--steps", type=int, help="how many updates there were: SGD and Muon do not say")
    to.add_argument(
        "--algorithm", choices=OPTIMIZERS, help="wane's name of the optimizer, if the checkpoint leaves it open"
    )

    back = commands.add_parser("to-torch", help="a state file of wane becomes a checkpoint of PyTorch")
    back.set_defaults(run=run_to_torch)
    back.add_argument("state")
    back.add_argument("checkpoint")
    back.add_argument("--like", metavar="CHECKPOINT", help="a checkpoint with the order of parameters that PyTorch has")
    back.add_argument("--lr", type=float, help="the present rate, if a schedule of wane gave it")
    back.add_argument("--fused", action="store_true", default=None, help="for an optimizer with fused=True")

    for command in (to, back):
        command.add_argument("--names", help="all names in the order of PyTorch's optimizer", **listed)
        command.add_argument("--model", default="model", metavar="KEY", help="the key of the model's state dict")
        command.add_argument(
            "--optimizer", default="optimizer", metavar="KEY", help="the key of the optimizer's state dict"
        )
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    try:
        arguments.run(arguments)
    except (StateError, OSError, pickle.UnpicklingError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
