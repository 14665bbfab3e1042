"""What every daemon of Moorage is made of; knows nothing of networks or volumes."""
