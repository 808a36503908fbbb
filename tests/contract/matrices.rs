//! Optimizers that look at matrices: what they keep of one, and that rows and columns move with it.

use wane::{Adafactor, AdjustLr, Algorithm, Decay, Error, Level, Muon, NonFinite, Optimizer, Param, Settings};

use crate::common::{Element, for_f32_and_f64};

/// Numbers between −1 and 1 that look like none.
fn numbers<T: Element>(n: usize, seed: u32) -> Vec<T> {
    let number = |i: u32| i.wrapping_mul(7919).wrapping_add(seed * 104_729) % 1009;
    (0..).take(n).map(|i| T::near(f64::from(number(i)) / 505.0 - 1.0)).collect()
}

/// A matrix after so many steps.
fn walk<T: Element>(opt: &mut dyn Optimizer<T>, shape: [usize; 2], steps: u32, scale: f64) -> Vec<T> {
    let n = shape[0] * shape[1];
    let mut w = numbers(n, 0);
    for step in 1..=steps {
        let g: Vec<_> = numbers::<T>(n, step).into_iter().map(|g| T::near(g.exact() * scale)).collect();
        opt.step(&mut [Param::new("w", &mut w, &g).shape(&shape)]).unwrap();
    }
    w
}

#[test]
fn rows_and_columns_are_kept_of_two_axes_and_more() {
    let mut opt = Adafactor::new(0.1).build::<f64>().unwrap();
    for (name, shape, rows, columns) in [
        ("matrix", &[3, 4][..], 3, 4),
        ("row", &[1, 12], 1, 12),
        ("column", &[12, 1], 12, 1),
        ("stack", &[2, 2, 3], 4, 6),
        ("empty", &[0, 4], 0, 0),
    ] {
        let (mut w, g) = (vec![1.0; shape.iter().product()], vec![0.5; shape.iter().product()]);
        opt.step(&mut [Param::new(name, &mut w, &g).shape(shape)]).unwrap();
        assert_eq!(opt.columns(name).unwrap(), ["row_var", "col_var"]);
        assert_eq!(opt.state(name, "row_var").unwrap(), vec![0.25; rows], "{name}");
        assert_eq!(opt.state(name, "col_var").unwrap(), vec![0.25; columns], "{name}");
    }
    for (name, shape) in [("vector", Some(&[12][..])), ("bare", None)] {
        let (mut w, g) = ([1.0; 12], [0.5; 12]);
        let param = Param::new(name, &mut w, &g);
        opt.step(&mut [if let Some(shape) = shape { param.shape(shape) } else { param }]).unwrap();
        assert_eq!(opt.columns(name).unwrap(), ["variance"]);
        assert_eq!(opt.state(name, "variance").unwrap(), [0.25; 12], "{name}");
    }
}

/// The first average is the mean itself, and the second one has half of it at an exponent of −1.
#[test]
fn averages_are_means_of_squares() {
    let mut opt = Adafactor::new(0.1).beta2_decay(-1.0).build::<f64>().unwrap();
    let mut w = [0.0; 6];
    opt.step(&mut [Param::new("w", &mut w, &[1.0, 2.0, 1.0, 4.0, 0.0, 2.0]).shape(&[2, 3])]).unwrap();
    assert_eq!(opt.state("w", "row_var").unwrap(), [2.0, 20.0 / 3.0]);
    assert_eq!(opt.state("w", "col_var").unwrap(), [8.5, 2.0, 2.5]);
    opt.step(&mut [Param::new("w", &mut w, &[0.0; 6]).shape(&[2, 3])]).unwrap();
    assert_eq!(opt.state("w", "row_var").unwrap(), [1.0, 10.0 / 3.0]);
    assert_eq!(opt.state("w", "col_var").unwrap(), [4.25, 1.0, 1.25]);
}

/// What was there of rows and columns stays, what is new begins with 0.
#[test]
fn rows_and_columns_of_a_parameter_that_grows() {
    let mut opt = Adafactor::new(0.1).build::<f64>().unwrap();
    let g = [1.0, 1.0, 1.0, 3.0, 3.0, 3.0];
    opt.step(&mut [Param::new("w", &mut [1.0; 6], &g).shape(&[2, 3])]).unwrap();
    let mut resize = |shape: &[usize]| {
        opt.resize(&Param::without_grad("w", &mut vec![1.0; shape.iter().product()]).shape(shape)).unwrap();
        ["row_var", "col_var"].map(|column| opt.state("w", column).unwrap().to_vec())
    };
    assert_eq!(resize(&[3, 4]), [vec![1.0, 9.0, 0.0], vec![5.0, 5.0, 5.0, 0.0]]);
    assert_eq!(resize(&[1, 2]), [vec![1.0], vec![5.0, 5.0]]);
    assert_eq!(resize(&[1, 0]), [vec![], vec![]]);
    let (mut w, g) = ([1.0; 4], [2.0; 4]);
    opt.resize(&Param::without_grad("w", &mut w).shape(&[2, 2])).unwrap();
    opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 2])]).unwrap();
    assert!(opt.state("w", "row_var").unwrap().iter().all(|&r| r > 0.0));
}

