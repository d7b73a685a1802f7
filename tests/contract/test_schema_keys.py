"""What lets the schema be spread over many machines: every key begins with the space, or with the tenant."""

import pytest

from quipu_server.store import Database

OWNERS = {"space_id", "tenant"}

_KEYS = """
SELECT t.relname, i.relname, x.indisprimary OR c.oid IS NOT NULL,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype = 'u'
WHERE x.indisunique AND t.relnamespace = 'quipu'::regnamespace AND t.relname <> 'schema_version'
"""
_FOREIGN_KEYS = """
SELECT t.relname, c.conname,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number ORDER BY k.place)
FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
WHERE c.contype = 'f' AND t.relnamespace = 'quipu'::regnamespace
"""
_TABLES = """
SELECT t.relname, array_agg(a.attname::text) FROM pg_class t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
WHERE t.relkind IN ('r', 'p') AND t.relnamespace = 'quipu'::regnamespace AND t.relname <> 'schema_version'
GROUP BY t.relname
"""
_SEQUENCES = "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'quipu'::regnamespace"


async def read(database: Database, statement: str) -> list[tuple[object, ...]]:
    async with database.unlocked() as connection:
        return await (await connection.execute(statement)).fetchall()


async def test_every_table_says_whose_its_rows_are(database: Database) -> None:
    tables = {str(table): columns for table, columns in await read(database, _TABLES)}
    assert {"spaces", "heads", "memory_revisions", "passages", "vectors"} <= tables.keys()
    for table, columns in tables.items():
        assert isinstance(columns, list)
        assert OWNERS & set(columns), table


async def test_every_key_begins_with_the_space_or_the_tenant(database: Database) -> None:
    """A unique index that is no key must contain it: that is what a distributed table asks for."""
    keys = await read(database, _KEYS)
    assert keys
    for table, name, is_key, columns in keys:
        assert isinstance(columns, list)
        assert (columns[0] in OWNERS) if is_key else (OWNERS & set(columns)), f"{table}: {name}"


async def test_no_reference_crosses_spaces(database: Database) -> None:
    for table, name, ours, theirs in await read(database, _FOREIGN_KEYS):
        assert isinstance(ours, list)
        assert isinstance(theirs, list)
        assert (ours[0], theirs[0]) == ("space_id", "space_id"), f"{table}: {name}"


async def test_nothing_is_counted_for_all_spaces_together(database: Database) -> None:
    (row,) = await read(database, _SEQUENCES)
    assert row == (0,)


@pytest.mark.parametrize("table", ["heads", "memory_revisions", "passages", "vectors", "requests"])
async def test_what_belongs_to_a_space_is_found_by_it(database: Database, table: str) -> None:
    keys = [(columns, is_key) for name, _, is_key, columns in await read(database, _KEYS) if name == table]
    assert any(is_key and isinstance(columns, list) and columns[0] == "space_id" for columns, is_key in keys)
