public import Configuration

/// The texts that settings are read from.
public struct SettingsSources: Sendable {
    public struct File: Sendable {
        /// As in messages; relative paths in the file lie in its folder.
        public var path: String
        public var text: [UInt8]

        public init(path: String, text: [UInt8]) {
            self.path = path
            self.text = text
        }
    }

    public var file: File?
    public var environment: [String: String]
    /// Settings of the command line by key; they win over all others.
    public var arguments: [String: String]

    public init(file: File? = nil, environment: [String: String] = [:], arguments: [String: String] = [:]) {
        self.file = file
        self.environment = environment
        self.arguments = arguments
    }
}

/// Settings that were read, with what there is to say about them.
public struct LoadedSettings: Sendable {
    public var settings: Settings
    /// Accepted, but probably not meant; for the log, once.
    public var warnings: [Problem]
    /// Variables that look like settings and are none; for the log at debug.
    public var ignoredVariables: [String]
    /// Where each key that was given was given; a key that is absent has its default.
    public var places: [String: Place]
}

/// A configuration that cannot be used; every reason at once. The program ends with exit code 2.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
    /// Never empty.
    public var problems: [Problem]

    /// One line for each problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