#[test]
fn rows_and_columns_move_with_a_parameter() {
    let settings = Adafactor::new(0.1).group("slow", |s| s.lr_factor(0.5).clip_threshold(2.0));
    let mut opt = settings.build::<f64>().unwrap();
    let (mut w, g) = ([1.0; 6], [1.0, 2.0, 1.0, 4.0, 0.0, 2.0]);
    opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 3])]).unwrap();
    opt.assign("w", "slow").unwrap();
    assert_eq!(opt.state("w", "row_var").unwrap(), [2.0, 20.0 / 3.0]);
    opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 3])]).unwrap();
    assert_eq!(opt.state("w", "col_var").unwrap(), [8.5, 2.0, 2.5], "the same gradient leaves its averages");
}

/// Sides that are no multiple of a tile, a row longer than one, and more terms than a block has.
const SHAPES: [[usize; 2]; 4] = [[3, 5], [65, 17], [9, 1100], [300, 40]];

fn the_same_bits_on_every_level<T: Element>() {
    fn check<T: Element, A: Algorithm>(settings: Settings<A>) {
        for shape in SHAPES {
            let on = |level| {
                let mut opt = settings.clone().level(level).build::<T>().unwrap();
                walk(&mut opt, shape, 3, 1.0).iter().map(|x| x.bits()).collect::<Vec<_>>()
            };
            let baseline = on(Level::baseline());
            assert!(Level::all().all(|level| on(level) == baseline), "{shape:?}");
        }
    }
    check::<T, _>(Adafactor::new(0.1).weight_decay(Decay::coupled_l2(0.1)));
    check::<T, _>(Muon::new(0.1));
}

/// The sweep over a matrix is cut in the middle of its rows.
#[test]
fn the_same_bits_with_any_number_of_threads() {
    fn check<A: Algorithm>(settings: Settings<A>, shape: [usize; 2]) {
        let with = |most| walk(&mut settings.clone().threads(most).build::<f64>().unwrap(), shape, 2, 1.0);
        let alone = with(1);
        assert!([2, 3, 8].into_iter().all(|most| with(most) == alone), "{shape:?}");
    }
    check(Adafactor::new(0.1), [701, 1003]);
    check(Muon::new(0.1).ns_steps(1), [30, 20_001]);
}

/// A power of two before the gradients changes no bit, where no ε is in the way.
fn the_size_of_gradients_does_not_matter<T: Element>() {
    fn check<T: Element, A: Algorithm>(settings: Settings<A>) {
        for shape in SHAPES {
            let under = |scale| walk(&mut settings.clone().build::<T>().unwrap(), shape, 3, scale);
            assert_eq!(under(1.0), under(1024.0), "{shape:?}");
        }
    }
    check::<T, _>(Adafactor::new(0.1).eps1(1e-30));
    check::<T, _>(Muon::new(0.1));
}

/// Only the factor φ tells a matrix from its transpose.
fn muon_moves_a_transpose_as_the_matrix<T: Element>() {
    let (rows, columns) = (7, 20);
    let g: Vec<T> = numbers(rows * columns, 1);
    let turned: Vec<_> = (0..g.len()).map(|i| g[i % rows * columns + i / rows]).collect();
    let step = |g: &[T], shape: [usize; 2]| {
        let mut w = vec![T::near(0.0); g.len()];
        let mut opt = Muon::new(0.1).adjust_lr(AdjustLr::MatchRmsAdamw).build().unwrap();
        opt.step(&mut [Param::new("w", &mut w, g).shape(&shape)]).unwrap();
        w
    };
    let (wide, tall) = (step(&g, [rows, columns]), step(&turned, [columns, rows]));
    for (i, x) in tall.iter().enumerate() {
        let other = wide[i % rows * columns + i / rows].exact();
        assert!((x.exact() - other).abs() <= 100.0 * T::EPS * other.abs().max(0.01), "{x} and {other}");
    }
}

