use wane::plan::{alpha_decay, tail_exponent};

use super::{conflict, out_of_range};

/// The quantiles of a Pareto law of density e^(−α) have that exponent; the larger half of them as well.
#[test]
fn a_power_law_has_its_exponent() {
    for alpha in [1.5, 2.0, 3.0, 6.0] {
        let n = 20_000;
        // In another order than their size; singular values are roots.
        let quantile = |i: u32| (1.0 - (f64::from(i * 7 % n) + 0.5) / f64::from(n)).powf(-0.5 / (alpha - 1.0));
        let spectrum: Vec<_> = (0..n).map(quantile).collect();
        let found = tail_exponent(&spectrum).unwrap();
        assert!((found - alpha).abs() < 1e-2, "{found} for {alpha}");
    }
}

/// By hand: eigenvalues of logarithms 0, 2, 4, 6, 10, from the median on 4, 6, 10.
#[test]
fn the_estimate_is_that_of_the_paper() {
    let spectrum = [0.0, 3.0, 1.0, 5.0, 2.0].map(f64::exp);
    assert!((tail_exponent(&spectrum).unwrap() - (1.0 + 3.0 / (0.0 + 2.0 + 6.0))).abs() < 1e-15);
    // Those below the median may be 0; the scale does not matter.
    let scaled = [0.0, 3.0, 1.0, 5.0, 2.0].map(|log: f64| if log < 2.0 { 0.0 } else { 1e-3 * log.exp() });
    assert!((tail_exponent(&scaled).unwrap() - 1.375).abs() < 1e-12);
}

#[test]
fn modules_get_their_share_by_rank_and_distance() {
    // From the median on logarithms 0 and 2/x: α = 1 + 2x/2.
    let spectrum = |x: f64| [0.0, 1.0 / x].map(f64::exp);
    let spectra = [3.0, 1.0, 2.0].map(|x| [spectrum(x)[0] * 0.5, spectrum(x)[0] * 0.5, spectrum(x)[0], spectrum(x)[1]]);
    let lambdas = alpha_decay(2.0, &spectra.each_ref().map(|s| &s[..])).unwrap();
    for (found, expected) in lambdas.iter().zip([6.0, 1.34, 0.5 * (1.34 + 6.0)]) {
        assert!((found - expected).abs() < 1e-12, "{lambdas:?}");
    }
    assert_eq!(alpha_decay(0.5, &[&[1.0, 2.0], &[2.0, 1.0]]), Err(alpha_decay(0.5, &[&[1.0, 2.0]]).unwrap_err()));
    let one: &[f64] = &[1.0, 1.0, 1.0, 2.0];
    assert_eq!(alpha_decay(0.5, &[one, one]), Ok(vec![0.5, 0.5]));
    assert_eq!(alpha_decay(0.5, &[]), Ok(vec![]));
}

#[test]
fn what_has_no_tail_is_refused() {
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        out_of_range(tail_exponent(&[1.0, bad]), "singular value");
        out_of_range(alpha_decay(bad, &[]), "weight decay");
    }
    for spectrum in [&[][..], &[1.0], &[0.0, 0.0, 0.0, 1.0], &[1.0; 4], &[0.0; 4]] {
        conflict(tail_exponent(spectrum), "tail of a spectrum");
    }
}
