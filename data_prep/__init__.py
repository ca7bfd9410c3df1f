"""From annotations, narrations and video files to records that training reads."""
