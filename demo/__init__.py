"""The emulated outside world, its data and the demo's story. Not part of the shipped package."""
