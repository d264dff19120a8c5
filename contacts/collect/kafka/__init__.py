"""Events from a Kafka topic, with its offsets in the transaction of the events."""
