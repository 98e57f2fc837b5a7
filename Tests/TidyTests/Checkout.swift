import Foundation

/// The files of the project as they lie on disk.
struct Checkout {
    static let current = Checkout(
        top: URL(filePath: #filePath).resolvingSymlinksInPath().appending(path: "../../..").standardized)

    var top: URL

    /// Folders that hold what was built, installed or received.
    private static let skipped: Set<String> = [".git", ".build", ".native", ".venv", ".swiftpm", "data", "__pycache__"]

    /// Paths below the top, sorted; nothing of a folder that set-up or a build made.
    func paths(below folder: String = "") -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: top.appending(path: folder).path)) ?? []
        return names.sorted().flatMap { name -> [String] in
            let path = folder.isEmpty ? name : folder + "/" + name
            if Self.skipped.contains(name) || name.hasPrefix(".build") || name.hasPrefix(".native") { return [] }
            return isFolder(path) ? paths(below: path) : [path]
        }
    }

    func folders(in folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: top.appending(path: folder).path)) ?? []
        return names.sorted().filter { isFolder(folder + "/" + $0) }
    }

    /// The text of a file, the empty text for a folder, nil when there is neither or the file is not text.
    func text(_ path: String) -> String? {
        if isFolder(path) { return "" }
        return try? String(contentsOf: top.appending(path: path), encoding: .utf8)
    }

    /// Every Swift file, read once for all tests: finding out what is code takes seconds in a debug build.
    private static let swiftFiles = current.paths().filter { $0.hasSuffix(".swift") }
        .map { SourceText(path: $0, text: current.text($0) ?? "") }

    func swiftFiles(_ folders: String...) -> [SourceText] {
        Self.swiftFiles.filter { file in folders.contains { file.path.hasPrefix($0 + "/") } }
    }

    private func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: top.appending(path: path).path, isDirectory: &isFolder)
            && isFolder.boolValue
    }
}
