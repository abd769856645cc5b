"""What ingestion costs, measured beside DuckDB."""
