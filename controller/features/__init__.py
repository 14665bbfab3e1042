"""The flows: each module yields those of its tables from small values; pure."""
