// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "KVCompress",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "KVCompress", targets: ["KVCompress"]),
        .library(name: "KVFiles", targets: ["KVFiles"]),
        .library(name: "KVHost", targets: ["KVHost"]),
        .library(name: "CKVKernels", targets: ["CKVKernels"]),
        .library(name: "KVCompressC", type: .dynamic, targets: ["KVCompressC"]),
        .executable(name: "kvc", targets: ["kvc"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"),
    ],
    targets: [
        // MARK: Products
        .target(
            name: "CKVKernels",
            cSettings: [.headerSearchPath(".")],
            linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux, .android]))]),
        .systemLibrary(
            name: "COpenBLAS", pkgConfig: "openblas lapacke",
            providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .target(
            name: "KVCompress",
            dependencies: [
                "CKVKernels", .target(name: "COpenBLAS", condition: .when(platforms: [.linux])),
            ],
            swiftSettings: swiftSettings,
            linkerSettings: [
                .linkedFramework("Accelerate", .when(platforms: [.macOS, .iOS]))
            ]),
        .systemLibrary(
            name: "CZstd", pkgConfig: "libzstd",
            providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
        .target(
            name: "KVFiles", dependencies: ["KVCompress", "CZstd"], swiftSettings: swiftSettings),
        .target(
            name: "KVHost", dependencies: ["KVCompress", "KVFiles"], swiftSettings: swiftSettings),
        .target(name: "CKVModel", exclude: ["small.gguf", "prose.ids"]),
        .systemLibrary(name: "CKVCompress"),
        .target(
            name: "KVCompressC", dependencies: ["CKVCompress", "KVCompress", "KVFiles"],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "kvc",
            dependencies: [
                "KVCompress", "KVFiles", "KVHost", "CKVModel",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftSettings),

        // MARK: Tests
        .target(
            name: "CKVChecks", dependencies: ["CKVKernels"], path: "Tests/CKVChecks",
            cSettings: [.headerSearchPath(".")]),
        .testTarget(
            name: "CKVKernelsTests", dependencies: ["CKVKernels", "CKVChecks"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "KVCompressTests", dependencies: ["KVCompress", "KVFiles", "CKVKernels"],
            swiftSettings: swiftSettings),
        .target(
            name: "KVModelFiles", path: "Tests/KVModelFiles", swiftSettings: swiftSettings),
        .testTarget(
            name: "KVFilesTests", dependencies: ["KVFiles", "KVCompress", "KVModelFiles"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "KVHostTests", dependencies: ["KVHost", "KVFiles", "KVCompress", "KVModelFiles"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "KVCompressCTests",
            dependencies: ["KVCompressC", "CKVCompress", "KVFiles", "KVCompress"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "KVCommandTests", dependencies: ["kvc", "KVFiles", "KVCompress"],
            swiftSettings: swiftSettings),
    ],
    cLanguageStandard: .gnu17
)
