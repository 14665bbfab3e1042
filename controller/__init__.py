"""The OpenFlow controller of a host: keeps the flows of its bridge as the records ask."""
