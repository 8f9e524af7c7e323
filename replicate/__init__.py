"""Replicate: build a V2 of a labelled test set, and find out whether measured progress is real.

The method is that of Recht, Roelofs, Schmidt and Shankar, "Do ImageNet Classifiers
Generalize to ImageNet?" (2019).
"""

__version__ = "0.1.0"