/// XᵀX of a step along a matrix with singular values of one size is about 1 on its diagonal and 0 beside it.
#[test]
fn muon_makes_all_singular_values_about_1() {
    let (rows, columns) = (4, 9);
    let mut opt = Muon::new(1.0).weight_decay(Decay::none()).momentum(0.0).build::<f64>().unwrap();
    let mut w = vec![0.0; rows * columns];
    opt.step(&mut [Param::new("w", &mut w, &numbers(rows * columns, 5)).shape(&[rows, columns])]).unwrap();
    for i in 0..rows {
        for j in 0..rows {
            let product: f64 = (0..columns).map(|k| w[i * columns + k] * w[j * columns + k]).sum();
            let range = if i == j { 0.68_f64.powi(2)..1.14_f64.powi(2) } else { -0.5..0.5 };
            assert!(range.contains(&product), "{i} {j}: {product}");
        }
    }
}

/// A new step's scratch memory is not the last one's: a large matrix, then a small one, then both.
#[test]
fn matrices_of_different_sizes_share_memory() {
    let alone = |shape| walk(&mut Muon::new(0.1).build::<f32>().unwrap(), shape, 2, 1.0);
    let mut opt = Muon::new(0.1).build::<f32>().unwrap();
    let shapes = [[65, 17], [3, 5], [17, 66]];
    let mut weights = shapes.map(|[r, c]| numbers::<f32>(r * c, 0));
    for step in 1..=2 {
        let grads = shapes.map(|[r, c]| numbers::<f32>(r * c, step));
        let [a, b, c] = &mut weights;
        opt.step(&mut [
            Param::new("a", a, &grads[0]).shape(&shapes[0]),
            Param::new("b", b, &grads[1]).shape(&shapes[1]),
            Param::new("c", c, &grads[2]).shape(&shapes[2]),
        ])
        .unwrap();
    }
    assert_eq!(weights, shapes.map(alone));
}

fn a_nan_is_let_through<T: Element>() {
    fn check<T: Element, A: Algorithm>(settings: Settings<A>, shape: &[usize]) {
        let mut opt = settings.non_finite(NonFinite::Propagate).build::<T>().unwrap();
        let (mut w, mut g) = (numbers(6, 0), numbers(6, 1));
        g[4] = T::near(f64::NAN);
        opt.step(&mut [Param::new("w", &mut w, &g).shape(shape)]).unwrap();
        assert!(w[4].exact().is_nan(), "{w:?}");
    }
    check::<T, _>(Adafactor::new(0.1), &[6]);
    check::<T, _>(Adafactor::new(0.1), &[2, 3]);
    check::<T, _>(Muon::new(0.1), &[2, 3]);
    check::<T, _>(Muon::new(0.1).ns_steps(0), &[3, 2]);
}

/// The second parameter is bad: the first has been looked at by then, and nothing of it is kept.
#[test]
fn a_refused_step_leaves_rows_and_columns() {
    let mut opt = Adafactor::new(0.1).build::<f32>().unwrap();
    let (mut v, mut w) = ([1.0; 6], [1.0; 6]);
    let step = |opt: &mut dyn Optimizer<f32>, v: &mut [f32], w: &mut [f32], g: f32| {
        opt.step(&mut [Param::new("v", v, &[g; 6]).shape(&[2, 3]), Param::new("w", w, &[g; 6]).shape(&[3, 2])])
    };
    step(&mut opt, &mut v, &mut w, 0.5).unwrap();
    let before = (v, w);
    // 1e20² is no number in f32.
    let error = step(&mut opt, &mut v, &mut w, 1e20).unwrap_err();
    assert_eq!(error.to_string(), "the norm of the displacement of parameter `v` is NaN");
    assert_eq!((v, w), before);
    assert_eq!(opt.state("v", "row_var").unwrap(), [0.25; 2]);
    assert_eq!(opt.state("w", "col_var").unwrap(), [0.25; 2]);
    step(&mut opt, &mut v, &mut w, 1e15).unwrap();
    assert!(v.iter().chain(&w).all(|x| x.is_finite()));
}

/// A column's mean is infinite where the row's is not, and the step would divide by it.
#[test]
fn a_column_that_would_be_infinite() {
    let mut opt = Adafactor::new(0.1).build::<f32>().unwrap();
    let (mut w, mut g) = ([1.0; 200], [0.5; 200]);
    opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 100])]).unwrap();
    let before = w;
    (g[7], g[107]) = (1.0, -6e19);
    let error = opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 100])]).unwrap_err();
    let expected = Error::Overflow { name: "w".into(), what: "col_var", index: 7, gradient: f64::from(-6e19_f32) };
    assert_eq!((error, w), (expected, before));
    assert_eq!(opt.state("w", "col_var").unwrap(), [0.25; 100]);
}

for_f32_and_f64!(
    the_same_bits_on_every_level,
    the_size_of_gradients_does_not_matter,
    muon_moves_a_transpose_as_the_matrix,
    a_nan_is_let_through,
);
