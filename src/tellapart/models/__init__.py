"""Networks: the classic ones, and whatever the user brings."""
