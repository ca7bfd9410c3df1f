"""The official benchmark files: writing, checking, and leaving their clips out of training."""
