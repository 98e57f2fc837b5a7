// librdkafka's variadic functions as typed ones, and the few functions that are newer than the header of
// Debian 12 (2.0.2): the library that is linked is 2.16, and its interface only grows. Header only.
#ifndef TSS_CLIBRDKAFKA_H
#define TSS_CLIBRDKAFKA_H
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

// Topic ids.
typedef struct rd_kafka_TopicCollection_s tss_kafka_topic_collection;
typedef struct rd_kafka_TopicDescription_s tss_kafka_topic_description;
typedef struct rd_kafka_Uuid_s tss_kafka_uuid;
typedef rd_kafka_event_t tss_kafka_describe_topics_result;
extern tss_kafka_topic_collection *rd_kafka_TopicCollection_of_topic_names(const char **topics, size_t count);
extern void rd_kafka_TopicCollection_destroy(tss_kafka_topic_collection *topics);
extern void rd_kafka_DescribeTopics(
    rd_kafka_t *client, const tss_kafka_topic_collection *topics, const rd_kafka_AdminOptions_t *options,
    rd_kafka_queue_t *queue);
extern const tss_kafka_describe_topics_result *rd_kafka_event_DescribeTopics_result(rd_kafka_event_t *event);
extern const tss_kafka_topic_description **rd_kafka_DescribeTopics_result_topics(
    const tss_kafka_describe_topics_result *result, size_t *count);
extern const tss_kafka_uuid *rd_kafka_TopicDescription_topic_id(const tss_kafka_topic_description *topic);
extern const rd_kafka_error_t *rd_kafka_TopicDescription_error(const tss_kafka_topic_description *topic);
extern const char *rd_kafka_Uuid_base64str(const tss_kafka_uuid *uuid);
// The mock cluster.
extern void rd_kafka_mock_group_initial_rebalance_delay_ms(rd_kafka_mock_cluster_t *cluster, int32_t delay);
extern rd_kafka_resp_err_t rd_kafka_mock_topic_delete(rd_kafka_mock_cluster_t *cluster, const char *topic);

// Copies key and payload; takes the headers over when it succeeds. A partition of RD_KAFKA_PARTITION_UA lets the
// partitioner choose, a timestamp of 0 is now.
static inline rd_kafka_error_t *tss_kafka_produce(
    rd_kafka_t *client, const char *topic, int32_t partition, const void *key, size_t key_length,
    const void *payload, size_t length, int64_t timestamp, rd_kafka_headers_t *headers, void *opaque) {
    rd_kafka_vu_t values[8];
    size_t count = 0;
    values[count].vtype = RD_KAFKA_VTYPE_TOPIC;
    values[count++].u.cstr = topic;
    values[count].vtype = RD_KAFKA_VTYPE_PARTITION;
    values[count++].u.i32 = partition;
    values[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    values[count++].u.i = RD_KAFKA_MSG_F_COPY;
    values[count].vtype = RD_KAFKA_VTYPE_VALUE;
    values[count].u.mem.ptr = (void *)payload;
    values[count++].u.mem.size = length;
    values[count].vtype = RD_KAFKA_VTYPE_KEY;
    values[count].u.mem.ptr = (void *)key;
    values[count++].u.mem.size = key_length;
    values[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    values[count++].u.i64 = timestamp;
    values[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    values[count++].u.ptr = opaque;
    if (headers) {
        values[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        values[count++].u.headers = headers;
    }
    return rd_kafka_produceva(client, values, count);
}
#endif
