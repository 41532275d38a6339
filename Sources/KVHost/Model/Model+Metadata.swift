import Foundation
import KVCompress

extension Model {
    /// How the keys are turned, as the metadata of a KV dump says it.
    ///
    /// With scaled frequencies the base is that of the fastest pairs.
    public var metadata: [String: String] {
        let rotary = configuration.rotary, pairs = rotary.frequencies.count
        guard pairs > 1, rotary.frequencies[1] > 0 else { return [:] }
        let theta = pow(Double(rotary.frequencies[1]), -Double(pairs))
        return [
            "rope_style": rotary.style.rawValue, "rope_dims": "\(2 * pairs)",
            "rope_theta": "\(theta.rounded())",
        ]
    }
}
