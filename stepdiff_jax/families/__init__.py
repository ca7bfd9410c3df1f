"""One file per family of language models; its `FAMILY` holds all that is specific to the family.

A family is found by the name of its file, so adding one means adding a file. Shared code is in
`common`.
"""
