"""Release 1: points are in the table points."""

PUT = """
INSERT INTO loyalty.points (customer, amount) VALUES (%s, %s)
ON CONFLICT (customer) DO UPDATE SET amount = excluded.amount"""
GET = "SELECT amount FROM loyalty.points WHERE customer = %s"


async def put(connection, customer, points):
    """Write a customer's points."""
    await connection.execute(PUT, (customer, points))


async def get(connection, customer):
    """A customer's points, or None."""
    row = await (await connection.execute(GET, (customer,))).fetchone()
    return row and row[0]
