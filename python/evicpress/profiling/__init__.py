"""The kvpress worker: what lossy compression does to answers, for any Hugging Face model."""
