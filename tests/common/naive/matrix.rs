//! Matrices, row after row, for the oracles.

pub(crate) fn transposed(x: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..x.len()).map(|k| x[k % rows * columns + k / rows]).collect()
}

/// Left times right, where left has so many rows.
pub(crate) fn product(left: &[f64], right: &[f64], rows: usize) -> Vec<f64> {
    let inner = left.len() / rows.max(1);
    let columns = right.len() / inner.max(1);
    let mut total = vec![0.0; rows * columns];
    for i in 0..rows {
        for k in 0..inner {
            for j in 0..columns {
                total[i * columns + j] += left[i * inner + k] * right[k * columns + j];
            }
        }
    }
    total
}
