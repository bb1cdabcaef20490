"""Figures that need more than a few lines, one file a chapter, and what they share."""
