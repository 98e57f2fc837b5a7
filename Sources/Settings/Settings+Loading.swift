public import Configuration
internal import YAML

extension Settings {
    /// Reads settings: the command line over the environment over the file over the defaults.
    ///
    /// - Parameters:
    ///   - readFile: The text of a file that a `…_FILE` variable names; throws what to tell the user.
    /// - Throws: All problems at once, each with its place.
    public static func load(
        _ sources: SettingsSources, machine: MachineFacts, isDevelopment: Bool = false,
        readFile: (String) throws(ReadError) -> String
    ) throws(SettingsError) -> LoadedSettings {
        var loader = Loader(
            vocabulary: .current, machine: machine,
            settings: Settings(machine: machine, isDevelopment: isDevelopment))
        loader.read(sources, readFile: readFile)
        loader.check(readFile)
        guard !loader.problems.hasErrors else { throw SettingsError(problems: loader.problems.errors) }
        return LoadedSettings(
            settings: loader.settings, warnings: loader.problems.warnings,
            ignoredVariables: loader.ignoredVariables, places: loader.places)
    }
}

/// One reading of all sources.
struct Loader {
    let vocabulary: Layer.Vocabulary
    let machine: MachineFacts
    var settings: Settings
    var problems = Problems()
    var ignoredVariables: [String] = []
    /// Where each given key was given.
    var places: [String: Place] = [:]
    /// Folder that relative paths of the file lie in.
    private var fileFolder: String

    init(vocabulary: Layer.Vocabulary, machine: MachineFacts, settings: Settings) {
        self.vocabulary = vocabulary
        self.machine = machine
        self.settings = settings
        fileFolder = machine.workingFolder
    }

    mutating func read(_ sources: SettingsSources, readFile: (String) throws(ReadError) -> String) {
        var layers: [Layer] = []
        if let file = sources.file { layers.append(fileLayer(file)) }
        layers.append(logLevelLayer(sources.environment))
        layers.append(looseLayer(sources.environment))
        layers.append(variableLayer(sources.environment, readFile))
        layers.append(argumentLayer(sources.arguments))
        apply(layers)
    }

    /// Sets what the layers give; a later one wins.
    mutating func apply(_ layers: [Layer]) {
        var values: [String: Node] = [:]
        for layer in layers {
            problems.add(layer.problems.list)
            for (key, node) in layer.values {
                if case .properties = vocabulary.declaration(key)?.form, let earlier = values[key] {
                    values[key] = node.over(earlier)
                } else {
                    values[key] = node
                }
            }
        }
        for declaration in vocabulary.declarations {
            guard let node = values[declaration.key] else { continue }
            places[declaration.key] = node.place
            do throws(ReadError) {
                try declaration.form.set(node, in: &settings, folder: folder(for: node.place))
            } catch {
                let message = declaration.isSecret ? "the value cannot be used" : error.message
                problems.error(at: node.place, key: declaration.key, message)
            }
        }
    }

    /// Files are relative to their own folder, everything else to the working folder.
    private func folder(for place: Place) -> String {
        if case .file = place { return fileFolder }
        return machine.workingFolder
    }

    private mutating func fileLayer(_ file: SettingsSources.File) -> Layer {
        fileFolder = AbsolutePath.of(AbsolutePath.folder(of: file.path), in: machine.workingFolder)
        var layer = Layer()
        do throws(YAMLError) {
            guard let root = try YAMLText.parse(file.text, name: file.path), !root.isNull else { return layer }
            guard case .map(let entries) = root.value else {
                layer.problems.error(
                    at: root.place, key: "", "expected sections such as app: and sampling:, found \(root.words)")
                return layer
            }
            for entry in entries {
                layer.take(entry.value, as: entry.key, keyPlace: entry.keyPlace, vocabulary)
            }
        } catch {
            layer.problems.add(error.problems)
        }
        return layer
    }

    private func argumentLayer(_ arguments: [String: String]) -> Layer {
        var layer = Layer()
        for (key, text) in arguments.sorted(by: { $0.key < $1.key }) {
            let place = Place.argument("--set \(key)")
            take(text, as: key, at: place, in: &layer)
        }
        return layer
    }
}

