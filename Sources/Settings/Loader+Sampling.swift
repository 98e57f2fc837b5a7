internal import Configuration
internal import Sampling

/// The policies: those of the simple keys with the list, or a block or file that stands alone.
extension Loader {
    /// - Parameter readFile: The text of the file that `sampling.policies_file` names.
    mutating func checkSampling(_ readFile: (String) throws(ReadError) -> String) {
        let alone = ["sampling.tail_sampling", "sampling.policies_file"].filter { places[$0] != nil }
        guard let key = alone.first, let place = places[key] else { return combine() }
        if alone.count > 1, let second = places[alone[1]] {
            problems.error(at: second, key: alone[1], "\(key) at \(place) stands alone")
        }
        refuseOthers(beside: key)
        guard let file = readAlone(at: place, readFile) else { return }
        settings.sampling.sampler = file.sampler
        settings.sampling.block = file.block
        if let block = file.block { wait(as: block) }
    }

    /// The simple keys and the list add to each other.
    private mutating func combine() {
        let simple = settings.sampling.simple
        if simple.alwaysSampleErrors, let rate = simple.errorSampleRate, rate < 1 {
            let key = "sampling.error_sample_rate"
            problems.error(
                at: places[key] ?? .builtIn, key: key,
                "\(NumberText.of(rate)) contradicts sampling.always_sample_errors: set that to false")
        }
        if !simple.sampleLatency {
            warnIdle(["latency_threshold_ms", "latency_sample_rate"], without: "sample_latency")
        }
        if !simple.sampleCardinality { warnIdle(["max_span_count"], without: "sample_cardinality") }
        let places = places
        var written: [PolicyConfiguration] = []
        if let node = settings.sampling.policies {
            written = PolicyCatalog.policies(in: node, path: "sampling.policies", problems: &problems)
        }
        let effective = simple.policies(written: written) { places["sampling.\($0)"] ?? .builtIn }
        do throws(SamplingError) {
            settings.sampling.sampler = try Sampler(policies: effective)
            problems.add(settings.sampling.sampler.warnings)
        } catch {
            problems.add(error.problems)
        }
    }

    /// Warns of keys that were changed and need another one to act.
    private mutating func warnIdle(_ names: [String], without name: String) {
        let defaults = Settings(machine: machine)
        for declaration in vocabulary.declarations {
            let key = declaration.key
            guard names.contains(where: { key == "sampling." + $0 }), let place = places[key],
                declaration.form.text(in: settings) != declaration.form.text(in: defaults)
            else { continue }
            problems.warning(at: place, key: key, "has no effect while sampling.\(name) is false")
        }
    }

    // MARK: What stands alone

    private mutating func refuseOthers(beside key: String) {
        for declaration in vocabulary.declarations where declaration.isOfPolicies {
            guard let place = places[declaration.key] else { continue }
            problems.error(
                at: place, key: declaration.key,
                "does not apply beside \(key), which stands alone: leave one of them out")
        }
    }

    private mutating func readAlone(
        at place: Place, _ readFile: (String) throws(ReadError) -> String
    ) -> PolicyFile? {
        if let node = settings.sampling.tailSampling {
            return PolicyFile.read(node, path: "sampling.tail_sampling", &problems)
        }
        guard let path = settings.sampling.policiesFile else { return nil }
        do throws(ReadError) {
            let text = try readFile(path)
            do throws(SettingsError) {
                let file = try PolicyFile.read(Array(text.utf8), path: path)
                problems.add(file.warnings)
                return file
            } catch {
                problems.add(error.problems)
            }
        } catch {
            problems.error(at: place, key: "sampling.policies_file", error.message)
        }
        return nil
    }

    // MARK: Waits and limits of a Collector's block

    private static let waits = [
        "app.inactivity_timeout_secs", "app.root_inactivity_timeout_secs", "app.max_trace_duration_secs",
    ]

    /// `decision_wait` counts from a trace's first span, whatever follows: the longest duration of a trace, with no
    /// wait that ends earlier. What is given under `app` counts, unless the block contradicts it.
    private mutating func wait(as block: CollectorBlock) {
        let wait = block.decisionWait
        let isGiven = Self.waits.contains { places[$0] != nil }
        if let wait {
            agree(Self.waits[0], \.app.inactivityTimeout, with: wait)
            agree(Self.waits[2], \.app.maximumTraceDuration, with: wait)
        } else if !isGiven, !settings.isDevelopment {
            settings.app.inactivityTimeout = CollectorBlock.defaultDecisionWait
            settings.app.maximumTraceDuration = CollectorBlock.defaultDecisionWait
        }
        if let afterRoot = block.decisionWaitAfterRoot {
            agree(Self.waits[1], \.app.rootInactivityTimeout, with: afterRoot)
        } else if let wait {
            agree(Self.waits[1], \.app.rootInactivityTimeout, with: wait)
        } else if !isGiven {
            settings.app.rootInactivityTimeout = settings.app.inactivityTimeout
        }
        if let count = block.maximumTraces { agree("app.max_buffer_traces", \.app.maximumBufferTraces, with: count) }
        if let count = block.maximumDecisions { agree("app.max_decisions", \.app.maximumDecisions, with: count) }
    }

    /// Sets what the block says, unless the key says something else.
    private mutating func agree<Value: Equatable>(
        _ key: String, _ property: WritableKeyPath<Settings, Value>, with given: CollectorBlock.Given<Value>
    ) {
        if let place = places[key] {
            guard settings[keyPath: property] != given.value else { return }
            problems.error(
                at: place, key: key, "contradicts \(given.key) at \(given.place): leave one of them out")
        } else {
            settings[keyPath: property] = given.value
            places[key] = given.place
        }
    }
}

extension Declaration {
    /// A simple key or the list: what does not apply when something stands alone.
    var isOfPolicies: Bool {
        key.hasPrefix("sampling.") && key != "sampling.tail_sampling" && key != "sampling.policies_file"
    }
}
