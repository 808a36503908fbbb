//! PyTorch's scalar path: what its fused kernels do to the elements that fill no vector, in plain code.
//!
//! It is PyTorch's arithmetic on vectors but for one line of SGD and one of Adam, which are marked; so it is for finite numbers.
//! (AMSGrad's maximum takes a NaN on vectors, but not here.)

use num_traits::Float;

use super::element::Element;
use super::fixture::{Case, Options};

/// One weight and its state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar<T> {
    pub(crate) x: T,
    buffer: T,
    m: T,
    v: T,
    v_max: T,
}

impl<T: Element + Float> Scalar<T> {
    pub(crate) fn new(x: T) -> Self {
        let zero = T::zero();
        Self { x, buffer: zero, m: zero, v: zero, v_max: zero }
    }

    /// A state column by PyTorch's name.
    pub(crate) fn state(&self, column: &str) -> T {
        match column {
            "momentum_buffer" => self.buffer,
            "exp_avg" => self.m,
            "exp_avg_sq" => self.v,
            "max_exp_avg_sq" => self.v_max,
            other => panic!("no column {other}"),
        }
    }

    /// Step number `t`, which counts from 1.
    pub(crate) fn step(&mut self, case: Case, t: u64, g: T) {
        let options = case.options();
        let g = if options.flag("maximize") { -g } else { g };
        let decay = options.number("weight_decay");
        match case.optimizer() {
            "SGD" => self.sgd(options, t, self.with_l2(decay, g)),
            "Adam" => self.adam(options, t, self.with_l2(decay, g)),
            "AdamW" => {
                self.x = self.x * T::rounded((-options.number("lr")).mul_add(decay, 1.0));
                self.adam(options, t, g);
            }
            other => panic!("no optimizer {other}"),
        }
    }

    fn with_l2(&self, decay: f64, g: T) -> T {
        if decay == 0.0 { g } else { self.x.mul_add(T::rounded(decay), g) }
    }

    fn sgd(&mut self, options: Options, t: u64, g: T) {
        let [lr, mu] = ["lr", "momentum"].map(|name| T::rounded(options.number(name)));
        let take = T::rounded(1.0 - options.number("dampening"));
        // On vectors: fma(1 − δ, g, μ·b).
        self.buffer = if t == 1 { g } else { mu.mul_add(self.buffer, take * g) };
        let u = match options.flag("nesterov") {
            _ if mu.is_zero() => g,
            true => self.buffer.mul_add(mu, g),
            false => self.buffer,
        };
        self.x = u.mul_add(-lr, self.x);
    }

    fn adam(&mut self, options: Options, t: u64, g: T) {
        let (beta1, beta2) = options.betas();
        let [step, root] = corrections(options.number("lr"), (beta1, beta2), t).map(T::rounded);
        let [w, keep, take, eps] = [1.0 - beta1, beta2, 1.0 - beta2, options.number("eps")].map(T::rounded);
        let from_m = (g - self.m).mul_add(w, self.m);
        let from_g = (self.m - g).mul_add(T::one() - w, g);
        self.m = if w < T::rounded(0.5) { from_m } else { from_g };
        // On vectors: fma((1 − β₂)·g, g, β₂·v).
        self.v = keep.mul_add(self.v, take * g * g);
        self.v_max = self.v_max.max(self.v);
        let v = if options.flag("amsgrad") { self.v_max } else { self.v };
        self.x = self.x - step * self.m / (v.sqrt() / root + eps);
    }
}

/// η/(1 − β₁ᵗ) and √(1 − β₂ᵗ), in f64.
fn corrections(lr: f64, (beta1, beta2): (f64, f64), t: u64) -> [f64; 2] {
    let t = f64::from(u32::try_from(t).expect("a few steps"));
    [lr / (1.0 - beta1.powf(t)), (1.0 - beta2.powf(t)).sqrt()]
}
