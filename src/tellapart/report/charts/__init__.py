"""Charts as SVG: small functions from numbers to marks, coloured by the page's style sheet."""
