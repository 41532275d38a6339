internal import CKVKernels

extension Kernels {
    /// Adds the dots of packed rows of `x` with themselves, of those of `y` with themselves, and of both with
    /// each other.
    func addDots(
        _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int, dim: Int,
        xx: UnsafeMutablePointer<Float>, yy: UnsafeMutablePointer<Float>,
        xy: UnsafeMutablePointer<Float>
    ) {
        kv_add_pair_dots(isa, xx, yy, xy, x, dim, y, dim, count, dim)
    }

    /// The cosines and angles of pairs of rows, from the dots of x with x, y with y and x with y.
    func pairAngles(
        xx: UnsafePointer<Float>, yy: UnsafePointer<Float>, xy: UnsafePointer<Float>, count: Int,
        cosines: UnsafeMutablePointer<Float>, angles: UnsafeMutablePointer<Float>
    ) {
        kv_pair_angles(isa, cosines, angles, xx, yy, xy, count)
    }

    /// The weights that make of pairs of rows the direction at `t` on the great circle from y to x.
    func slerpWeights(
        angles: UnsafePointer<Float>, xx: UnsafePointer<Float>, yy: UnsafePointer<Float>,
        at t: Float,
        count: Int, x: UnsafeMutablePointer<Float>, y: UnsafeMutablePointer<Float>
    ) {
        kv_slerp_weights(isa, x, y, angles, xx, yy, t, count)
    }

    /// Weighted sums of pairs of packed rows, with a weight for each row.
    func blend(
        _ x: UnsafePointer<Float>, _ xWeights: UnsafePointer<Float>, _ y: UnsafePointer<Float>,
        _ yWeights: UnsafePointer<Float>, count: Int, dim: Int,
        to blends: UnsafeMutablePointer<Float>
    ) {
        kv_blend_rows(isa, blends, x, dim, xWeights, y, dim, yWeights, count, dim)
    }
}
