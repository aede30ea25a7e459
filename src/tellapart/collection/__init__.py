"""Sorting a collection of pictures by what they show, and taking it back.

    listing.py      what is in the folder         companions.py   what goes with a picture
    predicting.py   what each picture shows       content.py      digests, read without a trace
    outcome.py      what came of it
    targets.py      where it goes                 folder_names.py, suffixes.py
    plan.py         the plan, in numbers          journal.py      all of this, in SQLite
    doing.py        carrying it out               placing.py      never over another file
    settling.py     what a killed process left    undo.py         taking it back
    checks.py       what is looked at first       words.py        commands to copy
    sort.py         the stages in order, for Python and the command line

What is promised, and how that is kept: docs/sort.md.
"""
