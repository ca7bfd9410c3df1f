"""The lines of every file between stages, as typed records that msgspec checks.

A stage reads of a line what it needs and ignores the rest, so that one kind of line may have
several records here. A field's name is spelled in this package; stages use attributes.
"""
