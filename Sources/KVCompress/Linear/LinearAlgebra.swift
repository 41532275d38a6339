#if canImport(Accelerate)
    internal import Accelerate
#else
    internal import COpenBLAS
#endif

/// The linear algebra that is borrowed: OpenBLAS and LAPACKE, Accelerate on Apple platforms.
///
/// Its results may differ in the last bits between machines. What is computed here is therefore only
/// reported, or stored with the cache, never derived a second time.
package enum LinearAlgebra {
    /// Sets the threads that the borrowed library may use, for the whole process.
    package static func useThreads(_ count: Int) {
        #if canImport(Accelerate)
            BLASSetThreading(
                count > 1 ? BLAS_THREADING_MULTI_THREADED : BLAS_THREADING_SINGLE_THREADED)
        #else
            openblas_set_num_threads(Int32(count))
        #endif
    }

    /// outputs = inputs matrixᵀ: what a linear layer does to rows.
    ///
    /// - Parameters:
    ///   - inputs: `count x columns`, packed.
    ///   - matrix: `rows x columns`, packed.
    ///   - outputs: `count x rows`, `stride` elements from one row to the next.
    package static func project(
        _ inputs: UnsafePointer<Float>, count: Int, by matrix: UnsafePointer<Float>, rows: Int,
        columns: Int, to outputs: UnsafeMutablePointer<Float>, stride: Int
    ) {
        #if canImport(Accelerate)
            let size = { (n: Int) in __LAPACK_int(n) }
        #else
            let size = { (n: Int) in Int32(n) }
        #endif
        if count == 1 {
            cblas_sgemv(
                CblasRowMajor, CblasNoTrans, size(rows), size(columns), 1, matrix, size(columns),
                inputs, 1, 0, outputs, 1)
        } else {
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasTrans, size(count), size(rows), size(columns), 1,
                inputs, size(columns), matrix, size(columns), 0, outputs, size(stride))
        }
    }

    /// The eigenvalues, ascending, and eigenvectors (row i belongs to value i) of a symmetric matrix.
    ///
    /// - Parameter matrix: n x n, row-major; only its lower triangle counts.
    static func symmetricEigen(_ matrix: [Float], n: Int) -> (values: [Float], vectors: [Float]) {
        precondition(matrix.count == n * n)
        var vectors = matrix
        var values = [Float](repeating: 0, count: n)
        // Row-major lower is column-major upper; the result's columns are then our rows.
        #if canImport(Accelerate)
            var job = Int8(UInt8(ascii: "V"))
            var triangle = Int8(UInt8(ascii: "U"))
            var order = __LAPACK_int(n)
            var status = __LAPACK_int(0)
            var size: Float = 0
            var integers = __LAPACK_int(0)
            var query = __LAPACK_int(-1)
            ssyevd_(
                &job, &triangle, &order, &vectors, &order, &values, &size, &query, &integers,
                &query,
                &status)
            var work = [Float](repeating: 0, count: Int(size))
            var integerWork = [__LAPACK_int](repeating: 0, count: Int(integers))
            var workCount = __LAPACK_int(work.count)
            var integerCount = __LAPACK_int(integerWork.count)
            ssyevd_(
                &job, &triangle, &order, &vectors, &order, &values, &work, &workCount, &integerWork,
                &integerCount, &status)
        #else
            let status = LAPACKE_ssyevd(
                LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "U")), Int32(n),
                &vectors, Int32(n), &values)
        #endif
        precondition(status == 0, "the eigenvalues of a finite symmetric matrix always converge")
        return (values, vectors)
    }

    /// An orthogonal n x n matrix from columns of independent directions: the Q of their QR factors with
    /// R's diagonal positive, so that normal columns give every rotation the same chance.
    ///
    /// - Parameter columns: n x n, one column after the other.
    static func orthogonal(_ columns: [Float], n: Int) -> [Float] {
        precondition(n > 0 && columns.count == n * n)
        var matrix = columns
        var reflections = [Float](repeating: 0, count: n)
        #if canImport(Accelerate)
            var order = __LAPACK_int(n)
            var status = __LAPACK_int(0)
            var work = [Float](repeating: 0, count: 64 * n)
            var workCount = __LAPACK_int(work.count)
            sgeqrf_(
                &order, &order, &matrix, &order, &reflections, &work, &workCount, &status)
            let diagonal = (0..<n).map { matrix[$0 * n + $0] }
            sorgqr_(
                &order, &order, &order, &matrix, &order, &reflections, &work, &workCount, &status)
        #else
            let order = Int32(n)
            LAPACKE_sgeqrf(LAPACK_COL_MAJOR, order, order, &matrix, order, &reflections)
            let diagonal = (0..<n).map { matrix[$0 * n + $0] }
            let status = LAPACKE_sorgqr(
                LAPACK_COL_MAJOR, order, order, order, &matrix, order, &reflections)
        #endif
        precondition(status == 0, "a finite matrix always has QR factors")
        for (column, own) in diagonal.enumerated() where own < 0 {
            for row in 0..<n { matrix[column * n + row].negate() }
        }
        return matrix
    }

    /// rowsᵀ rows: the Gram matrix (dim x dim) of packed rows.
    static func gram(_ rows: [Float], dim: Int) -> [Float] {
        precondition(dim > 0 && rows.count % dim == 0)
        var result = [Float](repeating: 0, count: dim * dim)
        #if canImport(Accelerate)
            let size = { (n: Int) in __LAPACK_int(n) }
        #else
            let size = { (n: Int) in Int32(n) }
        #endif
        cblas_sgemm(
            CblasRowMajor, CblasTrans, CblasNoTrans, size(dim), size(dim), size(rows.count / dim),
            1,
            rows, size(dim), rows, size(dim), 0, &result, size(dim))
        return result
    }

    /// a b (rows x columns) of packed row-major matrices, each perhaps transposed before.
    static func product(
        _ a: [Float], _ b: [Float], rows: Int, columns: Int, transposingA: Bool = false,
        transposingB: Bool = false
    ) -> [Float] {
        let inner = a.count / rows
        precondition(a.count == rows * inner && b.count == inner * columns)
        var result = [Float](repeating: 0, count: rows * columns)
        #if canImport(Accelerate)
            let size = { (n: Int) in __LAPACK_int(n) }
        #else
            let size = { (n: Int) in Int32(n) }
        #endif
        cblas_sgemm(
            CblasRowMajor, transposingA ? CblasTrans : CblasNoTrans,
            transposingB ? CblasTrans : CblasNoTrans, size(rows), size(columns), size(inner), 1, a,
            size(transposingA ? rows : inner), b, size(transposingB ? inner : columns), 0, &result,
            size(columns))
        return result
    }
}
