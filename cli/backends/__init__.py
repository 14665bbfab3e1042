"""`moorage backend`: what there is to tell of backends, and how one is tried; the commands are in `cli.backend`."""
