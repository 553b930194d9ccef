"""The page that people look at: static files of ours (`static/`), and libraries that are fetched (`vendor/`)."""
