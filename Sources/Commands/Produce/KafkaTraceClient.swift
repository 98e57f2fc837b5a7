internal import RDKafka
internal import Threads

/// Sends each trace as one message, keyed by its id, and knows where the broker put it.
final class KafkaTraceClient: TraceReceiver {
    /// An S3-backed broker answers its first metadata request slowly.
    static let patience: Duration = .seconds(30)

    private let brokers: String
    private let topic: String
    private let producer: KafkaProducer
    private let deliveries: Lock<[UInt: Result<KafkaDelivery.Place, KafkaError>]>

    /// - Parameter properties: Of the client, brokers and credentials among them.
    init(_ properties: [String: String], topic: String) throws(ProduceFailure) {
        brokers = properties["bootstrap.servers"] ?? ""
        self.topic = topic
        var configuration = KafkaConfiguration(properties)
        configuration["client.id"] = "tss-produce"
        configuration["message.timeout.ms"] = "\(Self.patience.wholeMilliseconds)"
        configuration["socket.timeout.ms"] = "\(Self.patience.wholeMilliseconds)"
        configuration["enable.idempotence"] = "true"
        configuration["linger.ms"] = configuration["linger.ms"] ?? "5"
        let deliveries = Lock<[UInt: Result<KafkaDelivery.Place, KafkaError>]>([:])
        self.deliveries = deliveries
        do throws(KafkaError) {
            producer = try KafkaProducer(configuration) { delivery in
                deliveries.withLock { $0[delivery.token] = delivery.result }
            }
        } catch {
            throw ProduceFailure(message: error.message)
        }
    }

    func stop() {}

    func send(_ traces: [OutgoingTrace]) throws(ProduceFailure) -> [String] {
        do throws(KafkaError) {
            for (number, trace) in traces.enumerated() {
                let message = KafkaProducer.Message(
                    topic: topic, key: Array(trace.traceID.utf8), value: trace.bytes)
                try producer.send(message, token: UInt(number + 1))
            }
        } catch {
            throw failure(error)
        }
        producer.flush(within: Self.patience + .seconds(5))
        let results = deliveries.withLock { deliveries in
            defer { deliveries = [:] }
            return deliveries
        }
        var places: [String] = []
        for number in traces.indices {
            switch results[UInt(number + 1)] {
            case .success(let place): places.append("partition \(place.partition), offset \(place.offset)")
            case .failure(let error): throw failure(error)
            case nil: throw ProduceFailure(message: "\(brokers): no word of a message in \(Self.patience)")
            }
        }
        return places
    }

    private func failure(_ error: KafkaError) -> ProduceFailure {
        guard error.code == .messageTimedOut || error.code == .transport || error.code == .allBrokersDown else {
            return ProduceFailure(message: "\(brokers), topic \(topic): \(error)")
        }
        return ProduceFailure(
            message: "no Kafka broker at \(brokers) took a message in \(Self.patience): start one, or set KAFKA_BROKERS"
        )
    }
}
