import Foundation

/// Lloyd-Max for a coordinate of a random unit row, on a plain grid over the whole density (TurboQuant,
/// arXiv 2504.19874, section 3.1).
struct LloydReference {
    /// Places from -1 to 1 and the density there, which sums to 1.
    private let grid: [(x: Double, density: Double)]

    init(dim: Int, places: Int = 4000) {
        let unscaled = (0..<places).map { index -> (x: Double, density: Double) in
            let x = (2 * Double(index) + 1) / Double(places) - 1
            return (x, exp(Double(dim - 3) / 2 * log(1 - x * x)))
        }
        let total = unscaled.reduce(0) { $0 + $1.density }
        grid = unscaled.map { ($0.x, $0.density / total) }
    }

    /// Mean squared distance to the nearest of ascending levels, in proportion to the mean square.
    func distortion(_ levels: [Double]) -> Double {
        var (error, square, own) = (0.0, 0.0, 0)
        for (x, density) in grid {
            while own + 1 < levels.count, abs(levels[own + 1] - x) < abs(levels[own] - x) {
                own += 1
            }
            error += density * (x - levels[own]) * (x - levels[own])
            square += density * x * x
        }
        return error / square
    }

    /// The least distortion of so many levels.
    func optimum(levels count: Int) -> Double { distortion(levels(count)) }

    /// So many levels of least distortion.
    func levels(_ count: Int) -> [Double] {
        // From levels that see equal shares of the density.
        var (levels, below) = ([Double](), 0.0)
        for (x, density) in grid {
            below += density
            if below * Double(count) > Double(levels.count) + 0.5 { levels.append(x) }
        }
        for _ in 0..<600 {
            var sums = [(x: Double, density: Double)](repeating: (0, 0), count: count)
            var own = 0
            for (x, density) in grid {
                // A boundary parts a cell between its neighbours, else levels stop short of the optimum.
                let boundary = own + 1 < count ? (levels[own] + levels[own + 1]) / 2 : 2
                let below = min(max((boundary - x) * Double(grid.count) / 2 + 0.5, 0), 1) * density
                sums[own].x += below * x
                sums[own].density += below
                guard below < density else { continue }
                own += 1
                sums[own].x += (density - below) * x
                sums[own].density += density - below
            }
            levels = sums.map { $0.x / $0.density }
        }
        return levels
    }
}
