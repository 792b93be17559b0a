//! Decompositions and products in f64 on the calling thread.
//!
//! faer's own threads would make the last digits depend on their number, and its plain
//! methods take that number from a setting of the whole process, which a library has
//! no business with: here every call says that it wants none.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::evd::{
    ComputeEigenvectors, EvdError, self_adjoint_evd, self_adjoint_evd_scratch,
};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as apply,
};
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor;
use faer::linalg::svd::{ComputeSvdVectors, SvdError, svd, svd_scratch};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// X = U S V', without what is zero for want of rows or columns.
pub(crate) struct Svd {
    pub u: Mat<f64>,
    /// Descending.
    pub singular: Vec<f64>,
    pub v: Mat<f64>,
}

/// The thin singular value decomposition.
///
/// # Errors
/// If it does not converge.
pub(crate) fn thin_svd(x: MatRef<'_, f64>) -> Result<Svd, SvdError> {
    let size = x.nrows().min(x.ncols());
    let mut u = Mat::zeros(x.nrows(), size);
    let mut v = Mat::zeros(x.ncols(), size);
    let mut s = Diag::<f64>::zeros(size);
    let vectors = ComputeSvdVectors::Thin;
    let params = Default::default();
    let scratch = svd_scratch::<f64>(x.nrows(), x.ncols(), vectors, vectors, Par::Seq, params);
    svd(
        x,
        s.as_mut(),
        Some(u.as_mut()),
        Some(v.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    )?;
    Ok(Svd {
        u,
        singular: s.column_vector().iter().copied().collect(),
        v,
    })
}

/// The singular values of a matrix, descending.
///
/// # Errors
/// If they do not converge.
pub(crate) fn singular_values(x: MatRef<'_, f64>) -> Result<Vec<f64>, SvdError> {
    let mut s = Diag::<f64>::zeros(x.nrows().min(x.ncols()));
    let vectors = ComputeSvdVectors::No;
    let params = Default::default();
    let scratch = svd_scratch::<f64>(x.nrows(), x.ncols(), vectors, vectors, Par::Seq, params);
    let stack = &mut MemBuffer::new(scratch);
    let stack = MemStack::new(stack);
    svd(x, s.as_mut(), None, None, Par::Seq, stack, params)?;
    Ok(s.column_vector().iter().copied().collect())
}

/// Share of the sum of singular values by which rounding may move it.
const UNSEEN: f64 = 1e-9;

/// The sum of the singular values of a matrix: from the eigenvalues of X'X, which take half the time,
/// where their squares leave enough digits.
///
/// # Errors
/// If they do not converge.
pub(crate) fn nuclear_norm(x: MatRef<'_, f64>) -> Result<f64, SvdError> {
    let tall = if x.nrows() < x.ncols() {
        x.transpose()
    } else {
        x
    };
    let d = tall.ncols();
    let mut square = Mat::zeros(d, d);
    lower_product(square.as_mut(), tall);
    if let Ok(eigenvalues) = eigenvalues(square.as_ref()) {
        let largest = eigenvalues.iter().copied().fold(0.0, f64::max);
        // Rounding moves each eigenvalue by that much at most.
        let moved = f64::EPSILON * d as f64 * largest;
        let (mut sum, mut error) = (0.0, 0.0);
        for value in eigenvalues {
            let root = value.max(0.0).sqrt();
            sum += root;
            error += if root * root > moved {
                moved / root
            } else {
                moved.sqrt()
            };
        }
        if error <= UNSEEN * sum {
            return Ok(sum);
        }
    }
    Ok(singular_values(x)?.iter().sum())
}

/// X'X on and below its diagonal, and some above; a few columns a task: the same on any number of threads.
fn lower_product(mut out: MatMut<'_, f64>, x: MatRef<'_, f64>) {
    const COLUMNS: usize = 128;
    let d = x.ncols();
    out.as_mut()
        .par_col_chunks_mut(COLUMNS)
        .enumerate()
        .for_each(|(block, out)| {
            let start = block * COLUMNS;
            let width = out.ncols();
            matmul(
                out.subrows_mut(start, d - start),
                Accum::Replace,
                x.subcols(start, d - start).transpose(),
                x.subcols(start, width),
                1.0,
                Par::Seq,
            );
        });
}

/// The eigenvalues of a symmetric matrix, of which the lower half is read, ascending.
///
/// # Errors
/// If they do not converge.
pub(crate) fn eigenvalues(x: MatRef<'_, f64>) -> Result<Vec<f64>, EvdError> {
    let mut s = Diag::<f64>::zeros(x.nrows());
    let params = Default::default();
    let scratch =
        self_adjoint_evd_scratch::<f64>(x.nrows(), ComputeEigenvectors::No, Par::Seq, params);
    let stack = &mut MemBuffer::new(scratch);
    self_adjoint_evd(x, s.as_mut(), None, Par::Seq, MemStack::new(stack), params)?;
    Ok(s.column_vector().iter().copied().collect())
}

/// The eigenvalues of a symmetric matrix, of which the lower half is read, descending, and their
/// vectors.
///
/// # Errors
/// If they do not converge.
pub(crate) fn eigen(x: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>), EvdError> {
    let n = x.nrows();
    let mut s = Diag::<f64>::zeros(n);
    let mut u = Mat::zeros(n, n);
    let params = Default::default();
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, params);
    let stack = &mut MemBuffer::new(scratch);
    let stack = MemStack::new(stack);
    self_adjoint_evd(x, s.as_mut(), Some(u.as_mut()), Par::Seq, stack, params)?;
    let values: Vec<f64> = s.column_vector().iter().rev().copied().collect();
    Ok((values, u.reverse_cols().to_owned()))
}

