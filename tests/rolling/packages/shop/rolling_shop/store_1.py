"""Release 1: a customer has a name."""

PUT = """
INSERT INTO core.customers (id, name) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET name = excluded.name"""
GET = "SELECT name FROM core.customers WHERE id = %s"


async def put(connection, customer, name):
    """Write a customer."""
    await connection.execute(PUT, (customer, name))


async def get(connection, customer):
    """A customer's name, or None."""
    row = await (await connection.execute(GET, (customer,))).fetchone()
    return row and row[0]
