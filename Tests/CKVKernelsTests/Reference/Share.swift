import Foundation

extension Reference {
    /// The angle between two rows, 0 where one of them is nothing.
    static func angle(_ x: [Float], _ y: [Float]) -> Double {
        let norms = (dot(x, x) * dot(y, y)).squareRoot()
        return norms == 0 ? 0 : acos(min(1, max(-1, dot(x, y) / norms)))
    }

    /// MiniCache's common direction (section 3): the point at t on the great circle from y to x.
    static func slerp(_ x: [Float], _ y: [Float], t: Double) -> [Double] {
        let normX = dot(x, x).squareRoot(), normY = dot(y, y).squareRoot()
        let unitX = x.map { normX == 0 ? 0 : Double($0) / normX }
        let unitY = y.map { normY == 0 ? 0 : Double($0) / normY }
        if normX == 0 { return unitY }
        if normY == 0 { return unitX }
        let angle = angle(x, y)
        let (atX, atY) =
            sin(angle) < 1e-9
            ? (t, 1 - t) : (sin(t * angle) / sin(angle), sin((1 - t) * angle) / sin(angle))
        return zip(unitX, unitY).map { atX * $0 + atY * $1 }
    }
}
