"""The search for settings: its space, its objective, its study. Knows neither torch nor the run store."""
