"""Programs that steer engines of other processes, above all those on asyncio."""
