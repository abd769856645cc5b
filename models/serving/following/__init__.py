"""Follows the published folder: what is live, what curators want, what is in stock, who may ask."""
