"""The link: bytes to frames, frames to words and sample bytes, and back."""
