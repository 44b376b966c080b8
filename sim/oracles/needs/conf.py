"""A sphinx project that imports the needs of an evidence bundle: what a reader of needs.json has to declare."""

project = "evidence"
extensions = ["sphinx_needs"]
exclude_patterns = ["_build"]

# Ids are those of the source documents, such as PFU-041, and ROW_... and RUN_... of cooltwin's own.
needs_id_regex = "^[A-Z0-9_-]{5,}$"
needs_types = [
    {"directive": "req", "title": "Requirement", "prefix": "", "color": "#BFD8D2", "style": "node"},
    {"directive": "check", "title": "Check", "prefix": "ROW_", "color": "#DCB239", "style": "node"},
    {"directive": "budget", "title": "Budget", "prefix": "ROW_", "color": "#DCB239", "style": "node"},
    {"directive": "run", "title": "Run", "prefix": "RUN_", "color": "#DF744A", "style": "node"},
]
needs_fields = {
    name: {"description": name, "default": ""}
    for name in "method criterion decision revision sha256 worst limit margin unit proof".split()
}
