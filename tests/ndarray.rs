//! Parameters from `ndarray` arrays: the same memory, the same bits as slices, and clear errors for other layouts.

#![cfg(feature = "ndarray")]

use ndarray::{Array, Array1, Array2, Array3, ArrayD, Axis, IxDyn, s};
use wane::ndarray::{param, param_without_grad};
use wane::{AdamW, Error, Optimizer, Param, Report, Selector, Stepper};

fn adamw() -> Stepper<AdamW, f64> {
    AdamW::new(0.1).build().expect("settings are in range")
}

#[test]
fn an_array_steps_as_its_slice_does() {
    let start = Array::linspace(-1.0, 1.0, 24);
    let grad = start.mapv(|x| x * x - 0.3);
    let (mut array, array_grad) = (start.clone().into_shape_with_order((2, 3, 4)).unwrap(), grad.clone());
    let array_grad: Array3<f64> = array_grad.into_shape_with_order((2, 3, 4)).unwrap();
    let (mut slice, slice_grad) = (start.to_vec(), grad.to_vec());
    let (mut a, mut b) = (adamw(), adamw());
    for _ in 0..3 {
        a.step(&mut [param("w", &mut array, &array_grad).unwrap()]).unwrap();
        b.step(&mut [Param::new("w", &mut slice, &slice_grad)]).unwrap();
    }
    assert_eq!(array.into_raw_vec_and_offset().0, slice);
    assert_ne!(slice, start.to_vec());
    assert_eq!(a.describe().params()[0].shape(), Some(&[2, 3, 4][..]));
}

#[test]
fn a_view_of_rows_is_updated_in_place() {
    let mut array = Array2::<f64>::ones((4, 3));
    let grad = Array2::<f64>::ones((2, 3));
    let mut rows = array.slice_mut(s![1..3, ..]);
    adamw().step(&mut [param("rows", &mut rows, &grad).unwrap()]).unwrap();
    let changed: Vec<bool> = array.axis_iter(Axis(0)).map(|row| row.iter().all(|&x| x != 1.0)).collect();
    assert_eq!(changed, [false, true, true, false]);
}

#[test]
fn the_shape_reaches_the_policies() {
    let mut opt = AdamW::new(0.1).group("vectors", |s| s).assign("vectors", Selector::rank_below(2)).build().unwrap();
    let (mut w, mut b) = (Array2::<f32>::ones((2, 2)), Array1::<f32>::ones(2));
    let (gw, gb) = (w.clone(), b.clone());
    opt.step(&mut [param("w", &mut w, &gw).unwrap(), param("b", &mut b, &gb).unwrap()]).unwrap();
    let table = opt.describe();
    assert_eq!(table.params().iter().map(|row| row.group()).collect::<Vec<_>>(), ["default", "vectors"]);
}

#[test]
fn empty_and_gradientless_arrays_are_fine() {
    let mut opt = adamw();
    let (mut empty, mut w) = (Array2::<f64>::zeros((0, 3)), Array1::<f64>::ones(2));
    let no_grad = empty.clone();
    let report: Report =
        opt.step(&mut [param("empty", &mut empty, &no_grad).unwrap(), param_without_grad("w", &mut w).unwrap()]).unwrap();
    assert_eq!((report.updated(), report.left_alone()), (1, 1));
    assert_eq!(w, Array1::<f64>::ones(2));
}

#[test]
fn other_layouts_are_errors() {
    let (mut w, g) = (Array2::<f32>::ones((2, 3)), Array2::<f32>::ones((2, 3)));
    let mut fortran = Array2::<f32>::ones((3, 2)).reversed_axes();
    let error = param("w", &mut fortran, &g).unwrap_err();
    assert!(matches!(error, Error::NotRowMajor { role: "value", .. }));
    assert_eq!(
        error.to_string(),
        "the value of parameter `w` is not contiguous in row-major order (shape [2, 3], strides [1, 2])"
    );

    let error = param("w", &mut w, &fortran).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the gradient of parameter `w` is not contiguous in row-major order (shape [2, 3], strides [1, 2])"
    );

    let mut strided = Array2::<f32>::ones((2, 6));
    let error = param_without_grad("w", &mut strided.slice_mut(s![.., ..;2])).unwrap_err();
    assert!(matches!(error, Error::NotRowMajor { role: "value", .. }));

    let error = param("w", &mut w, &Array2::<f32>::ones((3, 2))).unwrap_err();
    assert_eq!(error.to_string(), "parameter `w` has shape [2, 3] and a gradient of shape [3, 2]");
    assert_eq!(error, Error::GradientShape { name: "w".into(), value: vec![2, 3], gradient: vec![3, 2] });

    let mut deep = ArrayD::<f64>::zeros(IxDyn(&[1; 9]));
    let grad = deep.clone();
    let error = adamw().step(&mut [param("deep", &mut deep, &grad).unwrap()]).unwrap_err();
    assert_eq!(error, Error::RankTooHigh { name: "deep".into(), rank: 9 });
}
