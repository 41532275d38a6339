// swift-tools-version: 6.2
import PackageDescription

// A package of its own: what it depends on never reaches those who use KVCompress.
let package = Package(
    name: "KVCompressBenchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "KVCompress", path: ".."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.30.0", traits: []),
    ],
    targets: [
        .target(
            name: "Measure",
            dependencies: [
                .product(name: "CKVKernels", package: "KVCompress"),
                .product(name: "KVCompress", package: "KVCompress"),
                .product(name: "Benchmark", package: "benchmark"),
            ]),
        .executableTarget(
            name: "Kernels",
            dependencies: ["Measure", .product(name: "Benchmark", package: "benchmark")],
            path: "Benchmarks/Kernels",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ],
    cLanguageStandard: .gnu17
)
