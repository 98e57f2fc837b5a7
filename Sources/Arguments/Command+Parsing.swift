internal import Configuration

extension Command {
    /// Reads a command line.
    ///
    /// - Parameters:
    ///   - arguments: Without the program's own name.
    ///   - environment: For the options that name a variable.
    public func parse(
        _ arguments: [String], environment: [String: String] = [:]
    ) throws(UsageError) -> ParseResult {
        var rest = arguments[...]
        var command = self
        var path = [name]
        while !command.commands.isEmpty {
            guard let word = rest.first else { return .help(command.help(path: path)) }
            if word == "--help" || word == "-h" { return .help(command.help(path: path)) }
            if word.hasPrefix("-") { break }
            guard let next = command.commands.first(where: { $0.name == word }) else {
                let hint = NearestName.hint(word, among: command.commands.map(\.name))
                throw UsageError("\(path.joined(separator: " ")): unknown command \"\(word)\"\(hint)")
            }
            command = next
            path.append(next.name)
            rest = rest.dropFirst()
        }
        var reader = ArgumentReader(command: command, path: path)
        if try reader.read(rest) { return .help(command.help(path: path)) }
        try reader.complete(environment)
        return .run(reader.parsed)
    }
}

/// Reads the options and operands of one command.
private struct ArgumentReader {
    let command: Command
    let path: [String]
    var parsed: ParsedCommand
    private var operandTexts: [String] = []

    init(command: Command, path: [String]) {
        self.command = command
        self.path = path
        parsed = ParsedCommand(path: path, command: command)
    }

    /// - Returns: Whether help was asked for.
    mutating func read(_ arguments: ArraySlice<String>) throws(UsageError) -> Bool {
        var rest = arguments
        while let word = rest.popFirst() {
            if word == "--help" || word == "-h" { return true }
            if word == "--" {
                operandTexts += rest
                break
            }
            if word.hasPrefix("--") {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let option = try option(named: String(parts[0]))
                try take(option, attached: parts.count == 2 ? String(parts[1]) : nil, &rest)
            } else if word.hasPrefix("-"), word.count > 1 {
                let letter = word[word.index(after: word.startIndex)]
                guard let option = command.options.first(where: { $0.short == letter }) else {
                    throw refusal("unknown option -\(letter)")
                }
                try takeShort(option, word.dropFirst(2), &rest)
            } else {
                operandTexts.append(word)
            }
        }
        return false
    }

    /// Fills in variables and defaults, hands out the operands.
    mutating func complete(_ environment: [String: String]) throws(UsageError) {
        for option in command.options where parsed.options[option.name] == nil {
            if let variable = option.variables.first(where: { environment[$0]?.isEmpty == false }),
                let text = environment[variable]
            {
                try takeVariable(option, variable, text)
            } else if let text = option.defaultText {
                precondition(option.form.complaint(about: text) == nil, "the default of --\(option.name) is wrong")
                parsed.options[option.name] = ParsedCommand.Given(texts: [text], origin: .defaultText)
            }
        }
        var rest = operandTexts[...]
        for operand in command.operands {
            let texts = operand.isRepeatable ? Array(rest) : Array(rest.prefix(1))
            rest = rest.dropFirst(texts.count)
            if texts.isEmpty, operand.isRequired { throw refusal("\(operand.name) is missing") }
            for text in texts {
                if let complaint = operand.form.complaint(about: text) {
                    throw refusal("\(operand.name): \(complaint)")
                }
            }
            parsed.operands[operand.name] = texts
        }
        if let extra = rest.first { throw refusal("unexpected \"\(extra)\"") }
    }

    private mutating func takeVariable(
        _ option: Option, _ variable: String, _ text: String
    ) throws(UsageError) {
        if option.form == .flag {
            switch text {
            case "1", "true", "yes":
                parsed.options[option.name] = ParsedCommand.Given(texts: [], origin: .variable(variable))
            case "0", "false", "no": return
            default: throw refusal("\(variable): \"\(text)\" is none of 1, true, yes, 0, false, no")
            }
        } else if let complaint = option.form.complaint(about: text) {
            throw refusal("\(variable): \(complaint)")
        } else {
            parsed.options[option.name] = ParsedCommand.Given(texts: [text], origin: .variable(variable))
        }
    }

    /// `-p80`, `-p 80`; flags can be written together, `-qv`.
    private mutating func takeShort(
        _ option: Option, _ attached: Substring, _ rest: inout ArraySlice<String>
    ) throws(UsageError) {
        guard option.form == .flag, !attached.isEmpty else {
            let value = attached.hasPrefix("=") ? attached.dropFirst() : attached
            return try take(option, attached: attached.isEmpty ? nil : String(value), &rest)
        }
        try take(option, attached: nil, &rest)
        rest.insert("-" + attached, at: rest.startIndex)
    }

    private mutating func take(
        _ option: Option, attached: String?, _ rest: inout ArraySlice<String>
    ) throws(UsageError) {
        var texts = parsed.options[option.name]?.texts ?? []
        if parsed.options[option.name] != nil, !option.isRepeatable {
            throw refusal("--\(option.name) is given twice")
        }
        if option.form == .flag {
            if attached != nil { throw refusal("--\(option.name) takes no value") }
        } else {
            guard let text = attached ?? Self.value(&rest) else {
                throw refusal("--\(option.name) needs a value, \(option.form.placeholder)")
            }
            if let complaint = option.form.complaint(about: text) {
                throw refusal("--\(option.name): \(complaint)")
            }
            texts.append(text)
        }
        parsed.options[option.name] = ParsedCommand.Given(texts: texts, origin: .argument)
    }

    /// The next word, unless it is an option itself.
    private static func value(_ rest: inout ArraySlice<String>) -> String? {
        guard let next = rest.first, !next.hasPrefix("--") else { return nil }
        return rest.popFirst()
    }

    private func option(named name: String) throws(UsageError) -> Option {
        if let option = command.options.first(where: { $0.name == name }) { return option }
        let near = NearestName.of(name, among: command.options.map(\.name) + ["help"])
        throw refusal("unknown option --\(name)" + (near.map { "; did you mean --\($0)?" } ?? ""))
    }

    private func refusal(_ message: String) -> UsageError {
        UsageError("\(path.joined(separator: " ")): \(message)")
    }
}
