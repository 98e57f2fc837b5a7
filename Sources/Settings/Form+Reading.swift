internal import Configuration
internal import Sampling
internal import Telemetry

extension Declaration.Form {
    var isTree: Bool {
        switch self {
        case .tree, .texts, .properties: true
        default: false
        }
    }

    /// Reads a value and sets the property.
    ///
    /// - Parameter folder: What relative paths are relative to.
    func set(_ node: Node, in settings: inout Settings, folder: String) throws(ReadError) {
        switch self {
        case .boolean(let property): settings[keyPath: property] = try node.boolean()
        case .integer(let property, let range), .bytes(let property, let range):
            settings[keyPath: property] = Int(try Self.integer(node, Int64(range.lowerBound)...Int64(range.upperBound)))
        case .wide(let property, let range): settings[keyPath: property] = try Self.integer(node, range)
        case .seconds(let property, let range): settings[keyPath: property] = try Self.seconds(node, range)
        case .rate(let property): settings[keyPath: property] = try Self.rate(node)
        case .optionalRate(let property): settings[keyPath: property] = try Self.rate(node)
        case .text(let property): settings[keyPath: property] = try Self.filled(node)
        case .name(let property): settings[keyPath: property] = try Self.name(node)
        case .optionalText(let property): settings[keyPath: property] = try Self.filled(node)
        case .path(let property):
            settings[keyPath: property] = AbsolutePath.of(try Self.filled(node), in: folder)
        case .constant(let words): try Self.constant(node, words)
        case .logFilter(let property): settings[keyPath: property] = try Self.logFilter(try node.text())
        case .optionalPath(let property):
            settings[keyPath: property] = AbsolutePath.of(try Self.filled(node), in: folder)
        case .texts(let property):
            if case .list(let nodes) = node.value {
                settings[keyPath: property] = try nodes.map { (node) throws(ReadError) in try Self.filled(node) }
            } else {
                settings[keyPath: property] = [try Self.filled(node)]
            }
        case .properties(let property):
            var values: [String: String] = [:]
            for entry in try node.map() { values[entry.key] = try entry.value.text() }
            settings[keyPath: property] = values
        case .tree(let property, _): settings[keyPath: property] = node
        }
    }

    private static func integer(_ node: Node, _ range: ClosedRange<Int64>) throws(ReadError) -> Int64 {
        let number = try node.integer()
        guard range.contains(number) else {
            throw ReadError("\(number) is not within \(range.lowerBound) and \(range.upperBound)")
        }
        return number
    }

    private static func seconds(_ node: Node, _ range: ClosedRange<Double>) throws(ReadError) -> Duration {
        let number = try node.number()
        guard range.contains(number) else {
            let bounds = "\(NumberText.of(range.lowerBound)) and \(NumberText.of(range.upperBound))"
            throw ReadError("\(NumberText.of(number)) seconds is not within \(bounds)")
        }
        return .milliseconds(Int64((number * 1000).rounded()))
    }

    private static func rate(_ node: Node) throws(ReadError) -> Double {
        let number = try node.number()
        if let complaint = Rate.complaint(about: number) { throw ReadError(complaint) }
        return number
    }

    private static func filled(_ node: Node) throws(ReadError) -> String {
        let text = try node.text()
        guard !text.isEmpty else { throw ReadError("expected a text that is not empty") }
        return text
    }

    private static func name(_ node: Node) throws(ReadError) -> String {
        let text = try filled(node)
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isName else { throw ReadError("\(node.words) is no name: letters, digits, _ and - are") }
        return text
    }

    static func logFilter(_ text: String) throws(ReadError) -> LogFilter {
        do throws(LogFilter.Mistake) {
            return try LogFilter(parsing: text)
        } catch {
            throw ReadError(error.description)
        }
    }

    private static func constant(_ node: Node, _ words: [String]) throws(ReadError) {
        let text = try node.text()
        if text == words[0] { return }
        if words.contains(text) { throw ReadError("\(text) is not built yet; \(words[0]) is") }
        let hint = NearestName.hint(text, among: words)
        throw ReadError("\(node.words) is none of \(words.joined(separator: ", "))\(hint)")
    }
}
