// swift-tools-version: 6.2
import PackageDescription

// How a user links the library: by path here, by the repository's address elsewhere.
let package = Package(
    name: "Examples",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "KVCompress", path: "..")],
    targets: [
        .executableTarget(
            name: "QuickStart",
            dependencies: [
                .product(name: "KVCompress", package: "KVCompress"),
                .product(name: "KVFiles", package: "KVCompress"),
            ])
    ]
)
