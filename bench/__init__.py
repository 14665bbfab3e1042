"""Figures: ratios taken in one run, with the machine's noise beside them; nothing here asserts."""
