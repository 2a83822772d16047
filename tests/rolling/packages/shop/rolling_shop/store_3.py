"""Release 3: the name is called full_name, and there is a note."""

PUT = """
INSERT INTO core.customers (id, full_name, note) VALUES (%s, %s, 'by release 3')
ON CONFLICT (id) DO UPDATE SET full_name = excluded.full_name, note = excluded.note"""
GET = "SELECT full_name FROM core.customers WHERE id = %s"


async def put(connection, customer, name):
    """Write a customer."""
    await connection.execute(PUT, (customer, name))


async def get(connection, customer):
    """A customer's name, or None."""
    row = await (await connection.execute(GET, (customer,))).fetchone()
    return row and row[0]
