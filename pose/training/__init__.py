"""Teaching networks to find people: what trainings share; a room for each kind of network."""
