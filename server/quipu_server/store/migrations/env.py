"""Run by Alembic: applies the migrations on the connection, and in the transaction, of whoever called it."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    version_table_schema="quipu",
)
context.run_migrations()
