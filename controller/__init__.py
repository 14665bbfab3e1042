"""The OpenFlow application: records to flows."""
