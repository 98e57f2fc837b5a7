extension Command {
    /// Usage, commands, operands and options with their defaults.
    ///
    /// - Parameter path: Names from the program's own down to this command.
    public func help(path: [String]) -> String {
        var lines = ["\(path.joined(separator: " ")): \(summary)", "", "Usage: \(usage(path: path))"]
        if !details.isEmpty { lines += ["", details] }
        lines += Self.table("Commands", commands.map { ($0.name, $0.summary) })
        lines += Self.table("Operands", operands.map { ($0.name, $0.summary) })
        let helpRow = ("-h, --help", "Show this")
        lines += Self.table("Options", options.map { ($0.heading, $0.description) } + [helpRow])
        if !commands.isEmpty {
            lines += ["", "\(path.joined(separator: " ")) COMMAND --help says more about one of them."]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func usage(path: [String]) -> String {
        var words = path
        if !options.isEmpty { words.append("[OPTIONS]") }
        if !commands.isEmpty { words.append("COMMAND") }
        for operand in operands {
            let name = operand.isRepeatable ? "\(operand.name)..." : operand.name
            words.append(operand.isRequired ? name : "[\(name)]")
        }
        return words.joined(separator: " ")
    }

    private static func table(_ title: String, _ rows: [(String, String)]) -> [String] {
        guard !rows.isEmpty else { return [] }
        // Longer headings get a line of their own.
        let width = rows.map(\.0.count).filter { $0 <= headingLimit }.max() ?? headingLimit
        var lines = ["", "\(title):"]
        for (heading, text) in rows {
            if heading.count > width {
                lines.append("  \(heading)")
                lines.append(String(repeating: " ", count: width + 4) + text)
            } else {
                let gap = String(repeating: " ", count: width + 2 - heading.count)
                lines.append("  \(heading)\(gap)\(text)")
            }
        }
        return lines
    }

    private static let headingLimit = 30
}

extension Option {
    fileprivate var heading: String {
        let value = form == .flag ? "" : " \(form.placeholder)"
        return (short.map { "-\($0), " } ?? "    ") + "--\(name)\(value)"
    }

    /// The summary with range, default and variables.
    fileprivate var description: String {
        var notes: [String] = []
        if case .integer(let range) = form, range.lowerBound > .min, range.upperBound < .max {
            notes.append("\(range.lowerBound) to \(range.upperBound)")
        }
        if isRepeatable { notes.append("can be repeated") }
        if let defaultText { notes.append("default \(defaultText)") }
        if !variables.isEmpty { notes.append("or \(variables.joined(separator: ", "))") }
        return notes.isEmpty ? summary : "\(summary) (\(notes.joined(separator: "; ")))"
    }
}
