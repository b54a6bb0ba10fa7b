"""Databases of the embedded Postgres, one for each thing that is measured."""

from sqlalchemy import create_engine, make_url, text


def new_database(url: str, name: str) -> str:
    """The URL of the new, empty database `name` on the server of `url`."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)
