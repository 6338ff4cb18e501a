"""The page: photos, holes, caricatures and a data set in a browser, on top of the same models as the service."""
