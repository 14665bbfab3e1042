"""What a trace asks this machine: Docker, Open vSwitch, the kernel and iptables; it changes nothing."""
