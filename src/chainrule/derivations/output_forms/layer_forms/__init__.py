"""Forms of layers through the output alone: proposed here, checked by whoever asks."""
