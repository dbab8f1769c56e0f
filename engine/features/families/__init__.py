"""The features of the catalog, one module a family."""
