"""The look-ahead audit: the pipeline is run again on altered futures, and nothing earlier may move."""
