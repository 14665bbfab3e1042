"""A cluster on one machine: hosts are namespaces with real Docker, Open vSwitch and our daemons."""
