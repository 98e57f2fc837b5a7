/// Where a piece of configuration was written, for messages a person can act on.
public enum Place: Hashable, Sendable {
    /// Line and column count from 1.
    case file(String, line: Int, column: Int)
    /// A variable of the environment.
    case variable(String)
    /// A flag of the command line.
    case argument(String)
    /// Made by the program itself: a default.
    case builtIn
}

extension Place: CustomStringConvertible {
    public var description: String {
        switch self {
        case .file(let name, let line, let column): "\(name):\(line):\(column)"
        case .variable(let name): name
        case .argument(let flag): flag
        case .builtIn: "default"
        }
    }
}

/// Something wrong with the configuration, with its place and what to do.
public struct Problem: Hashable, Sendable {
    public enum Severity: Hashable, Sendable {
        /// The program does not start.
        case error
        /// The program starts and says so.
        case warning
    }

    public var severity: Severity
    public var place: Place
    /// Dotted path of the key, such as `sampling.policies[2].latency`; empty when the text itself is at fault.
    public var key: String
    /// Lower-case, no full stop: what is wrong and what would be right.
    public var message: String

    public init(_ severity: Severity, at place: Place, key: String, _ message: String) {
        self.severity = severity
        self.place = place
        self.key = key
        self.message = message
    }
}

extension Problem: CustomStringConvertible {
    /// One line: place, key, message.
    public var description: String {
        key.isEmpty ? "\(place): \(message)" : "\(place): \(key): \(message)"
    }
}

/// Problems in the order they were found: everything is read before anything is refused.
public struct Problems: Sendable {
    public private(set) var list: [Problem] = []

    public init() {}

    public var errors: [Problem] { list.filter { $0.severity == .error } }
    public var warnings: [Problem] { list.filter { $0.severity == .warning } }
    public var hasErrors: Bool { list.contains { $0.severity == .error } }

    public mutating func add(_ problem: Problem) {
        list.append(problem)
    }

    public mutating func add(_ more: [Problem]) {
        list += more
    }

    public mutating func error(at place: Place, key: String, _ message: String) {
        add(Problem(.error, at: place, key: key, message))
    }

    public mutating func warning(at place: Place, key: String, _ message: String) {
        add(Problem(.warning, at: place, key: key, message))
    }
}
