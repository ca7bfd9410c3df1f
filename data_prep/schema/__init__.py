"""Typed records of the lines in all files between stages, checked by msgspec.

A stage reads only the fields that it needs, so one kind of line may have several records here.
Field names are spelled only in this package; stages use attributes.
"""
