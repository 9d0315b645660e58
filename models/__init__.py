"""Backends behind small protocols: encoders, chat, small trainable heads, and a fake of each."""
