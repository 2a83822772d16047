"""What a host shows to the network: the readiness gates and the health endpoints; no framework imported."""
