internal import Configuration

/// Makes a tree of a parser's events: follows aliases, applies merge keys, keeps to the limits.
struct Composer {
    let parser: EventParser
    let limits: YAMLLimits
    let place: (Int, Int) -> Place
    private var anchors: [String: Anchored] = [:]
    private var nodeCount = 0
    /// Problems after which reading can go on.
    private var problems = Problems()

    private struct Anchored {
        var node: Node
        /// Of the node and everything below, aliases followed.
        var nodeCount: Int
    }

    init(parser: EventParser, limits: YAMLLimits, place: @escaping (Int, Int) -> Place) {
        self.parser = parser
        self.limits = limits
        self.place = place
    }

    mutating func document() -> Result<Node?, YAMLError> {
        do throws(ParseFailure) {
            let root = try root()
            return problems.hasErrors ? .failure(YAMLError(problems: problems.errors)) : .success(root)
        } catch {
            problems.add(error.problem)
            return .failure(YAMLError(problems: problems.errors))
        }
    }

    private mutating func root() throws(ParseFailure) -> Node? {
        var root: Node?
        while true {
            let event = try parser.next()
            switch event.kind {
            case .streamStart, .documentEnd: continue
            case .streamEnd: return root
            case .documentStart:
                if root != nil { throw failure(event.place, "only one document is read, a second begins here") }
                root = try node(from: try parser.next(), depth: 0)
            case .alias, .scalar, .listStart, .listEnd, .mapStart, .mapEnd:
                preconditionFailure("libyaml gave content outside a document")
            }
        }
    }

    private mutating func node(from event: Event, depth: Int) throws(ParseFailure) -> Node {
        guard depth <= limits.depth else {
            throw failure(event.place, "lists and maps are nested deeper than \(limits.depth)")
        }
        let countBefore = nodeCount
        try charge(1, at: event.place)
        let made: Node
        let name: String?
        switch event.kind {
        case .alias(let anchor): return try follow(anchor, at: event.place)
        case .scalar(let text, let isPlain, let tag, let anchor):
            made = Node(
                text: text, isQuoted: try isText(tag, isPlain: isPlain, at: event.place), at: event.place)
            name = anchor
        case .listStart(let tag, let anchor):
            try accept(tag, only: "tag:yaml.org,2002:seq", at: event.place)
            made = Node(.list(try items(depth: depth)), at: event.place)
            name = anchor
        case .mapStart(let tag, let anchor):
            try accept(tag, only: "tag:yaml.org,2002:map", at: event.place)
            made = Node(.map(try entries(depth: depth)), at: event.place)
            name = anchor
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .listEnd, .mapEnd:
            preconditionFailure("libyaml gave an end where a value must stand")
        }
        if let name { anchors[name] = Anchored(node: made, nodeCount: nodeCount - countBefore) }
        return made
    }

    private mutating func items(depth: Int) throws(ParseFailure) -> [Node] {
        var items: [Node] = []
        while true {
            let event = try parser.next()
            if case .listEnd = event.kind { return items }
            items.append(try node(from: event, depth: depth + 1))
        }
    }

    private mutating func entries(depth: Int) throws(ParseFailure) -> [Node.Entry] {
        var entries: [Node.Entry] = []
        var merged: [Node.Entry] = []
        var firstPlaces: [String: Place] = [:]
        while true {
            let event = try parser.next()
            if case .mapEnd = event.kind { break }
            let keyNode = try node(from: event, depth: depth + 1)
            guard case .scalar(let key) = keyNode.value else {
                throw failure(event.place, "a key must be text, not \(keyNode.words)")
            }
            let value = try node(from: try parser.next(), depth: depth + 1)
            if key.text == "<<", !key.isQuoted {
                merged += try mergeSources(value)
            } else if let first = firstPlaces[key.text] {
                problems.error(at: event.place, key: key.text, "the key is given already at \(first)")
            } else {
                firstPlaces[key.text] = event.place
                entries.append(Node.Entry(key: key.text, keyPlace: event.place, value: value))
            }
        }
        // Own keys win over merged ones, earlier merged ones over later ones.
        for entry in merged where firstPlaces[entry.key] == nil {
            firstPlaces[entry.key] = entry.keyPlace
            entries.append(entry)
        }
        return entries
    }

    private func mergeSources(_ value: Node) throws(ParseFailure) -> [Node.Entry] {
        switch value.value {
        case .map(let entries): return entries
        case .list(let nodes):
            var entries: [Node.Entry] = []
            for node in nodes {
                guard case .map(let more) = node.value else {
                    throw failure(node.place, "<< takes maps, found \(node.words)")
                }
                entries += more
            }
            return entries
        case .scalar: throw failure(value.place, "<< takes a map or a list of maps, found \(value.words)")
        }
    }

    private mutating func follow(_ anchor: String, at place: Place) throws(ParseFailure) -> Node {
        guard let target = anchors[anchor] else {
            throw failure(place, "no value before this has the anchor &\(anchor)")
        }
        try charge(target.nodeCount, at: place)
        return target.node
    }

    private mutating func charge(_ count: Int, at place: Place) throws(ParseFailure) {
        nodeCount += count
        guard nodeCount <= limits.nodeCount else {
            throw failure(place, "more than \(limits.nodeCount) values, aliases followed")
        }
    }

    /// Whether a scalar is text whatever it looks like.
    private func isText(_ tag: String?, isPlain: Bool, at place: Place) throws(ParseFailure) -> Bool {
        switch tag {
        case nil: return !isPlain
        case "!", "tag:yaml.org,2002:str": return true
        case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool",
            "tag:yaml.org,2002:null":
            return false
        case .some(let tag): throw failure(place, "unknown tag \(tag)")
        }
    }

    private func accept(_ tag: String?, only known: String, at place: Place) throws(ParseFailure) {
        if let tag, tag != known, tag != "!" { throw failure(place, "unknown tag \(tag)") }
    }

    private func failure(_ place: Place, _ message: String) -> ParseFailure {
        ParseFailure(problem: Problem(.error, at: place, key: "", message))
    }
}
