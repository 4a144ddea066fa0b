"""The page of `restora serve`, and its HTTP interface: docs/web.md."""
