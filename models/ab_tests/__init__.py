"""A/B tests of published versions on real customers: how they are planned, judged and decided."""
