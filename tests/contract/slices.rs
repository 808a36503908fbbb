//! `step_slice`: one flat slice, whose state is the optimizer's own.

use wane::{Optimizer, Param, Sgd, Status};

use super::every::{bits, every_of_slices, grad, state_of};

#[test]
fn a_slice_is_a_parameter_like_any_other() {
    for (mut by_slice, columns) in every_of_slices() {
        let (mut by_param, mut by_name) = (by_slice.clone(), by_slice.clone());
        let mut w = [[1.0, -2.0, 0.5]; 3];
        let [u, v, w] = &mut w;
        for k in 0..4 {
            let report = by_slice.step_slice(u, &grad(k)).unwrap();
            assert_eq!(by_param.step(&mut [Param::slice(v, &grad(k))]).unwrap(), report);
            assert_eq!(by_name.step(&mut [Param::new("w", w, &grad(k))]).unwrap(), report);
        }
        assert_eq!((bits(u), bits(u)), (bits(v), bits(w)), "{}", by_slice.describe());
        assert_eq!(by_slice.describe(), by_param.describe());
        // The two ways may take turns: it is the same slice.
        by_slice.step(&mut [Param::slice(u, &grad(4))]).unwrap();
        by_param.step_slice(v, &grad(4)).unwrap();
        assert_eq!(bits(u), bits(v));

        let table = by_slice.describe();
        let name = table.params()[0].name();
        assert_eq!((by_slice.steps_of(name), by_slice.status(name)), (Some(5), Some(Status::Updated)));
        assert_eq!(state_of(&*by_slice, name), state_of(&*by_param, name));
        // Adafactor's are not those of a matrix.
        let own = by_slice.columns(name).unwrap_or_default();
        assert_eq!(own.is_empty(), columns.is_empty());
        assert!(own.iter().all(|column| by_slice.state(name, column).is_some()));
    }
}

/// After `reset`, or after the name is forgotten, an optimizer may change its mind.
#[test]
fn an_optimizer_may_change_from_slices_to_names() {
    for (mut opt, _) in every_of_slices() {
        let mut w = [1.0, -2.0, 0.5];
        opt.step_slice(&mut w, &grad(0)).unwrap();
        let name = opt.describe().params()[0].name().to_string();
        assert!(opt.forget(&name));
        opt.step(&mut [Param::new("w", &mut w, &grad(1))]).unwrap();
        opt.step_slice(&mut w, &grad(2)).unwrap_err();
        opt.reset();
        opt.step_slice(&mut w[..2], &grad(3)[..2]).unwrap();
    }
}

/// A slice can be scaled, frozen, and given groups, as a parameter.
#[test]
fn a_slice_takes_what_a_parameter_takes() {
    let settings = Sgd::new(1.0).group("fast", |s| s.lr_factor(2.0));
    let mut opt = settings.build::<f64>().unwrap();
    let mut w = [8.0];
    opt.step_scaled(&mut [Param::slice(&mut w, &[1.0]).in_group("fast")], 0.5).unwrap();
    assert_eq!(w, [7.0]);
    let report = opt.step(&mut [Param::slice(&mut w, &[f64::NAN]).frozen(true)]).unwrap();
    assert_eq!((w, report.left_alone()), ([7.0], 1));
    opt.step_slice(&mut w, &[1.0]).unwrap();
    assert_eq!(w, [5.0]);
}

/// No weights are no weights, whatever the other axes are.
#[test]
fn an_empty_parameter_may_have_any_shape() {
    let mut opt = Sgd::new(0.1).build::<f32>().unwrap();
    for (name, shape) in [("a", &[usize::MAX, 2, 0][..]), ("b", &[0]), ("c", &[0, usize::MAX, usize::MAX])] {
        opt.step(&mut [Param::new(name, &mut [], &[]).shape(shape)]).unwrap();
        opt.step(&mut [Param::new(name, &mut [], &[]).shape(shape)]).unwrap();
        assert_eq!(opt.steps_of(name), Some(2));
    }
}
