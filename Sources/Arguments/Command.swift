/// A command of the program, or the program itself: one declaration from which come parsing, help,
/// messages and completion.
public struct Command: Sendable {
    public var name: String
    /// One line, no full stop.
    public var summary: String
    /// Paragraphs below the usage.
    public var details: String
    public var options: [Option]
    public var operands: [Operand]
    /// When there are any, one of them must be named.
    public var commands: [Command]

    public init(
        _ name: String, _ summary: String, details: String = "", options: [Option] = [],
        operands: [Operand] = [], commands: [Command] = []
    ) {
        self.name = name
        self.summary = summary
        self.details = details
        self.options = options
        self.operands = operands
        self.commands = commands
    }
}

/// `--name`, with or without a value.
public struct Option: Sendable {
    /// Without the dashes.
    public var name: String
    public var short: Character?
    public var form: ValueForm
    /// In the form in which it would be typed.
    public var defaultText: String?
    /// Variables that are read when the option is not given; the first that is set and not empty counts.
    public var variables: [String]
    public var isRepeatable: Bool
    /// One line, no full stop.
    public var summary: String

    public init(
        _ name: String, short: Character? = nil, _ form: ValueForm, default defaultText: String? = nil,
        variables: [String] = [], isRepeatable: Bool = false, _ summary: String
    ) {
        self.name = name
        self.short = short
        self.form = form
        self.defaultText = defaultText
        self.variables = variables
        self.isRepeatable = isRepeatable
        self.summary = summary
    }
}

/// A value without a name, by its place.
public struct Operand: Sendable {
    public var name: String
    public var form: ValueForm
    public var isRequired: Bool
    /// Takes all that remain; only the last operand can.
    public var isRepeatable: Bool
    public var summary: String

    public init(
        _ name: String, _ form: ValueForm, isRequired: Bool = true, isRepeatable: Bool = false,
        _ summary: String
    ) {
        self.name = name
        self.form = form
        self.isRequired = isRequired
        self.isRepeatable = isRepeatable
        self.summary = summary
    }
}

/// What a value must look like.
public enum ValueForm: Sendable, Equatable {
    /// No value: given or not.
    case flag
    case text
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    /// A number with its unit: `250ms`, `10s`, `5m`, `1h`, `7d`.
    case duration
    case choice([String])
    case file
    case folder
}
