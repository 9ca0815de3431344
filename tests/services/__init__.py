"""What must hold in services, file by file."""
