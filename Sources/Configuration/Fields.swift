/// Reads the members of one map and reports what is wrong with them.
///
/// Every name that is asked for counts as known; `finish` refuses the others with the nearest known
/// name. So the list of members of a kind is the code that reads it, and cannot disagree with it.
/// A member whose value is null counts as absent.
public struct Fields {
    public let path: String
    public let place: Place
    public var problems = Problems()
    private let entries: [Node.Entry]
    /// Names that were asked for, in that order.
    public private(set) var known: [String] = []

    /// `node` nil or null is an empty map at `place`; anything but a map is an error.
    public init(_ node: Node?, path: String, place: Place) {
        self.path = path
        self.place = node?.place ?? place
        guard let node, !node.isNull else {
            entries = []
            return
        }
        do throws(ReadError) {
            entries = try node.map()
        } catch {
            entries = []
            problems.error(at: node.place, key: path, error.message)
        }
    }

    /// The member's value, nil when absent or null.
    public mutating func node(_ name: String) -> Node? {
        if !known.contains(name) { known.append(name) }
        guard let value = entries.first(where: { $0.key == name })?.value, !value.isNull else { return nil }
        return value
    }

    /// Whether the map has the member, null included.
    public func has(_ name: String) -> Bool { entries.contains { $0.key == name } }

    public func key(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    public mutating func text(_ name: String) -> String? {
        read(name) { (node) throws(ReadError) in try node.text() }
    }

    public mutating func integer(_ name: String) -> Int64? {
        read(name) { (node) throws(ReadError) in try node.integer() }
    }

    public mutating func number(_ name: String) -> Double? {
        read(name) { (node) throws(ReadError) in try node.number() }
    }

    public mutating func boolean(_ name: String) -> Bool? {
        read(name) { (node) throws(ReadError) in try node.boolean() }
    }

    public mutating func list(_ name: String) -> [Node]? {
        read(name) { (node) throws(ReadError) in try node.list() }
    }

    /// A list of texts; numbers and booleans among them are taken as written.
    public mutating func texts(_ name: String) -> [(text: String, place: Place)]? {
        guard let nodes = list(name) else { return nil }
        var texts: [(text: String, place: Place)] = []
        for (index, node) in nodes.enumerated() {
            do throws(ReadError) {
                texts.append((try node.text(), node.place))
            } catch {
                problems.error(at: node.place, key: "\(key(name))[\(index)]", error.message)
            }
        }
        return texts
    }

    /// Records an error about a member, at its value if it is there.
    public mutating func error(_ name: String, _ message: String) {
        problems.error(at: place(of: name), key: key(name), message)
    }

    public mutating func warning(_ name: String, _ message: String) {
        problems.warning(at: place(of: name), key: key(name), message)
    }

    public func place(of name: String) -> Place {
        entries.first { $0.key == name }?.value.place ?? place
    }

    /// Refuses every member that nobody asked for.
    public mutating func finish() {
        for entry in entries where !known.contains(entry.key) {
            let hint = NearestName.hint(entry.key, among: known)
            let members = known.isEmpty ? "it takes none" : "known are \(known.joined(separator: ", "))"
            problems.error(
                at: entry.keyPlace, key: key(entry.key),
                hint.isEmpty ? "unknown member; \(members)" : "unknown member\(hint)")
        }
    }

    private mutating func read<Value>(
        _ name: String, _ convert: (Node) throws(ReadError) -> Value
    ) -> Value? {
        guard let node = node(name) else { return nil }
        do throws(ReadError) {
            return try convert(node)
        } catch {
            problems.error(at: node.place, key: key(name), error.message)
            return nil
        }
    }
}
