"""How a case is run in PyTorch."""

import contextlib
import warnings

import torch

from fixture import TENSORS, bits, gradients

COMMON_OPTIONS = ("lr", "betas", "eps", "weight_decay", "amsgrad", "momentum", "dampening", "nesterov", "maximize")
OPTIONS = {
    "Adagrad": ("lr", "lr_decay", "eps", "weight_decay", "initial_accumulator_value", "maximize"),
    "NAdam": ("lr", "betas", "eps", "weight_decay", "momentum_decay", "decoupled_weight_decay", "maximize"),
    "Adafactor": ("lr", "beta2_decay", "eps", "d", "weight_decay", "maximize"),
    "Muon": ("lr", "weight_decay", "momentum", "nesterov", "ns_coefficients", "eps", "ns_steps", "adjust_lr_fn"),
}


def torch_optimizer(case, weights, flags):
    groups = [{"params": [weights[k] for k in g["tensors"]], **g["options"]} for g in case.groups]
    return getattr(torch.optim, case.optimizer)(groups, **case.options, **flags)


def torch_step(case, optimizer, weights, step, dtype, tensors):
    """Takes a step, and returns the norms that it clips by."""
    torch_set_rates(case, optimizer, step)
    for k, (w, g) in enumerate(zip(weights, gradients(step, dtype, tensors))):
        w.grad = torch.tensor(g) if case.present(k, step) else None
    norms = torch_clip(case.clip, weights)
    optimizer.step()
    return norms


def torch_set_rates(case, optimizer, step):
    for change in case.lr_changes:
        if change["step"] == step:
            for settings, lr in zip(optimizer.param_groups, change["lr"], strict=True):
                settings["lr"] = lr


def torch_clip(clip, weights):
    match clip:
        case {"max_norm": limit}:
            return [torch.nn.utils.clip_grad_norm_(weights, limit)]
        case {"clip_value": limit}:
            torch.nn.utils.clip_grad_value_(weights, limit)
    return []


def torch_state(state, dtype):
    columns = {k: v for k, v in state.items() if v is not None}
    return {k: int(v.item()) if k == "step" else bits(v.numpy().astype(dtype)) for k, v in columns.items()}


def torch_options(optimizer):
    names = OPTIONS.get(type(optimizer).__name__, COMMON_OPTIONS)
    return {k: v for k, v in optimizer.defaults.items() if k in names}


def torch_record(case, runs):
    return case.record(torch_options(torch_optimizer(case, [torch.zeros(1, 1) for _ in TENSORS], {})), runs)


@contextlib.contextmanager
def without_onednn():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
        with torch.backends.mkldnn.flags(enabled=False):
            yield
