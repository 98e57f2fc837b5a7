internal import Configuration
internal import Sampling

/// Texts made of the declarations; the copies in `Documentation` are held against them by a test.
public enum SettingsDocumentation {
    private static let defaults = Settings(
        machine: MachineFacts(hostName: "host", memoryBytes: 4 << 30, workingFolder: "/"))

    /// The page `Documentation/Configuration.md`.
    public static var reference: String {
        var lines = [
            "# Configuration",
            "",
            "<!-- Made by the declarations in Sources/Settings; a test holds it against them. -->",
            "",
            "`tss serve` needs none of this: every key has a default. A key is taken from, the first that has it:",
            "",
            "1. the environment: `app.data_dir` is `TSS__APP__DATA_DIR`; lists and sections are given as JSON.",
            "   `TSS_APP_DATA_DIR` is read too, with a warning;",
            "2. the YAML file named by `--config`;",
            "3. the default.",
            "",
            "All mistakes are reported at once, each with its place, and the program ends with exit code 2.",
            "`tss serve --check-config` only checks; `--print-config` prints every value with where it comes from.",
            "Durations are in seconds, with a fraction if need be. A key that is known and not built yet is refused.",
        ]
        var section = ""
        for declaration in Declaration.all {
            let name = String(declaration.key.prefix { $0 != "." })
            if name != section {
                section = name
                lines += ["", "## \(name)", "", "| key | takes | default | |", "|---|---|---|---|"]
            }
            lines.append(row(declaration))
        }
        lines += policies + unbuilt
        return lines.joined(separator: "\n") + "\n"
    }

    private static func row(_ declaration: Declaration) -> String {
        let value = declaration.defaultWords ?? declaration.form.text(in: defaults).map { "`\($0)`" } ?? "none"
        let alias = declaration.aliasKey.map { " Also `\($0)`." } ?? ""
        return "| `\(declaration.key)` | \(declaration.form.words) | \(value) | \(declaration.summary)\(alias) |"
    }

    private static var policies: [String] {
        var lines = [
            "",
            "## Policies",
            "",
            "The simple keys of `sampling` are shorthands for policies; `sampling.policies` adds others. A trace is",
            "kept when one of them wants it; the first in this order is credited: errors, latency, cardinality, the",
            "list, the base rate. `drop` policies come before all others, and drop errors too. The semantics are those",
            "of the OpenTelemetry Collector's tail sampling processor, except `rate`, which is ours. Its configuration",
            "can be pasted as `sampling.tail_sampling`. [Policies](Policies.md) says what each key means.",
            "",
            "```yaml",
            "sampling:",
            "  policies:",
            "    - name: slow-checkouts",
            "      type: latency",
            "      latency: {threshold_ms: 800}",
            "```",
            "",
            "| type | members |",
            "|---|---|",
        ]
        for kind in PolicyCatalog.kinds {
            let members = PolicyCatalog.members(of: kind).map { "`\($0)`" }.joined(separator: ", ")
            lines.append("| `\(kind.typeName)` | \(members.isEmpty ? "none" : members) |")
        }
        lines += ["", "Not built yet: \(PolicyCatalog.unbuiltKinds.map { "`\($0)`" }.joined(separator: ", "))."]
        return lines
    }

    private static var unbuilt: [String] {
        var lines = ["", "## Refused in this version", "", "| key | why |", "|---|---|"]
        for key in UnbuiltKey.all {
            lines.append("| `\(key.key)\(key.key.hasSuffix(".") ? "*" : "")` | \(key.reason) |")
        }
        return lines
    }

    /// The file `Documentation/config.example.yaml`: every key with its default.
    public static var example: String {
        var lines = SectionLines()
        lines.addPlain("# Every key with its default; what depends on the machine is commented out.")
        lines.addPlain("# Made by the declarations in Sources/Settings; a test holds it against them.")
        for declaration in Declaration.all {
            lines.comment(declaration.summary, for: declaration.key)
            if let words = declaration.defaultWords {
                lines.add(declaration.key, "  # default: \(words)", mark: "# ")
            } else if let text = declaration.form.text(in: defaults) {
                lines.add(declaration.key, text)
            }
        }
        return lines.text
    }
}
