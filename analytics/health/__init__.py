"""Whether the house is well: queues, delays, alarms, the doctor."""
