"""`moorage volume`: what there is to tell of volumes; the commands are in `cli.volume`."""
