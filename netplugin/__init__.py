"""Docker's network and IPAM driver of one host: containers on Open vSwitch."""
