"""What is measured, beside the plain way of doing the same work: `python -m benchmarks.NAME`."""
