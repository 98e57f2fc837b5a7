internal import Arguments
internal import Configuration
internal import Settings

/// Reads the settings of a command from its file, its environment and its flags, or says all that is wrong with them.
enum CommandSettings {
    /// Exit code of a configuration that cannot be used.
    static let exitCode: Int32 = 2
    /// No configuration is as large.
    private static let fileLimitBytes = 8 << 20

    static let options = [
        Option("config", .file, variables: ["TSS_CONFIG"], "YAML file with settings; the environment wins over it")
    ]

    /// Nil after it has told the person at the terminal what is wrong.
    static func load(
        _ arguments: ParsedCommand, isDevelopment: Bool = false, flags: [String: String] = [:]
    ) -> LoadedSettings? {
        var sources = SettingsSources(environment: ProcessEnvironment.variables, arguments: flags)
        do throws(ReadFailure) {
            if let path = arguments.text("config") {
                let absolute = ProcessEnvironment.absolute(path)
                sources.file = SettingsSources.File(
                    path: absolute, text: try ProcessEnvironment.readBytes(absolute, limitBytes: fileLimitBytes))
            }
        } catch {
            Terminal.error("tss: \(error.message)")
            return nil
        }
        do throws(SettingsError) {
            return try Settings.load(
                sources, machine: ProcessEnvironment.machine, isDevelopment: isDevelopment, readFile: readSecret)
        } catch {
            let count = error.problems.count
            Terminal.error("tss: \(count) \(count == 1 ? "problem" : "problems") in the configuration:")
            for problem in error.problems { Terminal.error("  \(problem)") }
            return nil
        }
    }

    static func readSecret(_ path: String) throws(ReadError) -> String {
        do throws(ReadFailure) {
            return try ProcessEnvironment.readText(path, limitBytes: fileLimitBytes)
        } catch {
            throw ReadError(error.message)
        }
    }
}
