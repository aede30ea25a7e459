"""From the trained network to a file that can be deployed."""
