"""What must hold in the bundle room, file by file."""
