"""What everything stands on: diagnostics, places of files, whole files, frames of values, what is needed of torch."""
