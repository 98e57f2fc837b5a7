/// How much a line matters. Error is data lost, warning is recovered, info is lifecycle.
public enum LogLevel: UInt8, Comparable, Sendable, CaseIterable {
    case trace, debug, info, warning, error
    /// Nothing is written; no line has this level.
    case off

    public static func < (one: LogLevel, other: LogLevel) -> Bool { one.rawValue < other.rawValue }

    /// The names that settings and filters take, of any case; `warn` is `warning`.
    public init?(name: String) {
        switch name.lowercased() {
        case "trace": self = .trace
        case "debug": self = .debug
        case "info": self = .info
        case "warn", "warning": self = .warning
        case "error": self = .error
        case "off", "none": self = .off
        default: return nil
        }
    }

    public var name: String { String(describing: self) }

    /// In the lines, at most five letters.
    var label: String { self == .warning ? "WARN" : name.uppercased() }
}

/// Which lines are written: one level for all, others for some modules, as in `info,otlp_server=debug`.
///
/// The module `tail_sampling_selector` is the whole program, and `tail_sampling_selector::otlp_server` one
/// module of it: the names that users of `RUST_LOG` know. The longest matching name wins.
public struct LogFilter: Sendable, Hashable, CustomStringConvertible {
    public struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        /// Lowercase, names the part that was not understood.
        public var description: String
    }

    struct Rule: Sendable, Hashable {
        /// Empty: the whole program.
        var module: String
        var level: LogLevel
    }

    static let program = "tail_sampling_selector"

    var rules: [Rule]

    public init(_ level: LogLevel = .info) {
        rules = [Rule(module: "", level: level)]
    }

    /// Reads a comma-separated list of `level` and `module=level`; nothing given is `info`.
    public init(parsing text: String) throws(Mistake) {
        self.init()
        for part in text.split(separator: ",") {
            let fields = part.split(separator: "=", omittingEmptySubsequences: false).map(Self.trimmed)
            guard fields.count <= 2, let level = LogLevel(name: fields[fields.count - 1]) else {
                throw Mistake(
                    description: "log level \"\(part)\": expected trace, debug, info, warning, error or off, "
                        + "alone or as module=level")
            }
            let module = fields.count == 1 ? "" : Self.withoutProgram(fields[0])
            rules.removeAll { $0.module == module }
            rules.append(Rule(module: module, level: level))
        }
        rules.sort { $0.module.utf8.count > $1.module.utf8.count }
    }

    /// The lowest level that is written for a module.
    public func level(of module: String) -> LogLevel {
        // Longest name first; the empty one is always there.
        rules.first { Self.covers($0.module, module) }?.level ?? .info
    }

    public var description: String {
        rules.reversed().map { $0.module.isEmpty ? $0.level.name : "\($0.module)=\($0.level.name)" }
            .joined(separator: ",")
    }

    private static func covers(_ name: String, _ module: String) -> Bool {
        if name.isEmpty || name == module { return true }
        guard module.hasPrefix(name) else { return false }
        let next = module.utf8[module.utf8.index(module.startIndex, offsetBy: name.utf8.count)]
        return next == UInt8(ascii: ".") || next == UInt8(ascii: ":")
    }

    private static func withoutProgram(_ name: String) -> String {
        if name == program { return "" }
        return name.hasPrefix(program + "::") ? String(name.dropFirst(program.count + 2)) : name
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