/// L of a symmetric matrix L L', of which the lower half is read; `None` if it is not positive.
pub(crate) fn cholesky(x: MatRef<'_, f64>) -> Option<Mat<f64>> {
    let d = x.nrows();
    let mut factor = Mat::zeros(d, d);
    factor.copy_from_triangular_lower(x);
    let params = Default::default();
    let scratch = cholesky_in_place_scratch::<f64>(d, Par::Seq, params);
    let stack = &mut MemBuffer::new(scratch);
    let stack = MemStack::new(stack);
    cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, params).ok()?;
    // What lies above the diagonal is anything.
    let mut out = Mat::zeros(d, d);
    out.copy_from_triangular_lower(factor.as_ref());
    Some(out)
}

/// The inverse of a matrix of which all above the diagonal is zero.
pub(crate) fn inverse_of_lower(x: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(x.nrows(), x.nrows());
    invert_lower_triangular(out.as_mut(), x, Par::Seq);
    out
}

/// X = Q R of a matrix with at least as many rows as columns: orthonormal columns, and
/// a square upper triangle.
pub(crate) fn thin_qr(x: MatRef<'_, f64>) -> (Mat<f64>, Mat<f64>) {
    let (m, n) = x.shape();
    debug_assert!(m >= n, "a tall matrix");
    let mut basis = x.to_owned();
    let block = factor::recommended_block_size::<f64>(m, n);
    let mut coefficients = Mat::zeros(block, n);
    let params = Default::default();
    let scratch = factor::qr_in_place_scratch::<f64>(m, n, block, Par::Seq, params);
    factor::qr_in_place(
        basis.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    );
    // R lies above the Householder vectors, whose first entries are ones.
    let mut r = Mat::zeros(n, n);
    for j in 0..n {
        for i in 0..=j {
            r[(i, j)] = basis[(i, j)];
            basis[(i, j)] = f64::from(u8::from(i == j));
        }
    }
    let mut q = Mat::identity(m, n);
    apply(
        basis.as_ref(),
        coefficients.as_ref(),
        Conj::No,
        q.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(apply_scratch::<f64>(m, block, n))),
    );
    (q, r)
}

