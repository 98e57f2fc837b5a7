extension Command {
    /// A script that teaches bash to complete commands, options, choices and paths:
    /// `source <(tss completion)`.
    public var bashCompletion: String {
        let function = "_" + name.map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        var commandCases: [String] = []
        var valueCases: [String] = []
        var wordCases: [String] = []
        collect("", &commandCases, &valueCases, &wordCases)
        return """
            # bash completion of \(name)
            \(function)() {
                local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="" word
                # bash splits at "=", so --name=value is three words.
                if [ "$current" = "=" ]; then
                    current=""
                elif [ "$previous" = "=" ]; then
                    previous="${COMP_WORDS[COMP_CWORD-2]}"
                fi
                for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                    case "$path $word" in
            \(commandCases.map { "        \($0)" }.joined(separator: "\n"))
                    esac
                done
                case "$path $previous" in
            \(valueCases.map { "    \($0)" }.joined(separator: "\n"))
                esac
                case "$path" in
            \(wordCases.map { "    \($0)" }.joined(separator: "\n"))
                esac
            }
            complete -F \(function) \(name)

            """
    }

    private func collect(
        _ path: String, _ commandCases: inout [String], _ valueCases: inout [String], _ wordCases: inout [String]
    ) {
        for option in options {
            guard let reply = option.form.completion else { continue }
            var patterns = ["\"\(path) --\(option.name)\""]
            if let short = option.short { patterns.append("\"\(path) -\(short)\"") }
            valueCases.append("\(patterns.joined(separator: "|"))) \(reply); return ;;")
        }
        let words = commands.map(\.name) + options.map { "--\($0.name)" } + ["--help"]
        let takesFiles = operands.contains { $0.form == .file || $0.form == .folder }
        let kind = takesFiles ? "-f " : ""
        wordCases.append(
            "\"\(path)\") COMPREPLY=($(compgen \(kind)-W \"\(words.joined(separator: " "))\" -- \"$current\")) ;;")
        for command in commands {
            let next = "\(path) \(command.name)"
            commandCases.append("\"\(next)\") path=\"\(next)\" ;;")
            command.collect(next, &commandCases, &valueCases, &wordCases)
        }
    }
}

extension ValueForm {
    /// What bash does for a value; nil when there is no value to complete.
    fileprivate var completion: String? {
        switch self {
        case .flag: nil
        case .file: "COMPREPLY=($(compgen -f -- \"$current\"))"
        case .folder: "COMPREPLY=($(compgen -d -- \"$current\"))"
        case .choice(let words):
            "COMPREPLY=($(compgen -W \"\(words.joined(separator: " "))\" -- \"$current\"))"
        case .text, .integer, .number, .duration: "COMPREPLY=()"
        }
    }
}
