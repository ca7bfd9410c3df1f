"""Trains the kitchen's stand-ins for Llama-2-chat and InternVideo (see __main__)."""
