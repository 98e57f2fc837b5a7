/// A command with its values, every one of them checked.
///
/// Asking for an option or operand that the command does not declare, or in another form, is a mistake in the
/// program and stops it.
public struct ParsedCommand: Sendable {
    /// Names from the program's own down, such as ["tss", "rules", "add"].
    public let path: [String]
    public let command: Command
    /// Where an option's value comes from.
    enum Origin: Sendable, Equatable {
        case argument
        case variable(String)
        case defaultText
    }

    struct Given: Sendable {
        var texts: [String]
        var origin: Origin
    }

    var options: [String: Given] = [:]
    var operands: [String: [String]] = [:]

    /// Whether the option stands on the command line or in its variable: it has not just its default.
    public func isGiven(_ name: String) -> Bool {
        _ = option(name)
        return options[name].map { $0.origin != .defaultText } ?? false
    }

    public func flag(_ name: String) -> Bool {
        precondition(option(name).form == .flag, "--\(name) is no flag")
        return options[name] != nil
    }

    /// The last value given, or the default; nil when there is neither.
    public func text(_ name: String) -> String? { texts(name).last }

    /// All values of an option that can be repeated.
    public func texts(_ name: String) -> [String] {
        precondition(option(name).form != .flag, "--\(name) takes no value")
        return options[name]?.texts ?? []
    }

    public func integer(_ name: String) -> Int? {
        guard case .integer = option(name).form else { preconditionFailure("--\(name) is no whole number") }
        return text(name).flatMap { Int($0) }
    }

    public func number(_ name: String) -> Double? {
        guard case .number = option(name).form else { preconditionFailure("--\(name) is no number") }
        return text(name).flatMap { Double($0) }
    }

    public func duration(_ name: String) -> Duration? {
        precondition(option(name).form == .duration, "--\(name) is no duration")
        return text(name).flatMap { ValueForm.duration($0) }
    }

    /// Values of an operand; empty when it is not given.
    public func operand(_ name: String) -> [String] {
        precondition(command.operands.contains { $0.name == name }, "\(path) has no operand \(name)")
        return operands[name] ?? []
    }

    private func option(_ name: String) -> Option {
        guard let option = command.options.first(where: { $0.name == name }) else {
            preconditionFailure("\(path) has no option --\(name)")
        }
        return option
    }
}

/// A command line that means nothing.
public struct UsageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One line: the command, what is wrong, what was probably meant.
    public var description: String

    public init(_ description: String) {
        self.description = description
    }

    /// EX_USAGE of sysexits.h.
    public static let exitCode: Int32 = 64
}

/// What the program was asked to do.
public enum ParseResult: Sendable {
    case run(ParsedCommand)
    /// Text for standard output; the program ends with exit code 0.
    case help(String)
}
