"""The types of all records: what each JSON file of a run holds."""
