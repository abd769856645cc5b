"""The rules of the shop, applied to lists: block, stock and picture, pin, boost, fill."""
