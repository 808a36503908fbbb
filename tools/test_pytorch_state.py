#!/usr/bin/env python3
"""Tests of pytorch_state.py that need no wane: `python tools/test_pytorch_state.py`."""

import subprocess
import sys
import tempfile
import unittest
import warnings
import zlib
from pathlib import Path

import safetensors.torch
import torch

import exchange
from pytorch_state import StateError, decode, encode, from_wane, to_wane

TOOL = Path(__file__).resolve().parent / "pytorch_state.py"


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "state.safetensors"

    def edited(self, data, edit):
        """Makes a file from another one, whose description is changed."""
        self.path.write_bytes(data)
        state, columns = decode(self.path)
        edit(state)
        self.path.write_bytes(encode(state, columns))
        return self.path

    def refuses(self, words, do, *arguments, **options):
        with self.assertRaisesRegex(StateError, words):
            do(*arguments, **options)


def model(dtype=torch.float32):
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).to(dtype)


def shapes_of(model):
    return {name: p.shape for name, p in model.named_parameters()}


def trained(optimizer, model, steps=2):
    for step in range(steps):
        for p in model.parameters():
            p.grad = torch.full_like(p, 0.5 + step)
        optimizer.step()
    return optimizer.state_dict()


def adamw(**options):
    net = model()
    return trained(torch.optim.AdamW(net.parameters(), lr=0.01, **options), net), shapes_of(net)


class RoundTrip(Folder):
    def test_every_case_goes_on_as_from_a_checkpoint_of_pytorch(self):
        for part, case, dtype in exchange.runs_of_all_cases():
            with self.subTest(case=case.name, dtype=dtype):
                first = exchange.Run(part, case, dtype).steps(1, exchange.BEFORE)
                self.path.write_bytes(first.to_wane())
                second = exchange.Run(part, case, dtype)
                second.set_weights(first.weights())
                second.from_wane(self.path)
                # In f64 PyTorch's own checkpoint widens NAdam's mu_product too.
                first.optimizer.load_state_dict(first.optimizer.state_dict())
                self.assert_same(first.optimizer.state_dict(), second.optimizer.state_dict())
                last = (exchange.BEFORE + 1, exchange.AFTER)
                self.assertEqual(first.steps(*last).weights(), second.steps(*last).weights())
                self.assertEqual(first.state(), second.state())

    def assert_same(self, want, got):
        for want_group, got_group in zip(want["param_groups"], got["param_groups"], strict=True):
            # How PyTorch loops is not part of the state.
            moved = {key: value for key, value in want_group.items() if key != "foreach"}
            self.assertEqual(moved, {key: got_group.get(key) for key in moved})
        # Adagrad of PyTorch has state before the first update: as it is made.
        updated = {key: state for key, state in want["state"].items() if state.get("step", 1) > 0}
        self.assertEqual(updated.keys(), got["state"].keys())
        for key, state in updated.items():
            present = {name: x for name, x in state.items() if x is not None}
            self.assertEqual(present.keys(), got["state"][key].keys())
            for name, x in present.items():
                self.assertTrue(torch.equal(x, got["state"][key][name]), name)

    def test_types_are_kept(self):
        for dtype in (torch.float32, torch.float64):
            net = model(dtype)
            state = trained(torch.optim.NAdam(net.parameters()), net)
            self.path.write_bytes(to_wane(state, shapes_of(net)))
            with safetensors.safe_open(self.path, framework="pt") as file:
                self.assertEqual({file.get_tensor(key).dtype for key in file.keys()}, {dtype})
            back = from_wane(self.path)["state"][0]
            self.assertEqual((back["exp_avg"].dtype, back["step"].dtype), (dtype, torch.float32))


