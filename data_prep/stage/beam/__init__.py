"""Stages on Apache Beam; all of it ours."""
