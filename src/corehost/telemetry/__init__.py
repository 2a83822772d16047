"""What passes tell of themselves: log records, numbers, spans. No library is imported that is not used."""
