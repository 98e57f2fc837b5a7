import Configuration
import Sampling
import Settings
import YAML

/// Called by libFuzzer with every input. A trap, an address error or a broken promise is a finding.
///
/// The first byte chooses the reader: YAML alone, a list of policies (with their regular expressions), all settings;
/// the others are the text.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let input = UnsafeBufferPointer(start: data, count: size)
    guard size >= 1 else { return 0 }
    let text = Array(input.dropFirst())
    switch input[0] % 3 {
    case 0: readTree(text)
    case 1: readPolicies(text)
    default: readSettings(text)
    }
    return 0
}

private let limits: YAMLLimits = {
    var limits = YAMLLimits()
    limits.nodeCount = 5_000
    return limits
}()

/// A tree that was read can be written, and reads back as the same tree.
private func readTree(_ text: [UInt8]) {
    guard let tree = (try? YAMLText.parse(text, name: "fuzz.yaml", limits: limits)) ?? nil else { return }
    let written = YAMLText.flow(tree)
    let back = (try? YAMLText.parse(Array(written.utf8), name: "written.yaml")) ?? nil
    precondition(back.map { isSame($0, tree) } == true, "written and read is not the same")
}

private func isSame(_ one: Node, _ other: Node) -> Bool {
    switch (one.value, other.value) {
    case (.scalar(let one), .scalar(let other)):
        // A plain text may come back in quotes where plain style would not do.
        one.text == other.text || (one.text == "null" && !one.isQuoted && !other.isQuoted)
    case (.list(let one), .list(let other)):
        one.count == other.count && zip(one, other).allSatisfy(isSame)
    case (.map(let one), .map(let other)):
        one.count == other.count && zip(one, other).allSatisfy { $0.key == $1.key && isSame($0.value, $1.value) }
    default: false
    }
}

/// Policies that were read without an error have words, and compile or say why not.
private func readPolicies(_ text: [UInt8]) {
    guard let tree = (try? YAMLText.parse(text, name: "fuzz.yaml", limits: limits)) ?? nil else { return }
    var problems = Problems()
    let policies = PolicyCatalog.policies(in: tree, path: "policies", problems: &problems)
    guard !problems.hasErrors else { return }
    for policy in policies { precondition(!policy.words.isEmpty, "a policy without words") }
    do throws(SamplingError) {
        _ = try Sampler(policies: policies)
    } catch {
        precondition(!error.problems.isEmpty, "refused without a reason")
    }
}

/// Refused settings say why.
private func readSettings(_ text: [UInt8]) {
    let sources = SettingsSources(file: SettingsSources.File(path: "/etc/fuzz.yaml", text: text))
    let machine = MachineFacts(hostName: "fuzz", memoryBytes: 8 << 30, workingFolder: "/")
    do throws(SettingsError) {
        _ = try Settings.load(sources, machine: machine) { (_) throws(ReadError) in throw ReadError("no files here") }
    } catch {
        precondition(!error.problems.isEmpty, "refused without a reason")
    }
}
