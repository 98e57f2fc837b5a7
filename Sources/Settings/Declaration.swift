internal import Configuration
internal import Telemetry

typealias Property<Value> = any WritableKeyPath<Settings, Value> & Sendable

/// One key: what it is called, what it takes, where it goes, and what people are told about it.
///
/// From these come the reading of files and of the environment, the page of reference, the example file and
/// `--print-config`.
struct Declaration: Sendable {
    /// Dotted, such as `app.data_dir`.
    var key: String
    var form: Form
    /// One or more sentences for the reference.
    var summary: String
    /// What the default is, when it depends on the machine.
    var defaultWords: String?
    /// Printed as `<redacted>`, and read from the file that `…_FILE` names.
    var isSecret = false
    /// Another name of the key that is read too.
    var alias: String?

    /// What a key takes, and the property it sets.
    enum Form: Sendable {
        case boolean(Property<Bool>)
        case integer(Property<Int>, ClosedRange<Int>)
        case wide(Property<Int64>, ClosedRange<Int64>)
        case bytes(Property<Int>, ClosedRange<Int>)
        /// Seconds, with a fraction down to milliseconds.
        case seconds(Property<Duration>, ClosedRange<Double>)
        case rate(Property<Double>)
        case optionalRate(Property<Double?>)
        case text(Property<String>)
        /// A name in the catalog: letters, digits, `_` and `-`.
        case name(Property<String>)
        case optionalText(Property<String?>)
        case path(Property<String>)
        case optionalPath(Property<String?>)
        /// A list of texts; one alone is taken as a list of it.
        case texts(Property<[String]>)
        /// Names of somebody else's, each with a text; a variable names one with `_` for `.`.
        case properties(Property<[String: String]>)
        /// One word of a closed list; the first is the default and the only one that has an effect yet.
        case constant([String])
        case logFilter(Property<LogFilter>)
        /// A list or map that another reader takes apart.
        case tree(Property<Node?>, words: String)
    }

    init(
        _ key: String, _ form: Form, default defaultWords: String? = nil, isSecret: Bool = false,
        alias: String? = nil, _ summary: String
    ) {
        self.key = key
        self.form = form
        self.summary = summary
        self.defaultWords = defaultWords
        self.isSecret = isSecret
        self.alias = alias
    }

    /// `TSS__APP__DATA_DIR`.
    var variable: String { Self.variable(key) }

    static func variable(_ key: String) -> String {
        "TSS__" + key.uppercased().replacing(".", with: "__")
    }

    /// `TSS_APP_DATA_DIR`, read with a warning.
    static func looseVariable(_ key: String) -> String {
        "TSS_" + key.uppercased().replacing(".", with: "_")
    }
}
