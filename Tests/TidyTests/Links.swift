/// References from one file of the project to another.
enum Links {
    /// The text of a file below the top of the checkout; nil when there is none. A folder gives the empty text.
    typealias Reader = (String) -> String?

    /// Markdown links whose target, or the heading that it names, is not there. Other sites are not looked at.
    static func broken(inMarkdown text: String, path: String, read: Reader) -> [Finding] {
        let folder = path.split(separator: "/").dropLast().map(String.init)
        return lines(text).flatMap { number, line in
            targets(in: line).compactMap { target -> Finding? in
                guard !target.contains("://"), !target.hasPrefix("mailto:") else { return nil }
                let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let file = parts[0].isEmpty ? path : resolve(String(parts[0]), in: folder)
                guard let content = read(file) else {
                    return Finding(path: path, line: number, message: "links to \(target), which is not there")
                }
                if parts.count > 1, !headings(content).contains(where: { anchor($0) == parts[1] }) {
                    return Finding(path: path, line: number, message: "links to \(target), which has no such heading")
                }
                return nil
            }
        }
    }

    /// `Documentation/<file>` anywhere in a text, and the heading in quotation marks after it: `….md, "Clock"`.
    static func broken(inSource text: String, path: String, read: Reader) -> [Finding] {
        lines(text).flatMap { number, line in
            line.matches(of: #/Documentation/[A-Za-z0-9_\/.-]+\.[a-z]+(, "([^"]+)")?/#).compactMap { match in
                let reference = match.output.0
                let file = String(reference.prefix { $0 != "," })
                guard let content = read(file) else {
                    return Finding(path: path, line: number, message: "names \(file), which is not there")
                }
                if let heading = match.output.2, !headings(content).contains(where: { $0.hasPrefix(heading) }) {
                    return Finding(path: path, line: number, message: "\(file) has no heading \"\(heading)\"")
                }
                return nil
            }
        }
    }

    private static func lines(_ text: String) -> [(Int, Substring)] {
        Array(zip(1..., text.split(separator: "\n", omittingEmptySubsequences: false)))
    }

    private static func targets(in line: Substring) -> [String] {
        line.matches(of: #/\]\(([^)\s]+)\)/#).map { String($0.output.1) }
    }

    private static func resolve(_ target: String, in folder: [String]) -> String {
        var parts = folder
        for part in target.split(separator: "/") {
            if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(String(part)) }
        }
        return parts.joined(separator: "/")
    }

    static func headings(_ text: String) -> [Substring] {
        text.split(separator: "\n").filter { $0.hasPrefix("#") }
            .map { $0.drop { $0 == "#" }.drop { $0 == " " } }
    }

    /// As GitHub makes it: lower case, spaces to hyphens, everything but letters, digits and hyphens gone.
    static func anchor(_ heading: Substring) -> String {
        let hyphenated = heading.lowercased().map { $0 == " " ? "-" : $0 }
        return String(hyphenated.filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
    }
}