class FromPyTorch(Folder):
    def described(self, data):
        self.path.write_bytes(data)
        return decode(self.path)[0]

    def test_names_are_recorded_or_given_or_the_only_order(self):
        net = model()
        groups = [{"params": [net[0].bias, net[2].bias]}, {"params": [net[0].weight], "name": "late"}]
        state, shapes = trained(torch.optim.Adam(groups), net), shapes_of(net)
        self.refuses("several groups and no names", to_wane, state, shapes)
        names = ["0.bias", "2.bias", "0.weight"]
        parameters = self.described(to_wane(state, shapes, names=names))["parameters"]
        self.assertEqual(
            [(p["name"], p["group"]) for p in parameters], list(zip(names, ["default", "default", "late"]))
        )
        self.assertEqual(parameters[2]["shape"], [4, 8])
        self.refuses("has shape \\(4,\\), but", to_wane, state, shapes, names=["2.bias", "0.bias", "0.weight"])
        self.refuses("stands twice", to_wane, state, shapes, names=["0.bias"] * 3)
        self.refuses("no 0.bios", to_wane, state, shapes, names=["0.bios", "2.bias", "0.weight"])
        self.refuses("3 parameters, and there are 2 names", to_wane, state, shapes, names=names[:2])

        recorded = torch.optim.Adam([("2.weight", net[2].weight), ("0.weight", net[0].weight)])
        parameters = self.described(to_wane(trained(recorded, net), shapes))["parameters"]
        self.assertEqual([p["name"] for p in parameters], ["2.weight", "0.weight"])

    def test_groups_need_names(self):
        net = model()
        groups = [{"params": [("0.bias", net[0].bias)]}, {"params": [("2.bias", net[2].bias)], "lr": 0.01}]
        state, shapes = trained(torch.optim.Adam(groups, lr=0.04), net), shapes_of(net)
        self.refuses("group 1 has no name", to_wane, state, shapes)
        self.refuses("1 groups after the first, and 2 names", to_wane, state, shapes, groups=["a", "b"])
        self.refuses("one name", to_wane, state, shapes, groups=["default"])
        groups = self.described(to_wane(state, shapes, groups=["head"]))["groups"]
        factors = {g["name"]: g["settings"]["lr_factor"] for g in groups}
        self.assertEqual(factors, {"default": "1.0", "undecayed": "1.0", "head": "0.25"})
        self.assertEqual(groups[1]["settings"]["weight_decay"], "none")

    def test_a_scheduler_leaves_the_peak(self):
        net = model()
        optimizer = torch.optim.AdamW(
            [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": 0.01}], lr=0.04
        )
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        trained(optimizer, net)
        scheduler.step()
        named = {"names": ["0.weight", "0.bias", "2.weight", "2.bias"], "groups": ["head"]}
        state = self.described(to_wane(optimizer.state_dict(), shapes_of(net), **named))
        self.assertEqual((state["settings"]["learning_rate"], state["learning_rate"]), ("0.04", 0.02))
        self.assertEqual(state["groups"][2]["settings"]["lr_factor"], "0.25")
        optimizer.param_groups[1]["lr"] = 0.01
        self.refuses("proportion", to_wane, optimizer.state_dict(), shapes_of(net), **named)
        optimizer.param_groups[0] |= {"lr": 0.0, "initial_lr": 0.0}
        self.refuses("learning rate is 0", to_wane, optimizer.state_dict(), shapes_of(net), **named)

    def test_the_algorithm_is_seen_in_the_groups(self):
        for name, arguments in (
            ("SGD", {"lr": 0.1}),
            ("Adam", {}),
            ("AdamW", {}),
            ("Adagrad", {}),
            ("NAdam", {}),
            ("Adafactor", {}),
        ):
            net = model()
            state = getattr(torch.optim, name)(net.parameters(), **arguments).state_dict()
            self.assertEqual(self.described(to_wane(state, shapes_of(net)))["optimizer"], name.lower())
        for name in ("RAdam", "Adamax", "RMSprop", "Adadelta", "ASGD", "Rprop"):
            state = getattr(torch.optim, name)(model().parameters()).state_dict()
            self.refuses("no such optimizer", to_wane, state, shapes_of(model()))
        state, shapes = adamw()
        del state["param_groups"][0]["decoupled_weight_decay"]
        self.refuses("adam or adamw", to_wane, state, shapes)
        for name, decay in (("adam", "coupled-l2:0.01"), ("adamw", "decoupled:0.01")):
            group = self.described(to_wane(state, shapes, algorithm=name))["groups"][0]
            self.assertEqual(group["settings"]["weight_decay"], decay)
        self.refuses("no such optimizer", to_wane, state, shapes, algorithm="sgd")

    def test_steps_of_sgd(self):
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        net[0].weight.grad = torch.ones_like(net[0].weight)
        optimizer.step()
        for steps, want in ((None, [1, 0, 0, 0, 0, 0]), (7, [7, 0, 0, 0, 0, 0])):
            state = self.described(to_wane(optimizer.state_dict(), shapes_of(net), steps=steps))
            self.assertEqual([p["steps"] for p in state["parameters"]], want)
            self.assertEqual(state["completed_steps"], max(want))

    def test_gradient_bound(self):
        # g = -3: |m| = 3 (1 - beta1), v = 9 (1 - beta2).
        for beta1, beta2, want in ((0.25, 0.75, 2.25), (0.75, 0.75, 1.5)):
            net = model()
            optimizer = torch.optim.NAdam(net.parameters(), betas=(beta1, beta2))
            net[0].weight.grad = torch.full_like(net[0].weight, -3.0)
            optimizer.step()
            bounds = self.bounds(optimizer, net)
            self.assertEqual(bounds, [want, 0.0, 0.0, 0.0, 0.0, 0.0])
            optimizer.state[net[0].weight]["exp_avg_sq"][0, 0] = float("inf")
            self.assertIsNone(self.bounds(optimizer, net)[0])

    def bounds(self, optimizer, net):
        state = self.described(to_wane(optimizer.state_dict(), shapes_of(net)))
        return [p["gradient_bound"] for p in state["parameters"]]

    def test_what_wane_cannot_have(self):
        state, shapes = adamw()
        state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"].double()
        self.refuses("types f32 and f64", to_wane, state, shapes)
        state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"].bfloat16()
        self.refuses("bfloat16", to_wane, state, shapes)
        state, shapes = adamw()
        state["state"][0]["ema"] = torch.zeros(4, 8)
        self.refuses("`0.weight` has a ema", to_wane, state, shapes)
        net = model()
        groups = [{"params": [net[0].weight]}, {"params": [net[2].weight], "maximize": True, "name": "up"}]
        up = torch.optim.Adam(groups).state_dict()
        self.refuses("one direction", to_wane, up, shapes, names=["0.weight", "2.weight"])


class ToPyTorch(Folder):
    def test_the_order_is_that_of_the_names(self):
        state, shapes = adamw()
        self.path.write_bytes(to_wane(state, shapes))
        names = list(reversed(shapes))
        back = from_wane(self.path, names=names)
        self.assertEqual(back["param_groups"][0]["param_names"], names)
        self.assertTrue(torch.equal(back["state"][5]["exp_avg"], state["state"][0]["exp_avg"]))
        self.refuses("one side only: 2.bias, head", from_wane, self.path, names=[*names[1:], "head"])

    def test_columns_put_back_before_the_first_step_have_a_count(self):
        path = self.edited(to_wane(*adamw()), lambda state: state["parameters"][0].update(steps=0))
        self.assertEqual(from_wane(path)["state"][0]["step"], torch.tensor(0.0))

    def test_rates(self):
        def scheduled(state):
            state["settings"]["lr_schedule"] = "cosine:100"

        state, shapes = adamw()
        path = self.edited(to_wane(state, shapes), scheduled)
        self.refuses("schedule cosine:100", from_wane, path)
        group = from_wane(path, lr=0.005)["param_groups"][0]
        self.assertEqual((group["lr"], group["initial_lr"]), (0.005, 0.01))

    def test_fused_is_the_callers(self):
        for fused in (True, False, None):
            state, shapes = adamw()
            self.path.write_bytes(to_wane(state, shapes))
            self.assertEqual(from_wane(self.path, fused=fused)["param_groups"][0]["fused"], fused)
        net = model()
        self.path.write_bytes(to_wane(torch.optim.NAdam(net.parameters()).state_dict(), shapes_of(net)))
        self.refuses("NAdam has no fused", from_wane, self.path, fused=True)

    def test_what_pytorch_cannot_have(self):
        def group(**settings):
            return lambda state: state["groups"][0]["settings"].update(settings)

        def parameter(**changes):
            return lambda state: state["parameters"][0].update(changes)

        edits = {
            "no lion": lambda state: state.update(optimizer="lion"),
            "AdamW has no decay coupled-l2:0.1": group(weight_decay="coupled-l2:0.1"),
            "AdamW has no decay independent:0.1": group(weight_decay="independent:0.1"),
            "AdamW has no decay decoupled:0.1@start": group(weight_decay="decoupled:0.1@start"),
            "AdamW has no epsilon_hat": group(epsilon_hat="1e-7"),
            "`0.weight` has 20000000 steps": parameter(steps=20_000_000),
            "format 2": lambda state: state.update(format=2),
        }
        for words, edit in edits.items():
            with self.subTest(words):
                self.refuses(words, from_wane, self.edited(to_wane(*adamw()), edit))

    def test_what_stays_behind_is_said(self):
        def clipped(state):
            state["settings"]["clip"] = "global-norm:1"
            state["groups"][0]["settings"]["frozen"] = "on"

        path = self.edited(to_wane(*adamw()), clipped)
        with warnings.catch_warnings(record=True) as said:
            from_wane(path)
        self.assertEqual(len(said), 2)

    def test_the_checksum_is_of_the_text_and_the_numbers(self):
        self.path.write_bytes(to_wane(*adamw()))
        with safetensors.safe_open(self.path, framework="np") as file:
            metadata = file.metadata()
            columns = [f"{layer}.{column}" for layer in shapes_of(model()) for column in ("exp_avg", "exp_avg_sq")]
            hashed = metadata["wane"].encode() + b"".join(
                file.get_tensor(key).astype("<f4").tobytes() for key in columns
            )
        self.assertEqual(metadata["wane_crc32"], f"{zlib.crc32(hashed):08x}")

    def test_a_damaged_file(self):
        whole = to_wane(*adamw())
        self.path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        self.refuses("checksum", from_wane, self.path)
        self.path.write_bytes(whole[:100])
        self.refuses("not a whole safetensors file", from_wane, self.path)
        safetensors.torch.save_file({"w": torch.zeros(2)}, self.path)
        self.refuses("no state of wane", from_wane, self.path)


class CommandLine(Folder):
    def run_tool(self, *arguments):
        return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True)

    def test_there_and_back(self):
        net, checkpoint, back = model(), self.folder / "checkpoint.pt", self.folder / "back.pt"
        state = trained(torch.optim.AdamW(net.parameters(), fused=True), net)
        torch.save({"net": net.state_dict(), "opt": state}, checkpoint)
        keys = ("--model", "net", "--optimizer", "opt")
        for command in (
            ("to-wane", checkpoint, self.path),
            ("to-torch", self.path, back, "--like", checkpoint, "--fused"),
        ):
            self.assertEqual(self.run_tool(*command, *keys).stderr, "")
        moved = torch.load(back, weights_only=True)["opt"]
        self.assertTrue(moved["param_groups"][0]["fused"])
        self.assertTrue(torch.equal(moved["state"][3]["exp_avg_sq"], state["state"][3]["exp_avg_sq"]))

    def test_errors_are_one_line(self):
        path = self.folder / "checkpoint.pt"
        torch.save({"model": model().state_dict()}, path)
        run = self.run_tool("to-wane", path, self.path)
        self.assertEqual((run.returncode, run.stderr), (1, f"error: {path} has no key `optimizer`, only model\n"))
        run = self.run_tool("to-wane", path, self.path, "--optimizer", "model")
        self.assertEqual(run.stderr, f"error: `model` in {path} is not the state dict of an optimizer\n")
        run = self.run_tool("to-torch", path, self.path)
        self.assertRegex(run.stderr, "\\Aerror: .* is not a whole safetensors file: .*\n\\Z")


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main()