/// A B.
pub(crate) fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without order.
    fn matrix(m: usize, n: usize) -> Mat<f64> {
        Mat::from_fn(m, n, |i, j| ((7 * i + 3 * j + i * j) as f64 * 0.61).sin())
    }

    #[test]
    fn results_are_those_of_the_plain_methods_bit_by_bit() {
        // Small enough that the plain methods take one thread, whatever the setting.
        for (m, n) in [(1, 1), (9, 4), (5, 5), (40, 23)] {
            let x = matrix(m, n);
            let (q, r) = thin_qr(x.as_ref());
            let plain = x.qr();
            assert_eq!(q, plain.compute_thin_Q());
            assert_eq!(r.as_ref(), plain.thin_R());
            let own = thin_svd(x.as_ref()).unwrap_or_else(|e| panic!("{e:?}"));
            let plain = x.thin_svd().unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(own.u.as_ref(), plain.U());
            assert_eq!(own.v.as_ref(), plain.V());
            let plain: Vec<f64> = plain.S().column_vector().iter().copied().collect();
            assert_eq!(own.singular, plain);
            let alone = singular_values(x.as_ref()).unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!(alone, x.singular_values().unwrap_or_default());
            assert_eq!(product(x.transpose(), x.as_ref()), x.transpose() * &x);
        }
    }

    #[test]
    fn sums_of_singular_values_hold_whatever_the_spectrum() {
        // Known singular values between two rotations: spread, equal, decaying, few.
        let spectra: [fn(usize) -> f64; 4] = [
            |i| 1.0 + i as f64,
            |_| 3.0,
            |i| 10f64.powi(-(i as i32)),
            |i| f64::from(u8::from(i == 0)),
        ];
        for spectrum in spectra {
            for (m, n) in [(40, 23), (23, 40), (12, 12)] {
                let size = m.min(n);
                let (left, right) = (
                    thin_qr(matrix(m, size).as_ref()).0,
                    thin_qr(matrix(n, size).as_ref()).0,
                );
                let scaled = Mat::from_fn(m, size, |i, j| left[(i, j)] * spectrum(j));
                let x = product(scaled.as_ref(), right.transpose());
                let want: f64 = (0..size).map(spectrum).sum();
                let got = nuclear_norm(x.as_ref()).unwrap_or_default();
                assert!(
                    (got - want).abs() <= 2.0 * UNSEEN * want,
                    "{got} for {want}"
                );
            }
        }
    }

    #[test]
    fn eigenvectors_make_up_their_matrix() {
        let x = matrix(30, 9);
        let mut square = Mat::zeros(9, 9);
        lower_product(square.as_mut(), x.as_ref());
        let (values, vectors) = eigen(square.as_ref()).unwrap_or_else(|e| panic!("{e:?}"));
        assert!(values.windows(2).all(|pair| pair[0] >= pair[1]));
        let scaled = Mat::from_fn(9, 9, |i, j| vectors[(i, j)] * values[j]);
        let again = product(scaled.as_ref(), vectors.transpose());
        let whole = product(x.transpose(), x.as_ref());
        for i in 0..9 {
            for j in 0..9 {
                assert!((again[(i, j)] - whole[(i, j)]).abs() < 1e-12 * values[0]);
            }
        }
    }

    #[test]
    fn a_cholesky_factor_and_its_inverse_are_lower_and_give_the_matrix_again() {
        for d in [1, 5, 70] {
            let x = matrix(3 * d + 1, d);
            let square = product(x.transpose(), x.as_ref());
            let factor = cholesky(square.as_ref()).unwrap();
            let inverse = inverse_of_lower(factor.as_ref());
            let again = product(factor.as_ref(), factor.transpose());
            let one = product(inverse.as_ref(), factor.as_ref());
            for i in 0..d {
                for j in 0..d {
                    assert!(
                        (again[(i, j)] - square[(i, j)]).abs() < 1e-12 * square[(i, i)].max(1.0)
                    );
                    assert!((one[(i, j)] - f64::from(u8::from(i == j))).abs() < 1e-9);
                    assert!(j <= i || (factor[(i, j)] == 0.0 && inverse[(i, j)] == 0.0));
                }
            }
        }
        assert!(cholesky(Mat::<f64>::from_fn(2, 2, |_, _| 1.0).as_ref()).is_none());
        assert!(
            cholesky(Mat::<f64>::from_fn(2, 2, |i, j| (i + j) as f64 - 1.0).as_ref()).is_none()
        );
    }

    #[test]
    fn the_setting_of_the_process_is_left_alone() {
        let before = faer::get_global_parallelism();
        let _ = thin_svd(matrix(30, 10).as_ref());
        assert_eq!(faer::get_global_parallelism(), before);
    }
}
