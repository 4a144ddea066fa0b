"""The page of `restora serve`, and its HTTP interface: docs/how-to/web.md."""
