//! The fixture files; their format is described in `tools/golden.py`.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::common::Element;

pub(crate) static TORCH: LazyLock<Value> = LazyLock::new(|| parse(include_str!("torch.json")));
pub(crate) static ADAGRAD: LazyLock<Value> = LazyLock::new(|| parse(include_str!("adagrad.json")));
pub(crate) static NADAM: LazyLock<Value> = LazyLock::new(|| parse(include_str!("nadam.json")));
pub(crate) static ADAFACTOR: LazyLock<Value> = LazyLock::new(|| parse(include_str!("adafactor.json")));
pub(crate) static MUON: LazyLock<Value> = LazyLock::new(|| parse(include_str!("muon.json")));
pub(crate) static OPTAX: LazyLock<Value> = LazyLock::new(|| parse(include_str!("optax.json")));
pub(crate) static KERAS: LazyLock<Value> = LazyLock::new(|| parse(include_str!("keras.json")));
pub(crate) static DECAYS: LazyLock<Value> = LazyLock::new(|| parse(include_str!("decays.json")));
pub(crate) static SCHEDULES: LazyLock<Value> = LazyLock::new(|| parse(include_str!("schedules.json")));

pub(crate) fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

pub(crate) fn text(value: &'static Value) -> &'static str {
    value.as_str().unwrap_or_else(|| panic!("a string, not {value}"))
}

pub(crate) fn list(value: &'static Value) -> &'static [Value] {
    value.as_array().unwrap_or_else(|| panic!("a list, not {value}"))
}

pub(crate) fn map(value: &'static Value) -> &'static Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("an object, not {value}"))
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

pub(crate) fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a count, not {value}"))
}

pub(crate) fn numbers<T: Element>(hex: &'static Value) -> Vec<T> {
    let hex = text(hex);
    assert_eq!(hex.len() % T::DIGITS, 0, "hex of {}", T::NAME);
    (0..hex.len()).step_by(T::DIGITS).map(|at| T::from_hex(&hex[at..at + T::DIGITS])).collect()
}

/// A tensor of a case: one parameter.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) gradient_exponent: i32,
    /// The name of its group, where that has options of its own.
    pub(crate) group: Option<String>,
}

impl Tensor {
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Settings in a library's names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options(&'static Map<String, Value>);

impl Options {
    pub(crate) fn of(value: &'static Value) -> Self {
        Self(map(value))
    }

    /// These options have no others than the `known` ones, so none is overlooked.
    pub(crate) fn only(self, known: &[&str]) -> Self {
        for name in self.0.keys() {
            assert!(known.contains(&name.as_str()), "the option {name} is not understood");
        }
        self
    }

    pub(crate) fn number(self, name: &str) -> f64 {
        self.optional(name).unwrap_or_else(|| panic!("no option {name}"))
    }

    pub(crate) fn optional(self, name: &str) -> Option<f64> {
        self.0.get(name).map(number)
    }

    pub(crate) fn flag(self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_else(|| panic!("no flag {name}"))
    }

    /// A word; null is None.
    pub(crate) fn word(self, name: &str) -> Option<&'static str> {
        self.0.get(name).unwrap_or_else(|| panic!("no option {name}")).as_str()
    }

    pub(crate) fn has(self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn words(self, name: &str) -> Vec<&'static str> {
        list(&self.0[name]).iter().map(text).collect()
    }

    /// A list; null is None.
    pub(crate) fn numbers<const N: usize>(self, name: &str) -> [Option<f64>; N] {
        let numbers: Vec<_> = list(&self.0[name]).iter().map(Value::as_f64).collect();
        numbers.try_into().unwrap_or_else(|all| panic!("{N} numbers, not {all:?}"))
    }

    pub(crate) fn count(self, name: &str) -> usize {
        usize::try_from(count(&self.0[name])).expect("a count")
    }

    pub(crate) fn betas(self) -> (f64, f64) {
        let betas = list(&self.0["betas"]);
        (number(&betas[0]), number(&betas[1]))
    }
}

/// One case of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    file: &'static Value,
    json: &'static Value,
}

pub(crate) fn cases(file: &'static Value) -> impl Iterator<Item = Case> {
    list(&file["cases"]).iter().map(move |json| Case { file, json })
}

pub(crate) fn case(file: &'static Value, name: &str) -> Case {
    cases(file).find(|case| case.name() == name).unwrap_or_else(|| panic!("no case {name}"))
}

