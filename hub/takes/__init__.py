"""Take servers: models kept warm on a GPU, serving the takes of all labs in turn, each charged by its own seconds."""
