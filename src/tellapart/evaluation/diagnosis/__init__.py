"""What a training's figures say, in words, and what to do about it, as the exact command.

    for found in diagnose(facts_from_run(RunFolder.open("runs/photos-1"))):
        print(found.topic, found.text)

A rule a file; the order and what silences what are in `rules.py`. NumPy alone is needed.
"""

from tellapart.evaluation.diagnosis.facts import TrainingFacts, facts_from_run, gather_facts
from tellapart.evaluation.diagnosis.finding import Diagnosis
from tellapart.evaluation.diagnosis.rules import diagnose

__all__ = ["Diagnosis", "TrainingFacts", "diagnose", "facts_from_run", "gather_facts"]
