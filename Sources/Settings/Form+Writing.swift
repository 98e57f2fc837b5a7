internal import Configuration
internal import RDKafka
internal import Sampling
internal import Telemetry
internal import YAML

extension Declaration.Form {
    /// The property's value as YAML; nil when it has none.
    func text(in settings: Settings) -> String? {
        switch self {
        case .boolean(let property): "\(settings[keyPath: property])"
        case .integer(let property, _), .bytes(let property, _): "\(settings[keyPath: property])"
        case .wide(let property, _): "\(settings[keyPath: property])"
        case .seconds(let property, _): Self.seconds(settings[keyPath: property])
        case .rate(let property): NumberText.of(settings[keyPath: property])
        case .optionalRate(let property): settings[keyPath: property].map(NumberText.of)
        case .text(let property), .name(let property), .path(let property):
            YAMLText.scalar(settings[keyPath: property])
        case .logFilter(let property): YAMLText.scalar(settings[keyPath: property].description)
        case .optionalText(let property), .optionalPath(let property):
            settings[keyPath: property].map { YAMLText.scalar($0) }
        case .constant(let words): words[0]
        case .texts(let property):
            "[\(settings[keyPath: property].map { YAMLText.scalar($0) }.joined(separator: ", "))]"
        case .properties(let property):
            "{"
                + settings[keyPath: property].sorted { $0.key < $1.key }.map { name, value in
                    let shown = KafkaConfiguration.secrets.contains(name) ? "<redacted>" : value
                    return "\(YAMLText.scalar(name)): \(YAMLText.scalar(shown))"
                }.joined(separator: ", ") + "}"
        case .tree(let property, _): settings[keyPath: property].map(YAMLText.flow)
        }
    }

    /// What the key takes, for the reference.
    var words: String {
        switch self {
        case .boolean: "true or false"
        case .integer(_, let range): "whole number, \(range.lowerBound) to \(range.upperBound)"
        case .wide(_, let range):
            range.upperBound == .max
                ? "whole number, at least \(range.lowerBound)"
                : "whole number, \(range.lowerBound) to \(range.upperBound)"
        case .bytes(_, let range): "bytes, at least \(range.lowerBound)"
        case .seconds(_, let range):
            "seconds, \(NumberText.of(range.lowerBound)) to \(NumberText.of(range.upperBound))"
        case .rate, .optionalRate: "rate, 0 to 1"
        case .text, .optionalText: "text"
        case .name: "name: letters, digits, `_`, `-`"
        case .texts: "list of texts"
        case .properties: "map of names and texts"
        case .path, .optionalPath: "path; a relative one lies in the file's folder, or the working directory"
        case .constant(let words): "`\(words[0])`"
        case .logFilter: "levels"
        case .tree(_, let words): words
        }
    }

    private static func seconds(_ duration: Duration) -> String {
        let parts = duration.components
        return NumberText.of(Double(parts.seconds) + Double(parts.attoseconds) / 1e18)
    }
}
