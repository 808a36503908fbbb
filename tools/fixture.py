"""What all fixtures are made of: inputs, cases, and how they are written. `golden.py` describes the format."""

import json
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

# (shape, gradient exponent), of lengths that are whole vectors.
TENSORS = [((4, 8), -3), ((16,), 4), ((2, 2, 4), -10)]
DTYPES = {"f32": np.float32, "f64": np.float64}


# Inputs


def splitmix64(counter):
    gamma, a, b = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
    z = (counter + np.uint64(1)) * gamma
    z = (z ^ (z >> np.uint64(30))) * a
    z = (z ^ (z >> np.uint64(27))) * b
    return z ^ (z >> np.uint64(31))


def values(stream, step, shape, exponent, dtype):
    start = np.uint64((stream << 40) + (step << 20))
    bits = splitmix64(start + np.arange(np.prod(shape), dtype=np.uint64))
    signed = (bits >> np.uint64(40)).astype(np.int64) - 2**23
    return np.ldexp(signed.astype(np.float64), exponent - 23).astype(dtype).reshape(shape)


def initial_weights(dtype, tensors=TENSORS):
    return [values(2 * k, 0, shape, 0, dtype) for k, (shape, _) in enumerate(tensors)]


def gradients(step, dtype, tensors=TENSORS):
    return [values(2 * k + 1, step, shape, e, dtype) for k, (shape, e) in enumerate(tensors)]


# Cases


@dataclass
class Case:
    name: str
    optimizer: str
    options: dict
    groups: list = field(default_factory=lambda: [group(0, 1, 2)])
    lr_changes: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    clip: dict | None = None
    l2: float | None = None

    def record(self, options, runs):
        case = dict(vars(self), options=options)
        assert_short(case)
        return case | {"runs": runs}

    def present(self, tensor, step):
        return not any(m["tensor"] == tensor and step in m["steps"] for m in self.missing)


def group(*tensors, **options):
    return {"tensors": list(tensors), "options": options}


def assert_short(settings):
    """A decimal m / 10^k with m <= 2^53 and k <= 22 parses exactly with one division."""
    if isinstance(settings, dict):
        settings = list(settings.values())
    if isinstance(settings, (list, tuple)):
        for value in settings:
            assert_short(value)
    elif isinstance(settings, float):
        _, digits, exponent = Decimal(repr(settings)).as_tuple()
        assert int("".join(map(str, digits))) <= 2**53 and -22 <= exponent <= 22, settings


# Output


def bits(array):
    """Big-endian hex of all elements, every NaN alike."""
    array = np.array(np.asarray(array))
    array[np.isnan(array)] = np.nan
    return array.astype(array.dtype.newbyteorder(">")).tobytes().hex()


def described(tensors):
    return [{"shape": shape, "gradient_exponent": e} for shape, e in tensors]


def layout(content):
    """JSON with one line a case: small, and a diff shows which case changed."""
    if isinstance(content, dict) and "cases" in content:
        return "{\n" + ",\n".join(f'"{key}": {layout(value)}' for key, value in content.items()) + "\n}"
    if isinstance(content, list):
        return "[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in content) + "\n]"
    return json.dumps(content, separators=(",", ":"))
