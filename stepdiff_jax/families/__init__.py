"""One file for each family of language models; `FAMILY` in it is all that differs between them.

A family is found by the name of its file, so adding one is adding a file. What several families
share is in `common`.
"""
