"""What is kept on disk: model files, checkpoints, and what tells whole ones from damaged ones."""
