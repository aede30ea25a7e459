"""The parts of the page: each file turns records of a run into what its template shows.

A section is a function of `(record, pictures)` that returns the variables of
`templates/report/<section>.html.j2`, or raises `AbsentError` with the sentence to show instead.
"""
