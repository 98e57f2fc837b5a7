/// The rules that the compiler and the formatter cannot see. Each is a function from text to findings, so that it
/// can be shown a bad example: `CheckerTests` does.
enum Checkers {
    static let longestLineCharacters = 120
    static let longestFileLines = 800
    static let longestFunctionLines = 70

    // MARK: Sizes

    static func lineLength(_ file: SourceText) -> [Finding] {
        findings(in: file, \.lines) { line in
            line.count > longestLineCharacters ? "\(line.count) characters, at most \(longestLineCharacters)" : nil
        }
    }

    static func fileLength(_ file: SourceText) -> [Finding] {
        let count = file.lines.last == "" ? file.lines.count - 1 : file.lines.count
        guard count > longestFileLines else { return [] }
        return [Finding(path: file.path, line: count, message: "\(count) lines, at most \(longestFileLines)")]
    }

    static func functionLength(_ file: SourceText) -> [Finding] {
        Functions.found(in: file.code).compactMap { function in
            guard function.lineCount > longestFunctionLines else { return nil }
            return Finding(
                path: file.path, line: function.line,
                message: "function of \(function.lineCount) lines, at most \(longestFunctionLines)")
        }
    }

    // MARK: Words

    /// Work that is not done is an issue, not a comment.
    static func unfinished(_ file: SourceText) -> [Finding] {
        let words = ["TO" + "DO", "FIX" + "ME"]
        return findings(in: file, \.lines) { line in
            words.first { Words.contains($0, in: line) }.map { "\($0) is not a plan" }
        }
    }

    /// Paths that exist on one machine only.
    static func machinePaths(_ file: SourceText) -> [Finding] {
        let paths = ["/wo" + "rk/", "/ho" + "me/", "/ro" + "ot/", "/Us" + "ers/", "/opt/sw" + "ift"]
        return findings(in: file, \.lines) { line in
            paths.first { line.contains($0) }.map { "a path of one machine: \($0)" }
        }
    }

    /// Threads, not async: every library here blocks or calls back on its own thread.
    static func concurrency(_ file: SourceText) -> [Finding] {
        findings(in: file, \.code) { line in
            if let word = ["async", "await", "actor"].first(where: { Words.contains($0, in: line) }) {
                return "\(word): threads are used here, not Swift's concurrency"
            }
            let tasks = ["Task {", "Task(", "Task.", "TaskGroup", "@MainActor"]
            if tasks.contains(where: { Words.contains($0, in: line) }) {
                return "a task: threads are used here, not Swift's concurrency"
            }
            // The thread sanitizer does not see it on Linux, and reports races that are none.
            return Words.contains("Mutex", in: line) ? "Mutex: the one lock is Threads.Lock" : nil
        }
    }

    // MARK: The engine

    /// The engine takes the time and bytes as arguments and returns what to do.
    static func engineWords(_ file: SourceText) -> [Finding] {
        let words = [
            "ContinuousClock", "SuspendingClock", "clock_gettime", "gettimeofday", "Date(", "Thread", "Lock",
            "Atomic", "DispatchQueue", "pthread_", "print(", "debugPrint(", "dump(", "socket(", "getenv(",
            "SystemRandomNumberGenerator", ".random(in", ".randomElement(", ".shuffled(", "sleep(",
        ]
        return findings(in: file, \.code) { line in
            words.first { word in
                // Drawing from a generator that was passed in is a function of the seed.
                Words.contains(word, in: line) && !(word.hasPrefix(".") && line.contains("using:"))
            }.map { "\($0) in the engine, which has no clock, lock, thread, chance or output" }
        }
    }

    // MARK: Unsafe code

    static func unsafeWords(_ file: SourceText) -> [Finding] {
        findings(in: file, \.code) { line in
            let word = Words.of(line).first { word in
                word.hasPrefix("Unsafe") || word.hasPrefix("unsafe") || word.hasPrefix("withUnsafe")
                    || word == "Unmanaged" || word == "OpaquePointer"
            }
            return word.map { "\($0): unsafe code has its place" }
        }
    }

    /// What is never allowed, and what needs its proof in the line above.
    static func sendability(_ file: SourceText) -> [Finding] {
        var result: [Finding] = []
        for (index, line) in file.code.enumerated() {
            if line.contains("nonisolated(unsafe)") {
                result.append(Finding(path: file.path, line: index + 1, message: "nonisolated(unsafe) is not used"))
            }
            if line.contains("@unchecked Sendable"), !isComment(file.lines, above: index) {
                result.append(
                    Finding(path: file.path, line: index + 1, message: "@unchecked Sendable without a proof above"))
            }
        }
        return result
    }

    /// Attributes may stand between a declaration and its comment.
    private static func isComment(_ lines: [Substring], above index: Int) -> Bool {
        var index = index - 1
        while index >= 0, trimmed(lines[index]).hasPrefix("@") { index -= 1 }
        return index >= 0 && trimmed(lines[index]).hasPrefix("//")
    }

    // MARK: Kill points

    /// A release build must not hold them.
    static func killPoints(_ file: SourceText) -> [Finding] {
        var isDebug: [Bool] = []
        var result: [Finding] = []
        for (index, line) in file.code.enumerated() {
            let line = trimmed(line)
            if line.hasPrefix("#if") {
                isDebug.append(line == "#if DEBUG")
            } else if line.hasPrefix("#else"), !isDebug.isEmpty {
                isDebug[isDebug.count - 1] = false
            } else if line.hasPrefix("#endif") {
                _ = isDebug.popLast()
            } else if Words.contains("killPoint(", in: line), !isDebug.contains(true) {
                result.append(Finding(path: file.path, line: index + 1, message: "killPoint outside #if DEBUG"))
            }
        }
        return result
    }

    // MARK: Helpers

    static func findings(
        in file: SourceText, _ lines: KeyPath<SourceText, [Substring]>, _ check: (Substring) -> String?
    ) -> [Finding] {
        file[keyPath: lines].enumerated().compactMap { index, line in
            check(line).map { Finding(path: file.path, line: index + 1, message: $0) }
        }
    }

    static func trimmed(_ line: Substring) -> Substring {
        var line = line.drop { $0 == " " }
        while line.last == " " { line.removeLast() }
        return line
    }
}

/// Whole words in code.
enum Words {
    /// Whether a word stands in the line and is not the tail or, when it ends in a letter, the head of another.
    static func contains(_ word: String, in line: Substring) -> Bool {
        line.ranges(of: word).contains { range in
            let before = range.lowerBound == line.startIndex ? nil : line[line.index(before: range.lowerBound)]
            let after = range.upperBound == line.endIndex ? nil : line[range.upperBound]
            let startsClean = !(isWord(word.first) && isWord(before)) && before != "`"
            let endsClean = !(isWord(word.last) && word.last != "_" && isWord(after))
            return startsClean && endsClean
        }
    }

    static func of(_ line: Substring) -> [Substring] {
        line.split { !isWord($0) }
    }

    private static func isWord(_ character: Character?) -> Bool {
        guard let character else { return false }
        return character.isLetter || character.isNumber || character == "_"
    }
}