extension Node {
    /// A map adds to an earlier one, name by name; anything else takes its place.
    fileprivate func over(_ earlier: Node) -> Node {
        guard case .map(let mine) = value, case .map(let theirs) = earlier.value else { return self }
        let names = Set(mine.map(\.key))
        return Node(.map(theirs.filter { !names.contains($0.key) } + mine), at: place)
    }
}

// MARK: - Environment

extension Loader {
    /// `TSS__SECTION__KEY`: an unknown one is an error.
    private func variableLayer(
        _ environment: [String: String], _ readFile: (String) throws(ReadError) -> String
    ) -> Layer {
        var layer = Layer()
        for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("TSS__") {
            let place = Place.variable(variable)
            let key = variable.dropFirst(5).lowercased().replacing("__", with: ".")
            if key.hasSuffix("_file"), vocabulary.declaration(key) == nil,
                let secret = vocabulary.declaration(String(key.dropLast(5))), secret.isSecret
            {
                do throws(ReadError) {
                    let content = try readFile(AbsolutePath.of(text, in: machine.workingFolder))
                    let node = Node(text: Self.withoutFinalNewline(content), isQuoted: true, at: place)
                    layer.take(node, as: secret.key, keyPlace: place, vocabulary)
                } catch {
                    layer.problems.error(at: place, key: secret.key, error.message)
                }
            } else {
                take(text, as: key, at: place, in: &layer)
            }
        }
        return layer
    }

    /// `TSS_SECTION_KEY`, when it is a known key: other programs put variables of that form there too.
    private mutating func looseLayer(_ environment: [String: String]) -> Layer {
        let keys = vocabulary.names.filter { !$0.hasSuffix(".") }
        let byVariable = Dictionary(keys.map { (Declaration.looseVariable($0), $0) }) { first, _ in first }
        var layer = Layer()
        for (variable, text) in environment.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix("TSS_") && !variable.hasPrefix("TSS__") {
            guard let key = byVariable[variable] else {
                ignoredVariables.append(variable)
                continue
            }
            let place = Place.variable(variable)
            if environment[Declaration.variable(key)] == nil {
                layer.problems.warning(
                    at: place, key: key, "taken, but the name to use is \(Declaration.variable(key))")
                take(text, as: key, at: place, in: &layer)
            } else {
                layer.problems.warning(at: place, key: key, "\(Declaration.variable(key)) is taken instead")
            }
        }
        return layer
    }

    /// The log level's customary variables, `RUST_LOG` before `LOG_LEVEL`; they are other programs' too.
    private func logLevelLayer(_ environment: [String: String]) -> Layer {
        let key = "observability.log_level"
        var layer = Layer()
        guard vocabulary.declaration(key) != nil else { return layer }
        for variable in ["RUST_LOG", "LOG_LEVEL"] {
            guard let text = environment[variable], !text.isEmpty, layer.values[key] == nil else { continue }
            let place = Place.variable(variable)
            do throws(ReadError) {
                _ = try Declaration.Form.logFilter(text)
                layer.values[key] = Node(text: text, isQuoted: true, at: place)
            } catch {
                layer.problems.warning(at: place, key: key, "not taken: \(error.message)")
            }
        }
        return layer
    }

    /// Takes one text under a dotted key; lists and maps are given as JSON.
    private func take(_ text: String, as key: String, at place: Place, in layer: inout Layer) {
        let needsTree = vocabulary.declaration(key).map(\.form.isTree) ?? vocabulary.isSection(key)
        guard needsTree else {
            layer.take(Node(text: text, at: place), as: key, keyPlace: place, vocabulary)
            return
        }
        do throws(YAMLError) {
            guard let node = try YAMLText.parse(Array(text.utf8), place: { _, _ in place }) else { return }
            layer.take(node, as: key, keyPlace: place, vocabulary)
        } catch {
            layer.problems.add(
                error.problems.map { Problem(.error, at: $0.place, key: key, "no JSON: \($0.message)") })
        }
    }

    static func withoutFinalNewline(_ text: String) -> String {
        var text = text
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }
}
