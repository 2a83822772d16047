"""Release 2: the name is going to be called full_name, and rows may have either."""

PUT = """
INSERT INTO core.customers (id, full_name) VALUES (%s, %s)
ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name"""
GET = "SELECT coalesce(full_name, name) FROM core.customers WHERE id = %s"


async def put(connection, customer, name):
    """Write a customer."""
    await connection.execute(PUT, (customer, name))


async def get(connection, customer):
    """A customer's name, or None."""
    row = await (await connection.execute(GET, (customer,))).fetchone()
    return row and row[0]
