internal import HTTPServer
internal import JSON
internal import Telemetry

/// Liveness, readiness, and the whole story.
struct HealthRoutes {
    let health: any HealthReporting

    func live() -> HTTPResponse {
        health.isAlive
            ? Envelope.response(200, ["status": "alive"])
            : Envelope.response(503, ["status": "stuck", "reasons": ["a shard's loop has not turned for 60 s"]])
    }

    func ready() -> HTTPResponse {
        let obstacles = health.obstacles
        return obstacles.isEmpty
            ? Envelope.response(200, ["status": "ready"])
            : Envelope.response(
                503, ["status": "not_ready", "reasons": .array(obstacles.map { .string($0) })])
    }

    func report() -> HTTPResponse {
        let report = health.report
        var components: JSONObject = [:]
        for component in report.components { components[component.name] = json(component) }
        return Envelope.response(
            200,
            [
                "status": .string(report.status.rawValue), "version": .string(report.version),
                "instance_id": .string(report.instanceID),
                "timestamp": .string(Timestamp.text(milliseconds: report.timestampMilliseconds)),
                "policies": .array(report.policies.map { .string($0) }),
                "policy_version": JSONValue(report.policyVersion), "auth": .string(report.authentication),
                "buffer": .object(report.buffer), "components": .object(components),
            ])
    }

    private func json(_ component: HealthReport.Component) -> JSONValue {
        var object: JSONObject = ["status": .string(component.status.rawValue)]
        object["since"] = component.sinceMilliseconds.map { .string(Timestamp.text(milliseconds: $0)) } ?? .null
        object["last_error"] = component.lastError.map { .string($0) } ?? .null
        for (key, value) in component.details.members { object[key] = value }
        return .object(object)
    }
}
