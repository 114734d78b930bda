"""Every column that is stored is said to be personal or not."""

from docs.personal import COLUMNS, CREATOR, NOBODY, PLACES, USER
from features.store_tables import METADATA
from models.registry import Registry


def test_every_column_of_the_database_is_told_of():
    tables = {table.name: {c.name for c in table.columns} for table in METADATA.sorted_tables}
    assert tables.keys() == COLUMNS.keys() - {"bundle", "files"}
    for name, columns in tables.items():
        assert columns == COLUMNS[name].keys(), name


def test_every_file_of_a_bundle_is_told_of(trained_home, tmp_path):
    settings = trained_home.settings
    registry = Registry(settings.registry_uri, settings.artifacts)
    folder = registry.fetch(trained_home.trained.version, tmp_path)
    names = set()
    for path in folder.rglob("*"):
        if path.is_file():
            inside = path.relative_to(folder)
            first = inside.parts[0]
            if first == "index" and inside.name != "index.json":
                first = inside.name.split(".")[0]
            elif first == "index":
                first = inside.name
            names.add(first)
    assert names == COLUMNS["bundle"].keys()


def test_every_place_says_how_long_and_how_it_is_deleted():
    assert PLACES.keys() == COLUMNS.keys()
    for columns in COLUMNS.values():
        for whose, why in columns.values():
            assert whose in (CREATOR, USER, NOBODY) and why
