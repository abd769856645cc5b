"""What the shop dropped: which files, how they are read, what a source may say."""