impl Case {
    pub(crate) fn name(&self) -> &'static str {
        text(&self.json["name"])
    }

    pub(crate) fn optimizer(&self) -> &'static str {
        text(&self.json["optimizer"])
    }

    pub(crate) fn options(&self) -> Options {
        Options::of(&self.json["options"])
    }

    /// Groups that have options of their own, by name; the others are the default group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (String, Options)> {
        let named = |(i, group): (usize, &'static Value)| (group_name(i), Options::of(&group["options"]));
        self.scenario("groups").iter().enumerate().map(named).filter(|(_, options)| !options.0.is_empty())
    }

    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        let tensor = |(k, json): (usize, &'static Value)| Tensor {
            name: json.get("name").map_or_else(|| format!("tensor {k}"), |name| text(name).into()),
            shape: list(&json["shape"]).iter().map(|axis| usize::try_from(count(axis)).expect("an axis")).collect(),
            gradient_exponent: json["gradient_exponent"].as_i64().and_then(|e| e.try_into().ok()).expect("an exponent"),
            group: self.group_of(k),
        };
        list(&self.file["tensors"]).iter().enumerate().map(tensor).collect()
    }

    fn group_of(&self, tensor: usize) -> Option<String> {
        let holds = |group: &Value| group["tensors"].as_array().is_some_and(|all| all.contains(&tensor.into()));
        let groups = self.scenario("groups");
        let index = groups.iter().position(holds).expect("every tensor has a group");
        (!map(&groups[index]["options"]).is_empty()).then(|| group_name(index))
    }

    /// The learning rate that is set before this step. No case sets those of several groups.
    pub(crate) fn new_rate(&self, step: u64) -> Option<f64> {
        let change = self.scenario("lr_changes").iter().find(|change| count(&change["step"]) == step)?;
        let [rate] = list(&change["lr"]) else { panic!("one rate") };
        Some(number(rate))
    }

    pub(crate) fn misses(&self, tensor: usize, step: u64) -> bool {
        let here = |missing: &'static Value| {
            count(&missing["tensor"]) == tensor as u64 && list(&missing["steps"]).iter().any(|s| count(s) == step)
        };
        self.scenario("missing").iter().any(here)
    }

    /// How many of these first steps have a gradient for a tensor.
    pub(crate) fn updates(&self, tensor: usize, steps: u64) -> u64 {
        (1..=steps).map(|step| u64::from(!self.misses(tensor, step))).sum()
    }

    /// A part of the case that the cases on special values do not have.
    fn scenario(&self, key: &str) -> &'static [Value] {
        self.json.get(key).map_or(&[], list)
    }

    pub(crate) fn clip(&self) -> Option<Options> {
        self.json.get("clip").filter(|clip| !clip.is_null()).map(Options::of)
    }

    pub(crate) fn l2(&self) -> Option<f64> {
        self.json.get("l2").and_then(Value::as_f64)
    }

    /// The scheduler of the learning rate.
    pub(crate) fn scheduler(&self) -> Option<&'static Value> {
        self.json.get("schedule").filter(|scheduler| !scheduler.is_null())
    }

    pub(crate) fn run<T: Element>(&self, implementation: &str) -> Option<Run> {
        self.json["runs"].get(T::NAME)?.get(implementation).map(Run)
    }

    /// Weights and state columns of a case on special values, after this step.
    pub(crate) fn special<T: Element>(&self, step: &str) -> &'static Value {
        &self.json["runs"][T::NAME][step]
    }
}

fn group_name(index: usize) -> String {
    format!("group {index}")
}

/// What an implementation made of a case in one element type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run(pub(crate) &'static Value);

impl Run {
    /// The weights after each step that was recorded.
    pub(crate) fn weights<T: Element>(self) -> impl Iterator<Item = (u64, Vec<Vec<T>>)> {
        let tensors = |all: &'static Value| list(all).iter().map(numbers).collect();
        map(&self.0["weights"]).iter().map(move |(step, all)| (step.parse().expect("a step"), tensors(all)))
    }

    /// The state of one tensor, where the run has it.
    pub(crate) fn state<T: Element>(self, tensor: usize) -> Option<State<T>> {
        self.0.get("state").map(|state| columns(&state[tensor]))
    }

    /// The norm of the gradients before clipping, for each step.
    pub(crate) fn norms<T: Element>(self) -> Option<Vec<T>> {
        self.0.get("norms").map(numbers)
    }
}

/// State columns in the library's names, and the tensor's own count of steps if it is kept.
pub(crate) type State<T> = (Vec<(&'static str, Vec<T>)>, Option<u64>);

pub(crate) fn columns<T: Element>(state: &'static Value) -> State<T> {
    let columns = map(state).iter().filter(|(name, _)| !["step", "weights"].contains(&name.as_str()));
    (columns.map(|(name, hex)| (name.as_str(), numbers(hex))).collect(), state.get("step").map(count))
}
