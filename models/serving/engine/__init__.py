"""What turns a question into positions and back: people, scopes, the model, reasons."""
