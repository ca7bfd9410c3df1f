"""The networks: video encoder, resampler, language model and their composition."""
