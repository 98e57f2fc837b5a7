internal import CYAML
internal import Configuration

/// A piece of the document, with where it starts.
struct Event {
    enum Kind {
        case streamStart
        case streamEnd
        case documentStart
        case documentEnd
        case alias(String)
        case scalar(text: String, isPlain: Bool, tag: String?, anchor: String?)
        case listStart(tag: String?, anchor: String?)
        case listEnd
        case mapStart(tag: String?, anchor: String?)
        case mapEnd
    }

    var kind: Kind
    var place: Place
}

/// The first thing that went wrong.
struct ParseFailure: Error {
    var problem: Problem
}

/// libyaml's parser, one event at a time, in Swift's values.
final class EventParser {
    // Allocated, since libyaml keeps the parser's own address in it; freed by deinit.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let place: (Int, Int) -> Place

    /// The bytes must outlive the parser.
    init(_ bytes: UnsafeBufferPointer<UInt8>, place: @escaping (Int, Int) -> Place) {
        self.place = place
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        guard yaml_parser_initialize(parser) == 1 else { preconditionFailure("no memory for a YAML parser") }
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    func next() throws(ParseFailure) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        return Event(kind: kind(of: event), place: place(of: event.start_mark))
    }

    private func kind(of event: yaml_event_t) -> Event.Kind {
        switch event.type {
        case YAML_STREAM_START_EVENT: return .streamStart
        case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return .streamEnd
        case YAML_DOCUMENT_START_EVENT: return .documentStart
        case YAML_DOCUMENT_END_EVENT: return .documentEnd
        case YAML_ALIAS_EVENT: return .alias(Self.text(event.data.alias.anchor) ?? "")
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            // By length: a scalar may hold a zero byte.
            let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            return .scalar(
                text: String(decoding: bytes, as: UTF8.self),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE, tag: Self.text(scalar.tag),
                anchor: Self.text(scalar.anchor))
        case YAML_SEQUENCE_START_EVENT:
            let start = event.data.sequence_start
            return .listStart(tag: Self.text(start.tag), anchor: Self.text(start.anchor))
        case YAML_SEQUENCE_END_EVENT: return .listEnd
        case YAML_MAPPING_START_EVENT:
            let start = event.data.mapping_start
            return .mapStart(tag: Self.text(start.tag), anchor: Self.text(start.anchor))
        case YAML_MAPPING_END_EVENT: return .mapEnd
        default: preconditionFailure("libyaml has an event that its header does not name")
        }
    }

    private func failure() -> ParseFailure {
        let state = parser.pointee
        var message = state.problem.map { String(cString: $0) } ?? "not enough memory"
        var failurePlace = place(of: state.problem_mark)
        if state.error == YAML_READER_ERROR {
            // An encoding error has an offset and no mark.
            message = "\(message) at byte \(state.problem_offset)"
            failurePlace = place(1, 1)
        } else if let context = state.context {
            message += " (\(String(cString: context)) at line \(state.context_mark.line + 1))"
        }
        return ParseFailure(problem: Problem(.error, at: failurePlace, key: "", message))
    }

    private func place(of mark: yaml_mark_t) -> Place { place(Int(mark.line) + 1, Int(mark.column) + 1) }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        pointer.map { String(cString: $0) }
    }
}
