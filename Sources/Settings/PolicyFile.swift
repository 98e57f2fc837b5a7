public import Configuration
public import Sampling
internal import YAML

/// Policies in a file of their own: a `sampling:` section, or the configuration of the Collector's tail sampling
/// processor, under `tail_sampling:` or `tail_sampling/name:`, alone or inside `processors:`, or without a heading.
public struct PolicyFile: Sendable {
    /// The effective policies, compiled; of a `sampling:` section with those of the simple keys.
    public var sampler: Sampler
    /// Accepted, but probably not meant.
    public var warnings: [Problem]
    /// The other keys of a Collector's block; nil for a `sampling:` section.
    let block: CollectorBlock?

    /// In configuration order.
    public var policies: [PolicyConfiguration] { sampler.policies }
    /// Policies after the first that keeps a trace are not asked.
    public var stopsAtFirstMatch: Bool { sampler.stopsAtFirstMatch }

    /// Reads a policy file.
    ///
    /// - Parameter path: As in messages.
    /// - Throws: All problems at once, each with its place.
    public static func read(_ text: [UInt8], path: String) throws(SettingsError) -> PolicyFile {
        var problems = Problems()
        let root: Node?
        do throws(YAMLError) {
            root = try YAMLText.parse(text, name: path)
        } catch {
            throw SettingsError(problems: error.problems)
        }
        guard let root, !root.isNull else {
            let place = Place.file(path, line: 1, column: 1)
            throw SettingsError(problems: [Problem(.error, at: place, key: "", "the file is empty; \(expected)")])
        }
        guard let file = read(root, path: "", &problems), !problems.hasErrors else {
            throw SettingsError(problems: problems.errors)
        }
        return file
    }

    private static let expected = "expected a sampling: section or a Collector's tail_sampling: block"

    /// - Parameter path: Dotted path of the node, for messages.
    /// - Returns: nil when it found errors.
    static func read(_ root: Node, path: String, _ problems: inout Problems) -> PolicyFile? {
        do throws(ReadError) {
            let entries = try root.map()
            if let section = entries.first(where: { $0.key == "sampling" }), path.isEmpty {
                return readSection(section, among: entries, &problems)
            }
            guard let found = find(entries, root, path: path, &problems) else { return nil }
            return readBlock(found.node, path: found.path, &problems)
        } catch {
            problems.error(at: root.place, key: path, "\(expected), found \(root.words)")
            return nil
        }
    }

    // MARK: A Collector's block

    /// Keys at the top of a Collector's configuration.
    private static let collectorSections: Set<String> = [
        "receivers", "processors", "exporters", "connectors", "extensions", "service",
    ]

    /// The block in a map that is it, or holds it.
    private static func find(
        _ entries: [Node.Entry], _ root: Node, path: String, _ problems: inout Problems
    ) -> (node: Node, path: String)? {
        func key(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
        if let processors = entries.first(where: { $0.key == "processors" }) {
            for entry in entries where !collectorSections.contains(entry.key) {
                problems.error(
                    at: entry.keyPlace, key: key(entry.key),
                    "unknown section" + NearestName.hint(entry.key, among: collectorSections.sorted()))
            }
            guard case .map(let inner) = processors.value.value, inner.contains(where: isBlock) else {
                problems.error(at: processors.keyPlace, key: key("processors"), "there is no tail_sampling in it")
                return nil
            }
            return find(inner.filter(isBlock), processors.value, path: key("processors"), &problems)
        }
        let blocks = entries.filter(isBlock)
        guard let block = blocks.first else { return (root, path) }
        for other in entries where other.keyPlace != block.keyPlace {
            problems.error(
                at: other.keyPlace, key: key(other.key),
                isBlock(other) ? "a second block; one can be used" : "unknown key beside \(block.key)")
        }
        return (block.value, key(block.key))
    }

    private static func isBlock(_ entry: Node.Entry) -> Bool {
        entry.key == "tail_sampling" || entry.key.hasPrefix("tail_sampling/")
    }

    private static func readBlock(_ node: Node, path: String, _ problems: inout Problems) -> PolicyFile? {
        let block = CollectorBlock(reading: node, path: path, problems: &problems)
        return compile(block.policies, block, &problems)
    }

    private static func compile(
        _ policies: [PolicyConfiguration], _ block: CollectorBlock?, _ problems: inout Problems
    ) -> PolicyFile? {
        do throws(SamplingError) {
            let sampler = try Sampler(policies: policies, stopsAtFirstMatch: block?.stopsAtFirstMatch ?? false)
            problems.add(sampler.warnings)
            return problems.hasErrors ? nil : PolicyFile(sampler: sampler, warnings: problems.warnings, block: block)
        } catch {
            problems.add(error.problems)
            return nil
        }
    }

    // MARK: A section

    /// A whole configuration is taken too; its other sections say nothing about policies.
    private static func readSection(
        _ section: Node.Entry, among entries: [Node.Entry], _ problems: inout Problems
    ) -> PolicyFile? {
        let vocabulary = Layer.Vocabulary.current
        for entry in entries where entry.key != "sampling" && !vocabulary.isSection(entry.key) {
            problems.error(
                at: entry.keyPlace, key: entry.key,
                "unknown key" + NearestName.hint(entry.key, among: ["sampling"]))
        }
        let machine = MachineFacts(hostName: "", memoryBytes: 1 << 30, workingFolder: "/")
        var loader = Loader(
            vocabulary: Layer.Vocabulary(
                declarations: vocabulary.declarations.filter { $0.key.hasPrefix("sampling.") }, unbuilt: []),
            machine: machine, settings: Settings(machine: machine))
        var layer = Layer()
        layer.take(section.value, as: "sampling", keyPlace: section.keyPlace, loader.vocabulary)
        loader.apply([layer])
        loader.checkSampling { (_) throws(ReadError) in throw ReadError("a policy file names no further file") }
        problems.add(loader.problems.list)
        guard !problems.hasErrors else { return nil }
        let sampling = loader.settings.sampling
        return PolicyFile(sampler: sampling.sampler, warnings: problems.warnings, block: sampling.block)
    }
}
