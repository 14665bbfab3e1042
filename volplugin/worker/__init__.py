"""The process in which a backend's work is done that may block: it is killed when it does not answer in time."""

STALE = "gone"  # kind of an answer: what is mounted is dead, and must be mounted anew
