"""What travels between engine and screen: one light module an artefact, typed once.

A record is a frozen `msgspec.Struct`. Stages write it; report, command line and screen read it. Nothing
here imports the engine's other packages, so that everybody may import it.
"""
