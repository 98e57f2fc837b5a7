internal import Glibc

/// Finds the Python that has DataFusion: DataFusion reaches other languages only as a Python package.
public enum PythonEnvironment {
    /// Where set-up puts it, seen from a folder that holds the program or lies above it.
    static let relativePath = ".venv/query/bin/python"

    /// The interpreter, or nil when there is none.
    ///
    /// A configured path is taken as it is. Else the environment is looked for beside the program and
    /// in the folders above it; never in the working directory, whose files may be somebody else's.
    public static func find(configured: String?, programPath: String? = programPath()) -> String? {
        if let configured, !configured.isEmpty {
            return access(configured, X_OK) == 0 ? configured : nil
        }
        guard let programPath else { return nil }
        var folder = Substring(programPath)
        while let slash = folder.lastIndex(of: "/") {
            folder = folder[..<slash]
            let candidate = "\(folder)/\(relativePath)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }

    /// Absolute path of the running program.
    public static func programPath() -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes {
            readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
