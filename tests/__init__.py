"""The tests; a package, because some distribution installs one of the same name."""
