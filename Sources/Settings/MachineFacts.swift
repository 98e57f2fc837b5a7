/// What defaults depend on; given by the caller, so that reading settings is a function of its arguments.
public struct MachineFacts: Sendable {
    public var hostName: String
    /// The smaller of the machine's memory and the control group's limit.
    public var memoryBytes: Int
    /// Absolute path.
    public var workingFolder: String

    public init(hostName: String, memoryBytes: Int, workingFolder: String) {
        self.hostName = hostName
        self.memoryBytes = memoryBytes
        self.workingFolder = workingFolder
    }

    /// The memory this process may use, from the kernel's files; nil when none of them can be read.
    ///
    /// - Parameter read: The text of a file, nil when it is not there.
    ///
    /// Sources: proc(5), `/proc/meminfo` and `/proc/self/cgroup`; the kernel's cgroup-v2.rst, `memory.max`;
    /// cgroup-v1/memory.rst, `memory.limit_in_bytes`.
    public static func memoryBytes(reading read: (String) -> String?) -> Int? {
        var limits: [Int] = []
        for line in lines(read("/proc/meminfo")) where line.hasPrefix("MemTotal:") {
            let words = line.split(separator: " ")
            if words.count >= 2, let kibibytes = Int(words[1]) { limits.append(kibibytes << 10) }
        }
        for line in lines(read("/proc/self/cgroup")) {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[0] == "0" {
                limits += groupLimits("/sys/fs/cgroup", parts[2], "memory.max", read)
            } else if parts[1].split(separator: ",").contains("memory") {
                limits += groupLimits("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", read)
            }
        }
        return limits.min()
    }

    /// Limits of a group and of all groups around it; in a container only the top one can be seen.
    private static func groupLimits(
        _ root: String, _ group: Substring, _ file: String, _ read: (String) -> String?
    ) -> [Int] {
        var names = group.split(separator: "/")
        var limits: [Int] = []
        while true {
            let folder = names.isEmpty ? root : root + "/" + names.joined(separator: "/")
            // "max", and version 1's page-rounded 2^63, mean no limit.
            if let line = lines(read(folder + "/" + file)).first, let limit = Int(line), limit > 0 {
                limits.append(limit)
            }
            if names.isEmpty { return limits }
            names.removeLast()
        }
    }

    private static func lines(_ text: String?) -> [Substring] {
        (text ?? "").split(separator: "\n")
    }
}

/// Paths as text, without a look at the file system.
enum AbsolutePath {
    /// `path` in `folder`, unless it is absolute; without `.` and empty parts, `..` taken away.
    static func of(_ path: String, in folder: String) -> String {
        var parts: [Substring] = []
        for part in (path.hasPrefix("/") ? path : folder + "/" + path).split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The folder a file lies in.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
