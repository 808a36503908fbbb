//! Read access to a parameter's state: PyTorch's names for the columns, and what is in them.

use wane::{Adam, Lion, Optimizer, Param, Sgd};

use super::every::{every, grad, step};
use crate::common::data::{param, still};
use crate::common::{columns, length};

#[test]
fn columns_have_their_names_and_no_others() {
    for (mut opt, own) in every() {
        let mut w = [1.0, -2.0, 0.5];
        step(&mut *opt, "w", &mut w, 0);
        for column in columns() {
            let len = opt.state("w", column).map(<[f64]>::len);
            assert_eq!(len, own.contains(&column).then(|| length(column, 3)), "{column} of {}", opt.describe());
        }
        assert_eq!((opt.state("w", ""), opt.state("w", "step"), opt.state("v", own.first().unwrap_or(&"w"))), (None, None, None));
    }
}

#[test]
fn there_is_no_state_before_the_first_update() {
    for (mut opt, columns) in every() {
        let mut w = [1.0, -2.0, 0.5];
        let none = |opt: &dyn Optimizer<f64>| assert!(columns.iter().all(|column| opt.state("w", column).is_none()));
        opt.register(&[param("w", &mut w, &grad(0))]).unwrap();
        none(&*opt);
        opt.step(&mut [still("w", &mut w)]).unwrap();
        none(&*opt);
        opt.step(&mut [param("w", &mut w, &grad(0)).frozen(true)]).unwrap();
        none(&*opt);
        step(&mut *opt, "w", &mut w, 0);
        assert!(columns.iter().all(|column| opt.state("w", column).is_some()));
    }
}

/// After gradients 4 and then 2, at shares that halve and quarter without rounding.
#[test]
fn columns_hold_what_their_names_say() {
    let mut w = [0.0_f64];
    let mut run = |opt: &mut dyn Optimizer<f64>| {
        opt.step(&mut [Param::new("w", &mut w, &[4.0])]).unwrap();
        opt.step(&mut [Param::new("w", &mut w, &[2.0])]).unwrap();
    };
    let mut sgd = Sgd::new(0.1).momentum(0.5).dampening(0.25).build().unwrap();
    run(&mut sgd);
    assert_eq!(sgd.state("w", "momentum_buffer"), Some(&[0.5 * 4.0 + 0.75 * 2.0][..]));

    let mut adam = Adam::new(0.1).betas(0.5, 0.75).amsgrad(true).build().unwrap();
    run(&mut adam);
    assert_eq!(adam.state("w", "exp_avg"), Some(&[0.5 * 2.0 + 0.5 * 2.0][..]));
    assert_eq!(adam.state("w", "exp_avg_sq"), Some(&[0.75 * 4.0 + 0.25 * 4.0][..]));
    assert_eq!(adam.state("w", "max_exp_avg_sq"), Some(&[4.0][..]));
    adam.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    assert_eq!(adam.state("w", "exp_avg_sq"), Some(&[3.0][..]));
    assert_eq!(adam.state("w", "max_exp_avg_sq"), Some(&[4.0][..]));

    let mut lion = Lion::new(0.1).betas(0.9, 0.5).build().unwrap();
    let mut w = [0.0_f64];
    lion.step(&mut [Param::new("w", &mut w, &[4.0])]).unwrap();
    lion.step(&mut [Param::new("w", &mut w, &[2.0])]).unwrap();
    assert_eq!(lion.state("w", "exp_avg"), Some(&[0.5 * 2.0 + 0.5 * 2.0][..]));
}

/// State is found under its name, wherever the parameter stands in a step.
#[test]
fn state_follows_the_name() {
    let mut opt = Sgd::new(0.1).momentum(0.5).build::<f64>().unwrap();
    let (mut a, mut b, mut c) = ([0.0], [0.0, 0.0], [0.0, 0.0, 0.0]);
    opt.step(&mut [Param::new("a", &mut a, &[1.0]), Param::new("b", &mut b, &[2.0; 2]), Param::new("c", &mut c, &[3.0; 3])])
        .unwrap();
    opt.step(&mut [Param::new("c", &mut c, &[3.0; 3]), Param::new("a", &mut a, &[1.0])]).unwrap();
    assert_eq!(opt.state("a", "momentum_buffer"), Some(&[1.5][..]));
    assert_eq!(opt.state("b", "momentum_buffer"), Some(&[2.0; 2][..]));
    assert_eq!(opt.state("c", "momentum_buffer"), Some(&[4.5; 3][..]));
}

/// An optimizer whose state has been spoilt and put back goes on with the same bits.
#[test]
fn state_that_is_put_back_goes_on() {
    for (mut opt, columns) in every() {
        let mut w = [1.0, -2.0, 0.5];
        for k in 0..3 {
            step(&mut *opt, "w", &mut w, k);
        }
        let (mut other, mut v) = (opt.clone(), w);
        for column in columns {
            let values = opt.state("w", column).unwrap();
            other.restore_state("w", column, &vec![0.25; values.len()]).unwrap();
            assert!(other.state("w", column).unwrap().iter().all(|&value| value == 0.25));
            other.restore_state("w", column, values).unwrap();
        }
        for k in 3..5 {
            step(&mut *opt, "w", &mut w, k);
            step(&mut *other, "w", &mut v, k);
        }
        assert_eq!(w.map(f64::to_bits), v.map(f64::to_bits), "{}", opt.describe());
    }
}

#[test]
fn what_cannot_be_put_back_is_named() {
    let mut opt = Sgd::new(0.1).momentum(0.5).build::<f64>().unwrap();
    let mut w = [0.0, 0.0];
    opt.step(&mut [Param::new("w", &mut w, &[1.0, 2.0])]).unwrap();
    let mut refused = |name, column, values: &[f64]| opt.restore_state(name, column, values).unwrap_err().to_string();
    assert_eq!(refused("v", "momentum_buffer", &[1.0, 1.0]), "there is no parameter `v`");
    let known = "it has: `momentum_buffer` (2)";
    assert_eq!(refused("w", "exp_avg", &[1.0, 1.0]), format!("parameter `w` has no column `exp_avg` of 2 numbers; {known}"));
    assert_eq!(
        refused("w", "momentum_buffer", &[1.0]),
        format!("parameter `w` has no column `momentum_buffer` of 1 numbers; {known}")
    );
    let nan = "number 1 of column `momentum_buffer` of parameter `w` is NaN: state is finite";
    assert_eq!(refused("w", "momentum_buffer", &[1.0, f64::NAN]), nan);
    assert_eq!(opt.state("w", "momentum_buffer"), Some(&[1.0, 2.0][..]));
}
