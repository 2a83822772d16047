"""Releases 2 and 3: points are in the table entries."""

PUT = """
INSERT INTO loyalty.entries (customer, units) VALUES (%s, %s)
ON CONFLICT (customer) DO UPDATE SET units = excluded.units"""
GET = "SELECT units FROM loyalty.entries WHERE customer = %s"


async def put(connection, customer, points):
    """Write a customer's points."""
    await connection.execute(PUT, (customer, points))


async def get(connection, customer):
    """A customer's points, or None."""
    row = await (await connection.execute(GET, (customer,))).fetchone()
    return row and row[0]
